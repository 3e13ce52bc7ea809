import Foundation

/// Functions of tensors without weights that change: forward and backward, no tape.
public enum Kernels {
    /// Sums over all but the last dimension: [..., C] -> [C], the gradient of a bias.
    public static func sumRows(_ x: Tensor) -> Tensor {
        let width = x.shape[x.shape.count - 1]
        let result = Tensor(zeros: [width])
        let (source, target) = (x.pointer, result.pointer)
        for row in 0..<x.count / max(1, width) {
            for i in 0..<width { target[i] += source[row * width + i] }
        }
        return result
    }

    /// Sums over the positions of each sample: [N, ..., C] -> [N, C].
    public static func sumPositions(_ x: Tensor) -> Tensor {
        let (samples, width) = (x.shape[0], x.shape[x.shape.count - 1])
        let result = Tensor(zeros: [samples, width])
        for n in 0..<samples { result.rows(n..<n + 1).pointer.update(from: sumRows(x.rows(n..<n + 1)).pointer, count: width) }
        return result
    }

    /// Group norm of channels-last data followed by an activation (`torch.nn.functional.group_norm`).
    /// - Parameters:
    ///   - x: [N, ..., C]
    ///   - weight: [C]
    ///   - bias: [C]
    ///   - groups: divides C.
    ///   - epsilon: added to the (biased) variance.
    ///   - activation: applied to the result.
    /// - Returns: [N, ..., C]
    public static func groupNorm(
        _ x: Tensor, weight: Tensor, bias: Tensor, groups: Int, epsilon: Float, activation: Activation = .identity
    ) -> Tensor {
        let y = PlainKernels.groupNorm(x, weight: weight, bias: bias, groups: groups, epsilon: epsilon)
        return activation == .identity ? y : apply(activation, y)
    }

    /// Gradients of a group norm (without activation) of its input, weight and bias.
    public static func groupNormGradient(
        _ gradient: Tensor, x: Tensor, weight: Tensor, groups: Int, epsilon: Float
    ) -> (input: Tensor, weight: Tensor, bias: Tensor) {
        PlainKernels.groupNormGradient(gradient, x: x, weight: weight, groups: groups, epsilon: epsilon)
    }

