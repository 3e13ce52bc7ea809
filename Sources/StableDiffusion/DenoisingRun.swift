import TensorKit

/// Delayed injection (weights2weights): who is drawn while the picture is still coarse.
public struct EarlyAdapters {
    /// One for each picture, or empty for the base model.
    public var adapters: [LoRAAdapter?]
    /// Training time step: these adapters denoise while t is above it, the run's own from the first t at or below it on.
    public var above: Float

    public init(adapters: [LoRAAdapter?], above: Float) {
        self.adapters = adapters
        self.above = above
    }
}

/// The way from noise to image latents, one step at a time: to stop is not to call `step` again. A value; a copy is a place to go on from.
public struct DenoisingRun {
    /// Where the run stands, [N, H, W, C], channels last.
    public private(set) var latents: Tensor
    /// The finished image latents as the last step estimates them, same shape; nil before the first step.
    public private(set) var estimate: Tensor?
    /// The clean latents as the model alone saw them in the last step (a sampler's estimate may combine several), same shape.
    private(set) var modelOriginal: Tensor?
    /// Guidance scale for the next steps; it counts when a negative prompt was given.
    public var guidance: Float
    private var scheduler: any Scheduler
    private var generators: [TorchRandomSource.State]
    private let unet: UNet2DConditionModel
    private let prompt: PromptConditioning
    private let negativePrompt: PromptConditioning?
    private let guidanceInterval: ClosedRange<Float>?
    private var late: (adapters: [LoRAAdapter?], timestep: Float)?
    /// For evaluations with guidance (negative prompts first) or, in a run without a negative prompt, for all of them.
    private var conditioning: UNetConditioning
    /// For evaluations outside the guidance interval: prompts alone.
    private var plainConditioning: UNetConditioning?

    /// - Parameters:
    ///   - unet: predicts.
    ///   - scheduler: at its start, or where `latents` stand.
    ///   - latents: [N, H, W, C]
    ///   - generators: one for each picture, for samplers that add noise.
    ///   - prompt: of all pictures.
    ///   - negativePrompt: nil goes without guidance.
    ///   - guidance: scale of classifier-free guidance.
    ///   - adapters: one for each picture, or empty.
    ///   - early: other adapters for the beginning.
    ///   - guidanceInterval: training time steps at which there is guidance (Kynkäänniemi et al., 2404.07724); elsewhere only the prompt is
    ///     asked, which takes half the time. nil is everywhere.
    public init(
        unet: UNet2DConditionModel, scheduler: any Scheduler, latents: Tensor, generators: [TorchRandomSource.State],
        prompt: PromptConditioning, negativePrompt: PromptConditioning?, guidance: Float, adapters: [LoRAAdapter?],
        early: EarlyAdapters? = nil, guidanceInterval: ClosedRange<Float>? = nil
    ) {
        self.unet = unet
        self.scheduler = scheduler
        self.latents = latents
        self.generators = generators
        self.prompt = prompt
        self.negativePrompt = negativePrompt
        self.guidance = guidance
        self.guidanceInterval = negativePrompt == nil ? nil : guidanceInterval
        late = early.map { (adapters, $0.above) }
        let first = early?.adapters ?? adapters
        conditioning = Self.conditioning(unet, prompt, negativePrompt, first, count: latents.shape[0])
        plainConditioning =
            self.guidanceInterval == nil ? nil : Self.conditioning(unet, prompt, nil, first, count: latents.shape[0])
    }

    /// Number of evaluations in all.
    public var stepCount: Int { scheduler.timesteps.count }
    /// The training time steps of all evaluations.
    public var timesteps: [Float] { scheduler.timesteps }
    /// Number of steps done.
    public var stepsDone: Int { scheduler.stepIndex }
    public var isFinished: Bool { scheduler.isFinished }
    /// The training time step at which the next step asks, nil at the end.
    public var nextTimestep: Float? { isFinished ? nil : scheduler.timesteps[scheduler.stepIndex] }

    /// Size of the next evaluation's batch: twice the pictures where there is guidance.
    public var nextSamples: Int {
        guard let nextTimestep else { return 0 }
        return conditioning(at: nextTimestep).samples
    }

