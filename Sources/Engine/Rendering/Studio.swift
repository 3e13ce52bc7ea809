import EngineAPI
import Foundation
import ImageCore
import StableDiffusion
import TensorKit
import WeightSpace

/// An open space with its models, and the caches that belong to it. Lives on the engine's queue.
final class Studio {
    let space: Space
    let pipeline: StableDiffusionPipeline
    let description: SpaceDescription
    /// The noise levels of the base model.
    let noiseSchedule: NoiseSchedule
    /// Finished pictures of this session.
    var frames = LeastRecentlyUsed<RenderRequest, RGBImage>(limit: 96 << 20)
    /// What the last evaluations and decodings took.
    var pace = Pace()
    private var adapters = LeastRecentlyUsed<Subject, LoRAAdapter>(limit: 64 << 20)
    private var latentPreview: LatentPreview?
    private var samplers: [CodeSampler.Source: CodeSampler] = [:]

    /// - Throws: `CheckpointError` when the base model's scheduler configuration cannot be honoured.
    init(space: Space, pipeline: StableDiffusionPipeline, description: SpaceDescription) throws {
        self.space = space
        self.pipeline = pipeline
        noiseSchedule = try NoiseSchedule(pipeline.schedulerConfiguration)
        self.description = description
    }

    /// Whether a picture of the default size is a matter of a second at most, so that one can be drawn just to warm up.
    var isSmall: Bool { description.defaults.width * description.defaults.height <= 128 * 128 }

    /// What tells how much a step of a walk changes the face.
    private(set) lazy var faceDistance: any FaceDistance = LowFrequencyDistance()

    /// Keeps a finished picture for this session.
    func keep(_ image: RGBImage, for request: RenderRequest) {
        frames.insert(image, for: request, weight: image.pixels.count)
    }

    /// Draws the beginning of a picture, so that text model, kernels and caches are ready for the defaults.
    /// - Throws: What the pipeline says of the settings.
    func warmUp() throws {
        var run = try start([.base], description.defaults)
        run.step()
        _ = run.glimpse(noiseSchedule)
        _ = pipeline.decode(run.latents)
    }

    /// What new people are drawn from.
    /// - Parameter source: nil for the usual one: blends of the identities in a weight VAE, the prior in a PCA or where identities are few.
    /// - Returns: made once for each source.
    /// - Throws: `SpaceError` when the codes are too few to fit anything to.
    func sampler(_ source: SampleSource?) throws -> CodeSampler {
        let isFittable = space.codes.count >= 2 * space.latentDimension * space.latentDimension
        let kind: CodeSampler.Source =
            switch source {
            case .prior: .prior
            case .fitted: .fitted
            case .blended: .blended
            case nil: isFittable && space.kind == .vae ? .blended : .prior
            }
        if let known = samplers[kind] { return known }
        let made = try CodeSampler(of: space, source: kind)
        samplers[kind] = made
        return made
    }

    /// Refuses settings that no model could follow.
    /// - Throws: `EngineFailure`.
    static func check(_ settings: GenerationSettings) throws {
        guard (1...1000).contains(settings.steps) else {
            throw EngineFailure(message: "\(settings.steps) steps cannot be done.", advice: "Choose a number between 1 and 1000.")
        }
        guard settings.guidance.isFinite, (0...100).contains(settings.guidance) else {
            throw EngineFailure(
                message: "a guidance of \(settings.guidance) is none.", advice: "Choose a number between 0 and 100.")
        }
    }

    /// The weights that draw a subject; nil for the base model.
    /// - Throws: `EngineFailure` for a name or a code that does not belong to the space.
    func adapter(of subject: Subject) throws -> LoRAAdapter? {
        if case .base = subject { return nil }
        if let known = adapters.value(for: subject) { return known }
        let made = try space.adapter(of: subject)
        adapters.insert(made, for: subject, weight: description.vectorLength * 4)
        return made
    }

    /// A run at its first noise for several subjects under equal settings.
    /// - Throws: `EngineFailure`, or what the pipeline says of the settings.
    func start(
        _ subjects: [Subject], _ settings: GenerationSettings, early: EarlyAdapters? = nil,
        guidanceInterval: ClosedRange<Float>? = nil
    ) throws -> DenoisingRun {
        guard let scheduler = SchedulerKind(rawValue: settings.scheduler.rawValue) else {
            throw EngineFailure(
                message: "the sampler '\(settings.scheduler.rawValue)' is not known.",
                advice: "Choose one of \(SchedulerKind.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        return try pipeline.start(
            DenoisingRequest(
                prompt: settings.prompt, negativePrompt: settings.negativePrompt,
                seeds: [UInt64](repeating: settings.seed, count: subjects.count), adapters: try subjects.map(adapter(of:)),
                steps: settings.steps, guidance: settings.guidance, scheduler: scheduler, width: settings.width,
                height: settings.height, early: early, guidanceInterval: guidanceInterval))
    }

    /// A run of one request at its first noise.
    /// - Throws: `EngineFailure`, or what the pipeline says of the settings.
    func start(_ request: RenderRequest) throws -> DenoisingRun {
        let early = try request.injection.map {
            EarlyAdapters(adapters: [try adapter(of: $0.early)], above: Float($0.timestep))
        }
        return try start(
            [request.subject], request.settings, early: early,
            guidanceInterval: request.guidanceInterval.map { Float($0.lowerBound)...Float($0.upperBound) })
    }

    /// One step, timed.
    func step(_ run: inout DenoisingRun) {
        let began = ContinuousClock.now
        run.step()
        pace.noteStep(ContinuousClock.now - began)
    }

    /// Full pictures of image latents, timed.
    func decode(_ latents: Tensor) -> [RGBImage] {
        let began = ContinuousClock.now
        let images = pipeline.decode(latents)
        pace.noteDecoding(ContinuousClock.now - began)
        return images
    }

    /// A quick look at an estimate of one picture's image latents: decoded in full where that is a matter of milliseconds, else projected linearly to an eighth
    /// of the size.
    func look(at latents: Tensor) -> RGBImage? {
        if pace.decodingIsQuick { return decode(latents).first }
        if latentPreview == nil { latentPreview = fitPreview(latents) }
        return latentPreview.flatMap { $0(latents).first }
    }

    /// Fits the linear projection on the middle of an estimate, decoded by the real decoder.
    private func fitPreview(_ latents: Tensor) -> LatentPreview? {
        let (height, width, channels) = (latents.shape[1], latents.shape[2], latents.shape[3])
        let (rows, columns) = (min(16, height), min(16, width))
        let crop = Tensor(uninitialized: [1, rows, columns, channels])
        for row in 0..<rows {
            let from = ((row + (height - rows) / 2) * width + (width - columns) / 2) * channels
            (crop.pointer + row * columns * channels).update(from: latents.pointer + from, count: columns * channels)
        }
        return LatentPreview(fitting: crop, to: pipeline.decode(crop))
    }
}
