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
            x.shape[0] == samples && x.shape.last == inputs && y.shape.last == outputs
                && y.shape.dropLast() == x.shape.dropLast(),
            "a low-rank update \(a.shape), \(b.shape) of \(x.shape) -> \(y.shape)")
        let positions = x.count / (samples * inputs)
        let hidden = Tensor(uninitialized: [samples, positions, rank])
        for row in 0..<samples * positions {
            let n = row / positions
            let (source, target) = (x.pointer + row * inputs, y.pointer + row * outputs)
            for r in 0..<rank {
                let factors = a.pointer + (n * rank + r) * inputs
                var sum: Float = 0
                for i in 0..<inputs { sum += source[i] * factors[i] }
                hidden.pointer[row * rank + r] = sum
                for o in 0..<outputs { target[o] += scale * sum * b.pointer[(n * outputs + o) * rank + r] }
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
        let positions = x.count / (samples * inputs)
        let (dx, da, db) = (Tensor(zeros: x.shape), Tensor(zeros: a.shape), Tensor(zeros: b.shape))
        for row in 0..<samples * positions {
            let n = row / positions
            let incoming = gradient.pointer + row * outputs
            for r in 0..<rank {
                let (factors, target) = (a.pointer + (n * rank + r) * inputs, da.pointer + (n * rank + r) * inputs)
                var sum: Float = 0
                let h = scale * hidden.pointer[row * rank + r]
                for o in 0..<outputs {
                    let at = (n * outputs + o) * rank + r
                    sum += incoming[o] * b.pointer[at]
                    db.pointer[at] += incoming[o] * h
                }
                sum *= scale
                for i in 0..<inputs {
                    target[i] += sum * x.pointer[row * inputs + i]
                    dx.pointer[row * inputs + i] += sum * factors[i]
                }
            }
        }
        return (dx, da, db)
    }
}
