extension Kernels {
    /// Adds `scale * (x aᵀ) bᵀ` to `y`, each sample with its own `a` and `b`.
    /// - Parameters:
    ///   - x: [N, ..., in]
    ///   - a: [N, r, in]
    ///   - b: [N, out, r]
    ///   - scale: factor of the change.
    ///   - y: [N, ..., out], changed in place.
    /// - Returns: x aᵀ, [N, positions, r], which the backward pass needs.
    @discardableResult
    public static func addLowRank(_ x: Tensor, a: Tensor, b: Tensor, scale: Float, into y: Tensor) -> Tensor {
        let (samples, rank, inputs, outputs) = (a.shape[0], a.shape[1], a.shape[2], b.shape[1])
        require(
            x.shape[0] == samples && x.shape.last == inputs && y.shape.last == outputs && y.shape.dropLast() == x.shape.dropLast()
                && b.shape[0] == samples && b.shape[2] == rank,
            "a low-rank update \(a.shape), \(b.shape) of \(x.shape) -> \(y.shape)")
        let positions = x.count / max(1, samples * inputs)
        let hidden = Tensor(uninitialized: [samples, positions, rank])
        let columns = rank == 1 ? b : byRank(b)  // [N, r, out]
        let (source, target, h, factorsA, factorsB) = (x.pointer, y.pointer, hidden.pointer, a.pointer, columns.pointer)
        Profile.measure("low rank", "\(x.shape) to \(outputs), rank \(rank)") {
            Parallel.ranges(samples * positions, grain: max(1, (1 << 15) / (rank * (inputs + outputs)))) { range in
                for row in range {
                    let n = row / positions
                    for r in 0..<rank {
                        let sum = dot(source + row * inputs, factorsA + (n * rank + r) * inputs, inputs)
                        h[row * rank + r] = sum
                        add(factorsB + (n * rank + r) * outputs, scale * sum, target + row * outputs, outputs)
                    }
                }
            }
        }
        return hidden
    }

    /// Gradients of the input and the factors of `addLowRank`.
    /// - Parameters:
    ///   - gradient: of the output, [N, ..., out].
    ///   - x: the input, [N, ..., in].
    ///   - hidden: what `addLowRank` returned.
    ///   - a: [N, r, in]
    ///   - b: [N, out, r]
    ///   - scale: factor of the change.
    /// - Returns: tensors of the shapes of `x`, `a` and `b`.
    public static func lowRankGradient(
        _ gradient: Tensor, x: Tensor, hidden: Tensor, a: Tensor, b: Tensor, scale: Float
    ) -> (input: Tensor, a: Tensor, b: Tensor) {
        let (samples, rank, inputs, outputs) = (a.shape[0], a.shape[1], a.shape[2], b.shape[1])
        let positions = x.count / max(1, samples * inputs)
        let (dx, da) = (Tensor(zeros: x.shape), Tensor(zeros: a.shape))
        let (columns, columnGradients) = (byRank(b), Tensor(zeros: [samples, rank, outputs]))
        for row in 0..<samples * positions {
            let n = row / positions
            let incoming = gradient.pointer + row * outputs
            for r in 0..<rank {
                let (at, out) = ((n * rank + r) * inputs, (n * rank + r) * outputs)
                let slope = scale * dot(incoming, columns.pointer + out, outputs)
                add(incoming, scale * hidden.pointer[row * rank + r], columnGradients.pointer + out, outputs)
                add(x.pointer + row * inputs, slope, da.pointer + at, inputs)
                add(a.pointer + at, slope, dx.pointer + row * inputs, inputs)
            }
        }
        let db = Tensor(uninitialized: b.shape)
        for n in 0..<samples {
            for o in 0..<outputs {
                for r in 0..<rank {
                    db.pointer[(n * outputs + o) * rank + r] = columnGradients.pointer[(n * rank + r) * outputs + o]
                }
            }
        }
        return (dx, da, db)
    }

    /// [N, out, r] -> [N, r, out]
    private static func byRank(_ b: Tensor) -> Tensor {
        let (samples, outputs, rank) = (b.shape[0], b.shape[1], b.shape[2])
        let result = Tensor(uninitialized: [samples, rank, outputs])
        for n in 0..<samples {
            for r in 0..<rank {
                for o in 0..<outputs {
                    result.pointer[(n * rank + r) * outputs + o] = b.pointer[(n * outputs + o) * rank + r]
                }
            }
        }
        return result
    }

    /// The sum of the products of two rows.
    @inline(__always)
    private static func dot(_ x: UnsafeMutablePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ count: Int) -> Float {
        var (first, second) = (Lanes.zero, Lanes.zero)
        var i = 0
        while i + 32 <= count {
            first = VectorMath.multiplyAdd(x.lanes(i), y.lanes(i), first)
            second = VectorMath.multiplyAdd(x.lanes(i + 16), y.lanes(i + 16), second)
            i += 32
        }
        if i + 16 <= count {
            first = VectorMath.multiplyAdd(x.lanes(i), y.lanes(i), first)
            i += 16
        }
        var sum = VectorMath.sum(first + second)
        while i < count {
            sum += x[i] * y[i]
            i += 1
        }
        return sum
    }

    /// y += factor * x
    @inline(__always)
    private static func add(_ x: UnsafeMutablePointer<Float>, _ factor: Float, _ y: UnsafeMutablePointer<Float>, _ count: Int) {
        let factors = Lanes(repeating: factor)
        var i = 0
        while i + 16 <= count {
            y.store(VectorMath.multiplyAdd(x.lanes(i), factors, y.lanes(i)), i)
            i += 16
        }
        while i < count {
            y[i] += factor * x[i]
            i += 1
        }
    }
}
