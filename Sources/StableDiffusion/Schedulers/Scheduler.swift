import Checkpoints
import TensorKit

/// The sampler of a run: where it stands, and how it steps from one noise level to the next. A value: two runs never disturb each other, and a
/// copy is a place to return to.
public protocol Scheduler {
    /// Training time steps at which the model is asked, in order, one per evaluation; some samplers ask between two whole ones.
    var timesteps: [Float] { get }
    /// The step that comes next, 0 at the start, `timesteps.count` at the end.
    var stepIndex: Int { get }
    /// Standard deviation of the first noise.
    var initNoiseSigma: Float { get }

    /// Noise level of the next step, standard deviation over signal, s / a for a sample of a x_0 + s noise with a² + s² = 1.
    var sigma: Double { get }
    /// What the model's output means.
    var predictionType: PredictionType { get }
    /// Whether steps draw fresh noise.
    var addsNoise: Bool { get }

    /// What the model is to be shown for the next step, from where the run stands: [N, H, W, C] -> [N, H, W, C].
    func scaleModelInput(_ sample: Tensor) -> Tensor

    /// Does the next step.
    /// - Parameters:
    ///   - modelOutput: what the model answered, with guidance applied, [N, H, W, C].
    ///   - sample: where the run stands, same shape.
    ///   - noise: called, at most once, by schedulers that add fresh noise: standard normal, of the sample's shape.
    /// - Returns: the sample at the next noise level, and the estimate of the clean one.
    /// - Precondition: `stepIndex < timesteps.count`.
    mutating func step(modelOutput: Tensor, sample: Tensor, noise: () -> Tensor) -> SchedulerOutput
}

/// The result of a step.
public struct SchedulerOutput {
    /// The sample at the next, lower noise level.
    public let prevSample: Tensor
    /// The clean sample as this step estimates it.
    public let predOriginalSample: Tensor
}

extension Scheduler {
    public var initNoiseSigma: Float { 1 }
    public var addsNoise: Bool { false }
    /// All steps are done.
    public var isFinished: Bool { stepIndex >= timesteps.count }
    public func scaleModelInput(_ sample: Tensor) -> Tensor { sample }
}

/// a x
func linear(_ a: Double, _ x: Tensor) -> Tensor {
    let result = Tensor(uninitialized: x.shape)
    let (target, source, factor) = (result.pointer, x.pointer, Float(a))
    for i in 0..<result.count { target[i] = factor * source[i] }
    return result
}

/// a x + b y
func linear(_ a: Double, _ x: Tensor, _ b: Double, _ y: Tensor) -> Tensor {
    precondition(x.shape == y.shape, "a sum of \(x.shape) and \(y.shape)")
    let result = Tensor(uninitialized: x.shape)
    let (target, p, q, f, g) = (result.pointer, x.pointer, y.pointer, Float(a), Float(b))
    for i in 0..<result.count { target[i] = f * p[i] + g * q[i] }
    return result
}

/// `numpy.linspace` in float64.
func linspace(_ start: Double, _ end: Double, _ count: Int) -> [Double] {
    guard count > 1 else { return count == 1 ? [start] : [] }
    let step = (end - start) / Double(count - 1)
    return (0..<count).map { $0 == count - 1 ? end : start + Double($0) * step }
}

/// `numpy.arange` downwards: start, start - step, ... above 0.
func descend(from start: Double, step: Double) -> [Double] {
    (0..<max(0, Int((start / step).rounded(.up)))).map { start - Double($0) * step }
}
