/// A linear layer's arithmetic: products with one weight that stays the same over many calls.
public final class LinearKernel {
    public let inFeatures, outFeatures: Int
    /// Which arithmetic may be chosen.
    public var precision = Precision.f32 {
        didSet { if precision != oldValue { packed.removeAll() } }
    }
    /// Overrides the choice between the ways of calculating: "float32", "panels", "strassen", "bfloat16", "halfStored",
    /// "widened", "half" or "brain"; for tests.
    public var arithmetic: String?
    /// By slot: a plan runs on one thread at a time.
    private let plans = (0..<Parallel.slots).map { _ in PlanCache<LinearPlan.Key, LinearPlan?>() }
    private let packed = PackedWeights()

    /// Bytes in which the weight is kept for calculating.
    public var layoutBytes: Int { packed.bytes }

    /// Forgets the layouts of the weight; the next call makes them anew.
    public func releaseLayouts() { packed.removeAll() }

    public init(inFeatures: Int, outFeatures: Int) {
        self.inFeatures = inFeatures
        self.outFeatures = outFeatures
    }

    /// `forward` with a weight in memory, [out, in].
    public func forward(
        _ x: Tensor, weight: Tensor, version: Int, bias: Tensor? = nil, adding residual: Tensor? = nil,
        activation: Activation = .identity, weightChanges: Bool = false
    ) -> Tensor {
        forward(
            x, weight: WeightSource(weight, version: version), bias: bias, adding: residual, activation: activation,
            weightChanges: weightChanges)
    }

    /// activation(x weightᵀ + bias + residual)
    /// - Parameters:
    ///   - x: [..., in]
    ///   - weight: [out, in]
    ///   - bias: [out]
    ///   - residual: added to the result, [..., out].
    ///   - activation: applied last.
    ///   - weightChanges: the weight changes before the next call (training), so that no layout of it is worth keeping.
    /// - Returns: [..., out]
    public func forward(
        _ x: Tensor, weight: WeightSource, bias: Tensor? = nil, adding residual: Tensor? = nil,
        activation: Activation = .identity, weightChanges: Bool = false
    ) -> Tensor {
        check(x, inFeatures)
        let rows = x.count / inFeatures
        require(weight.shape == [outFeatures, inFeatures], "a weight \(weight.shape) for \(inFeatures) -> \(outFeatures)")
        require(bias.map { $0.count == outFeatures } ?? true, "a bias \(bias?.shape ?? []) for \(outFeatures) features")
        require(residual.map { $0.count == rows * outFeatures } ?? true, "a residual \(residual?.shape ?? []) for \(rows) rows")
        let y = Tensor(uninitialized: x.shape.dropLast() + [outFeatures])
        guard rows > 0 else { return y }
        let found = plan(
            LinearPlan.Key(
                rows: rows, hasBias: bias != nil, hasResidual: residual != nil, activation: activation, isPlain: weightChanges,
                keepsHalf: weight.isHalf)
        ) { $0.run(x, self.packed, weight, bias: bias, residual: residual, into: y) }
        guard let plan = found else {
            let plain = PlainKernels.linear(x, weight: weight.tensor(), bias: bias)
            Kernels.finish(plain, adding: residual, addingPerSample: nil, activation: activation)
            return plain
        }
        Profile.measure(
            "linear", "\(rows) x \(inFeatures) to \(outFeatures), \(plan.implementation)",
            operations: 2 * Double(rows * inFeatures) * Double(outFeatures)
        ) {
            plan.run(x, packed, weight, bias: bias, residual: residual, into: y)
        }
        if !plan.isFused { Kernels.finish(y, adding: residual, addingPerSample: nil, activation: activation) }
        return y
    }

