extension Kernels {
    /// Whether `wideAttention` is faster than `AttentionTile` for these sizes.
    static func isWorthWideAttention(queries: Int, causal: Bool) -> Bool {
        Precision.hasWideVectors && !causal && queries >= 48
    }

    /// Whether this processor is faster with bfloat16 numbers in it.
    static var prefersBrainAttention: Bool { Precision.hasBrainProducts && LinearKernel.fastestProducts == .brain }

    /// `attention` without a mask for many queries (`WideAttentionTile`).
    /// - Parameters:
    ///   - number: what is multiplied.
    ///   - query: [N, T, heads * d]
    ///   - key: [N, S, heads * d]
    ///   - value: [N, S, heads * d]
    ///   - heads: number of heads; the features of a head lie together.
    /// - Returns: [N, T, heads * d]
    static func wideAttention<Number: AttentionNumber>(
        _ number: Number.Type, query: Tensor, key: Tensor, value: Tensor, heads: Int
    ) -> Tensor {
        let result = Tensor(uninitialized: query.shape)
        let (samples, queries, keys, stride) = (query.shape[0], query.shape[1], key.shape[1], query.shape[2])
        let (width, lanes) = (stride / heads, WideAttentionTile<Number>.queries)
        let tiles = (queries + lanes - 1) / lanes
        let items = samples * heads * tiles
        let work = 2 * samples * queries * keys * (stride + 8 * heads)
        let parts = work < 1 << 19 ? 1 : min(Parallel.threads, items)
        let tile = WideAttentionTile<Number>(width: width, stride: stride)
        let own = (tile.scratch + 15) / 16 * 16
        let words = AttentionContext<Number>.size(keys: keys, width: width)
        let size = (own + words + 15) / 16 * 16
        let scratch = Tensor(uninitialized: [parts, size])
        let asksAhead = queries % lanes == 0
        let (q, k, v, y, buffers) = (query.pointer, key.pointer, value.pointer, result.pointer, scratch.pointer)
        Profile.measure(
            "attention", "\(query.shape) to \(keys), \(heads) heads\(Number.perWord == 2 ? ", own bfloat16" : "")",
            operations: 4 * Double(samples * queries) * Double(keys * stride)
        ) {
            Parallel.share(items, parts: parts) { part, take in
                let buffer = buffers + part * size
                var context = AttentionContext<Number>(
                    UnsafeMutableRawPointer(buffer + own).bindMemory(to: UInt32.self, capacity: words), keys: keys, width: width)
                func features(_ first: UnsafeMutablePointer<Float>) -> HeadFeatures {
                    HeadFeatures(first, stride: stride, width: width)
                }
                /// Where a tile's first query lies.
                func place(_ item: Int) -> Int {
                    (item / tiles / heads * queries + item % tiles * lanes) * stride + item / tiles % heads * width
                }
                var present = -1
                while let item = take() {
                    let (pair, at) = (item / tiles, place(item))
                    if present != pair {
                        let from = pair / heads * keys * stride + pair % heads * width
                        context.load(key: features(k + from), value: features(v + from))
                        present = pair
                    }
                    let next = asksAhead && item + 1 < items ? features(q + place(item + 1)) : nil
                    tile.run(
                        query: features(q + at), context: context, result: features(y + at), scratch: buffer,
                        rows: min(lanes, queries - item % tiles * lanes), next: next)
                }
            }
        }
        withExtendedLifetime(scratch) {}
        return result
    }
}
