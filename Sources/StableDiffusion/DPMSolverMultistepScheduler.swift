import Checkpoints
import Foundation
import TensorKit

/// DPM-Solver++, Lu et al., 2211.01095 (diffusers `DPMSolverMultistepScheduler`, `algorithm_type="dpmsolver++"`): a multistep solver of
/// first or second order for the data prediction, deterministic, with the sigmas of Karras et al., 2206.00364, on request.
public struct DPMSolverMultistepScheduler: Scheduler {
    public let timesteps: [Int]
    public private(set) var stepIndex = 0
    /// Noise levels sigma = sqrt((1 - α) / α), one for each step and the final one.
    public let sigmas: [Float]

    private enum SolverType: String, CaseIterable { case midpoint, heun, logrho, bh1, bh2 }
    private enum FinalSigma: String, CaseIterable {
        case zero
        case sigmaMin = "sigma_min"
    }

    private let predictionType: PredictionType
    private let solverOrder: Int
    private let isHeun: Bool
    /// The last step is of first order.
    private let endsWithFirstOrder: Bool
    /// The estimate of the clean sample of the step before.
    private var previousOriginal: Tensor?

    /// A sampler at the start of a run.
    /// - Parameters:
    ///   - configuration: `scheduler_config.json`; `timestep_spacing` is "linspace" and `steps_offset` 0 where it does not say.
    ///   - inferenceSteps: number of steps, at most the training's.
    ///   - useKarrasSigmas: overrides `use_karras_sigmas`.
    /// - Throws: `CheckpointError` for a configuration that cannot be honoured, `StableDiffusionError.steps` for an impossible number.
    public init(configuration: JSONConfiguration, inferenceSteps: Int, useKarrasSigmas: Bool? = nil) throws {
        let schedule = try NoiseSchedule(configuration)
        let train = schedule.trainTimesteps
        guard (1...train).contains(inferenceSteps) else { throw StableDiffusionError.steps(inferenceSteps, limit: train) }
        try configuration.refuse("thresholding", because: "image latents have no fixed range")
        try configuration.refuse(
            "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas", "use_flow_sigmas", "use_dynamic_shifting",
            because: "this sampler knows Karras' sigmas and the model's own")
        let algorithm = try configuration.value("algorithm_type", default: "dpmsolver++")
        guard ["dpmsolver++", "deis"].contains(algorithm) else {
            throw configuration.wrong("algorithm_type", expected: "dpmsolver++")
        }
        if configuration["variance_type"] ?? .null != .null {
            throw configuration.wrong("variance_type", expected: "null, because learned variances are not supported")
        }
        solverOrder = try configuration.count("solver_order", default: 2, limit: 2)
        isHeun = try configuration.choice("solver_type", default: SolverType.midpoint) == .heun
        predictionType = schedule.predictionType
        let karras = try useKarrasSigmas ?? configuration.value("use_karras_sigmas", default: false)

        var alphas = schedule.alphasCumprod.map(Double.init)
        // A last step of pure noise would have an infinite sigma.
        if try configuration.value("rescale_betas_zero_snr", default: false) { alphas[train - 1] = 0x1p-24 }
        let trainSigmas = alphas.map { Float(((1 - $0) / $0).squareRoot()) }
        var steps = [Int]()
        var levels: [Double]
        if karras {
            let logSigmas = trainSigmas.map { Double(logf($0)) }
            levels = Self.karras(minimum: Double(trainSigmas[0]), maximum: Double(trainSigmas[train - 1]), count: inferenceSteps)
            steps = levels.map { sigma in
                let t = Self.timestep(of: sigma, logSigmas: logSigmas)
                return Int(schedule.isCosine ? t : t.rounded(.toNearestOrEven))
            }
        } else {
            steps = try Self.timesteps(configuration, trainSigmas: trainSigmas, count: inferenceSteps)
            guard steps.allSatisfy((0..<train).contains) else {
                throw configuration.wrong("steps_offset", expected: "less, so that \(inferenceSteps) steps stay below \(train)")
            }
            levels = steps.map { Double(trainSigmas[$0]) }
        }
        let final = try configuration.choice("final_sigmas_type", default: FinalSigma.zero)
        levels.append(final == .zero ? 0 : Double(trainSigmas[0]))
        sigmas = levels.map { Float($0) }
        timesteps = steps
        endsWithFirstOrder =
            try final == .zero || configuration.value("euler_at_final", default: false)
            || (configuration.value("lower_order_final", default: true) && steps.count < 15)
    }

