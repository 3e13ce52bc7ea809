import Checkpoints
import TensorKit

/// Pseudo numerical methods for diffusion models, Liu et al., 2202.09778 (diffusers `PNDMScheduler`): a linear multistep method of fourth
/// order, which starts with Runge-Kutta steps or, with `skip_prk_steps`, with lower orders and one time step asked twice. So there are more
/// evaluations than steps: one more without Runge-Kutta, nine more with it. Predictions of noise and velocity.
public struct PNDMScheduler: Scheduler {
    public let timesteps: [Float]
    public private(set) var stepIndex = 0
    private let schedule: NoiseSchedule
    /// α of the end of the way.
    private let finalAlpha: Double
    /// Distance of neighbouring time steps in the training's schedule.
    private let stride: Int
    /// Evaluations that belong to Runge-Kutta steps, four to a step.
    private let rungeKuttaCount: Int
    /// The last model outputs, oldest first, four at most.
    private var outputs: [Tensor] = []
    /// Where the Runge-Kutta step, or the step that is done twice, began.
    private var origin: Tensor?
    /// The weighted sum of a Runge-Kutta step's model outputs so far.
    private var sum: Tensor?

    public var predictionType: PredictionType { schedule.predictionType }
    public var sigma: Double { isFinished ? 0 : schedule.sigma(at: timesteps[stepIndex]) }

    /// A sampler at the start of a run.
    /// - Parameters:
    ///   - configuration: `scheduler_config.json`; `timestep_spacing` is "leading", `steps_offset` 0, `skip_prk_steps` and `set_alpha_to_one`
    ///     false where it does not say.
    ///   - inferenceSteps: number of steps, at most the training's; at least 4 with Runge-Kutta steps.
    /// - Throws: `CheckpointError` for a configuration that cannot be honoured, `StableDiffusionError.steps` for an impossible number.
    public init(configuration: JSONConfiguration, inferenceSteps: Int) throws {
        schedule = try NoiseSchedule(configuration, defaults: .init(rescales: false))
        let train = schedule.trainTimesteps
        guard (1...train).contains(inferenceSteps) else { throw StableDiffusionError.steps(inferenceSteps, limit: train) }
        guard schedule.predictionType != .sample else {
            throw configuration.wrong("prediction_type", expected: "epsilon or v_prediction for PNDM")
        }
        finalAlpha = try configuration.value("set_alpha_to_one", default: false) ? 1 : Double(schedule.alphasCumprod[0])
        stride = train / inferenceSteps
        let steps = try configuration.choice("timestep_spacing", default: TimestepSpacing.leading)
            .timesteps(
                train: train, count: inferenceSteps, offset: configuration.stepsOffset(train: train), rounds: true)
        try configuration.check(steps, train: train)
        if try configuration.value("skip_prk_steps", default: false) {
            // The second time step is asked twice.
            timesteps = Array(steps.prefix(2)) + Array(steps.dropFirst())
            rungeKuttaCount = 0
        } else {
            guard steps.count >= 4 else {
                throw configuration.wrong(
                    "skip_prk_steps", expected: "true for fewer than 4 steps (choose more steps or another sampler)")
            }
            // Each Runge-Kutta step asks at its beginning, twice in its middle and at its end.
            let half = Float(stride / 2)
            let starts = (0..<3).flatMap { number -> [Float] in
                let (start, end) = (steps[number], steps[number + 1])
                return [start, end + half, end + half, end]
            }
            timesteps = starts + steps.dropFirst(3)
            rungeKuttaCount = starts.count
        }
    }

    public mutating func step(modelOutput: Tensor, sample: Tensor, noise: () -> Tensor) -> SchedulerOutput {
        let result = stepIndex < rungeKuttaCount ? rungeKutta(modelOutput, sample) : multistep(modelOutput, sample)
        stepIndex += 1
        return result
    }

    /// Algorithm 2 of the paper: the weights 1/6, 1/3, 1/3 and 1/6.
    private mutating func rungeKutta(_ output: Tensor, _ sample: Tensor) -> SchedulerOutput {
        let here = Int(timesteps[stepIndex])
        let phase = stepIndex % 4
        let start = Int(timesteps[stepIndex - phase])
        var combined = output
        switch phase {
        case 0:
            sum = linear(1 / 6, output)
            outputs.append(output)
            origin = sample
        case 3: combined = sum.map { linear(1, $0, 1 / 6, output) } ?? output
        default: sum = sum.map { linear(1, $0, 1 / 3, output) }
        }
        let previous = phase % 2 == 1 ? here : here - stride / 2
        return transfer(origin ?? sample, combined, from: start, to: previous)
    }

    /// Formula (12) of the paper, with the Adams-Bashforth weights of lower orders where history is short.
    private mutating func multistep(_ output: Tensor, _ sample: Tensor) -> SchedulerOutput {
        var here = Int(timesteps[stepIndex])
        var previous = here - stride
        if rungeKuttaCount == 0, stepIndex == 1, let first = outputs.last, let start = origin {
            // The first step once more, now with the mean of both ends.
            previous = here
            here += stride
            origin = nil
            return transfer(start, linear(0.5, output, 0.5, first), from: here, to: previous)
        }
        outputs = outputs.suffix(3) + [output]
        if stepIndex == 0 { origin = sample }
        let weights: [Double] =
            switch outputs.count {
            case 1: [1]
            case 2: [-1 / 2, 3 / 2]
            case 3: [5 / 12, -16 / 12, 23 / 12]
            default: [-9 / 24, 37 / 24, -59 / 24, 55 / 24]
            }
        var combined = linear(weights[0], outputs[0])
        for (weight, output) in zip(weights, outputs).dropFirst() { combined = linear(1, combined, weight, output) }
        return transfer(sample, combined, from: here, to: previous)
    }

    /// Formula (9) of the paper, x_(t-δ) of x_t, and x_0 as the combined output has it.
    private func transfer(_ sample: Tensor, _ output: Tensor, from here: Int, to previous: Int) -> SchedulerOutput {
        let alpha = Double(schedule.alphasCumprod[here])
        let previousAlpha = previous >= 0 ? Double(schedule.alphasCumprod[previous]) : finalAlpha
        let (a, s) = (alpha.squareRoot(), (1 - alpha).squareRoot())
        let epsilon = schedule.predictionType == .vPrediction ? linear(a, output, s, sample) : output
        let denominator = alpha * (1 - previousAlpha).squareRoot() + (alpha * (1 - alpha) * previousAlpha).squareRoot()
        return SchedulerOutput(
            prevSample: linear((previousAlpha / alpha).squareRoot(), sample, -(previousAlpha - alpha) / denominator, epsilon),
            predOriginalSample: linear(1 / a, sample, -s / a, epsilon))
    }
}