    /// Layer norm over the last dimension (`torch.nn.functional.layer_norm`): `x` [..., C], `weight` and `bias` [C].
    public static func layerNorm(_ x: Tensor, weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor {
        let rows = x.reshaped([x.count / weight.count, weight.count])
        return PlainKernels.groupNorm(rows, weight: weight, bias: bias, groups: 1, epsilon: epsilon).reshaped(x.shape)
    }

    /// Gradients of a layer norm of its input, weight and bias.
    public static func layerNormGradient(
        _ gradient: Tensor, x: Tensor, weight: Tensor, epsilon: Float
    ) -> (input: Tensor, weight: Tensor, bias: Tensor) {
        let rows = [x.count / weight.count, weight.count]
        let result = PlainKernels.groupNormGradient(
            gradient.reshaped(rows), x: x.reshaped(rows), weight: weight, groups: 1, epsilon: epsilon)
        return (result.input.reshaped(x.shape), result.weight, result.bias)
    }

    /// Softmax over the last dimension.
    public static func softmax(_ x: Tensor) -> Tensor { PlainKernels.softmax(x) }

    /// softmax(q kᵀ / sqrt(d)) v for every head.
    /// - Parameters:
    ///   - query: [N, T, heads * d]
    ///   - key: [N, S, heads * d]
    ///   - value: [N, S, heads * d]
    ///   - heads: number of heads; the features of a head lie together.
    ///   - causal: position i sees positions up to i only.
    /// - Returns: [N, T, heads * d]
    public static func attention(query: Tensor, key: Tensor, value: Tensor, heads: Int, causal: Bool = false) -> Tensor {
        checkAttention(query, key, value, heads)
        return PlainKernels.attention(query: query, key: key, value: value, heads: heads, causal: causal)
    }

    /// Gradients of query, key and value of `attention`.
    public static func attentionGradient(
        _ gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, heads: Int, causal: Bool = false
    ) -> (query: Tensor, key: Tensor, value: Tensor) {
        checkAttention(query, key, value, heads)
        return PlainKernels.attentionGradient(gradient, query: query, key: key, value: value, heads: heads, causal: causal)
    }

    private static func checkAttention(_ query: Tensor, _ key: Tensor, _ value: Tensor, _ heads: Int) {
        require(
            query.shape.count == 3 && key.shape.count == 3 && key.shape == value.shape && query.shape[0] == key.shape[0]
                && query.shape[2] == key.shape[2] && heads > 0 && query.shape[2] % heads == 0,
            "attention of \(query.shape), \(key.shape), \(value.shape) with \(heads) heads")
    }

    /// GEGLU of diffusers: of [..., 2 * D] the first half of the features times the GELU of the second half, [..., D].
    public static func geglu(_ x: Tensor) -> Tensor {
        let width = x.shape[x.shape.count - 1] / 2
        require(x.shape[x.shape.count - 1] == 2 * width, "GEGLU of an odd number of features, \(x.shape)")
        let y = Tensor(uninitialized: x.shape.dropLast() + [width])
        for row in 0..<y.count / max(1, width) {
            let (source, target) = (x.pointer + row * 2 * width, y.pointer + row * width)
            for i in 0..<width { target[i] = source[i] * PlainKernels.apply(.gelu, source[width + i]) }
        }
        return y
    }

    /// Gradient of the input of `geglu`.
    public static func gegluGradient(_ gradient: Tensor, x: Tensor) -> Tensor {
        let width = gradient.shape[gradient.shape.count - 1]
        let result = Tensor(uninitialized: x.shape)
        for row in 0..<gradient.count / max(1, width) {
            let (source, incoming, target) = (
                x.pointer + row * 2 * width, gradient.pointer + row * width, result.pointer + row * 2 * width
            )
            for i in 0..<width {
                target[i] = incoming[i] * PlainKernels.apply(.gelu, source[width + i])
                target[width + i] = incoming[i] * source[i] * PlainKernels.derivative(.gelu, source[width + i])
            }
        }
        return result
    }

    /// Every pixel four times: [N, H, W, C] -> [N, 2H, 2W, C] (`interpolate(scale_factor=2, mode="nearest")`).
    public static func upsampleNearest2x(_ x: Tensor) -> Tensor {
        require(x.shape.count == 4, "an image batch has four dimensions, not \(x.shape)")
        let (height, width, channels) = (x.shape[1], x.shape[2], x.shape[3])
        let y = Tensor(uninitialized: [x.shape[0], 2 * height, 2 * width, channels])
        for row in 0..<x.shape[0] * height {
            let target = y.pointer + row * 4 * width * channels
            for column in 0..<width {
                let source = x.pointer + (row * width + column) * channels
                (target + 2 * column * channels).update(from: source, count: channels)
                (target + (2 * column + 1) * channels).update(from: source, count: channels)
            }
            (target + 2 * width * channels).update(from: target, count: 2 * width * channels)
        }
        return y
    }

    /// Gradient of the input of `upsampleNearest2x`.
    public static func upsampleNearest2xGradient(_ gradient: Tensor) -> Tensor {
        let (height, width, channels) = (gradient.shape[1] / 2, gradient.shape[2] / 2, gradient.shape[3])
        let result = Tensor(uninitialized: [gradient.shape[0], height, width, channels])
        for row in 0..<gradient.shape[0] * height {
            for column in 0..<width {
                let first = gradient.pointer + (row * 4 * width + 2 * column) * channels
                let second = first + 2 * width * channels
                let target = result.pointer + (row * width + column) * channels
                for c in 0..<channels { target[c] = (first[c] + first[channels + c]) + (second[c] + second[channels + c]) }
            }
        }
        return result
    }

    /// Joins along the last dimension: [..., A] and [..., B] -> [..., A + B].
    public static func concatenateChannels(_ a: Tensor, _ b: Tensor) -> Tensor {
        require(a.shape.dropLast() == b.shape.dropLast(), "cannot join \(a.shape) and \(b.shape)")
        let (first, second) = (a.shape[a.shape.count - 1], b.shape[b.shape.count - 1])
        let result = Tensor(uninitialized: a.shape.dropLast() + [first + second])
        for row in 0..<result.count / max(1, first + second) {
            let target = result.pointer + row * (first + second)
            target.update(from: a.pointer + row * first, count: first)
            (target + first).update(from: b.pointer + row * second, count: second)
        }
        return result
    }

    /// Features `range` of the last dimension, copied: [..., C] -> [..., range.count].
    public static func channels(_ range: Range<Int>, of x: Tensor) -> Tensor {
        let width = x.shape[x.shape.count - 1]
        require(range.lowerBound >= 0 && range.upperBound <= width, "features \(range) of \(x.shape)")
        let result = Tensor(uninitialized: x.shape.dropLast() + [range.count])
        for row in 0..<x.count / max(1, width) {
            (result.pointer + row * range.count).update(from: x.pointer + row * width + range.lowerBound, count: range.count)
        }
        return result
    }

    /// Sine and cosine features of time steps (diffusers `get_timestep_embedding`).
    /// - Parameters:
    ///   - steps: N time steps.
    ///   - channels: number of features.
    ///   - flipSineToCosine: cosines first (Stable Diffusion) instead of sines first.
    ///   - frequencyShift: `downscale_freq_shift`.
    ///   - maxPeriod: the longest period.
    /// - Returns: [N, channels]
    public static func timestepEmbedding(
        _ steps: [Float], channels: Int, flipSineToCosine: Bool = true, frequencyShift: Float = 0, maxPeriod: Float = 10000
    ) -> Tensor {
        let half = channels / 2
        let result = Tensor(zeros: [steps.count, channels])
        for (row, step) in steps.enumerated() {
            let target = result.pointer + row * channels
            for i in 0..<half {
                let exponent = -logf(maxPeriod) * Float(i) / (Float(half) - frequencyShift)
                let angle = Double(step * expf(exponent))
                target[i] = Float(flipSineToCosine ? cos(angle) : sin(angle))
                target[half + i] = Float(flipSineToCosine ? sin(angle) : cos(angle))
            }
        }
        return result
    }
}
