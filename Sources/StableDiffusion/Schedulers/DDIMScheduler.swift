import Checkpoints
import TensorKit

/// Denoising diffusion implicit models, Song et al., 2010.02502 (diffusers `DDIMScheduler` with `eta=0`, `clip_sample=False`,
/// `set_alpha_to_one=False`). Deterministic; predictions of noise, sample or velocity.
public struct DDIMScheduler: Scheduler {
    public let timesteps: [Float]
    public private(set) var stepIndex = 0
    private let schedule: NoiseSchedule
    /// Distance of neighbouring time steps in the training's schedule.
    private let stride: Int

    public var predictionType: PredictionType { schedule.predictionType }
    public var sigma: Double { isFinished ? 0 : schedule.sigma(at: timesteps[stepIndex]) }

    /// A sampler at the start of a run.
    /// - Parameters:
    ///   - configuration: `scheduler_config.json`; `timestep_spacing` is "leading" and `steps_offset` 0 where it does not say.
    ///   - inferenceSteps: number of steps, at most the training's.
    /// - Throws: `CheckpointError` for a configuration that cannot be honoured, `StableDiffusionError.steps` for an impossible number.
    public init(configuration: JSONConfiguration, inferenceSteps: Int) throws {
        schedule = try NoiseSchedule(configuration)
        try configuration.refuse("thresholding", because: "image latents have no fixed range")
        let train = schedule.trainTimesteps
        guard (1...train).contains(inferenceSteps) else { throw StableDiffusionError.steps(inferenceSteps, limit: train) }
        stride = train / inferenceSteps
        timesteps = try configuration.choice("timestep_spacing", default: TimestepSpacing.leading)
            .timesteps(
                train: train, count: inferenceSteps, offset: configuration.stepsOffset(train: train), rounds: true)
        try configuration.check(timesteps, train: train)
        try schedule.requireSignal(at: timesteps, configuration)
    }

    /// Formula (12) of the paper with sigma = 0.
    ///
    /// | here | paper |
    /// | --- | --- |
    /// | `alpha`, `previousAlpha` | α_t, α_(t-1), cumulated |
    /// | `original` | f_θ(x_t), the predicted x_0 |
    /// | `epsilon` | ε_θ(x_t) |
    public mutating func step(modelOutput: Tensor, sample: Tensor, noise: () -> Tensor) -> SchedulerOutput {
        let timestep = Int(timesteps[stepIndex])
        let previous = timestep - stride
        let alpha = Double(schedule.alphasCumprod[timestep])
        let previousAlpha = Double(schedule.alphasCumprod[max(0, previous)])
        let (a, s) = (alpha.squareRoot(), (1 - alpha).squareRoot())
        let (previousA, previousS) = (previousAlpha.squareRoot(), (1 - previousAlpha).squareRoot())
        stepIndex += 1
        switch schedule.predictionType {
        case .epsilon:
            let original = linear(1 / a, sample, -s / a, modelOutput)
            return SchedulerOutput(
                prevSample: linear(previousA, original, previousS, modelOutput), predOriginalSample: original)
        case .sample:
            // ε = (x - a x_0) / s
            return SchedulerOutput(
                prevSample: linear(previousA - previousS * a / s, modelOutput, previousS / s, sample),
                predOriginalSample: modelOutput)
        case .vPrediction:
            // x_0 = a x - s v, ε = a v + s x
            return SchedulerOutput(
                prevSample: linear(previousA * a + previousS * s, sample, previousS * a - previousA * s, modelOutput),
                predOriginalSample: linear(a, sample, -s, modelOutput))
        }
    }
}