    /// Time steps in the training's own schedule.
    private static func timesteps(_ configuration: JSONConfiguration, trainSigmas: [Float], count: Int) throws -> [Int] {
        // lambda = log(alpha) - log(sigma) = -log of the noise level; steps of too small a lambda are left out.
        let clip: Double = try configuration.value("lambda_min_clipped", default: -.infinity)
        let last = trainSigmas.count - trainSigmas.count { Double(-logf($0)) < clip }
        switch try configuration.choice("timestep_spacing", default: TimestepSpacing.linspace) {
        case .linspace:
            return linspace(0, Double(last - 1), count + 1).dropFirst().reversed().map { Int($0.rounded(.toNearestOrEven)) }
        case .leading:
            let stride = last / (count + 1)
            let offset: Int = try configuration.value("steps_offset", default: 0)
            return (1...count).reversed().map { $0 * stride + offset }
        case .trailing:
            return descend(from: Double(last), step: Double(trainSigmas.count) / Double(count))
                .map { Int($0.rounded(.toNearestOrEven)) - 1 }
        }
    }

    /// Formula (5) of 2206.00364 with rho = 7, from the largest level down.
    private static func karras(minimum: Double, maximum: Double, count: Int) -> [Double] {
        let (low, high) = (pow(minimum, 1 / 7), pow(maximum, 1 / 7))
        return linspace(0, 1, count).map { pow(high + $0 * (low - high), 7) }
    }

    /// The (fractional) training time step of a noise level, linear in its logarithm.
    private static func timestep(of sigma: Double, logSigmas: [Double]) -> Double {
        let logSigma = log(max(sigma, 1e-10))
        let atOrBelow = logSigmas.count { $0 <= logSigma }
        let low = min(max(0, atOrBelow - 1), logSigmas.count - 2)
        let weight = (logSigmas[low] - logSigma) / (logSigmas[low] - logSigmas[low + 1])
        return Double(low) + min(max(weight, 0), 1)
    }

    /// One step (algorithm 2 of 2211.01095, "DPM-Solver++(2M)"; its first and its last step are of first order).
    ///
    /// | here | paper |
    /// | --- | --- |
    /// | `level.a`, `level.s` | α, σ |
    /// | `lambda` | λ = log(α / σ) |
    /// | `original` | x_θ(x_t), the predicted x_0 |
    public mutating func step(modelOutput: Tensor, sample: Tensor, noise: () -> Tensor) -> SchedulerOutput {
        let current = level(stepIndex)
        let next = level(stepIndex + 1)
        let original = original(modelOutput, sample, current)
        let isLast = stepIndex == timesteps.count - 1
        // With a final sigma of 0, λ is infinite and exp(-h) is 0.
        let h = next.lambda - current.lambda
        let decay = exp(-h) - 1
        var previous: Tensor
        if let earlier = previousOriginal, solverOrder == 2, !(isLast && endsWithFirstOrder) {
            let r = (current.lambda - level(stepIndex - 1).lambda) / h
            let correction = isHeun ? next.a * (decay / h + 1) / r : -0.5 * next.a * decay / r
            previous = linear(-next.a * decay + correction, original, -correction, earlier)
        } else {
            previous = linear(-next.a * decay, original)
        }
        previous = linear(next.s / current.s, sample, 1, previous)
        previousOriginal = original
        stepIndex += 1
        return SchedulerOutput(prevSample: previous, predOriginalSample: original)
    }

    private func level(_ index: Int) -> (a: Double, s: Double, lambda: Double) {
        let sigma = Double(sigmas[index])
        let a = 1 / (sigma * sigma + 1).squareRoot()
        return (a, sigma * a, -log(sigma))
    }

    private func original(_ output: Tensor, _ sample: Tensor, _ level: (a: Double, s: Double, lambda: Double)) -> Tensor {
        switch predictionType {
        case .epsilon: linear(1 / level.a, sample, -level.s / level.a, output)
        case .sample: output
        case .vPrediction: linear(level.a, sample, -level.s, output)
        }
    }
}
