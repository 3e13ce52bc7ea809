import TensorKit

/// The way from noise to image latents, one step at a time: to stop is not to call `step` again. A value; a copy is a place to go on from.
public struct DenoisingRun {
    /// Where the run stands, [N, H, W, C], channels last.
    public private(set) var latents: Tensor
    /// The finished image latents as the last step estimates them, same shape; nil before the first step.
    public private(set) var estimate: Tensor?
    /// Guidance scale for the next steps; it counts when a negative prompt was given.
    public var guidance: Float
    private var scheduler: any Scheduler
    private var generators: [TorchRandomSource.State]
    private let unet: UNet2DConditionModel
    private let prompt: PromptConditioning
    private let negativePrompt: PromptConditioning?
    private var conditioning: UNetConditioning

    /// - Parameters:
    ///   - unet: predicts.
    ///   - scheduler: at its start, or where `latents` stand.
    ///   - latents: [N, H, W, C]
    ///   - generators: one for each picture, for samplers that add noise.
    ///   - prompt: of all pictures.
    ///   - negativePrompt: nil goes without guidance.
    ///   - guidance: scale of classifier-free guidance.
    ///   - adapters: one for each picture, or empty.
    public init(
        unet: UNet2DConditionModel, scheduler: any Scheduler, latents: Tensor, generators: [TorchRandomSource.State],
        prompt: PromptConditioning, negativePrompt: PromptConditioning?, guidance: Float, adapters: [LoRAAdapter?]
    ) {
        self.unet = unet
        self.scheduler = scheduler
        self.latents = latents
        self.generators = generators
        self.prompt = prompt
        self.negativePrompt = negativePrompt
        self.guidance = guidance
        conditioning = Self.conditioning(unet, prompt, negativePrompt, adapters, count: latents.shape[0])
    }

    /// Number of steps in all.
    public var stepCount: Int { scheduler.timesteps.count }
    /// Number of steps done.
    public var stepsDone: Int { scheduler.stepIndex }
    public var isFinished: Bool { scheduler.isFinished }
    /// The training time step at which the next step asks, nil at the end.
    public var nextTimestep: Float? { isFinished ? nil : scheduler.timesteps[scheduler.stepIndex] }

    /// What the model is shown next: the latents at unit variance, [N, H, W, C].
    var modelInput: Tensor { scheduler.scaleModelInput(latents) }

    /// Goes on with other identities, for instance from some time step on (delayed injection).
    /// - Parameter adapters: one for each picture, or empty.
    public mutating func replaceAdapters(_ adapters: [LoRAAdapter?]) {
        conditioning = Self.conditioning(unet, prompt, negativePrompt, adapters, count: latents.shape[0])
    }

    /// Does one step: one evaluation of the U-Net, with guidance for the negative and the real prompt together.
    /// - Precondition: the run is not finished.
    /// - Returns: the estimate of the finished image latents.
    @discardableResult
    public mutating func step() -> Tensor {
        precondition(!isFinished, "all \(stepCount) steps are done")
        let prediction = predict(modelInput, timestep: scheduler.timesteps[scheduler.stepIndex])
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

    /// The model's answer, with guidance applied.
    /// - Parameters:
    ///   - input: [N, H, W, C]
    ///   - timestep: training time step.
    /// - Returns: what the model says of `input`, same shape.
    func predict(_ input: Tensor, timestep: Float) -> Tensor {
        let timesteps = [Float](repeating: timestep, count: conditioning.samples)
        guard negativePrompt != nil else { return unet(input, timesteps: timesteps, conditioning: conditioning) }
        return guided(unet(stack([input, input]), timesteps: timesteps, conditioning: conditioning))
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
