import Checkpoints
import Foundation
import TensorKit

/// DPM-Solver++, Lu et al., 2211.01095 (diffusers `DPMSolverMultistepScheduler`, `algorithm_type="dpmsolver++"`): a multistep solver of
/// first, second or third order for the data prediction, deterministic, with the sigmas of Karras et al., 2206.00364, on request.
public struct DPMSolverMultistepScheduler: Scheduler {
    public let timesteps: [Float]
    public private(set) var stepIndex = 0
    /// Noise levels sigma = sqrt((1 - α) / α), one for each step and the final one.
    public let sigmas: [Float]

    private enum SolverType: String, CaseIterable { case midpoint, heun, logrho, bh1, bh2 }
    public let predictionType: PredictionType
    private let solverOrder: Int
    private let isHeun: Bool
    /// The last step is of first order.
    private let endsWithFirstOrder: Bool
    /// The last but one is of second order at most.
    private let endsWithLowOrders: Bool
    /// Estimates of the clean sample of the steps before, the latest first, as many as the order asks for.
    private var earlier: [Tensor] = []

    public var sigma: Double { Double(sigmas[stepIndex]) }

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
        solverOrder = try configuration.count("solver_order", default: 2, limit: 3)
        isHeun = try configuration.choice("solver_type", default: SolverType.midpoint) == .heun
        predictionType = schedule.predictionType
        let karras = try useKarrasSigmas ?? configuration.value("use_karras_sigmas", default: false)

        let trainSigmas = schedule.sigmas(isRescaled: try configuration.value("rescale_betas_zero_snr", default: false))
        var steps = [Int]()
        var levels: [Double]
        if karras {
            let logSigmas = trainSigmas.map { Double(logf($0)) }
            levels = NoiseSchedule.karras(
                minimum: Double(trainSigmas[0]), maximum: Double(trainSigmas[train - 1]), count: inferenceSteps)
            steps = levels.map { sigma in
                let t = NoiseSchedule.timestep(of: sigma, logSigmas: logSigmas)
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
        timesteps = steps.map(Float.init)
        endsWithLowOrders = try configuration.value("lower_order_final", default: true) && steps.count < 15
        endsWithFirstOrder = try final == .zero || endsWithLowOrders || configuration.value("euler_at_final", default: false)
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
            let offset = try configuration.stepsOffset(train: trainSigmas.count)
            return (1...count).reversed().map { $0 * stride + offset }
        case .trailing:
            return descend(from: Double(last), step: Double(trainSigmas.count) / Double(count))
                .map { Int($0.rounded(.toNearestOrEven)) - 1 }
        }
    }

    /// One step (algorithm 2 of 2211.01095, "DPM-Solver++(2M)"; the third order as in appendix B.4 of 2206.00927, for the data
    /// prediction). The first step, which has no history, and the last one are of first order.
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
        // With a final sigma of 0, λ is infinite and exp(-h) is 0.
        let h = next.lambda - current.lambda
        let decay = exp(-h) - 1
        var previous: Tensor
        // Karras' last level may be the final one already: then there is no way to go.
        switch h > 0 ? order : 1 {
        case 1: previous = linear(-next.a * decay, original)
        case 2:
            let r = (current.lambda - level(stepIndex - 1).lambda) / h
            let correction = isHeun ? next.a * (decay / h + 1) / r : -0.5 * next.a * decay / r
            previous = linear(-next.a * decay + correction, original, -correction, earlier[0])
        default:
            let before = level(stepIndex - 1).lambda
            let r0 = (current.lambda - before) / h
            let r1 = (before - level(stepIndex - 2).lambda) / h
            // D1 and D2 of the paper are sums of the two finite differences (m0 - m1) / r0 and (m1 - m2) / r1.
            let first = next.a * (decay / h + 1)
            let second = -next.a * ((decay + h) / (h * h) - 0.5)
            let late = (first * (1 + r0 / (r0 + r1)) + second / (r0 + r1)) / r0
            let early = -(first * r0 / (r0 + r1) + second / (r0 + r1)) / r1
            previous = linear(-next.a * decay + late, original, early - late, earlier[0])
            previous = linear(1, previous, -early, earlier[1])
        }
        previous = linear(next.s / current.s, sample, 1, previous)
        earlier = Array(([original] + earlier).prefix(solverOrder - 1))
        stepIndex += 1
        return SchedulerOutput(prevSample: previous, predOriginalSample: original)
    }

    /// The order of the next step.
    private var order: Int {
        let left = timesteps.count - stepIndex
        if left == 1, endsWithFirstOrder { return 1 }
        let limit = left == 2 && endsWithLowOrders ? 2 : 3
        return min(solverOrder, earlier.count + 1, limit)
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