    /// `Kernels.geglu` of x weightᵀ + bias.
    /// - Parameters:
    ///   - x: [..., in]
    ///   - weight: [out, in]
    ///   - bias: [out]
    /// - Returns: [..., out / 2]
    public func forwardGated(_ x: Tensor, weight: WeightSource, bias: Tensor? = nil) -> Tensor {
        check(x, inFeatures)
        let rows = x.count / inFeatures
        guard rows > 0, let plan = gatedPlan(rows: rows, hasBias: bias != nil, isHalf: weight.isHalf) else {
            return Kernels.geglu(forward(x, weight: weight, bias: bias))
        }
        require(weight.shape == [outFeatures, inFeatures], "a weight \(weight.shape) for \(inFeatures) -> \(outFeatures)")
        require(bias.map { $0.count == outFeatures } ?? true, "a bias \(bias?.shape ?? []) for \(outFeatures) features")
        let y = Tensor(uninitialized: x.shape.dropLast() + [outFeatures / 2])
        Profile.measure(
            "linear", "\(rows) x \(inFeatures) to \(outFeatures), \(plan.implementation), GEGLU",
            operations: 2 * Double(rows * inFeatures) * Double(outFeatures)
        ) {
            plan.runGated(x, packed, weight, bias: bias, into: y)
        }
        return y
    }

    /// nil where the numbers in between have to go through memory, or are too few for that to matter.
    private func gatedPlan(rows: Int, hasBias: Bool, isHalf: Bool) -> LinearPlan? {
        var key = LinearPlan.Key(
            rows: rows, hasBias: hasBias, hasResidual: false, activation: .identity, isPlain: false, keepsHalf: isHalf)
        if let forced = arithmetic.flatMap(LinearPlan.Arithmetic.init(rawValue:)) {
            key.arithmetic = forced
        } else if let number = halfNumber(key) {
            key.arithmetic = number == .bfloat16 ? .brain : .half
        } else if inFeatures * outFeatures >= 1 << 18 && precision == .f32 && Precision.hasWideVectors {
            key.arithmetic = isStrassen(key, isGated: true) ? .strassen : .panels
        }
        let plan = plans[Parallel.slot].plan(for: key) { LinearPlan(inFeatures: inFeatures, outFeatures: outFeatures, key) }
        return plan.flatMap { $0.canGate ? $0 : nil }
    }

    private func isStrassen(_ key: LinearPlan.Key, isGated: Bool) -> Bool {
        precision == .f32 && !key.isPlain
            && StrassenProduct.isFaster(rows: key.rows, inputs: inFeatures, outputs: outFeatures, isGated: isGated)
    }

    private func halfNumber(_ key: LinearPlan.Key) -> PanelNumber? {
        guard precision == .fast, !key.isPlain, inFeatures % 2 == 0 else { return nil }
        return Self.halfNumber(outFeatures, weights: inFeatures * outFeatures)
    }

    private func plan(_ key: LinearPlan.Key, trial: (LinearPlan) -> Void) -> LinearPlan? {
        var key = key
        let plans = plans[Parallel.slot]
        func made(_ arithmetic: LinearPlan.Arithmetic) -> LinearPlan? {
            key.arithmetic = arithmetic
            return plans.plan(for: key) { LinearPlan(inFeatures: inFeatures, outFeatures: outFeatures, key) }
        }
        if let forced = arithmetic.flatMap(LinearPlan.Arithmetic.init(rawValue:)) { return made(forced) ?? made(.float32) }
        if let number = halfNumber(key) { return made(number == .bfloat16 ? .brain : .half) ?? made(.float32) }
        if isStrassen(key, isGated: false), let plan = made(.strassen) { return plan }
        let isHalf =
            precision == .fast && !key.isPlain
            && ConvolutionKernel.isWorthHalving(inFeatures * outFeatures, numbers: key.rows * (inFeatures + outFeatures))
        // Weights of some size are worth a trial, once; small ones have one way, so that no clock decides about them.
        let operations = 2 * Double(key.rows * inFeatures) * Double(outFeatures)
        guard isHalf || (inFeatures * outFeatures >= ConvolutionKernel.largeCount && operations >= 2e7 && !key.isPlain) else {
            return made(.float32)
        }
        let known = choices[Parallel.slot][key.rows, isHalf] ?? choose(key, isHalf, made, trial)
        choices[Parallel.slot][key.rows, isHalf] = known
        return made(known) ?? made(known == .widened ? .halfStored : .float32) ?? made(.float32)
    }

