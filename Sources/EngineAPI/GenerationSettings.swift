/// The sampler that turns noise into a picture; raw values are the names of the command line.
public enum SchedulerName: String, Sendable, Hashable, Codable, CaseIterable {
    /// `DDIMScheduler` with `clip_sample=False`, `set_alpha_to_one=False`.
    case ddim
    /// `PNDMScheduler`; one evaluation more than steps.
    case pndm
    /// `DPMSolverMultistepScheduler` with Karras sigmas.
    case dpmpp2m = "dpmpp-2m"
    /// `DPMSolverMultistepScheduler` in the model's own noise levels.
    case dpmpp2mPlain = "dpmpp-2m-plain"
    /// `EulerDiscreteScheduler`.
    case euler
    /// `EulerAncestralDiscreteScheduler`: adds fresh noise at each step.
    case eulerAncestral = "euler-a"
    /// `LCMScheduler`, for models distilled to few steps.
    case lcm
}

/// Everything besides the weights that decides a picture. Equal settings and an equal subject give an equal picture.
public struct GenerationSettings: Sendable, Hashable, Codable {
    public var prompt: String
    public var negativePrompt: String
    /// Seed of the first noise, as for `torch.manual_seed`.
    public var seed: UInt64
    /// Denoising steps, in `stepRange`.
    public var steps: Int
    /// Classifier-free guidance scale, in `guidanceRange`; 1 means none (and one U-Net evaluation a step instead of two).
    public var guidance: Float
    public var scheduler: SchedulerName
    /// Pixels, divisible by 8.
    public var width: Int
    /// Pixels, divisible by 8.
    public var height: Int

    /// How many denoising steps a person may ask for: as many as a model is trained in.
    public static let stepRange = 1...1000
    /// Which steps a person may ask for, in words.
    public static let stepsInWords = "\(stepRange.lowerBound) to \(stepRange.upperBound)"
    /// Which guidance scales a person may ask for.
    public static let guidanceRange: ClosedRange<Float> = 0...50
    /// Which guidance scales a person may ask for, in words.
    public static let guidanceInWords = "\(Int(guidanceRange.lowerBound)) to \(Int(guidanceRange.upperBound))"
    /// Whether pictures may have a side of so many pixels.
    public static func allows(side: Int) -> Bool { side % 8 == 0 && (32...2048).contains(side) }
    /// Which sides pictures may have, in words.
    public static let sidesInWords = "32 to 2048 pixels, divisible by 8"

    public init(
        prompt: String, negativePrompt: String = "", seed: UInt64, steps: Int, guidance: Float, scheduler: SchedulerName,
        width: Int, height: Int
    ) {
        self.prompt = prompt
        self.negativePrompt = negativePrompt
        self.seed = seed
        self.steps = steps
        self.guidance = guidance
        self.scheduler = scheduler
        self.width = width
        self.height = height
    }
}
