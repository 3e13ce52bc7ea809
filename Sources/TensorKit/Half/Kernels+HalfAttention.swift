extension Kernels {
    /// Whether `halfAttention` is faster than float32 for these sizes, on this processor.
    static func isWorthHalfAttention(queries: Int, width: Int, causal: Bool) -> Bool {
        Precision.hasHalfProducts && !causal && queries >= 48 && width <= HalfAttentionTile.widest
    }

    /// `attention` without a mask in half precision (`HalfAttentionTile`); queries whose scores could be too large for it are done in float32.
    /// - Parameters:
    ///   - query: [N, T, heads * d]
    ///   - key: [N, S, heads * d]
    ///   - value: [N, S, heads * d]
    ///   - heads: number of heads; the features of a head lie together.
    /// - Returns: [N, T, heads * d]
    static func halfAttention(query: Tensor, key: Tensor, value: Tensor, heads: Int) -> Tensor {
        let result = Tensor(uninitialized: query.shape)
        let (samples, queries, keys, stride) = (query.shape[0], query.shape[1], key.shape[1], query.shape[2])
        let width = stride / heads
        let tiles = (queries + HalfAttentionTile.queries - 1) / HalfAttentionTile.queries
        let items = samples * heads * tiles
        let work = 2 * samples * queries * keys * (stride + 8 * heads)
        let parts = work < 1 << 19 ? 1 : min(Parallel.threads, items)
        let tile = HalfAttentionTile(width: width, stride: stride)
        let exact = AttentionTile(width: width, stride: stride, keyStride: stride, keys: keys, causal: false)
        // Scratch of either tile in whole vectors, then the words of keys and values.
        let own = (max(HalfAttentionTile.scratch(width: width), exact.scratch) + 15) / 16 * 16
        let size = (own + 2 * keys * width + 15) / 16 * 16
        let scratch = Tensor(uninitialized: [parts, size])
        let (q, k, v, y, buffers) = (query.pointer, key.pointer, value.pointer, result.pointer, scratch.pointer)
        Profile.measure(
            "attention", "\(query.shape) to \(keys), \(heads) heads, half",
            operations: 4 * Double(samples * queries) * Double(keys * stride)
        ) {
            Parallel.run(parts) { part in
                let buffer = buffers + part * size
                let words = UnsafeMutableRawPointer(buffer + own).bindMemory(to: UInt32.self, capacity: 2 * keys * width)
                var context = HalfAttentionContext(words: words, keys: keys, width: width)
                var present = -1
                for item in items * part / parts..<items * (part + 1) / parts {
                    let (pair, first) = (item / tiles, item % tiles * HalfAttentionTile.queries)
                    let (sample, feature) = (pair / heads, pair % heads * width)
                    let at = (sample * queries + first) * stride + feature
                    let (ownKey, ownValue) = (k + sample * keys * stride + feature, v + sample * keys * stride + feature)
                    if present != pair {
                        context.load(key: ownKey, value: ownValue, stride: stride)
                        present = pair
                    }
                    let rows = min(HalfAttentionTile.queries, queries - first)
                    if tile.run(query: q + at, context: context, result: y + at, scratch: buffer, rows: rows) { continue }
                    for start in Swift.stride(from: 0, to: rows, by: AttentionTile.queries) {
                        exact.run(
                            query: q + at + start * stride, key: ownKey, value: ownValue, result: y + at + start * stride,
                            scratch: buffer, first: first + start, rows: min(AttentionTile.queries, rows - start))
                    }
                }
            }
        }
        withExtendedLifetime(scratch) {}
        return result
    }
}