    /// By slot and number of rows, what the ledger said.
    private let choices = (0..<Parallel.slots).map { _ in Choices() }

    private final class Choices {
        private var entries: [Int: LinearPlan.Arithmetic] = [:]
        subscript(rows: Int, isHalf: Bool) -> LinearPlan.Arithmetic? {
            get { entries[2 * rows + (isHalf ? 1 : 0)] }
            set { entries[2 * rows + (isHalf ? 1 : 0)] = newValue }
        }
    }

    private func choose(
        _ key: LinearPlan.Key, _ isHalf: Bool, _ made: (LinearPlan.Arithmetic) -> LinearPlan?, _ trial: (LinearPlan) -> Void
    ) -> LinearPlan.Arithmetic {
        let rows = key.rows
        let candidates: [LinearPlan.Arithmetic] =
            switch (isHalf, rows >= ConvolutionKernel.manyRows) {
            // Few rows wait for their weights: half as many bytes where they are kept in half precision.
            case (false, false): key.keepsHalf && Precision.hasWideVectors ? [.panels, .float32] : [.float32, .panels]
            case (false, true): [.float32, .panels]
            case (true, true): [Self.fastestProducts == .bfloat16 ? .bfloat16 : .widened]
            case (true, false): [.bfloat16, .halfStored]
            }
        guard candidates.count > 1 else { return candidates[0] }
        var chosen = candidates[0]
        packed.trying {
            let name = KernelLedger.shared.choice(
                "linear \(rows) x \(inFeatures)>\(outFeatures) \(precision.rawValue)\(key.keepsHalf ? " of half" : "")",
                among: candidates.map(\.rawValue),
                make: { LinearPlan.Arithmetic(rawValue: $0).flatMap(made) }, run: trial)
            chosen = LinearPlan.Arithmetic(rawValue: name) ?? .float32
            return made(chosen)?.kept.layout
        }
        return chosen
    }

    /// Which sixteen-bit numbers our own products (`PanelProduct`) use in fast mode for weights of this size: those that this processor is fastest
    /// with. nil where it is with neither, or the outputs do not fill panels.
    static func halfNumber(_ outputs: Int, weights: Int) -> PanelNumber? {
        guard weights >= 1 << 16, outputs % WeightPanels.width == 0 else { return nil }
        return fastestProducts.number
    }

    /// Which numbers this processor multiplies fastest: float32, bfloat16 (some have instructions for it that run at half the rate of float32) or
    /// half precision. Tried once.
    static let fastestProducts: LinearPlan.Arithmetic = {
        let (rows, features) = (512, 1024)
        let key = LinearPlan.Key(rows: rows, hasBias: false, hasResidual: false, activation: .identity, isPlain: false)
        var ways: [LinearPlan.Arithmetic] = [.float32]
        if Precision.hasBrainFloat { ways.append(Precision.hasBrainProducts ? .brain : .bfloat16) }
        if Precision.hasHalfProducts { ways.append(.half) }
        let weight = WeightSource(Tensor(zeros: [features, features]), version: 0)
        let (x, y) = (Tensor(zeros: [rows, features]), Tensor(zeros: [rows, features]))
        let name = KernelLedger.shared.choice(
            "products of " + ways.map(\.rawValue).joined(separator: ", "), among: ways.map(\.rawValue)
        ) { name in
            var key = key
            key.arithmetic = LinearPlan.Arithmetic(rawValue: name) ?? .float32
            return LinearPlan(inFeatures: features, outFeatures: features, key).map { (plan: $0, packed: PackedWeights()) }
        } run: { way in
            way.plan.run(x, way.packed, weight, bias: nil, residual: nil, into: y)
        }
        return LinearPlan.Arithmetic(rawValue: name) ?? .float32
    }()

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
