import Foundation

extension PlainKernels {
    /// `torch.nn.functional.group_norm` on channels-last data.
    /// - Parameters:
    ///   - x: [N, ..., C]
    ///   - weight: [C]
    ///   - bias: [C]
    ///   - groups: divides C.
    ///   - epsilon: added to the (biased) variance.
    /// - Returns: [N, ..., C]
    public static func groupNorm(_ x: Tensor, weight: Tensor, bias: Tensor, groups: Int, epsilon: Float) -> Tensor {
        let y = Tensor(uninitialized: x.shape)
        forEachGroup(x, groups: groups, epsilon: epsilon) { indices, mean, inverseDeviation in
            for (i, channel) in indices {
                let normal = (Double(x.pointer[i]) - mean) * inverseDeviation
                y.pointer[i] = Float(normal * Double(weight.pointer[channel]) + Double(bias.pointer[channel]))
            }
        }
        return y
    }

    /// Gradients of a group norm: of its input, weight and bias.
    public static func groupNormGradient(
        _ gradient: Tensor, x: Tensor, weight: Tensor, groups: Int, epsilon: Float
    ) -> (input: Tensor, weight: Tensor, bias: Tensor) {
        let channels = weight.count
        let input = Tensor(uninitialized: x.shape)
        var (weightSums, biasSums) = ([Double](repeating: 0, count: channels), [Double](repeating: 0, count: channels))
        forEachGroup(x, groups: groups, epsilon: epsilon) { indices, mean, inverseDeviation in
            // With h = (x - mean) * inverseDeviation: dx = inverseDeviation * (dh - average(dh) - h * average(dh * h)).
            var (sum, dot) = (0.0, 0.0)
            for (i, channel) in indices {
                let (g, h) = (Double(gradient.pointer[i]), (Double(x.pointer[i]) - mean) * inverseDeviation)
                weightSums[channel] += g * h
                biasSums[channel] += g
                sum += g * Double(weight.pointer[channel])
                dot += g * Double(weight.pointer[channel]) * h
            }
            let size = Double(indices.count)
            for (i, channel) in indices {
                let h = (Double(x.pointer[i]) - mean) * inverseDeviation
                let g = Double(gradient.pointer[i]) * Double(weight.pointer[channel])
                input.pointer[i] = Float(inverseDeviation * (g - sum / size - h * dot / size))
            }
        }
        return (input, Tensor([channels], weightSums.map { Float($0) }), Tensor([channels], biasSums.map { Float($0) }))
    }

    private static func forEachGroup(
        _ x: Tensor, groups: Int, epsilon: Float, _ body: (_ indices: [(Int, Int)], _ mean: Double, _ inverse: Double) -> Void
    ) {
        let channels = x.shape[x.shape.count - 1]
        require(channels % groups == 0, "\(channels) channels do not make \(groups) groups")
        let (samples, width) = (x.shape[0], channels / groups)
        let positions = x.count / max(1, samples * channels)
        for n in 0..<samples {
            for group in 0..<groups {
                let indices = (0..<positions * width).map { k in
                    let channel = group * width + k % width
                    return ((n * positions + k / width) * channels + channel, channel)
                }
                let mean = indices.reduce(0.0) { $0 + Double(x.pointer[$1.0]) } / Double(indices.count)
                let variance = indices.reduce(0.0) { $0 + pow(Double(x.pointer[$1.0]) - mean, 2) } / Double(indices.count)
                body(indices, mean, 1 / (variance + Double(epsilon)).squareRoot())
            }
        }
    }
}
