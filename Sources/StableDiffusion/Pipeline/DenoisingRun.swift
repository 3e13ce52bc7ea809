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
    /// The same as the model saw them when it was asked for the prompt alone, without guidance.
    private(set) var aloneOriginal: Tensor?
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
    /// For evaluations without the negative prompt.
    private var plainConditioning: UNetConditioning?
    private let shortcuts: StepShortcuts?
    private var memory = StepMemory()

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
    ///   - shortcuts: what evaluations leave out; nil for nothing.
    public init(
        unet: UNet2DConditionModel, scheduler: any Scheduler, latents: Tensor, generators: [TorchRandomSource.State],
        prompt: PromptConditioning, negativePrompt: PromptConditioning?, guidance: Float, adapters: [LoRAAdapter?],
        early: EarlyAdapters? = nil, guidanceInterval: ClosedRange<Float>? = nil, shortcuts: StepShortcuts? = nil
    ) {
        self.unet = unet
        self.scheduler = scheduler
        self.latents = latents
        self.generators = generators
        self.prompt = prompt
        self.negativePrompt = negativePrompt
        self.guidance = guidance
        self.guidanceInterval = negativePrompt == nil ? nil : guidanceInterval
        self.shortcuts = shortcuts
        late = early.map { (adapters, $0.above) }
        let first = early?.adapters ?? adapters
        conditioning = Self.conditioning(unet, prompt, negativePrompt, first, count: latents.shape[0])
        let asksAlone = self.guidanceInterval != nil || (negativePrompt != nil && shortcuts?.guided != nil)
        plainConditioning = asksAlone ? Self.conditioning(unet, prompt, nil, first, count: latents.shape[0]) : nil
    }

    /// Number of evaluations in all.
    public var stepCount: Int { scheduler.timesteps.count }
    /// The training time steps of all evaluations.
    public var timesteps: [Float] { scheduler.timesteps }
    /// Number of steps done.
    public var stepsDone: Int { scheduler.stepIndex }
    public var isFinished: Bool { scheduler.isFinished }
    /// Whether every evaluation is done in full.
    var isExact: Bool { shortcuts == nil }
    /// The run without what evaluations take over from each other, to be kept.
    var withoutMemory: DenoisingRun {
        var run = self
        run.memory = StepMemory()
        return run
    }
    /// The training time step at which the next step asks, nil at the end.
    public var nextTimestep: Float? { isFinished ? nil : scheduler.timesteps[scheduler.stepIndex] }

    /// Size of the next evaluation's batch: twice the pictures where there is guidance.
    public var nextSamples: Int {
        guard let nextTimestep else { return 0 }
        return borrowsGuidance(at: nextTimestep) ? latents.shape[0] : conditioning(at: nextTimestep).samples
    }

    /// Whether the next evaluation computes the whole U-Net.
    public var nextIsWhole: Bool {
        guard let whole = shortcuts?.whole, let features = memory.deep?.features else { return true }
        return whole.contains(stepsDone) || features.shape[0] < nextSamples
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
    public mutating func replaceAdapters(_ adapters: [LoRAAdapter?]) { replaceAdapters(adapters, asksAlone: false) }

    /// The same, and `answerAlone` will be asked too.
    mutating func replaceAdapters(_ adapters: [LoRAAdapter?], asksAlone: Bool) {
        late = nil
        memory = StepMemory()
        conditioning = Self.conditioning(unet, prompt, negativePrompt, adapters, count: latents.shape[0])
        if plainConditioning != nil || (asksAlone && negativePrompt != nil) {
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
        let answer = shortcuts.map { remember(input, timestep, $0) } ?? answer(input, timestep: timestep)
        modelOriginal = original(of: answer.output, input: input)
        aloneOriginal = answer.isGuided ? original(of: answer.alone, input: input) : modelOriginal
        let result = scheduler.step(modelOutput: answer.output, sample: latents) {
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
    func predict(_ input: Tensor, timestep: Float) -> Tensor { answer(input, timestep: timestep).output }

    /// The model's answer to the prompt alone, with the adapters given to `replaceAdapters(_:asksAlone:)`.
    func answerAlone(_ input: Tensor, timestep: Float) -> Tensor {
        let conditioning = plainConditioning ?? conditioning
        return unet(
            input, timesteps: [Float](repeating: timestep, count: conditioning.samples), conditioning: conditioning)
    }

    /// What the model said.
    private struct Answer {
        /// With guidance where there is some.
        var output: Tensor
        /// To the prompt alone.
        var alone: Tensor
        var isGuided: Bool
    }

    private func answer(_ input: Tensor, timestep: Float) -> Answer {
        let conditioning = conditioning(at: timestep)
        let count = input.shape[0]
        let isGuided = conditioning.samples > count
        let output = unet(
            isGuided ? stack([input, input]) : input, timesteps: [Float](repeating: timestep, count: conditioning.samples),
            conditioning: conditioning)
        return isGuided
            ? Answer(output: guided(output), alone: output.rows(count..<(2 * count)), isGuided: true)
            : Answer(output: output, alone: output, isGuided: false)
    }

    /// As `answer`, with what may be left out taken over from evaluations before.
    private mutating func remember(_ input: Tensor, _ timestep: Float, _ shortcuts: StepShortcuts) -> Answer {
        let count = input.shape[0]
        let borrows = borrowsGuidance(at: timestep)
        let conditioning = borrows ? plainConditioning ?? self.conditioning : conditioning(at: timestep)
        let isGuided = conditioning.samples > count
        let isWhole = nextIsWhole
        // The conditional half comes last.
        var deep =
            shortcuts.whole == nil
            ? nil
            : DeepFeatures(
                layers: shortcuts.layers,
                features: isWhole
                    ? nil : memory.deep?.features.map { $0.rows(($0.shape[0] - conditioning.samples)..<$0.shape[0]) })
        let output = unet(
            isGuided ? stack([input, input]) : input, timesteps: [Float](repeating: timestep, count: conditioning.samples),
            conditioning: conditioning, deep: &deep)
        if isWhole { memory.deep = deep }
        if isGuided {
            let result = Answer(output: guided(output), alone: output.rows(count..<(2 * count)), isGuided: true)
            if shortcuts.guided != nil { memory.push = linear(1, result.output, -1, result.alone) }
            return result
        }
        guard borrows, let push = memory.push else { return Answer(output: output, alone: output, isGuided: false) }
        return Answer(output: linear(1, output, 1, push), alone: output, isGuided: true)
    }

    private func borrowsGuidance(at timestep: Float) -> Bool {
        guard let guided = shortcuts?.guided, memory.push != nil, !guided.contains(stepsDone) else { return false }
        return conditioning(at: timestep).samples > latents.shape[0]
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
