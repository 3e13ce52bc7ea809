/// Attention of up to 64 queries of one head with products of bfloat16 numbers, block by block of keys like `AttentionTile`, with the queries side
/// by side in vectors. Scores, largest scores and all sums are float32.
struct BrainAttentionTile {
    /// Keys that are looked at together, an even number.
    static let block = 128
    static let queries = 64
    /// Features of a head at most.
    static let widest = 192

    let width: Int
    /// Floats from one query, and result, to the next.
    let stride: Int

    /// Floats of scratch: queries, scores, weights, results and three numbers for each query.
    static func scratch(width: Int) -> Int { queries * ((width + 1) / 2 + block + block / 2 + width + 3) }

    /// Writes the results of `rows` queries.
    /// - Parameters:
    ///   - query: the first query of the tile, features of this head.
    ///   - context: keys and values.
    ///   - result: of the first query, features of this head.
    ///   - scratch: as many floats as `scratch` says.
    ///   - rows: 1 to 64.
    func run(
        query: UnsafeMutablePointer<Float>, context: BrainAttentionContext, result: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>, rows: Int
    ) {
        let lanes = Self.queries
        let pairs = (width + 1) / 2
        let packed = UnsafeMutableRawPointer(scratch)  // [pairs, lanes]
        let scores = scratch + pairs * lanes  // [block, lanes]
        let weights = UnsafeMutableRawPointer(scores + Self.block * lanes)  // [block / 2, lanes]
        let sums = scores + (Self.block + Self.block / 2) * lanes  // [width, lanes]
        let tops = sums + width * lanes  // [lanes]
        let totals = tops + lanes  // [lanes]
        let factors = totals + lanes  // [lanes]
        pack(query, packed, rows)
        tops.update(repeating: -.infinity, count: lanes)
        totals.update(repeating: 0, count: lanes)
        for start in Swift.stride(from: 0, to: context.keys, by: Self.block) {
            let count = min(Self.block, context.keys - start)
            WordTile<BrainWords>.run(
                rows: count, a: context.keyWords + start * pairs, stride: pairs, b: packed, depth: pairs, c: scores,
                outputs: lanes)
            for v in Swift.stride(from: 0, to: lanes, by: 16) {
                weigh(scores + v, count, weights + 4 * v, tops + v, totals + v, factors + v)
            }
            if start > 0 { rescale(sums, factors) }
            WordTile<BrainWords>.run(
                rows: width, a: context.valueWords + start / 2, stride: context.valueStride, b: weights, depth: (count + 1) / 2,
                c: sums, outputs: lanes, before: start > 0 ? sums : nil)
        }
        for v in Swift.stride(from: 0, to: lanes, by: 16) { factors.store(1 / totals.lanes(v), v) }
        for r in 0..<rows {
            let to = result + r * stride
            for c in 0..<width { to[c] = sums[c * lanes + r] * factors[r] }
        }
    }

    /// Queries, scaled for powers of two, with a pair of features side by side; lanes beyond the last query repeat it.
    private func pack(_ query: UnsafeMutablePointer<Float>, _ packed: UnsafeMutableRawPointer, _ rows: Int) {
        let scale = 1.442695041 / Float(width).squareRoot()
        for block in 0..<Self.queries / 16 {
            for c in Swift.stride(from: 0, to: width, by: 2) {
                var (even, odd) = (Lanes.zero, Lanes.zero)
                for i in 0..<16 {
                    let from = query + min(block * 16 + i, rows - 1) * stride + c
                    even[i] = from[0]
                    if c + 1 < width { odd[i] = from[1] }
                }
                (packed + (c / 2 * Self.queries + block * 16) * 4)
                    .storeBytes(of: BrainMath.pairs(even * scale, odd * scale), as: Words.self)
            }
        }
    }

