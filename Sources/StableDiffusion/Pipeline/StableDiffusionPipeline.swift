import Checkpoints
import Foundation
import ImageCore
import NeuralNetworks
import TensorKit

/// What to draw: one prompt, any number of pictures, each with a seed and an identity of its own.
public struct DenoisingRequest {
    public var prompt: String
    public var negativePrompt: String
    /// One seed for each picture, as in diffusers' list of generators: `torch.Generator().manual_seed(seed)`.
    public var seeds: [UInt64]
    /// One adapter for each picture; empty when nobody has one.
    public var adapters: [LoRAAdapter?]
    public var steps: Int
    /// Classifier-free guidance scale; up to 1 there is none, and one evaluation a step instead of two.
    public var guidance: Float
    public var scheduler: SchedulerKind
    /// In pixels, multiples of the model's downscale (8).
    public var width, height: Int
    /// Other identities for the beginning of the pictures (delayed injection), or nil.
    public var early: EarlyAdapters?
    /// Training time steps between which there is guidance, or nil for guidance everywhere.
    public var guidanceInterval: ClosedRange<Float>?
    /// What evaluations leave out, or nil for nothing.
    public var shortcuts: StepShortcuts?
    /// The first noise is drawn for pictures so many times larger and pooled: a draft that is laid out like its full picture.
    public var noiseReduction = 1

    public init(
        prompt: String, negativePrompt: String = "", seeds: [UInt64], adapters: [LoRAAdapter?] = [], steps: Int, guidance: Float,
        scheduler: SchedulerKind, width: Int, height: Int, early: EarlyAdapters? = nil,
        guidanceInterval: ClosedRange<Float>? = nil
    ) {
        self.prompt = prompt
        self.negativePrompt = negativePrompt
        self.seeds = seeds
        self.adapters = adapters
        self.steps = steps
        self.guidance = guidance
        self.scheduler = scheduler
        self.width = width
        self.height = height
        self.early = early
        self.guidanceInterval = guidanceInterval
    }
}

/// From a prompt to pictures (diffusers `StableDiffusionPipeline` without safety checker).
///
/// Not Sendable: one queue owns it, as all models.
public final class StableDiffusionPipeline {
    public let tokenizer: CLIPTokenizer
    public let textModel: CLIPTextModel
    public let unet: UNet2DConditionModel
    public let vae: AutoencoderKL
    /// `scheduler_config.json` of the model.
    public let schedulerConfiguration: JSONConfiguration
    private var prompts = PromptCache()
    private var holdsPromptLayouts = false

    /// Whether `precision` makes a difference: the weights of a small model are not worth saving.
    public private(set) lazy var knowsPrecision = unet.parameterCount >= 1 << 26

    /// Whether the U-Net stays in memory while the decoder calculates, for the estimate of what a picture takes; whoever calls `releaseUNet` says
    /// so before.
    public var keepsUNet = true

    /// How exactly the networks compute, where they are so large that memory counts; a small model stays in float32.
    public var precision = Precision.f32 {
        didSet {
            guard precision != oldValue, knowsPrecision else { return }
            for network: any Module in [unet, vae, textModel] { network.setPrecision(precision) }
            prompts = PromptCache()
        }
    }

    /// Loads all parts of a model.
    /// - Throws: what `ModelFolder` says of its files.
    public convenience init(_ folder: ModelFolder) throws { self.init(try PipelineLoader(folder)) }

    /// The pipeline of a loader; what is not loaded yet is loaded now.
    public convenience init(_ loader: PipelineLoader) {
        while loader.advance() {}
        self.init(
            tokenizer: loader.folder.tokenizer, textModel: loader.textModel, unet: loader.unet, vae: loader.vae,
            schedulerConfiguration: loader.folder.schedulerConfiguration)
    }

    private init(
        tokenizer: CLIPTokenizer, textModel: CLIPTextModel, unet: UNet2DConditionModel, vae: AutoencoderKL,
        schedulerConfiguration: JSONConfiguration
    ) {
        self.tokenizer = tokenizer
        self.textModel = textModel
        self.unet = unet
        self.vae = vae
        self.schedulerConfiguration = schedulerConfiguration
    }

