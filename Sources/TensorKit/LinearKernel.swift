/// A linear layer's arithmetic: products with one weight that stays the same over many calls.
public final class LinearKernel {
    public let inFeatures, outFeatures: Int
    /// By slot: a plan runs on one thread at a time.
    private let plans = (0..<Parallel.slots).map { _ in PlanCache<LinearPlan.Key, LinearPlan?>() }
    private let packed = PackedWeights()

    public init(inFeatures: Int, outFeatures: Int) {
        self.inFeatures = inFeatures
        self.outFeatures = outFeatures
    }

    /// activation(x weightᵀ + bias + residual)
    /// - Parameters:
    ///   - x: [..., in]
    ///   - weight: [out, in]
    ///   - version: changes when the weight's elements changed; derived layouts are kept as long as it stays.
    ///   - bias: [out]
    ///   - residual: added to the result, [..., out].
    ///   - activation: applied last.
    ///   - weightChanges: the weight changes before the next call (training), so that no layout of it is worth keeping.
    /// - Returns: [..., out]
    public func forward(
        _ x: Tensor, weight: Tensor, version: Int, bias: Tensor? = nil, adding residual: Tensor? = nil,
        activation: Activation = .identity, weightChanges: Bool = false
    ) -> Tensor {
        check(x, inFeatures)
        let rows = x.count / inFeatures
        require(weight.shape == [outFeatures, inFeatures], "a weight \(weight.shape) for \(inFeatures) -> \(outFeatures)")
        require(bias.map { $0.count == outFeatures } ?? true, "a bias \(bias?.shape ?? []) for \(outFeatures) features")
        require(residual.map { $0.count == rows * outFeatures } ?? true, "a residual \(residual?.shape ?? []) for \(rows) rows")
        let y = Tensor(uninitialized: x.shape.dropLast() + [outFeatures])
        guard rows > 0 else { return y }
        let key = LinearPlan.Key(
            rows: rows, hasBias: bias != nil, hasResidual: residual != nil, activation: activation, isPlain: weightChanges)
        let made = plans[Parallel.slot].plan(for: key) { LinearPlan(inFeatures: inFeatures, outFeatures: outFeatures, key) }
        guard let plan = made else {
            let plain = PlainKernels.linear(x, weight: weight, bias: bias)
            Kernels.finish(plain, adding: residual, addingPerSample: nil, activation: activation)
            return plain
        }
        plan.run(x, packed, weight, version: version, bias: bias, residual: residual, into: y)
        if !plan.isFused { Kernels.finish(y, adding: residual, addingPerSample: nil, activation: activation) }
        return y
    }

    /// oneDNN's name of what `forward` runs for a number of rows, for reports.
    public func implementation(rows: Int) -> String {
        let key = LinearPlan.Key(rows: rows, hasBias: true, hasResidual: false, activation: .identity, isPlain: false)
        return plans[Parallel.slot].plan(for: key) { LinearPlan(inFeatures: inFeatures, outFeatures: outFeatures, key) }?
            .implementation
            ?? "plain"
    }

    /// Gradient of the input: gradient [..., out] times weight [out, in].
    public func inputGradient(_ gradient: Tensor, weight: Tensor, version: Int) -> Tensor {
        check(gradient, outFeatures)
        let rows = gradient.reshaped([gradient.count / outFeatures, outFeatures])
        return Kernels.product(rows, weight).reshaped(gradient.shape.dropLast() + [inFeatures])
    }

    /// Gradient of the weight, [out, in]: gradientᵀ times x.
    public func weightGradient(_ gradient: Tensor, x: Tensor) -> Tensor {
        let (g, source) = rowsForGradient(gradient, x)
        return Kernels.product(g, source, transposeA: true)
    }

    /// Adds the gradient of the weight to `total` [out, in].
    public func addWeightGradient(_ gradient: Tensor, x: Tensor, to total: Tensor) {
        let (g, source) = rowsForGradient(gradient, x)
        Kernels.product(g, source, transposeA: true, addingTo: total)
    }

    private func rowsForGradient(_ gradient: Tensor, _ x: Tensor) -> (Tensor, Tensor) {
        check(gradient, outFeatures)
        check(x, inFeatures)
        let count = x.count / inFeatures
        return (gradient.reshaped([count, outFeatures]), x.reshaped([count, inFeatures]))
    }

    private func check(_ x: Tensor, _ features: Int) {
        require(x.shape.last == features, "a linear layer \(inFeatures) -> \(outFeatures) was given \(x.shape)")
    }
}