    /// Makes weights against the largest score so far of sixteen columns of scores, and says by what the sums under the old largest have to be
    /// multiplied.
    @inline(__always)
    private func weigh(
        _ scores: UnsafeMutablePointer<Float>, _ count: Int, _ weights: UnsafeMutableRawPointer,
        _ top: UnsafeMutablePointer<Float>, _ total: UnsafeMutablePointer<Float>, _ factor: UnsafeMutablePointer<Float>
    ) {
        let lanes = Self.queries
        let old = top.lanes(0)
        var (even, odd) = (old, old)
        for pair in 0..<count / 2 {
            even = VectorMath.maximum(even, scores.lanes(2 * pair * lanes))
            odd = VectorMath.maximum(odd, scores.lanes((2 * pair + 1) * lanes))
        }
        if count % 2 == 1 { even = VectorMath.maximum(even, scores.lanes((count - 1) * lanes)) }
        let new = VectorMath.maximum(even, odd)
        var (first, second) = (Lanes.zero, Lanes.zero)
        for pair in 0..<count / 2 {
            let a = BrainMath.exp2(scores.lanes(2 * pair * lanes) - new)
            let b = BrainMath.exp2(scores.lanes((2 * pair + 1) * lanes) - new)
            first += a
            second += b
            (weights + pair * lanes * 4).storeBytes(of: BrainMath.pairs(a, b), as: Words.self)
        }
        if count % 2 == 1 {
            // The last key has nobody beside it.
            let a = BrainMath.exp2(scores.lanes((count - 1) * lanes) - new)
            first += a
            (weights + count / 2 * lanes * 4).storeBytes(of: BrainMath.words(a), as: Words.self)
        }
        let scaling = BrainMath.exp2(old - new)
        top.store(new, 0)
        factor.store(scaling, 0)
        total.store(VectorMath.multiplyAdd(total.lanes(0), scaling, first + second), 0)
    }

    private func rescale(_ sums: UnsafeMutablePointer<Float>, _ factors: UnsafeMutablePointer<Float>) {
        for v in Swift.stride(from: 0, to: Self.queries, by: 16) {
            let factor = factors.lanes(v)
            // Later blocks seldom have larger scores than those before.
            if factor == Lanes(repeating: 1) { continue }
            for c in 0..<width {
                let at = c * Self.queries + v
                sums.store(sums.lanes(at) * factor, at)
            }
        }
    }
}

/// Keys and values of one head as `BrainAttentionTile` reads them.
struct BrainAttentionContext {
    /// [keys, pairs of features]
    let keyWords: UnsafeMutablePointer<UInt32>
    /// [features, pairs of keys]
    let valueWords: UnsafeMutablePointer<UInt32>
    /// Words from one feature's values to the next; apart from powers of two, or all would fall on the same lines of the cache.
    let valueStride: Int
    let keys: Int
    private let width: Int

    /// Words for keys and values.
    static func words(keys: Int, width: Int) -> Int { keys * ((width + 1) / 2) + width * stride(keys: keys) }

    private static func stride(keys: Int) -> Int { (keys + 1) / 2 + 16 }

    /// - Parameters:
    ///   - words: as many as `words` says.
    ///   - keys: number of keys.
    ///   - width: features of a head.
    init(words: UnsafeMutablePointer<UInt32>, keys: Int, width: Int) {
        (keyWords, valueWords) = (words, words + keys * ((width + 1) / 2))
        (valueStride, self.keys, self.width) = (Self.stride(keys: keys), keys, width)
    }

    /// Brings the features of a head together. The average key is taken off all of them: that changes all scores of a query by the same, which the
    /// softmax does not see, and the smaller scores are, the better bfloat16 knows them (SageAttention, 2410.02367).
    /// - Parameters:
    ///   - key: the first key's features of this head.
    ///   - value: the first value's.
    ///   - stride: floats from one key or value to the next.
    func load(key: UnsafeMutablePointer<Float>, value: UnsafeMutablePointer<Float>, stride: Int) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * width) { floats in
            guard let average = floats.baseAddress else { return }
            let row = average + width
            average.update(repeating: 0, count: width)
            for j in 0..<keys {
                let key = key + j * stride
                for c in 0..<width { average[c] += key[c] }
            }
            for c in 0..<width { average[c] /= Float(keys) }
            for j in 0..<keys {
                let key = key + j * stride
                for c in 0..<width { row[c] = key[c] - average[c] }
                BrainMath.narrow(row, count: width, into: keyWords + j * ((width + 1) / 2))
            }
        }
        for j in Swift.stride(from: 0, to: keys, by: 2) {
            let even = value + j * stride
            // The last key of an odd number has nobody beside it.
            let odd = j + 1 < keys ? even + stride : nil
            for c in Swift.stride(from: 0, to: width, by: 16) {
                let count = min(16, width - c)
                let pairs = BrainMath.pairs(
                    count == 16 ? even.lanes(c) : even.partialLanes(c, count),
                    odd.map { count == 16 ? $0.lanes(c) : $0.partialLanes(c, count) } ?? .zero)
                for i in 0..<count { valueWords[(c + i) * valueStride + j / 2] = pairs[i] }
            }
        }
    }
}
