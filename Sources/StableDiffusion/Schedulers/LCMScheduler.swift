import Checkpoints
import TensorKit

/// Latent consistency models, Luo et al., 2310.04378, multistep sampling (diffusers `LCMScheduler`): each step leaps to the end and goes back
/// up with fresh noise. Meant for models distilled for it. Predictions of noise, sample or velocity.
public struct LCMScheduler: Scheduler {
    public let timesteps: [Float]
    public private(set) var stepIndex = 0
    private let schedule: NoiseSchedule
    private let timestepScaling: Double
    /// Largest magnitude of the predicted x_0, or nil.
    private let clip: Float?

    public var predictionType: PredictionType { schedule.predictionType }
    public var sigma: Double { isFinished ? 0 : schedule.sigma(at: timesteps[stepIndex]) }
    public var addsNoise: Bool { true }

    /// A sampler at the start of a run.
    /// - Parameters:
    ///   - configuration: `scheduler_config.json`; the betas are those of Stable Diffusion, `original_inference_steps` is 50 and
    ///     `timestep_scaling` 10 where it does not say.
    ///   - inferenceSteps: number of steps, at most `original_inference_steps`.
    /// - Throws: `CheckpointError` for a configuration that cannot be honoured, `StableDiffusionError.steps` for an impossible number.
    public init(configuration: JSONConfiguration, inferenceSteps: Int) throws {
        schedule = try NoiseSchedule(
            configuration, defaults: .init(betaStart: 0.00085, betaEnd: 0.012, betaSchedule: "scaled_linear"))
        try configuration.refuse("thresholding", because: "image latents have no fixed range")
        let train = schedule.trainTimesteps
        let original = try configuration.count("original_inference_steps", default: 50, limit: train)
        guard (1...original).contains(inferenceSteps) else { throw StableDiffusionError.steps(inferenceSteps, limit: original) }
        timestepScaling = try configuration.finite("timestep_scaling", default: 10)
        clip = try configuration.value("clip_sample", default: false) ? configuration.value("clip_sample_range", default: 1) : nil
        let stride = train / original
        // Evenly spaced members of the schedule that the model was distilled on.
        let pace = Double(original) / Double(inferenceSteps)
        timesteps = (0..<inferenceSteps).map { Float((original - Int(Double($0) * pace)) * stride - 1) }
        try schedule.requireSignal(at: timesteps, configuration)
    }

    /// Formula (8) of the paper: f(x, t) = c_skip(t) x + c_out(t) x_0(x, t), with c_skip = 0.25 / ((10 t)² + 0.25) and
    /// c_out = 10 t / sqrt((10 t)² + 0.25), where 10 is `timestep_scaling`.
    public mutating func step(modelOutput: Tensor, sample: Tensor, noise: () -> Tensor) -> SchedulerOutput {
        let timestep = Int(timesteps[stepIndex])
        let alpha = Double(schedule.alphasCumprod[timestep])
        let (a, s) = (alpha.squareRoot(), (1 - alpha).squareRoot())
        var original =
            switch schedule.predictionType {
            case .epsilon: linear(1 / a, sample, -s / a, modelOutput)
            case .sample: modelOutput
            case .vPrediction: linear(a, sample, -s, modelOutput)
            }
        if let clip { original = clamped(original, to: clip) }
        let scaled = Double(timestep) * timestepScaling
        let skip = 0.25 / (scaled * scaled + 0.25)
        let denoised = linear(scaled / (scaled * scaled + 0.25).squareRoot(), original, skip, sample)
        stepIndex += 1
        guard !isFinished else { return SchedulerOutput(prevSample: denoised, predOriginalSample: denoised) }
        let next = Double(schedule.alphasCumprod[Int(timesteps[stepIndex])])
        return SchedulerOutput(
            prevSample: linear(next.squareRoot(), denoised, (1 - next).squareRoot(), noise()), predOriginalSample: denoised)
    }

    private func clamped(_ x: Tensor, to limit: Float) -> Tensor {
        let result = Tensor(uninitialized: x.shape)
        for i in 0..<x.count { result.pointer[i] = min(max(x.pointer[i], -limit), limit) }
        return result
    }
}
