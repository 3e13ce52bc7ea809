/// How a convolution is calculated.
public enum ConvolutionAlgorithm: Equatable, Sendable {
    /// Sums of products, as written.
    case direct
    /// Winograd's minimal filtering (Lavin and Gray 2016): fewer products, a less exact sum.
    case winograd
}

/// A convolution layer's arithmetic: one geometry and one weight that stays the same over many calls.
public final class ConvolutionKernel {
    public let geometry: ConvolutionGeometry
    /// Overrides the choice between the algorithms.
    public var algorithm: ConvolutionAlgorithm?
    /// By slot: a plan runs on one thread at a time.
    private let plans = (0..<Parallel.slots).map { _ in PlanCache<ConvolutionPlan.Key, ConvolutionPlan?>() }
    private let gradientPlans = PlanCache<ConvolutionGradientPlan.Key, ConvolutionGradientPlan?>()
    private let packed = PackedWeights()
    private let packedForGradient = PackedWeights()

    public init(_ geometry: ConvolutionGeometry) {
        self.geometry = geometry
    }

    /// activation(conv(x) + bias + channelVector + residual)
    /// - Parameters:
    ///   - x: [N, H, W, in]
    ///   - weight: [out, in, kh, kw]
    ///   - version: changes when the weight's elements changed; derived layouts are kept as long as it stays.
    ///   - bias: [out]
    ///   - channelVector: [N, out], added at every position of a sample.
    ///   - residual: added to the result, [N, H', W', out].
    ///   - activation: applied last.
    /// - Returns: [N, H', W', out]
    public func forward(
        _ x: Tensor, weight: Tensor, version: Int, bias: Tensor? = nil, addingPerSample channelVector: Tensor? = nil,
        adding residual: Tensor? = nil, activation: Activation = .identity
    ) -> Tensor {
        let output = geometry.outputShape(of: x.shape)
        let outputs = geometry.outChannels
        require(weight.shape == geometry.weightShape, "a weight \(weight.shape) for a convolution \(geometry.weightShape)")
        require(bias.map { $0.count == outputs } ?? true, "a bias of \(bias?.shape ?? []) for \(outputs) channels")
        require(residual.map { $0.shape == output } ?? true, "a residual \(residual?.shape ?? []) for a result \(output)")
        require(
            channelVector.map { $0.count == output[0] * outputs } ?? true,
            "a channel vector \(channelVector?.shape ?? []) for a result \(output)")
        guard x.count > 0 else { return Tensor(zeros: output) }
        // Where all samples share the vector (one time step for the whole batch), it is part of the bias.
        var (bias, perSample) = (bias, channelVector)
        if let vector = channelVector, Self.rowsAreEqual(vector, width: outputs) {
            let shared = Tensor(shape: [outputs], storage: vector.storage, offset: vector.offset)
            bias = bias.map { Kernels.add(shared, $0.reshaped([outputs])) } ?? shared
            perSample = nil
        }
        let fusing = perSample == nil
        let y = Tensor(uninitialized: output)
        guard
            let plan = plan(
                x.shape, hasBias: bias != nil, hasResidual: fusing && residual != nil,
                activation: fusing ? activation : .identity)
        else {
            let plain = PlainKernels.convolution(x, weight: weight, bias: bias, geometry: geometry)
            Kernels.finish(plain, adding: residual, addingPerSample: perSample, activation: activation)
            return plain
        }
        let inside = fusing && plan.isFused
        plan.run(x, packed, weight, version: version, bias: bias, residual: inside ? residual : nil, into: y)
        if !inside { Kernels.finish(y, adding: residual, addingPerSample: perSample, activation: activation) }
        return y
    }

    /// oneDNN's name of what `forward` runs for an input shape, for reports.
    public func implementation(for input: [Int]) -> String {
        plan(input, hasBias: true, hasResidual: false, activation: .identity)?.implementation ?? "plain"
    }

    private func plan(_ input: [Int], hasBias: Bool, hasResidual: Bool, activation: Activation) -> ConvolutionPlan? {
        var key = ConvolutionPlan.Key(
            input: input, hasBias: hasBias, hasResidual: hasResidual, activation: activation,
            algorithm: algorithm ?? preferredAlgorithm(input))
        return plans[Parallel.slot].plan(for: key) {
            if let plan = ConvolutionPlan(geometry, key) { return plan }
            key.algorithm = .direct
            return ConvolutionPlan(geometry, key)
        }
    }

    /// Winograd's layouts cost two reorders and its transforms a fixed amount for each channel: it pays from wide layers on larger images on
    /// (measured with `w2w bench`). A rule instead of a trial with a clock: the same input gives the same bits every time.
    private func preferredAlgorithm(_ input: [Int]) -> ConvolutionAlgorithm {
        let isCandidate =
            geometry.kernelHeight == 3 && geometry.kernelWidth == 3 && geometry.stride == 1 && geometry.padding == Padding(1)
        let positions = input[0] * input[1] * input[2]
        return isCandidate && min(geometry.inChannels, geometry.outChannels) >= 256 && positions >= 256 ? .winograd : .direct
    }

    private static func rowsAreEqual(_ vector: Tensor, width: Int) -> Bool {
        let p = vector.pointer
        for i in width..<max(width, vector.count) where p[i] != p[i - width] { return false }
        return true
    }

    /// Gradient of the input of `inputShape` from the gradient of the output [N, H', W', out].
    public func inputGradient(_ gradient: Tensor, weight: Tensor, version: Int, inputShape: [Int]) -> Tensor {
        require(gradient.shape == geometry.outputShape(of: inputShape), "gradient \(gradient.shape) for an input \(inputShape)")
        let key = ConvolutionGradientPlan.Key(input: inputShape, isForWeight: false)
        guard let plan = gradientPlans.plan(for: key, make: { ConvolutionGradientPlan(geometry, key) }) else {
            return PlainKernels.convolutionInputGradient(gradient, weight: weight, inputShape: inputShape, geometry: geometry)
        }
        let result = Tensor(uninitialized: inputShape)
        plan.runForInput(gradient, packedForGradient, weight, version: version, into: result)
        return result
    }

    /// Gradient of the weight, [out, in, kh, kw].
    public func weightGradient(_ gradient: Tensor, x: Tensor) -> Tensor {
        require(gradient.shape == geometry.outputShape(of: x.shape), "gradient \(gradient.shape) for an input \(x.shape)")
        let key = ConvolutionGradientPlan.Key(input: x.shape, isForWeight: true)
        guard let plan = gradientPlans.plan(for: key, make: { ConvolutionGradientPlan(geometry, key) }) else {
            return PlainKernels.convolutionWeightGradient(gradient, x: x, geometry: geometry)
        }
        let result = Tensor(uninitialized: geometry.weightShape)
        plan.runForWeight(gradient, x, into: result)
        return result
    }
}
