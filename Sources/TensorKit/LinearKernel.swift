/// A linear layer's arithmetic: products with one weight that stays the same over many calls.
public final class LinearKernel {
    public let inFeatures, outFeatures: Int

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
    /// - Returns: [..., out]
    public func forward(
        _ x: Tensor, weight: Tensor, version: Int, bias: Tensor? = nil, adding residual: Tensor? = nil,
        activation: Activation = .identity
    ) -> Tensor {
        check(x, inFeatures)
        let y = PlainKernels.linear(x, weight: weight, bias: bias)
        if let residual { Kernels.accumulate(residual, into: y) }
        return activation == .identity ? y : Kernels.apply(activation, y)
    }

    /// Gradient of the input: gradient [..., out] times weight [out, in].
    public func inputGradient(_ gradient: Tensor, weight: Tensor, version: Int) -> Tensor {
        check(gradient, outFeatures)
        let rows = gradient.reshaped([gradient.count / outFeatures, outFeatures])
        return PlainKernels.product(rows, weight).reshaped(gradient.shape.dropLast() + [inFeatures])
    }

    /// Gradient of the weight, [out, in]: gradientᵀ times x.
    public func weightGradient(_ gradient: Tensor, x: Tensor) -> Tensor {
        check(gradient, outFeatures)
        check(x, inFeatures)
        let count = x.count / inFeatures
        return PlainKernels.product(gradient.reshaped([count, outFeatures]), x.reshaped([count, inFeatures]), transposeA: true)
    }

    private func check(_ x: Tensor, _ features: Int) {
        require(x.shape.last == features, "a linear layer \(inFeatures) -> \(outFeatures) was given \(x.shape)")
    }
}
