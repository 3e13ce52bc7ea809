import Checkpoints
import TensorKit

/// Euler's method with ancestral noise, as in k-diffusion (diffusers `EulerAncestralDiscreteScheduler`): each step goes farther down than it
/// should and adds fresh noise. Predictions of noise and velocity. Noise comes from the picture's own generator, which goes on after the
/// first noise.
public struct EulerAncestralDiscreteScheduler: Scheduler {
    public let timesteps: [Float]
    public private(set) var stepIndex = 0
    public let initNoiseSigma: Float
    /// Noise levels, one for each step and the final 0.
    public let sigmas: [Float]
    public let predictionType: PredictionType

    public var sigma: Double { Double(sigmas[stepIndex]) }
    public var addsNoise: Bool { true }

    /// A sampler at the start of a run.
    /// - Parameters:
    ///   - configuration: `scheduler_config.json`; `timestep_spacing` is "linspace" and `steps_offset` 0 where it does not say.
    ///   - inferenceSteps: number of steps, at most the training's.
    /// - Throws: `CheckpointError` for a configuration that cannot be honoured, `StableDiffusionError.steps` for an impossible number.
    public init(configuration: JSONConfiguration, inferenceSteps: Int) throws {
        let schedule = try NoiseSchedule(configuration)
        let train = schedule.trainTimesteps
        guard (1...train).contains(inferenceSteps) else { throw StableDiffusionError.steps(inferenceSteps, limit: train) }
        guard schedule.predictionType != .sample else {
            throw configuration.wrong("prediction_type", expected: "epsilon or v_prediction for the ancestral sampler")
        }
        predictionType = schedule.predictionType
        let trainSigmas = schedule.sigmas(isRescaled: try configuration.value("rescale_betas_zero_snr", default: false))
        let spacing = try configuration.choice("timestep_spacing", default: TimestepSpacing.linspace)
        timesteps = spacing.timesteps(
            train: train, count: inferenceSteps, offset: try configuration.stepsOffset(train: train), rounds: false)
        try configuration.check(timesteps, train: train)
        sigmas = timesteps.map { Float(interpolated(trainSigmas, at: $0)) } + [0]
        initNoiseSigma = initialDeviation(sigmas, spacing)
    }

    public func scaleModelInput(_ sample: Tensor) -> Tensor { unitVariance(sample, sigma: sigmas[stepIndex]) }

    /// x goes down to `down` along the derivative (x - x_0) / σ, then up to the next level with fresh noise:
    /// up² = next² (σ² - next²) / σ², down² = next² - up².
    public mutating func step(modelOutput: Tensor, sample: Tensor, noise: () -> Tensor) -> SchedulerOutput {
        let (sigma, next) = (Double(sigmas[stepIndex]), Double(sigmas[stepIndex + 1]))
        let original = denoised(modelOutput, sample, sigma: sigma, predictionType)
        let up = next * max(0, 1 - next * next / (sigma * sigma)).squareRoot()
        let down = max(0, next * next - up * up).squareRoot()
        stepIndex += 1
        var previous = linear(down / sigma, sample, 1 - down / sigma, original)
        if up > 0 { previous = linear(1, previous, up, noise()) }
        return SchedulerOutput(prevSample: previous, predOriginalSample: original)
    }
}
