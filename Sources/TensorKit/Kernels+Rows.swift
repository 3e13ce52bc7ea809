/// Kernels that go through a tensor row by row: sums and gated activations.
extension Kernels {
    /// Sums over all but the last dimension: [..., C] -> [C], the gradient of a bias.
    public static func sumRows(_ x: Tensor) -> Tensor {
        let width = x.shape[x.shape.count - 1]
        let result = Tensor(uninitialized: [width])
        sumRows(x.pointer, x.count / max(1, width), width, into: result.pointer)
        return result
    }

    /// Sums over the positions of each sample: [N, ..., C] -> [N, C].
    public static func sumPositions(_ x: Tensor) -> Tensor {
        let (samples, width) = (x.shape[0], x.shape[x.shape.count - 1])
        let result = Tensor(uninitialized: [samples, width])
        let positions = x.count / max(1, samples * width)
        for n in 0..<samples {
            sumRows(x.pointer + n * positions * width, positions, width, into: result.pointer + n * width)
        }
        return result
    }

    private static func sumRows(
        _ source: UnsafeMutablePointer<Float>, _ rows: Int, _ width: Int, into target: UnsafeMutablePointer<Float>
    ) {
        let blocks = (width + 15) / 16
        Parallel.ranges(blocks, grain: max(1, (1 << 12) / max(1, rows))) { range in
            for block in range {
                let start = block * 16
                if start + 16 <= width {
                    // A partial sum for each 256 rows keeps the rounding errors of long sums small.
                    var total = Lanes.zero
                    for first in stride(from: 0, to: rows, by: 256) {
                        var sum = Lanes.zero
                        for row in first..<min(rows, first + 256) { sum += source.lanes(row * width + start) }
                        total += sum
                    }
                    target.store(total, start)
                } else {
                    for column in start..<width {
                        var sum = 0.0
                        for row in 0..<rows { sum += Double(source[row * width + column]) }
                        target[column] = Float(sum)
                    }
                }
            }
        }
    }

    /// GEGLU of diffusers: of [..., 2 * D] the first half of the features times the GELU of the second half, [..., D].
    public static func geglu(_ x: Tensor) -> Tensor {
        let width = x.shape[x.shape.count - 1] / 2
        require(x.shape[x.shape.count - 1] == 2 * width, "GEGLU of an odd number of features, \(x.shape)")
        let y = Tensor(uninitialized: x.shape.dropLast() + [width])
        let (from, to) = (x.pointer, y.pointer)
        Profile.measure("geglu", "\(x.shape)") {
            Parallel.ranges(y.count / max(1, width), grain: max(1, (1 << 13) / max(1, width))) { range in
                for row in range { gateRow(from + row * 2 * width, width, into: to + row * width, GELU.self) }
            }
        }
        return y
    }

    /// `geglu` of a row of `2 * width` numbers, with a GELU of one's own.
    @inline(__always)
    static func gateRow<Function: LaneFunction>(
        _ values: UnsafeMutablePointer<Float>, _ width: Int, into target: UnsafeMutablePointer<Float>, streams: Bool = false,
        _ gelu: Function.Type
    ) {
        let gates = values + width
        var i = 0
        while i + 16 <= width {
            let result = values.lanes(i) * gelu.of(gates.lanes(i))
            if streams { target.stream(result, i) } else { target.store(result, i) }
            i += 16
        }
        if i < width {
            let rest = width - i
            target.storePartial(values.partialLanes(i, rest) * gelu.of(gates.partialLanes(i, rest)), i, rest)
        }
    }

    /// Gradient of the input of `geglu`.
    public static func gegluGradient(_ gradient: Tensor, x: Tensor) -> Tensor {
        let width = gradient.shape[gradient.shape.count - 1]
        require(x.count == 2 * gradient.count && x.shape.last == 2 * width, "GEGLU gradient \(gradient.shape) of \(x.shape)")
        let result = Tensor(uninitialized: x.shape)
        let (from, incoming, to) = (x.pointer, gradient.pointer, result.pointer)
        Parallel.ranges(gradient.count / max(1, width), grain: max(1, (1 << 13) / max(1, width))) { range in
            for row in range {
                let (values, gates, g) = (from + row * 2 * width, from + row * 2 * width + width, incoming + row * width)
                let (forValues, forGates) = (to + row * 2 * width, to + row * 2 * width + width)
                var i = 0
                while i + 16 <= width {
                    let (gate, slope) = (gates.lanes(i), g.lanes(i))
                    forValues.store(slope * VectorMath.gelu(gate), i)
                    forGates.store(slope * values.lanes(i) * VectorMath.geluDerivative(gate), i)
                    i += 16
                }
                if i < width {
                    let rest = width - i
                    let (gate, slope) = (gates.partialLanes(i, rest), g.partialLanes(i, rest))
                    forValues.storePartial(slope * VectorMath.gelu(gate), i, rest)
                    forGates.storePartial(slope * values.partialLanes(i, rest) * VectorMath.geluDerivative(gate), i, rest)
                }
            }
        }
        return result
    }
}
