import Checkpoints
import Foundation
import TensorKit

/// Euler's method, algorithm 2 of Karras et al., 2206.00364, without churn (diffusers `EulerDiscreteScheduler`). The sample is x_0 + σ noise,
/// not scaled to unit variance: `scaleModelInput` does that for the model. Predictions of noise, sample or velocity.
public struct EulerDiscreteScheduler: Scheduler {
    public let timesteps: [Float]
    public private(set) var stepIndex = 0
    public let initNoiseSigma: Float
    /// Noise levels, one for each step and the final one.
    public let sigmas: [Float]
    public let predictionType: PredictionType

    private enum Interpolation: String, CaseIterable { case linear }
    private enum TimestepType: String, CaseIterable { case discrete }

    public var sigma: Double { Double(sigmas[stepIndex]) }

    /// A sampler at the start of a run.
    /// - Parameters:
    ///   - configuration: `scheduler_config.json`; `timestep_spacing` is "linspace", `use_karras_sigmas` false and `final_sigmas_type` "zero"
    ///     where it does not say.
    ///   - inferenceSteps: number of steps, at most the training's.
    /// - Throws: `CheckpointError` for a configuration that cannot be honoured, `StableDiffusionError.steps` for an impossible number.
    public init(configuration: JSONConfiguration, inferenceSteps: Int) throws {
        let schedule = try NoiseSchedule(configuration)
        let train = schedule.trainTimesteps
        guard (1...train).contains(inferenceSteps) else { throw StableDiffusionError.steps(inferenceSteps, limit: train) }
        try configuration.refuse(
            "use_exponential_sigmas", "use_beta_sigmas", because: "this sampler knows Karras' sigmas and the model's own")
        _ = try configuration.choice("interpolation_type", default: Interpolation.linear)
        _ = try configuration.choice("timestep_type", default: TimestepType.discrete)
        predictionType = schedule.predictionType
        let trainSigmas = schedule.sigmas(isRescaled: try configuration.value("rescale_betas_zero_snr", default: false))
        let spacing = try configuration.choice("timestep_spacing", default: TimestepSpacing.linspace)
        var steps = spacing.timesteps(
            train: train, count: inferenceSteps, offset: try configuration.stepsOffset(train: train), rounds: false)
        try configuration.check(steps, train: train)
        var levels = steps.map { interpolated(trainSigmas, at: $0) }
        if try configuration.value("use_karras_sigmas", default: false), let first = levels.first, let last = levels.last {
            let minimum = try configuration.optional("sigma_min") ?? last
            let maximum = try configuration.optional("sigma_max") ?? first
            guard minimum > 0, maximum >= minimum else {
                throw configuration.wrong("sigma_min", expected: "more than 0 and at most sigma_max (or left out)")
            }
            levels = NoiseSchedule.karras(minimum: minimum, maximum: maximum, count: inferenceSteps)
            let logSigmas = trainSigmas.map { Double(logf($0)) }
            steps = levels.map { Float(NoiseSchedule.timestep(of: $0, logSigmas: logSigmas)) }
        }
        let final = try configuration.choice("final_sigmas_type", default: FinalSigma.zero)
        sigmas = levels.map { Float($0) } + [final == .zero ? 0 : trainSigmas[0]]
        timesteps = steps
        initNoiseSigma = initialDeviation(sigmas, spacing)
    }

    public func scaleModelInput(_ sample: Tensor) -> Tensor { unitVariance(sample, sigma: sigmas[stepIndex]) }

    /// | here | paper |
    /// | --- | --- |
    /// | `sigma`, `next` | t_i, t_(i+1) |
    /// | `original` | D_θ(x_i; t_i) |
    /// | (sample - original) / sigma | d_i |
    public mutating func step(modelOutput: Tensor, sample: Tensor, noise: () -> Tensor) -> SchedulerOutput {
        let (sigma, next) = (Double(sigmas[stepIndex]), Double(sigmas[stepIndex + 1]))
        let original = denoised(modelOutput, sample, sigma: sigma, predictionType)
        stepIndex += 1
        return SchedulerOutput(
            prevSample: linear(next / sigma, sample, 1 - next / sigma, original), predOriginalSample: original)
    }
}

/// How the last noise level of a run is chosen.
enum FinalSigma: String, CaseIterable {
    case zero
    case sigmaMin = "sigma_min"
}

/// A level between those of whole time steps (`numpy.interp`).
func interpolated(_ levels: [Float], at timestep: Float) -> Double {
    let low = min(Int(timestep), levels.count - 1)
    let high = min(low + 1, levels.count - 1)
    let (a, b) = (Double(levels[low]), Double(levels[high]))
    return a + (b - a) * (Double(timestep) - Double(low))
}

/// Standard deviation of the first noise, for samplers whose sample is x_0 + σ noise.
func initialDeviation(_ sigmas: [Float], _ spacing: TimestepSpacing) -> Float {
    let largest = sigmas.max() ?? 1
    return spacing == .leading ? (largest * largest + 1).squareRoot() : largest
}

/// x / sqrt(σ² + 1), what the model was trained on.
func unitVariance(_ sample: Tensor, sigma: Float) -> Tensor {
    linear(1 / (Double(sigma) * Double(sigma) + 1).squareRoot(), sample)
}

/// x_0 as the model sees it in x_0 + σ noise.
func denoised(_ output: Tensor, _ sample: Tensor, sigma: Double, _ predictionType: PredictionType) -> Tensor {
    switch predictionType {
    case .epsilon: linear(1, sample, -sigma, output)
    case .sample: output
    case .vPrediction: linear(1 / (sigma * sigma + 1), sample, -sigma / (sigma * sigma + 1).squareRoot(), output)
    }
}
