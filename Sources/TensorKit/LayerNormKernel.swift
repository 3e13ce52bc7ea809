extension Kernels {
    /// Layer norm over the last dimension (`torch.nn.functional.layer_norm`): `x` [..., C], `weight` and `bias` [C].
    public static func layerNorm(_ x: Tensor, weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor {
        let width = checkLayerNorm(x, weight)
        require(bias.count == width, "layer norm with a bias \(bias.shape) for \(width) features")
        let y = Tensor(uninitialized: x.shape)
        let (source, target, w, b) = (x.pointer, y.pointer, weight.pointer, bias.pointer)
        Profile.measure("layer norm", "\(x.shape)") {
            Parallel.ranges(x.count / width, grain: max(1, (1 << 14) / width)) { range in
                for row in range {
                    let (from, to) = (source + row * width, target + row * width)
                    let (mean, inverse) = rowStatistics(from, width, epsilon)
                    var i = 0
                    while i + 16 <= width {
                        let normal = (from.lanes(i) - mean) * inverse
                        to.store(VectorMath.multiplyAdd(normal, w.lanes(i), b.lanes(i)), i)
                        i += 16
                    }
                    while i < width {
                        to[i] = (from[i] - mean) * inverse * w[i] + b[i]
                        i += 1
                    }
                }
            }
        }
        return y
    }

    /// Gradients of a layer norm of its input, weight and bias.
    public static func layerNormGradient(
        _ gradient: Tensor, x: Tensor, weight: Tensor, epsilon: Float
    ) -> (input: Tensor, weight: Tensor, bias: Tensor) {
        let width = checkLayerNorm(x, weight)
        require(gradient.count == x.count, "layer norm gradient \(gradient.shape) of \(x.shape)")
        let rows = x.count / width
        let result = Tensor(uninitialized: x.shape)
        let parts = max(1, min(Parallel.threads, rows * width / (1 << 13)))
        let (weightSums, biasSums) = (Tensor(zeros: [parts, width]), Tensor(zeros: [parts, width]))
        let (source, incoming, target, w) = (x.pointer, gradient.pointer, result.pointer, weight.pointer)
        let (weightTotals, biasTotals) = (weightSums.pointer, biasSums.pointer)
        Parallel.run(parts) { part in
            let (forWeight, forBias) = (weightTotals + part * width, biasTotals + part * width)
            for row in rows * part / parts..<rows * (part + 1) / parts {
                let (from, g, to) = (source + row * width, incoming + row * width, target + row * width)
                let (mean, inverse) = rowStatistics(from, width, epsilon)
                // dx = inverse * (w g - average(w g) - h * average(w g h))
                var (sums, dots) = (Lanes.zero, Lanes.zero)
                var (sum, dot): (Float, Float) = (0, 0)
                var i = 0
                while i + 16 <= width {
                    let (h, slope) = ((from.lanes(i) - mean) * inverse, g.lanes(i))
                    forWeight.store(forWeight.lanes(i) + slope * h, i)
                    forBias.store(forBias.lanes(i) + slope, i)
                    sums += slope * w.lanes(i)
                    dots += slope * w.lanes(i) * h
                    i += 16
                }
                while i < width {
                    let h = (from[i] - mean) * inverse
                    forWeight[i] += g[i] * h
                    forBias[i] += g[i]
                    sum += g[i] * w[i]
                    dot += g[i] * w[i] * h
                    i += 1
                }
                sum = (sum + VectorMath.sum(sums)) / Float(width)
                dot = (dot + VectorMath.sum(dots)) / Float(width)
                i = 0
                while i + 16 <= width {
                    let h = (from.lanes(i) - mean) * inverse
                    to.store((g.lanes(i) * w.lanes(i) - sum - h * dot) * inverse, i)
                    i += 16
                }
                while i < width {
                    to[i] = (g[i] * w[i] - sum - (from[i] - mean) * inverse * dot) * inverse
                    i += 1
                }
            }
        }
        return (result, sumRows(weightSums), sumRows(biasSums))
    }

    private static func checkLayerNorm(_ x: Tensor, _ weight: Tensor) -> Int {
        require(weight.count > 0 && x.shape.last == weight.count, "layer norm of \(x.shape) with \(weight.count) weights")
        return weight.count
    }

    /// Mean and 1 / sqrt(variance + epsilon) of a row, in two passes.
    @inline(__always)
    private static func rowStatistics(_ row: UnsafeMutablePointer<Float>, _ width: Int, _ epsilon: Float) -> (Float, Float) {
        let vectors = width / 16 * 16
        var sums = Lanes.zero
        var i = 0
        while i < vectors {
            sums += row.lanes(i)
            i += 16
        }
        var sum = VectorMath.sum(sums)
        while i < width {
            sum += row[i]
            i += 1
        }
        let mean = sum / Float(width)
        sums = .zero
        i = 0
        while i < vectors {
            let difference = row.lanes(i) - mean
            sums = VectorMath.multiplyAdd(difference, difference, sums)
            i += 16
        }
        sum = VectorMath.sum(sums)
        while i < width {
            sum += (row[i] - mean) * (row[i] - mean)
            i += 1
        }
        return (mean, 1 / (sum / Float(width) + epsilon).squareRoot())
    }
}
