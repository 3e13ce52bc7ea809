import Foundation

/// Functions of tensors without weights that change: forward and backward, no tape.
public enum Kernels {
    /// Every pixel four times: [N, H, W, C] -> [N, 2H, 2W, C] (`interpolate(scale_factor=2, mode="nearest")`).
    public static func upsampleNearest2x(_ x: Tensor) -> Tensor {
        require(x.shape.count == 4, "an image batch has four dimensions, not \(x.shape)")
        let (height, width, channels) = (x.shape[1], x.shape[2], x.shape[3])
        let y = Tensor(uninitialized: [x.shape[0], 2 * height, 2 * width, channels])
        Profile.measure("copy", "upsampleNearest2x \(y.shape)") {
            let (from, to) = (x.pointer, y.pointer)
            Parallel.ranges(x.shape[0] * height, grain: max(1, (1 << 14) / max(1, width * channels))) { range in
                for row in range {
                    let target = to + row * 4 * width * channels
                    for column in 0..<width {
                        let source = from + (row * width + column) * channels
                        (target + 2 * column * channels).update(from: source, count: channels)
                        (target + (2 * column + 1) * channels).update(from: source, count: channels)
                    }
                    (target + 2 * width * channels).update(from: target, count: 2 * width * channels)
                }
            }
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

    /// What positions of a convolution's result see of its input, side by side (im2col): [range.count, kernel height * kernel width * in].
    static func gatherColumns(
        _ x: Tensor, _ geometry: ConvolutionGeometry, _ output: [Int], _ range: Range<Int>, into columns: Tensor
    ) {
        let (height, width, channels) = (x.shape[1], x.shape[2], x.shape[3])
        let taps = geometry.kernelHeight * geometry.kernelWidth
        let (source, target) = (x.pointer, columns.pointer)
        Parallel.ranges(range.count, grain: max(1, (1 << 15) / (taps * channels))) { part in
            for index in part {
                let position = range.lowerBound + index
                let sample = position / (output[1] * output[2])
                let top = position / output[2] % output[1] * geometry.stride - geometry.padding.top
                let left = position % output[2] * geometry.stride - geometry.padding.left
                for tap in 0..<taps {
                    let (row, column) = (top + tap / geometry.kernelWidth, left + tap % geometry.kernelWidth)
                    let to = target + (index * taps + tap) * channels
                    if row >= 0 && row < height && column >= 0 && column < width {
                        to.update(from: source + ((sample * height + row) * width + column) * channels, count: channels)
                    } else {
                        to.update(repeating: 0, count: channels)
                    }
                }
            }
        }
    }

    /// Copies all elements on several threads.
    static func copy(_ x: Tensor, into y: Tensor) {
        require(x.count == y.count, "a copy of \(x.shape) into \(y.shape)")
        let (from, to) = (x.pointer, y.pointer)
        Parallel.ranges(x.count, grain: 1 << 16) { (to + $0.lowerBound).update(from: from + $0.lowerBound, count: $0.count) }
    }

    /// Joins along the last dimension: [..., A] and [..., B] -> [..., A + B].
    public static func concatenateChannels(_ a: Tensor, _ b: Tensor) -> Tensor {
        require(a.shape.dropLast() == b.shape.dropLast(), "cannot join \(a.shape) and \(b.shape)")
        let (first, second) = (a.shape[a.shape.count - 1], b.shape[b.shape.count - 1])
        let result = Tensor(uninitialized: a.shape.dropLast() + [first + second])
        Profile.measure("copy", "concatenateChannels \(result.shape)") {
            let (from, other, to) = (a.pointer, b.pointer, result.pointer)
            Parallel.ranges(result.count / max(1, first + second), grain: max(1, (1 << 16) / max(1, first + second))) { range in
                for row in range {
                    let target = to + row * (first + second)
                    target.update(from: from + row * first, count: first)
                    (target + first).update(from: other + row * second, count: second)
                }
            }
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
