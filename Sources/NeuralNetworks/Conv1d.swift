import TensorKit

/// `torch.nn.Conv1d` without padding, on channels-last signals.
public final class Conv1d: Module {
    /// [out, in, kernel]
    public let weight: Parameter
    /// [out]
    public let bias: Parameter
    private let kernel: ConvolutionKernel

    /// - Parameters:
    ///   - inChannels: channels of the input.
    ///   - outChannels: channels of the result.
    ///   - kernelSize: places that one number of the result sees.
    ///   - stride: distance of neighbouring results in the input.
    public init(inChannels: Int, outChannels: Int, kernelSize: Int, stride: Int) {
        kernel = ConvolutionKernel(
            ConvolutionGeometry(
                inChannels: inChannels, outChannels: outChannels, kernelHeight: 1, kernelWidth: kernelSize, stride: stride,
                padding: Padding(0)))
        weight = Parameter(shape: [outChannels, inChannels, kernelSize])
        bias = Parameter(shape: [outChannels])
    }

    public var parameters: [(name: String, parameter: Parameter)] { [("weight", weight), ("bias", bias)] }

    /// Length of the result for an input of `length` places; 0 when it is too short.
    public func outputLength(of length: Int) -> Int {
        let (size, stride) = (kernel.geometry.kernelWidth, kernel.geometry.stride)
        return length < size ? 0 : (length - size) / stride + 1
    }

    /// - Parameters:
    ///   - x: [N, L, in]
    ///   - tape: records the backward pass.
    /// - Returns: [N, L', out]
    public func callAsFunction(_ x: Tensor, tape: Tape? = nil) -> Tensor {
        let image = x.reshaped([x.shape[0], 1, x.shape[1], x.shape[2]])
        let square = { [self] in weight.value.reshaped(kernel.geometry.weightShape) }
        let made = kernel.forward(image, weight: square(), version: weight.version, bias: bias.value)
        let y = made.reshaped([x.shape[0], made.shape[2], made.shape[3]])
        guard let tape, tape.tracks(x) || weight.isTrainable || bias.isTrainable else { return y }
        tape.record(y) { [self, unowned tape] gradient in
            let back = gradient.reshaped(made.shape)
            if tape.tracks(x) {
                let given = kernel.inputGradient(back, weight: square(), version: weight.version, inputShape: image.shape)
                tape.accumulate(given.reshaped(x.shape), for: x)
            }
            if weight.isTrainable { weight.accumulateGradient(kernel.weightGradient(back, x: image)) }
            if bias.isTrainable { bias.accumulateGradient(Kernels.sumRows(gradient)) }
        }
        return y
    }
}