    /// Noise level at which the run stands, standard deviation over signal.
    var sigma: Double { scheduler.sigma }
    /// The sampler draws no fresh noise.
    var isDeterministic: Bool { !scheduler.addsNoise }

    /// The clean latents that the model's answer speaks of, at the noise level where the run stands.
    /// - Parameters:
    ///   - output: the answer, with guidance applied, [N, H, W, C].
    ///   - input: what the model was shown, at unit variance, same shape.
    /// - Returns: same shape.
    func original(of output: Tensor, input: Tensor) -> Tensor {
        let sigma = scheduler.sigma
        let a = 1 / (sigma * sigma + 1).squareRoot()
        switch scheduler.predictionType {
        case .epsilon: return linear(1 / a, input, -sigma, output)
        case .sample: return output
        case .vPrediction: return linear(a, input, -sigma * a, output)
        }
    }

    /// What the model is shown next: the latents at unit variance, [N, H, W, C].
    var modelInput: Tensor { scheduler.scaleModelInput(latents) }

    /// Goes on with other identities; those of a delayed injection are forgotten.
    /// - Parameter adapters: one for each picture, or empty.
    public mutating func replaceAdapters(_ adapters: [LoRAAdapter?]) {
        late = nil
        conditioning = Self.conditioning(unet, prompt, negativePrompt, adapters, count: latents.shape[0])
        if plainConditioning != nil {
            plainConditioning = Self.conditioning(unet, prompt, nil, adapters, count: latents.shape[0])
        }
    }

    /// Does one step: one evaluation of the U-Net, with guidance for the negative and the real prompt together.
    /// - Precondition: the run is not finished.
    /// - Returns: the estimate of the finished image latents.
    @discardableResult
    public mutating func step() -> Tensor {
        precondition(!isFinished, "all \(stepCount) steps are done")
        let timestep = scheduler.timesteps[scheduler.stepIndex]
        if let late, timestep <= late.timestep { replaceAdapters(late.adapters) }
        let input = modelInput
        let prediction = predict(input, timestep: timestep)
        modelOriginal = original(of: prediction, input: input)
        let result = scheduler.step(modelOutput: prediction, sample: latents) {
            let sources = generators.map { TorchRandomSource(state: $0) }
            let noise = channelsLastNoise(sources, shape: latents.shape)
            generators = sources.map(\.state)
            return noise
        }
        latents = result.prevSample
        estimate = result.predOriginalSample
        return result.predOriginalSample
    }

    /// The model's answer, with guidance where there is some.
    /// - Parameters:
    ///   - input: [N, H, W, C]
    ///   - timestep: training time step.
    /// - Returns: what the model says of `input`, same shape.
    func predict(_ input: Tensor, timestep: Float) -> Tensor {
        let conditioning = conditioning(at: timestep)
        let isGuided = conditioning.samples > input.shape[0]
        let output = unet(
            isGuided ? stack([input, input]) : input, timesteps: [Float](repeating: timestep, count: conditioning.samples),
            conditioning: conditioning)
        return isGuided ? guided(output) : output
    }

    private func conditioning(at timestep: Float) -> UNetConditioning {
        if let plainConditioning, let guidanceInterval, !guidanceInterval.contains(timestep) { return plainConditioning }
        return conditioning
    }

    /// unconditional + guidance * (conditional - unconditional), the unconditional half first (2207.12598).
    private func guided(_ output: Tensor) -> Tensor {
        let half = output.shape[0] / 2
        let (unconditional, conditional) = (output.rows(0..<half), output.rows(half..<(2 * half)))
        return linear(Double(1 - guidance), unconditional, Double(guidance), conditional)
    }

    private static func conditioning(
        _ unet: UNet2DConditionModel, _ prompt: PromptConditioning, _ negativePrompt: PromptConditioning?,
        _ adapters: [LoRAAdapter?], count: Int
    ) -> UNetConditioning {
        precondition(adapters.isEmpty || adapters.count == count, "one adapter for each picture, or none at all")
        let prompts = [PromptConditioning](repeating: prompt, count: count)
        guard let negativePrompt else { return unet.conditioning(prompts, adapters: LoRABatch(adapters)) }
        let negative = [PromptConditioning](repeating: negativePrompt, count: count)
        return unet.conditioning(negative + prompts, adapters: LoRABatch(adapters + adapters))
    }
}
