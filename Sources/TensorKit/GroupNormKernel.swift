import COneDNN

/// Group norm of channels-last data. A thread takes whole groups of a sample through both passes (statistics, then result), so one wake-up of
/// the threads does, and the second pass finds its data in the cache.
extension Kernels {
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
        let layout = GroupLayout(x, weight: weight, groups: groups)
        require(bias.count == weight.count, "group norm with a bias \(bias.shape) for \(weight.count) channels")
        let y = Tensor(uninitialized: x.shape)
        let (channels, positions) = (layout.channels, layout.positions)
        let (source, target, w, b) = (x.pointer, y.pointer, weight.pointer, bias.pointer)
        let scratch = Tensor(uninitialized: [Parallel.threads, 2, channels + 16])
        let work = scratch.pointer
        Profile.measure("group norm", "\(x.shape)") {
            layout.forEachSlice(costly: activation != .identity) { part, sample, range in
                let image = source + sample * positions * channels
                let (factors, shifts) = (work + part * 2 * (channels + 16), work + (part * 2 + 1) * (channels + 16))
                layout.statistics(image, range, epsilon: epsilon, means: shifts, inverseDeviations: factors)
                for c in range {
                    factors[c] *= w[c]
                    shifts[c] = b[c] - shifts[c] * factors[c]
                }
                let result = target + sample * positions * channels
                if activation == .silu {
                    apply(image, result, positions, channels, range, factors, shifts, SiLU.self)
                } else {
                    apply(image, result, positions, channels, range, factors, shifts, Identity.self)
                }
            }
        }
        if activation != .identity && activation != .silu { apply(activation, y, into: y) }
        return y
    }

    /// y = function(x * factor + shift) for channels `range` of all positions.
    @inline(__always)
    private static func apply<Function: LaneFunction>(
        _ x: UnsafeMutablePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ positions: Int, _ channels: Int,
        _ range: Range<Int>,
        _ factors: UnsafeMutablePointer<Float>, _ shifts: UnsafeMutablePointer<Float>, _ function: Function.Type
    ) {
        let streams = range.lowerBound % 16 == 0 && y.isWorthStreaming(count: positions * channels, rowLength: channels)
        var c = range.lowerBound
        while c + 32 <= range.upperBound {
            let (f0, f1, s0, s1) = (factors.lanes(c), factors.lanes(c + 16), shifts.lanes(c), shifts.lanes(c + 16))
            var at = c
            for _ in 0..<positions {
                let first = function.of(VectorMath.multiplyAdd(x.lanes(at), f0, s0))
                let second = function.of(VectorMath.multiplyAdd(x.lanes(at + 16), f1, s1))
                if streams {
                    y.stream(first, at)
                    y.stream(second, at + 16)
                } else {
                    y.store(first, at)
                    y.store(second, at + 16)
                }
                at += channels
            }
            c += 32
        }
        if streams { w2w_stream_end() }
        while c < range.upperBound {
            let width = min(16, range.upperBound - c)
            let (f, s) = (factors.lanes(c), shifts.lanes(c))
            var at = c
            for _ in 0..<positions {
                if width == 16 {
                    y.store(function.of(VectorMath.multiplyAdd(x.lanes(at), f, s)), at)
                } else {
                    y.storePartial(function.of(VectorMath.multiplyAdd(x.partialLanes(at, width), f, s)), at, width)
                }
                at += channels
            }
            c += width
        }
    }

    /// Gradients of a group norm (without activation) of its input, weight and bias.
    public static func groupNormGradient(
        _ gradient: Tensor, x: Tensor, weight: Tensor, groups: Int, epsilon: Float
    ) -> (input: Tensor, weight: Tensor, bias: Tensor) {
        let layout = GroupLayout(x, weight: weight, groups: groups)
        require(gradient.count == x.count, "group norm gradient \(gradient.shape) of \(x.shape)")
        let (samples, channels, positions, width) = (layout.samples, layout.channels, layout.positions, layout.groupWidth)
        let result = Tensor(uninitialized: x.shape)
        // Per sample and channel: sums of g * h and of g, with h the normalised input.
        let (dots, sums) = (Tensor(uninitialized: [samples, channels]), Tensor(uninitialized: [samples, channels]))
        let (source, incoming, target, w) = (x.pointer, gradient.pointer, result.pointer, weight.pointer)
        let (allDots, allSums) = (dots.pointer, sums.pointer)
        let scratch = Tensor(uninitialized: [Parallel.threads, 4, channels])
        let work = scratch.pointer
        layout.forEachSlice(costly: true) { part, sample, range in
            let (image, g) = (source + sample * positions * channels, incoming + sample * positions * channels)
            let d = target + sample * positions * channels
            let means = work + part * 4 * channels
            let (inverses, first, second) = (means + channels, means + 2 * channels, means + 3 * channels)
            layout.statistics(image, range, epsilon: epsilon, means: means, inverseDeviations: inverses)
            let (dot, sum) = (allDots + sample * channels, allSums + sample * channels)
            for c in range { (dot[c], sum[c]) = (0, 0) }
            for position in 0..<positions {
                let at = position * channels
                for c in range {
                    dot[c] += g[at + c] * (image[at + c] - means[c]) * inverses[c]
                    sum[c] += g[at + c]
                }
            }
            // dx = inverse * (w g - average(w g) - h * average(w g h)) = a g + b x + c, per channel.
            for group in range.lowerBound / width..<range.upperBound / width {
                let members = group * width..<(group + 1) * width
                let size = Double(positions * width)
                let average = members.reduce(0.0) { $0 + Double(w[$1]) * Double(sum[$1]) } / size
                let product = members.reduce(0.0) { $0 + Double(w[$1]) * Double(dot[$1]) } / size
                for c in members {
                    let inverse = Double(inverses[c])
                    first[c] = Float(-inverse * inverse * product)
                    second[c] = Float(-inverse * average + inverse * inverse * product * Double(means[c]))
                }
            }
            for position in 0..<positions {
                let at = position * channels
                for c in range { d[at + c] = inverses[c] * w[c] * g[at + c] + first[c] * image[at + c] + second[c] }
            }
        }
        return (result, sumRows(dots), sumRows(sums))
    }
}

