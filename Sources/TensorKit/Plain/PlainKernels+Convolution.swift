extension PlainKernels {
    /// Calls `body` with the offsets of every pair of an output position and an input position that a kernel position joins.
    private static func forEachTap(
        _ geometry: ConvolutionGeometry, input: [Int], output: [Int], _ body: (_ output: Int, _ input: Int, _ tap: Int) -> Void
    ) {
        for n in 0..<output[0] {
            for i in 0..<output[1] {
                for j in 0..<output[2] {
                    for a in 0..<geometry.kernelHeight {
                        for b in 0..<geometry.kernelWidth {
                            let row = i * geometry.stride + a - geometry.padding.top
                            let column = j * geometry.stride + b - geometry.padding.left
                            guard row >= 0 && row < input[1] && column >= 0 && column < input[2] else { continue }
                            body(
                                ((n * output[1] + i) * output[2] + j) * geometry.outChannels,
                                ((n * input[1] + row) * input[2] + column) * geometry.inChannels,
                                a * geometry.kernelWidth + b)
                        }
                    }
                }
            }
        }
    }

    /// `torch.nn.functional.conv2d` on channels-last images.
    /// - Parameters:
    ///   - x: [N, H, W, in]
    ///   - weight: [out, in, kh, kw]
    ///   - bias: [out]
    ///   - geometry: kernel, stride and padding.
    /// - Returns: [N, H', W', out]
    public static func convolution(_ x: Tensor, weight: Tensor, bias: Tensor?, geometry: ConvolutionGeometry) -> Tensor {
        let y = Tensor(zeros: geometry.outputShape(of: x.shape))
        let (source, kernel, target) = (x.pointer, weight.pointer, y.pointer)
        let (inputs, outputs, taps) = (geometry.inChannels, geometry.outChannels, geometry.kernelHeight * geometry.kernelWidth)
        if let bias {
            for i in 0..<y.count { target[i] = bias.pointer[i % outputs] }
        }
        forEachTap(geometry, input: x.shape, output: y.shape) { to, from, tap in
            for o in 0..<outputs {
                var sum: Float = 0
                for c in 0..<inputs { sum += source[from + c] * kernel[(o * inputs + c) * taps + tap] }
                target[to + o] += sum
            }
        }
        return y
    }

    /// Gradient of the input [N, H, W, in] of a convolution from the gradient of its output.
    public static func convolutionInputGradient(
        _ gradient: Tensor, weight: Tensor, inputShape: [Int], geometry: ConvolutionGeometry
    ) -> Tensor {
        let result = Tensor(zeros: inputShape)
        let (incoming, kernel, target) = (gradient.pointer, weight.pointer, result.pointer)
        let (inputs, outputs, taps) = (geometry.inChannels, geometry.outChannels, geometry.kernelHeight * geometry.kernelWidth)
        forEachTap(geometry, input: inputShape, output: gradient.shape) { to, from, tap in
            for o in 0..<outputs {
                let g = incoming[to + o]
                for c in 0..<inputs { target[from + c] += g * kernel[(o * inputs + c) * taps + tap] }
            }
        }
        return result
    }

    /// Gradient of the weight [out, in, kh, kw] of a convolution from its input and the gradient of its output.
    public static func convolutionWeightGradient(_ gradient: Tensor, x: Tensor, geometry: ConvolutionGeometry) -> Tensor {
        let result = Tensor(zeros: geometry.weightShape)
        let (incoming, source, target) = (gradient.pointer, x.pointer, result.pointer)
        let (inputs, outputs, taps) = (geometry.inChannels, geometry.outChannels, geometry.kernelHeight * geometry.kernelWidth)
        forEachTap(geometry, input: x.shape, output: gradient.shape) { to, from, tap in
            for o in 0..<outputs {
                let g = incoming[to + o]
                for c in 0..<inputs { target[(o * inputs + c) * taps + tap] += g * source[from + c] }
            }
        }
        return result
    }
}
