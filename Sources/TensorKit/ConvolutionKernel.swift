/// A convolution layer's arithmetic: one geometry and one weight that stays the same over many calls.
public final class ConvolutionKernel {
    public let geometry: ConvolutionGeometry

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
        let y = PlainKernels.convolution(x, weight: weight, bias: bias, geometry: geometry)
        if let channelVector {
            let positions = y.shape[1] * y.shape[2]
            for i in 0..<y.count {
                let n = i / (positions * geometry.outChannels)
                y.pointer[i] += channelVector.pointer[n * geometry.outChannels + i % geometry.outChannels]
            }
        }
        if let residual { Kernels.accumulate(residual, into: y) }
        return activation == .identity ? y : Kernels.apply(activation, y)
    }

    /// Gradient of the input of `inputShape` from the gradient of the output [N, H', W', out].
    public func inputGradient(_ gradient: Tensor, weight: Tensor, version: Int, inputShape: [Int]) -> Tensor {
        require(gradient.shape == geometry.outputShape(of: inputShape), "gradient \(gradient.shape) for an input \(inputShape)")
        return PlainKernels.convolutionInputGradient(gradient, weight: weight, inputShape: inputShape, geometry: geometry)
    }

    /// Gradient of the weight, [out, in, kh, kw].
    public func weightGradient(_ gradient: Tensor, x: Tensor) -> Tensor {
        require(gradient.shape == geometry.outputShape(of: x.shape), "gradient \(gradient.shape) for an input \(x.shape)")
        return PlainKernels.convolutionWeightGradient(gradient, x: x, geometry: geometry)
    }
}
