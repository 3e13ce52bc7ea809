/// The numbers of one Adam step (Kingma and Ba 2015), as in `torch.optim.Adam` and `AdamW`.
public struct AdamStep: Sendable {
    public var learningRate: Float
    public var beta1: Float
    public var beta2: Float
    /// Added to the square root of the corrected second moment.
    public var epsilon: Float
    public var weightDecay: Float
    /// AdamW: the decay acts on the weight itself and not on the gradient.
    public var decoupledDecay: Bool
    /// Number of the step, from 1.
    public var step: Int

    public init(
        learningRate: Float, beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float, decoupledDecay: Bool, step: Int
    ) {
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.decoupledDecay = decoupledDecay
        self.step = step
    }
}

extension Kernels {
    /// Changes a weight and its moments in place, in one pass over memory.
    /// - Parameters:
    ///   - step: the numbers of the step.
    ///   - weight: changed in place.
    ///   - gradient: of the same number of elements.
    ///   - firstMoment: running average of the gradient.
    ///   - secondMoment: running average of its square.
    ///   - gradientScale: factor of the gradient (clipping).
    public static func adam(
        _ step: AdamStep, weight: Tensor, gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor, gradientScale: Float = 1
    ) {
        require(
            weight.count == gradient.count && weight.count == firstMoment.count && weight.count == secondMoment.count,
            "Adam on a weight \(weight.shape) with a gradient \(gradient.shape)")
        let (w, g, m, v) = (weight.pointer, gradient.pointer, firstMoment.pointer, secondMoment.pointer)
        let correction1 = 1 - Self.power(Double(step.beta1), step.step)
        let correction2 = 1 - Self.power(Double(step.beta2), step.step)
        let stepSize = Float(Double(step.learningRate) / correction1)
        let inverseRoot = Float(1 / correction2.squareRoot())
        let keep = step.decoupledDecay ? 1 - step.learningRate * step.weightDecay : 1
        let coupled = step.decoupledDecay ? 0 : step.weightDecay
        let (fresh1, beta2, fresh2, epsilon) = (1 - step.beta1, step.beta2, 1 - step.beta2, step.epsilon)
        @inline(__always)
        func update(_ w: inout Lanes, _ g: Lanes, _ m: inout Lanes, _ v: inout Lanes) {
            let g = g * gradientScale + w * coupled
            m += (g - m) * fresh1
            v = v * beta2 + g * g * fresh2
            w = w * keep - m * stepSize / (v.squareRoot() * inverseRoot + epsilon)
        }
        Elementwise.ranges(weight.count, grain: 1 << 13) { i, width in
            if width == 16 {
                var (wi, mi, vi) = (w.lanes(i), m.lanes(i), v.lanes(i))
                update(&wi, g.lanes(i), &mi, &vi)
                w.store(wi, i)
                m.store(mi, i)
                v.store(vi, i)
            } else {
                var (wi, mi, vi) = (w.partialLanes(i, width), m.partialLanes(i, width), v.partialLanes(i, width))
                update(&wi, g.partialLanes(i, width), &mi, &vi)
                w.storePartial(wi, i, width)
                m.storePartial(mi, i, width)
                v.storePartial(vi, i, width)
            }
        }
    }

    private static func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, factor, rest) = (1.0, base, exponent)
        while rest > 0 {
            if rest & 1 == 1 { result *= factor }
            factor *= factor
            rest >>= 1
        }
        return result
    }
}
