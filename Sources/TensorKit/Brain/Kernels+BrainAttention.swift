extension Kernels {
    /// Whether `brainAttention` is faster than float32 for these sizes, on this processor.
    static func isWorthBrainAttention(queries: Int, width: Int, causal: Bool) -> Bool {
        Precision.hasBrainProducts && !causal && queries >= 48 && width <= BrainAttentionTile.widest
            && LinearKernel.fastestProducts == .brain
    }

    /// `attention` without a mask with products of bfloat16 numbers (`BrainAttentionTile`).
    /// - Parameters:
    ///   - query: [N, T, heads * d]
    ///   - key: [N, S, heads * d]
    ///   - value: [N, S, heads * d]
    ///   - heads: number of heads; the features of a head lie together.
    /// - Returns: [N, T, heads * d]
    static func brainAttention(query: Tensor, key: Tensor, value: Tensor, heads: Int) -> Tensor {
        let result = Tensor(uninitialized: query.shape)
        let (samples, queries, keys, stride) = (query.shape[0], query.shape[1], key.shape[1], query.shape[2])
        let width = stride / heads
        let tiles = (queries + BrainAttentionTile.queries - 1) / BrainAttentionTile.queries
        let items = samples * heads * tiles
        let work = 2 * samples * queries * keys * (stride + 8 * heads)
        let parts = work < 1 << 19 ? 1 : min(Parallel.threads, items)
        let tile = BrainAttentionTile(width: width, stride: stride)
        let own = BrainAttentionTile.scratch(width: width)
        let words = BrainAttentionContext.words(keys: keys, width: width)
        let size = (own + words + 15) / 16 * 16
        let scratch = Tensor(uninitialized: [parts, size])
        let (q, k, v, y, buffers) = (query.pointer, key.pointer, value.pointer, result.pointer, scratch.pointer)
        Profile.measure(
            "attention", "\(query.shape) to \(keys), \(heads) heads, own bfloat16",
            operations: 4 * Double(samples * queries) * Double(keys * stride)
        ) {
            Parallel.run(parts) { part in
                let buffer = buffers + part * size
                let context = BrainAttentionContext(
                    words: UnsafeMutableRawPointer(buffer + own).bindMemory(to: UInt32.self, capacity: words), keys: keys,
                    width: width)
                var present = -1
                for item in items * part / parts..<items * (part + 1) / parts {
                    let (pair, first) = (item / tiles, item % tiles * BrainAttentionTile.queries)
                    let (sample, feature) = (pair / heads, pair % heads * width)
                    let at = (sample * queries + first) * stride + feature
                    if present != pair {
                        let from = sample * keys * stride + feature
                        context.load(key: k + from, value: v + from, stride: stride)
                        present = pair
                    }
                    tile.run(
                        query: q + at, context: context, result: y + at, scratch: buffer,
                        rows: min(BrainAttentionTile.queries, queries - first))
                }
            }
        }
        withExtendedLifetime(scratch) {}
        return result
    }
}
