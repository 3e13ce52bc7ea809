import COneDNN

extension Kernels {
    /// Softmax over the last dimension.
    public static func softmax(_ x: Tensor) -> Tensor {
        let width = x.shape[x.shape.count - 1]
        let y = Tensor(uninitialized: x.shape)
        let (source, target) = (x.pointer, y.pointer)
        Parallel.ranges(x.count / max(1, width), grain: max(1, (1 << 13) / max(1, width))) { range in
            for row in range {
                let to = target + row * width
                to.update(from: source + row * width, count: width)
                let sum = exponentials(to, width)
                scaleRow(to, width, 1 / sum)
            }
        }
        return y
    }

    /// Replaces a row by exp(x - largest) and returns the sum.
    @inline(__always)
    private static func exponentials(_ row: UnsafeMutablePointer<Float>, _ width: Int) -> Float {
        let vectors = width / 16 * 16
        var top = -Float.infinity
        var i = 0
        if vectors > 0 {
            var tops = row.lanes(0)
            i = 16
            while i < vectors {
                tops = VectorMath.maximum(tops, row.lanes(i))
                i += 16
            }
            top = VectorMath.maximum(of: tops)
        }
        while i < width {
            top = max(top, row[i])
            i += 1
        }
        var sums = Lanes.zero
        i = 0
        while i < vectors {
            let e = VectorMath.exp(row.lanes(i) - top)
            row.store(e, i)
            sums += e
            i += 16
        }
        var sum = VectorMath.sum(sums)
        if i < width {
            let rest = VectorMath.exp(row.partialLanes(i, width - i) - top)
            for k in 0..<width - i { sum += rest[k] }
            row.storePartial(rest, i, width - i)
        }
        return sum
    }

    @inline(__always)
    private static func scaleRow(_ row: UnsafeMutablePointer<Float>, _ width: Int, _ factor: Float) {
        var i = 0
        while i + 16 <= width {
            row.store(row.lanes(i) * factor, i)
            i += 16
        }
        while i < width {
            row[i] *= factor
            i += 1
        }
    }

    /// softmax(q kᵀ / sqrt(d)) v for every head, in tiles that stay in the cache (`AttentionTile`, `WideAttentionTile`, `HalfAttentionTile`).
    /// - Parameters:
    ///   - query: [N, T, heads * d]
    ///   - key: [N, S, heads * d]
    ///   - value: [N, S, heads * d]
    ///   - heads: number of heads; the features of a head lie together.
    ///   - causal: position i sees positions up to i only.
    ///   - precision: `fast` may use sixteen-bit numbers.
    /// - Returns: [N, T, heads * d]
    public static func attention(
        query: Tensor, key: Tensor, value: Tensor, heads: Int, causal: Bool = false, precision: Precision = .f32
    ) -> Tensor {
        checkAttention(query, key, value, heads)
        guard key.shape[1] > 0 && query.count > 0 else { return Tensor(zeros: query.shape) }
        if precision == .fast && isWorthHalfAttention(queries: query.shape[1], width: query.shape[2] / heads, causal: causal) {
            return halfAttention(query: query, key: key, value: value, heads: heads)
        }
        if isWorthWideAttention(queries: query.shape[1], causal: causal) {
            return precision == .fast && prefersBrainAttention
                ? wideAttention(BrainNumber.self, query: query, key: key, value: value, heads: heads)
                : wideAttention(FloatNumber.self, query: query, key: key, value: value, heads: heads)
        }
        let result = Tensor(uninitialized: query.shape)
        let (samples, queries, keys, stride) = (query.shape[0], query.shape[1], key.shape[1], query.shape[2])
        // Tiles of equal numbers of whole vectors, but for the last.
        let vectors = (queries + 15) / 16
        let tiles = (vectors + 2) / 3
        let rows = (vectors + tiles - 1) / tiles * 16
        let width = stride / heads
        // Keys and values that are read many times are first put together, without the other heads between them.
        let gathers = heads > 1 && tiles >= 8
        let tile = AttentionTile(
            width: width, stride: stride, keyStride: gathers ? width : stride, keys: keys, causal: causal)
        let gathered = gathers ? keys * width : 0
        let scratchSize = tile.scratch + 2 * gathered
        let work = 2 * samples * queries * keys * (stride + 8 * heads)
        let items = samples * heads * tiles
        let parts = work < 1 << 19 ? 1 : min(Parallel.threads, items)
        let scratch = Tensor(uninitialized: [parts, scratchSize])
        let (q, k, v, y, buffers) = (query.pointer, key.pointer, value.pointer, result.pointer, scratch.pointer)
        Profile.measure(
            "attention", "\(query.shape) to \(keys), \(heads) heads",
            operations: 4 * Double(samples * queries) * Double(keys * stride)
        ) {
            Parallel.run(parts) { part in
                let buffer = buffers + part * scratchSize
                let (ownKeys, ownValues) = (buffer + tile.scratch, buffer + tile.scratch + gathered)
                var present = -1
                for item in items * part / parts..<items * (part + 1) / parts {
                    let (pair, first) = (item / tiles, item % tiles * rows)
                    guard first < queries else { continue }
                    let (sample, feature) = (pair / heads, pair % heads * width)
                    let (at, context) = ((sample * queries + first) * stride + feature, sample * keys * stride + feature)
                    if gathers && present != pair {
                        gather(k + context, keys, width, stride, into: ownKeys)
                        gather(v + context, keys, width, stride, into: ownValues)
                        present = pair
                    }
                    tile.run(
                        query: q + at, key: gathers ? ownKeys : k + context, value: gathers ? ownValues : v + context,
                        result: y + at, scratch: buffer, first: first, rows: min(rows, queries - first))
                }
            }
        }
        return result
    }