/// How the groups of a tensor lie in memory and how threads share them.
private struct GroupLayout {
    let samples, positions, channels, groupWidth: Int
    /// Channels that one thread takes at least: whole groups, and whole vectors where that is possible.
    private let slice: Int

    init(_ x: Tensor, weight: Tensor, groups: Int) {
        channels = x.shape[x.shape.count - 1]
        require(weight.count == channels, "group norm of \(x.shape) with \(weight.count) weights")
        require(groups > 0 && channels % groups == 0, "\(channels) channels do not make \(groups) groups")
        samples = x.shape[0]
        positions = x.count / max(1, samples * channels)
        groupWidth = channels / groups
        var common = groupWidth
        while common % 16 != 0 && common < channels { common += groupWidth }
        slice = common % 16 == 0 && channels % common == 0 ? common : channels
    }

    /// Calls `body` with (number of the thread's part, sample, channels); together the calls cover everything once.
    func forEachSlice(costly: Bool, _ body: (_ part: Int, _ sample: Int, _ channels: Range<Int>) -> Void) {
        let slices = channels / slice
        let items = samples * slices
        let grain = (costly ? 1 << 13 : 1 << 14) / max(1, positions * slice)
        let parts = max(1, min(Parallel.threads, items / max(1, grain)))
        Parallel.run(parts) { part in
            var item = items * part / parts
            let end = items * (part + 1) / parts
            while item < end {
                // All of a sample's slices that this part has, at once.
                let (sample, first) = (item / slices, item % slices)
                let count = min(slices - first, end - item)
                body(part, sample, first * slice..<(first + count) * slice)
                item += count
            }
        }
    }

    /// Mean and 1 / sqrt(variance + epsilon) of the groups of `range`, repeated for each of their channels.
    ///
    /// One pass: per channel the sums of x - k and of its square, where k is the channel's first element, so that nothing cancels even when
    /// the mean is large against the spread.
    func statistics(
        _ image: UnsafeMutablePointer<Float>, _ range: Range<Int>, epsilon: Float, means: UnsafeMutablePointer<Float>,
        inverseDeviations: UnsafeMutablePointer<Float>
    ) {
        var c = range.lowerBound
        while c < range.upperBound {
            if c + 32 <= range.upperBound {
                sums(image + c, means + c, inverseDeviations + c, two: true)
                c += 32
            } else if c + 16 <= range.upperBound {
                sums(image + c, means + c, inverseDeviations + c, two: false)
                c += 16
            } else {
                let k = image[c]
                var (sum, squares) = (0.0, 0.0)
                for position in 0..<positions {
                    let difference = Double(image[position * channels + c] - k)
                    sum += difference
                    squares += difference * difference
                }
                means[c] = Float(sum / Double(positions))
                inverseDeviations[c] = Float(squares / Double(positions))
                c += 1
            }
        }
        // means: average of x - k; inverseDeviations: average of its square. Joined by groups in double precision.
        for group in range.lowerBound / groupWidth..<range.upperBound / groupWidth {
            let members = group * groupWidth..<(group + 1) * groupWidth
            var mean = 0.0
            for c in members { mean += Double(image[c]) + Double(means[c]) }
            mean /= Double(groupWidth)
            var variance = 0.0
            for c in members {
                let channelMean = Double(means[c])
                let distance = Double(image[c]) + channelMean - mean
                variance += Double(inverseDeviations[c]) - channelMean * channelMean + distance * distance
            }
            variance = max(0, variance / Double(groupWidth))
            let inverse = Float(1 / (variance + Double(epsilon)).squareRoot())
            for c in members {
                means[c] = Float(mean)
                inverseDeviations[c] = inverse
            }
        }
    }

    /// Averages of x - k and its square of 16 or 32 channels.
    @inline(__always)
    private func sums(
        _ image: UnsafeMutablePointer<Float>, _ averages: UnsafeMutablePointer<Float>, _ squares: UnsafeMutablePointer<Float>,
        two: Bool
    ) {
        let (k0, k1) = (image.lanes(0), two ? image.lanes(16) : .zero)
        var (totalSum0, totalSum1, totalSquares0, totalSquares1) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
        var position = 0
        while position < positions {
            // A partial sum for each 512 positions keeps the rounding errors of large images small.
            let end = min(positions, position + 512)
            var (sum0, sum1, squares0, squares1) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
            while position < end {
                let d0 = image.lanes(position * channels) - k0
                sum0 += d0
                squares0 = VectorMath.multiplyAdd(d0, d0, squares0)
                if two {
                    let d1 = image.lanes(position * channels + 16) - k1
                    sum1 += d1
                    squares1 = VectorMath.multiplyAdd(d1, d1, squares1)
                }
                position += 1
            }
            totalSum0 += sum0
            totalSum1 += sum1
            totalSquares0 += squares0
            totalSquares1 += squares1
        }
        let share = 1 / Float(positions)
        averages.store(totalSum0 * share, 0)
        squares.store(totalSquares0 * share, 0)
        if two {
            averages.store(totalSum1 * share, 16)
            squares.store(totalSquares1 * share, 16)
        }
    }
}
