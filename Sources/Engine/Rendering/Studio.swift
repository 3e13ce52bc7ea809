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
    /// Shows what is half-finished.
    let looks: Looks
    /// The ways of the last few runs.
    var trajectories = TrajectoryCache()
    private var samplers: [CodeSampler.Source: CodeSampler] = [:]

    /// - Throws: `CheckpointError` when the base model's scheduler configuration cannot be honoured.
    init(space: Space, pipeline: StableDiffusionPipeline, looks: Looks, description: SpaceDescription) throws {
        self.space = space
        self.pipeline = pipeline
        self.looks = looks
        noiseSchedule = try NoiseSchedule(pipeline.schedulerConfiguration)
        self.description = description
    }

    /// Whether a picture of the default size is a matter of a second at most, so that one can be drawn just to warm up.
    var isSmall: Bool { description.defaults.width * description.defaults.height <= 128 * 128 }

    /// What tells how much a step of a walk changes the face: the face embedder, in a space without one the pictures' low frequencies.
    /// - Throws: As `embedder`.
    func faceDistance() throws -> any FaceDistance {
        guard let embedder = try embedder() else { return LowFrequencyDistance() }
        return EmbeddingDistance(embedder)
    }

    private var knownEmbedder: (any FaceEmbedding)??

    /// The face embedder of the space, or nil; opened once.
    /// - Throws: `CheckpointError`, `SpaceError` or `StateDictionaryMismatch` when its files are damaged.
    func embedder() throws -> (any FaceEmbedding)? {
        if let knownEmbedder { return knownEmbedder }
        let opened = try space.faceEmbedder()
        knownEmbedder = .some(opened)
        return opened
    }

    /// Keeps a finished picture for this session.
    func keep(_ image: RGBImage, for request: RenderRequest) {
        frames.insert(image, for: request, weight: image.pixels.count)
    }

    /// Draws the beginning of a picture, so that text model, kernels and caches are ready for the defaults; of a large model one evaluation
    /// of the draft, which also says what this machine can do in time. What a damaged model gives is told when somebody is to be drawn.
    /// - Parameter report: Told, for a large model, which share of its weights is laid out, then, with 1, that kernels are tried.
    /// - Throws: What the pipeline says of the settings.
    func warmUp(_ report: (Double) -> Void) throws {
        let request = RenderRequest(subject: .base, settings: description.defaults)
        guard !isSmall else {
            var run = try start(request)
            try? step(&run)
            _ = run.glimpse(noiseSchedule)
            _ = try? decode(run.latents)
            return
        }
        let plan = DraftPlan(for: request, pace: pace)
        var run = try plan.map { try start($0, of: request) } ?? start(request)
        let all = Double(max(1, pipeline.unet.parameterCount))
        var done = 0
        withoutActuallyEscaping(report) { report in
            pipeline.unet.progress = {
                done += $0
                report(min(0.999, Double(done) / all))
            }
            try? step(&run)
            pipeline.unet.progress = nil
        }
        report(1)
        if let estimate = run.estimate { _ = looks.look(at: estimate) }
        // The first evaluation laid out the weights and says nothing of the pace; the second also meets guidance.
        if !run.isFinished { try? step(&run) }
    }

    /// What new people are drawn from.
    /// - Parameter source: nil for the usual one: blends of neighbours in a weight VAE, the prior in a PCA or where identities are few.
    /// - Returns: made once for each source.
    /// - Throws: `SpaceError` when the codes are too few to fit anything to.
    func sampler(_ source: SampleSource?) throws -> CodeSampler {
        let isFittable = space.codes.count >= 2 * space.latentDimension * space.latentDimension
        let kind: CodeSampler.Source =
            switch source {
            case .prior: .prior
            case .fitted: .fitted
            case .flow: .flow
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
        guidanceInterval: ClosedRange<Float>? = nil, noiseReduction: Int = 1, shortcuts: StepShortcuts? = nil
    ) throws -> DenoisingRun {
        var request = DenoisingRequest(
            prompt: settings.prompt, negativePrompt: settings.negativePrompt,
            seeds: [UInt64](repeating: settings.seed, count: subjects.count), adapters: try subjects.map(adapter(of:)),
            steps: settings.steps, guidance: settings.guidance, scheduler: settings.scheduler.kind, width: settings.width,
            height: settings.height, early: early, guidanceInterval: guidanceInterval)
        request.noiseReduction = noiseReduction
        request.shortcuts = shortcuts
        return try pipeline.start(request)
    }

    /// A run of one request at its first noise.
    /// - Parameters:
    ///   - request: Whom, drawn how.
    ///   - noiseReduction: Of a draft: how many times smaller than its picture it is, each way.
    ///   - shortcuts: Of a draft: what its evaluations leave out.
    /// - Returns: A run whose steps are still to be done.
    /// - Throws: `EngineFailure`, or what the pipeline says of the settings.
    func start(
        _ request: RenderRequest, noiseReduction: Int = 1, shortcuts: StepShortcuts? = nil
    ) throws -> DenoisingRun {
        let early = try request.injection.map {
            EarlyAdapters(adapters: [try adapter(of: $0.early)], above: Float($0.timestep))
        }
        return try start(
            [request.subject], request.settings, early: early,
            guidanceInterval: request.guidanceInterval.map { Float($0.lowerBound)...Float($0.upperBound) },
            noiseReduction: noiseReduction, shortcuts: shortcuts)
    }

    /// A draft's run at its first noise.
    /// - Parameters:
    ///   - plan: How it is drawn.
    ///   - request: What it is a draft of.
    /// - Returns: A run whose steps are still to be done.
    /// - Throws: As `start`.
    func start(_ plan: DraftPlan, of request: RenderRequest) throws -> DenoisingRun {
        try start(plan.request(of: request), noiseReduction: plan.reduction, shortcuts: plan.shortcuts)
    }

    /// One step, timed.
    /// - Throws: `EngineFailure` when the model gives numbers that are not finite, before anything can be shown of them.
    func step(_ run: inout DenoisingRun) throws {
        let shape = Pace.Shape(pixels: pixels(of: run.latents), samples: run.nextSamples, isWhole: run.nextIsWhole)
        let began = ContinuousClock.now
        run.step()
        pace.noteStep(ContinuousClock.now - began, shape)
        try check(run.estimate ?? run.latents)
        try check(run.latents)
    }

    /// One step of a run that follows another, timed.
    /// - Throws: As the other `step`.
    func step(_ run: inout DifferenceRun) throws {
        let shape = Pace.Shape(pixels: pixels(of: run.estimate), samples: run.nextSamples)
        let began = ContinuousClock.now
        run.step()
        pace.noteStep(ContinuousClock.now - began, shape)
        try check(run.estimate)
    }

    /// Refuses what a damaged model gives before it becomes a black picture.
    /// - Throws: `EngineFailure` when image latents or pixels hold numbers that are not finite.
    func check(_ values: Tensor) throws {
        guard values.isFinite else {
            throw EngineFailure(
                message: "\(space.baseFolder.path): the model gives numbers that are not finite, so there is nothing to draw.",
                advice: "Its weights, or those of an adapter, are damaged; fetch them again.")
        }
    }

    /// Full pictures of image latents, timed.
    /// - Throws: As `check`.
    func decode(_ latents: Tensor) throws -> [RGBImage] {
        let began = ContinuousClock.now
        let values = pipeline.vae.decode(latents)
        try check(values)
        let images = StableDiffusionPipeline.pictures(of: values)
        pace.noteDecoding((ContinuousClock.now - began) / max(1, images.count), pixels: pixels(of: latents))
        return images
    }

    /// A quick look at an estimate of one picture's image latents: decoded in full where that is a matter of milliseconds.
    /// - Throws: As `check`.
    func look(at latents: Tensor) throws -> RGBImage? {
        try pace.decodingIsQuick(pixels: pixels(of: latents)) ? decode(latents).first : looks.look(at: latents)
    }

    /// What a look takes about.
    func lookCost(of latents: Tensor) -> Duration {
        let pixels = pixels(of: latents)
        guard pace.decodingIsQuick(pixels: pixels) else { return looks.cost(positions: latents.shape[1] * latents.shape[2]) }
        return pace.decoding(pixels: pixels) ?? .zero
    }

    /// Pixels of one picture.
    func pixels(of latents: Tensor) -> Int {
        let downscale = pipeline.vae.configuration.downscale
        return latents.shape[1] * latents.shape[2] * downscale * downscale
    }
}
