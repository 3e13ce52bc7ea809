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

    /// softmax(q kᵀ / sqrt(d)) v for every head.
    ///
    /// Eight queries at a time meet all keys of a head; keys (transposed) and values are packed once per head, so that scores, keys and values
    /// stay in the cache. The scores are never written to memory as a whole.
    /// - Parameters:
    ///   - query: [N, T, heads * d]
    ///   - key: [N, S, heads * d]
    ///   - value: [N, S, heads * d]
    ///   - heads: number of heads; the features of a head lie together.
    ///   - causal: position i sees positions up to i only.
    /// - Returns: [N, T, heads * d]
    public static func attention(query: Tensor, key: Tensor, value: Tensor, heads: Int, causal: Bool = false) -> Tensor {
        checkAttention(query, key, value, heads)
        let result = Tensor(uninitialized: query.shape)
        guard key.shape[1] > 0 && query.count > 0 else { return Tensor(zeros: query.shape) }
        let sizes = AttentionSizes(query: query, key: key, heads: heads)
        let blocks = (sizes.queries + TileProduct.rows - 1) / TileProduct.rows
        let pairs = sizes.samples * heads
        let work = 2 * pairs * sizes.queries * sizes.keys * (sizes.width + 8)
        let threads = work < 1 << 19 ? 1 : Parallel.threads
        // Whole heads for each thread, or parts of a head when there are too few.
        let pieces = pairs % threads == 0 || pairs >= 4 * threads ? 1 : threads
        let items = pairs * pieces
        let parts = min(threads, items)
        let scratch = Tensor(uninitialized: [parts, sizes.scratch])
        let (q, k, v, y, buffers) = (query.pointer, key.pointer, value.pointer, result.pointer, scratch.pointer)
        Parallel.run(parts) { part in
            for item in items * part / parts..<items * (part + 1) / parts {
                let (pair, piece) = (item / pieces, item % pieces)
                attend(
                    sizes, q, k, v, y, buffers + part * sizes.scratch, sample: pair / heads, head: pair % heads,
                    blocks: blocks * piece / pieces..<blocks * (piece + 1) / pieces, causal: causal)
            }
        }
        return result
    }

    private struct AttentionSizes {
        let samples, queries, keys: Int
        /// Features of a head, and of all heads.
        let width, stride: Int
        /// Keys and features of a head rounded up to whole vectors.
        let paddedKeys, paddedWidth: Int
        let scale: Float

        init(query: Tensor, key: Tensor, heads: Int) {
            (samples, queries, keys, stride) = (query.shape[0], query.shape[1], key.shape[1], query.shape[2])
            width = stride / heads
            paddedKeys = (keys + 15) / 16 * 16
            paddedWidth = (width + 15) / 16 * 16
            scale = 1 / Float(width).squareRoot()
        }

        /// Floats that a thread needs: packed keys and values, eight queries, their scores and results.
        var scratch: Int {
            width * paddedKeys + keys * paddedWidth + TileProduct.rows * (paddedWidth + paddedKeys + paddedWidth) + 64
        }
    }

    /// One head of one sample: queries `blocks` (of eight).
    private static func attend(
        _ sizes: AttentionSizes, _ query: UnsafeMutablePointer<Float>, _ key: UnsafeMutablePointer<Float>,
        _ value: UnsafeMutablePointer<Float>, _ result: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>,
        sample: Int, head: Int, blocks: Range<Int>, causal: Bool
    ) {
        let (keys, width, stride) = (sizes.keys, sizes.width, sizes.stride)
        let (paddedKeys, paddedWidth) = (sizes.paddedKeys, sizes.paddedWidth)
        let keysByFeature = scratch  // [width, paddedKeys]
        let values = keysByFeature + width * paddedKeys  // [keys, paddedWidth]
        let queries = values + keys * paddedWidth  // [8, paddedWidth]
        let scores = queries + TileProduct.rows * paddedWidth  // [8, paddedKeys]
        let sums = scores + TileProduct.rows * paddedKeys  // [8, paddedWidth]
        let offset = sample * keys * stride + head * width
        packTransposed(key + offset, stride, keysByFeature, rows: keys, columns: width, paddedRows: paddedKeys)
        for j in 0..<keys {
            let (from, to) = (value + offset + j * stride, values + j * paddedWidth)
            to.update(from: from, count: width)
            for c in width..<paddedWidth { to[c] = 0 }
        }
        for block in blocks {
            let first = block * TileProduct.rows
            let rows = min(TileProduct.rows, sizes.queries - first)
            for r in 0..<TileProduct.rows {
                // Rows beyond the last query repeat it; their results are not used.
                let from = query + (sample * sizes.queries + first + min(r, rows - 1)) * stride + head * width
                let to = queries + r * width
                for c in 0..<width { to[c] = from[c] * sizes.scale }
            }
            // With a causal mask the keys after the block's last query play no part.
            let visible = causal ? min(keys, first + rows) : keys
            let vectors = (visible + 15) / 16
            TileProduct.multiply(depth: width, queries, width, keysByFeature, paddedKeys, scores, paddedKeys, vectors: vectors)
            for r in 0..<rows {
                let row = scores + r * paddedKeys
                let end = causal ? min(keys, first + r + 1) : keys
                let sum = exponentials(row, end)
                for j in end..<max(end, visible) { row[j] = 0 }
                queries[r] = 1 / sum  // the queries are not needed any more
            }
            for r in rows..<TileProduct.rows {
                for j in 0..<visible { scores[r * paddedKeys + j] = 0 }
            }
            TileProduct.multiply(
                depth: visible, scores, paddedKeys, values, paddedWidth, sums, paddedWidth, vectors: paddedWidth / 16)
            for r in 0..<rows {
                let (from, factor) = (sums + r * paddedWidth, queries[r])
                let to = result + (sample * sizes.queries + first + r) * stride + head * width
                for c in 0..<width { to[c] = from[c] * factor }
            }
        }
    }

    /// target[c][r] = source[r][c], rows from `rows` to `paddedRows` zero.
    private static func packTransposed(
        _ source: UnsafeMutablePointer<Float>, _ stride: Int, _ target: UnsafeMutablePointer<Float>, rows: Int, columns: Int,
        paddedRows: Int
    ) {
        for first in Swift.stride(from: 0, to: rows, by: 16) {
            let count = min(16, rows - first)
            for c in 0..<columns {
                var lanes = Lanes.zero
                for r in 0..<count { lanes[r] = source[(first + r) * stride + c] }
                target.store(lanes, c * paddedRows + first)
            }
        }
    }

    /// Gradients of query, key and value of `attention`.
    public static func attentionGradient(
        _ gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, heads: Int, causal: Bool = false
    ) -> (query: Tensor, key: Tensor, value: Tensor) {
        checkAttention(query, key, value, heads)
        require(gradient.shape == query.shape, "attention gradient \(gradient.shape) of \(query.shape)")
        let sizes = AttentionSizes(query: query, key: key, heads: heads)
        let (t, s, width, stride) = (sizes.queries, sizes.keys, sizes.width, sizes.stride)
        let (dq, dk, dv) = (
            Tensor(uninitialized: query.shape), Tensor(uninitialized: key.shape), Tensor(uninitialized: value.shape)
        )
        let (weights, slopes) = (Tensor(uninitialized: [t, s]), Tensor(uninitialized: [t, s]))
        let (w, g) = (weights.pointer, slopes.pointer)
        for n in 0..<sizes.samples {
            for head in 0..<heads {
                let (atQuery, atKey) = (n * t * stride + head * width, n * s * stride + head * width)
                let (q, k, v) = (query.pointer + atQuery, key.pointer + atKey, value.pointer + atKey)
                let incoming = gradient.pointer + atQuery
                // w = softmax(q kᵀ scale)
                multiplyStrided("N", "T", t, s, width, sizes.scale, q, stride, k, stride, w, s)
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
                multiplyStrided("N", "N", t, width, s, sizes.scale, g, s, k, stride, dq.pointer + atQuery, stride)
                multiplyStrided("T", "N", s, width, t, sizes.scale, g, s, q, stride, dk.pointer + atKey, stride)
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