    /// Text states of a prompt, [1, 77, hiddenSize], and its keys and values in the U-Net. Kept for the last few prompts.
    public func encode(_ prompt: String) -> PromptConditioning {
        if let known = prompts[prompt] { return known }
        holdsPromptLayouts = true
        let conditioning = unet.prepare(textModel([tokenizer.encode(prompt).ids]))
        prompts[prompt] = conditioning
        return conditioning
    }

    /// Lets go of what the text model and the U-Net's attention to prompts hold in memory, where that counts; a new prompt brings it back.
    public func releasePromptLayouts() {
        guard holdsPromptLayouts, knowsPrecision else { return }
        holdsPromptLayouts = false
        textModel.releaseLayouts()
        unet.releasePromptLayouts()
    }

    /// Lets go of what the U-Net holds in memory for calculating, where that counts; the next evaluation lays its weights out anew.
    public func releaseUNet() {
        guard knowsPrecision else { return }
        unet.releaseLayouts()
        StorageAllocator.shared.releaseAll()
    }

    /// The first noise of pictures: `torch.randn((1, C, H, W), generator=...)` for each seed.
    /// - Parameters:
    ///   - generators: one for each picture; they advance.
    ///   - width: in pixels.
    ///   - height: in pixels.
    /// - Returns: [N, height / downscale, width / downscale, latentChannels], channels last.
    /// - Throws: `StableDiffusionError.size`.
    public func initialNoise(_ generators: [TorchRandomSource], width: Int, height: Int) throws -> Tensor {
        let multiple = vae.configuration.downscale
        guard width % multiple == 0, height % multiple == 0, (multiple...4096).contains(width), (multiple...4096).contains(height)
        else { throw StableDiffusionError.size(width: width, height: height, multiple: multiple) }
        return channelsLastNoise(
            generators, shape: [generators.count, height / multiple, width / multiple, vae.configuration.latentChannels])
    }

    /// A run at its first noise.
    /// - Parameter request: what to draw.
    /// - Returns: a run whose steps are still to be done.
    /// - Throws: `StableDiffusionError` for impossible sizes or steps, `StateDictionaryMismatch` for an adapter of another model,
    ///   `CheckpointError` for a scheduler configuration that cannot be honoured.
    public func start(_ request: DenoisingRequest) throws -> DenoisingRun {
        let count = request.seeds.count
        precondition(count > 0, "a run draws at least one picture")
        precondition(request.adapters.isEmpty || request.adapters.count == count, "one adapter for each picture, or none at all")
        precondition(
            request.early.map { $0.adapters.isEmpty || $0.adapters.count == count } ?? true,
            "one early adapter for each picture, or none at all")
        for adapter in request.adapters + (request.early?.adapters ?? []) {
            try adapter.map { try unet.check($0, file: "adapter") }
        }
        let scheduler = try request.scheduler.makeScheduler(configuration: schedulerConfiguration, steps: request.steps)
        let generators = request.seeds.map { TorchRandomSource(seed: $0) }
        let reduction = request.noiseReduction
        precondition(reduction >= 1, "noise cannot be reduced \(reduction) times")
        let noise = pooledNoise(
            try initialNoise(generators, width: request.width * reduction, height: request.height * reduction), by: reduction)
        let isGuided = request.guidance > 1
        try checkMemory(width: request.width, height: request.height, samples: count * (isGuided ? 2 : 1))
        let prompt = encode(request.prompt)
        let negativePrompt = isGuided ? encode(request.negativePrompt) : nil
        releasePromptLayouts()
        return DenoisingRun(
            unet: unet, scheduler: scheduler,
            latents: scheduler.initNoiseSigma == 1 ? noise : Kernels.scale(noise, by: scheduler.initNoiseSigma),
            generators: generators.map(\.state), prompt: prompt,
            negativePrompt: negativePrompt, guidance: request.guidance,
            adapters: request.adapters, early: request.early, guidanceInterval: request.guidanceInterval,
            shortcuts: request.shortcuts)
    }

    /// - Throws: `StableDiffusionError.memory`.
    private func checkMemory(width: Int, height: Int, samples: Int) throws {
        guard knowsPrecision || width * height > 1 << 20 else { return }
        let estimate = MemoryEstimate(
            unet: unet, vae: vae, precision: knowsPrecision ? precision : .f32, isHalf: unet.hasHalfWeights, width: width,
            height: height, samples: samples)
        let missing = estimate.missing(
            laidOut: unet.layoutBytes + vae.layoutBytes, kept: StorageAllocator.shared.keptBytes, keepsUNet: keepsUNet)
        try MemoryEstimate.check(missing: missing, available: AvailableMemory.bytes, width: width, height: height)
    }

