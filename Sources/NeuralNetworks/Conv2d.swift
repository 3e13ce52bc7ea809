import TensorKit

/// `torch.nn.Conv2d` on channels-last images.
public final class Conv2d: Module, PrecisionAdjustable {
    /// [out, in, kernel height, kernel width]
    public let weight: Parameter
    /// [out]
    public let bias: Parameter?
    private let kernel: ConvolutionKernel

    public var geometry: ConvolutionGeometry { kernel.geometry }

    public var precision: Precision {
        get { kernel.precision }
        set { kernel.precision = newValue }
    }

    /// `ConvolutionKernel.winogradFrom`
    public var winogradFrom: Int {
        get { kernel.winogradFrom }
        set { kernel.winogradFrom = newValue }
    }

    public var layoutBytes: Int { kernel.layoutBytes }

    public func releaseLayouts() { kernel.releaseLayouts() }

    /// - Parameters:
    ///   - inChannels: channels of the input.
    ///   - outChannels: channels of the result.
    ///   - kernelSize: height and width of the kernel.
    ///   - stride: distance of neighbouring outputs in the input.
    ///   - padding: zeros around the image; differs by side in the `Downsample2D` of the AutoencoderKL encoder.
    ///   - bias: whether there is one.
    public convenience init(
        inChannels: Int, outChannels: Int, kernelSize: Int, stride: Int = 1, padding: Padding, bias: Bool = true
    ) {
        self.init(
            ConvolutionGeometry(
                inChannels: inChannels, outChannels: outChannels, kernelHeight: kernelSize, kernelWidth: kernelSize,
                stride: stride, padding: padding), bias: bias)
    }

    /// - Parameters:
    ///   - geometry: channels, kernel (which need not be square), stride and padding.
    ///   - bias: whether there is one.
    public init(_ geometry: ConvolutionGeometry, bias: Bool = true) {
        kernel = ConvolutionKernel(geometry)
        weight = Parameter(shape: geometry.weightShape)
        self.bias = bias ? Parameter(shape: [geometry.outChannels]) : nil
    }

    /// The same padding on all sides.
    public convenience init(
        inChannels: Int, outChannels: Int, kernelSize: Int = 3, stride: Int = 1, padding: Int = 0, bias: Bool = true
    ) {
        self.init(
            inChannels: inChannels, outChannels: outChannels, kernelSize: kernelSize, stride: stride, padding: Padding(padding),
            bias: bias)
    }

    public var parameters: [(name: String, parameter: Parameter)] {
        [("weight", weight)] + (bias.map { [("bias", $0)] } ?? [])
    }

    /// activation(conv(x) + channelVector + residual)
    /// - Parameters:
    ///   - x: [N, H, W, in]
    ///   - channelVector: [N, out], added at every position of a sample (the time embedding of a ResnetBlock2D).
    ///   - residual: [N, H', W', out]
    ///   - activation: applied last.
    ///   - tape: records the backward pass.
    /// - Returns: [N, H', W', out]
    public func callAsFunction(
        _ x: Tensor, addingPerSample channelVector: Tensor? = nil, adding residual: Tensor? = nil,
        activation: Activation = .identity, tape: Tape? = nil
    ) -> Tensor {
        if activation != .identity && tape != nil {
            return activate(self(x, addingPerSample: channelVector, adding: residual, tape: tape), activation, tape: tape)
        }
        let y = kernel.forward(
            x, weight: weight.source, bias: bias?.value, addingPerSample: channelVector, adding: residual,
            activation: activation)
        guard let tape else { return y }
        let inputs = [x, channelVector, residual].compactMap { $0 }
        if inputs.contains(where: tape.tracks) || parameters.contains(where: \.parameter.isTrainable) {
            tape.record(y) { [self, unowned tape] gradient in
                if weight.isTrainable { weight.accumulateGradient(kernel.weightGradient(gradient, x: x)) }
                if let bias, bias.isTrainable { bias.accumulateGradient(Kernels.sumRows(gradient)) }
                if let residual { tape.accumulate(gradient, for: residual) }
                if let channelVector, tape.tracks(channelVector) {
                    tape.accumulate(Kernels.sumPositions(gradient), for: channelVector)
                }
                if tape.tracks(x) {
                    let back = kernel.inputGradient(
                        gradient, weight: weight.value, version: weight.version, inputShape: x.shape)
                    tape.accumulate(back, for: x)
                }
            }
        }
        return y
    }
}