    /// The features of one head, row after row.
    private static func gather(
        _ source: UnsafeMutablePointer<Float>, _ rows: Int, _ width: Int, _ stride: Int, into target: UnsafeMutablePointer<Float>
    ) {
        for row in 0..<rows { (target + row * width).update(from: source + row * stride, count: width) }
    }

    /// Gradients of query, key and value of `attention`.
    public static func attentionGradient(
        _ gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, heads: Int, causal: Bool = false
    ) -> (query: Tensor, key: Tensor, value: Tensor) {
        checkAttention(query, key, value, heads)
        require(gradient.shape == query.shape, "attention gradient \(gradient.shape) of \(query.shape)")
        let (samples, t, s, stride) = (query.shape[0], query.shape[1], key.shape[1], query.shape[2])
        let width = stride / heads
        let scale = 1 / Float(width).squareRoot()
        let (dq, dk, dv) = (
            Tensor(uninitialized: query.shape), Tensor(uninitialized: key.shape), Tensor(uninitialized: value.shape)
        )
        let (weights, slopes) = (Tensor(uninitialized: [t, s]), Tensor(uninitialized: [t, s]))
        let (w, g) = (weights.pointer, slopes.pointer)
        for n in 0..<samples {
            for head in 0..<heads {
                let (atQuery, atKey) = (n * t * stride + head * width, n * s * stride + head * width)
                let (q, k, v) = (query.pointer + atQuery, key.pointer + atKey, value.pointer + atKey)
                let incoming = gradient.pointer + atQuery
                // w = softmax(q kᵀ scale)
                multiplyStrided("N", "T", t, s, width, scale, q, stride, k, stride, w, s)
                Parallel.ranges(t, grain: max(1, (1 << 13) / s)) { range in
                    for i in range {
                        let (row, end) = (w + i * s, causal ? min(s, i + 1) : s)
                        scaleRow(row, end, 1 / exponentials(row, end))
                        for j in end..<s { row[j] = 0 }
                    }
                }
                // dv = wᵀ g; the gradient of the scores is w * (g vᵀ - average of it under w).
                multiplyStrided("T", "N", s, width, t, 1, w, s, incoming, stride, dv.pointer + atKey, stride)
                multiplyStrided("N", "T", t, s, width, 1, incoming, stride, v, stride, g, s)
                Parallel.ranges(t, grain: max(1, (1 << 14) / s)) { range in
                    for i in range {
                        let (row, slope) = (w + i * s, g + i * s)
                        var average: Float = 0
                        for j in 0..<s { average += row[j] * slope[j] }
                        for j in 0..<s { slope[j] = row[j] * (slope[j] - average) }
                    }
                }
                multiplyStrided("N", "N", t, width, s, scale, g, s, k, stride, dq.pointer + atQuery, stride)
                multiplyStrided("T", "N", s, width, t, scale, g, s, q, stride, dk.pointer + atKey, stride)
            }
        }
        return (dq, dk, dv)
    }

    private static func multiplyStrided(
        _ transposeA: Unicode.Scalar, _ transposeB: Unicode.Scalar, _ m: Int, _ n: Int, _ k: Int, _ factor: Float,
        _ a: UnsafeMutablePointer<Float>, _ aStride: Int, _ b: UnsafeMutablePointer<Float>, _ bStride: Int,
        _ c: UnsafeMutablePointer<Float>, _ cStride: Int
    ) {
        let status = dnnl_sgemm(
            CChar(UInt8(ascii: transposeA)), CChar(UInt8(ascii: transposeB)), dnnl_dim_t(m), dnnl_dim_t(n), dnnl_dim_t(k), factor,
            a,
            dnnl_dim_t(aStride), b, dnnl_dim_t(bStride), 0, c, dnnl_dim_t(cStride))
        require(status == dnnl_success, "oneDNN failed on a product (\(status.rawValue))")
    }

    private static func checkAttention(_ query: Tensor, _ key: Tensor, _ value: Tensor, _ heads: Int) {
        require(
            query.shape.count == 3 && key.shape.count == 3 && key.shape == value.shape && query.shape[0] == key.shape[0]
                && query.shape[2] == key.shape[2] && heads > 0 && query.shape[2] % heads == 0,
            "attention of \(query.shape), \(key.shape), \(value.shape) with \(heads) heads")
    }
}