    /// Pictures of image latents.
    /// - Parameter imageLatents: [N, H, W, latentChannels], channels last.
    /// - Returns: N pictures of downscale * W by downscale * H pixels.
    public func decode(_ imageLatents: Tensor) -> [RGBImage] {
        rgbImages(vae.decode(imageLatents))
    }

    /// Pictures of what the image VAE decodes.
    /// - Parameter values: around -1...1, [N, H, W, 3].
    /// - Returns: N pictures of W by H pixels.
    public static func pictures(of values: Tensor) -> [RGBImage] { rgbImages(values) }

    /// The whole way, for those who need nothing in between.
    /// - Parameter request: what to draw.
    /// - Returns: one picture for each seed.
    /// - Throws: as `start`.
    public func callAsFunction(_ request: DenoisingRequest) throws -> [RGBImage] {
        var run = try start(request)
        while !run.isFinished { run.step() }
        return decode(run.latents)
    }
}

/// Standard normal noise of each generator, drawn in torch's order [C, H, W], laid out channels last.
func channelsLastNoise(_ generators: [TorchRandomSource], shape: [Int]) -> Tensor {
    let result = Tensor(uninitialized: shape)
    let (positions, channels) = (shape[1] * shape[2], shape[3])
    for (n, generator) in generators.enumerated() {
        let values = generator.normal(positions * channels)
        let target = result.pointer + n * positions * channels
        for c in 0..<channels {
            for p in 0..<positions { target[p * channels + c] = values[c * positions + p] }
        }
    }
    return result
}

/// Sums of blocks of noise, divided by the side of a block: standard normal again, with the coarse part of the larger noise.
/// - Parameters:
///   - noise: [N, H, W, C]
///   - side: of the blocks, a divisor of H and W.
/// - Returns: [N, H / side, W / side, C]
func pooledNoise(_ noise: Tensor, by side: Int) -> Tensor {
    guard side > 1 else { return noise }
    let (count, height, width, channels) = (noise.shape[0], noise.shape[1] / side, noise.shape[2] / side, noise.shape[3])
    let result = Tensor(zeros: [count, height, width, channels])
    for n in 0..<count {
        for y in 0..<(height * side) {
            for x in 0..<(width * side) {
                let source = noise.pointer + ((n * height * side + y) * width * side + x) * channels
                let target = result.pointer + ((n * height + y / side) * width + x / side) * channels
                for c in 0..<channels { target[c] += source[c] / Float(side) }
            }
        }
    }
    return result
}

/// Pictures of values in -1...1, [N, H, W, 3]: rounded to the nearest of 256 levels (`VaeImageProcessor`).
func rgbImages(_ values: Tensor) -> [RGBImage] {
    let (height, width) = (values.shape[1], values.shape[2])
    let count = height * width * 3
    return (0..<values.shape[0]).map { index in
        let source = values.pointer + index * count
        let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            for i in 0..<count {
                // A damaged model can give NaN, which a comparison turns into black.
                let level = (source[i] * 0.5 + 0.5) * 255
                let clipped = level > 0 ? (level < 255 ? level : 255) : 0
                // To the nearest, ties to even: adding 2^23 leaves no room for a fraction.
                buffer[i] = UInt8(truncatingIfNeeded: (clipped + 8_388_608).bitPattern)
            }
            initialized = count
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }
}

/// The last few prompts, the oldest forgotten first.
private struct PromptCache {
    private static let limit = 16
    private var entries: [(prompt: String, conditioning: PromptConditioning)] = []

    subscript(prompt: String) -> PromptConditioning? {
        mutating get {
            // Equal strings may differ in bytes (canonical equivalence) but are encoded alike: the tokenizer composes first.
            guard let index = entries.firstIndex(where: { $0.prompt == prompt }) else { return nil }
            let entry = entries.remove(at: index)
            entries.append(entry)
            return entry.conditioning
        }
        set {
            entries.removeAll { $0.prompt == prompt }
            guard let newValue else { return }
            if entries.count == Self.limit { entries.removeFirst() }
            entries.append((prompt, newValue))
        }
    }
}
