/// Keys and values of one head in half precision, as `HalfAttentionTile` reads them.
struct HalfAttentionContext {
    /// Doubled words: for each twelve (at the end eight, four, one) keys [width, keys].
    let keyWords: UnsafeMutablePointer<UInt32>
    /// Doubled words, [keys, width].
    let valueWords: UnsafeMutablePointer<UInt32>
    let keys, width: Int
    /// What the words were multiplied by.
    private(set) var keyScale: Float = 1, valueScale: Float = 1
    /// Length of the longest key.
    private(set) var longestKey: Float = 0

    /// - Parameters:
    ///   - words: 2 * keys * width of them, which outlive this.
    ///   - keys: number of keys.
    ///   - width: features of a head.
    init(words: UnsafeMutablePointer<UInt32>, keys: Int, width: Int) {
        (keyWords, valueWords, self.keys, self.width) = (words, words + keys * width, keys, width)
    }

    /// Brings the features of a head together. The average key is taken off all of them: that changes all scores of a query by the same, which the
    /// softmax does not see, and the smaller scores are, the better half precision knows them (SageAttention, 2410.02367).
    /// - Parameters:
    ///   - key: the first key's features of this head.
    ///   - value: the first value's.
    ///   - stride: floats from one key or value to the next.
    mutating func load(key: UnsafeMutablePointer<Float>, value: UnsafeMutablePointer<Float>, stride: Int) {
        var topValue: Float = 0
        for j in 0..<keys { topValue = max(topValue, HalfMath.largest(value + j * stride, count: width)) }
        valueScale = HalfMath.scale(largest: topValue, below: 2)
        for j in 0..<keys {
            HalfMath.double(value + j * stride, count: width, factor: valueScale, into: valueWords + j * width)
        }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * width) { floats in
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: width) { words in
                guard let average = floats.baseAddress, let words = words.baseAddress else { return }
                loadKeys(key, stride, average, average + width, words)
            }
        }
        if !topValue.isFinite { longestKey = .infinity }
    }

    private mutating func loadKeys(
        _ key: UnsafeMutablePointer<Float>, _ stride: Int, _ average: UnsafeMutablePointer<Float>,
        _ row: UnsafeMutablePointer<Float>, _ words: UnsafeMutablePointer<UInt32>
    ) {
        average.update(repeating: 0, count: width)
        for j in 0..<keys {
            let key = key + j * stride
            for c in 0..<width { average[c] += key[c] }
        }
        for c in 0..<width { average[c] /= Float(keys) }
        var (top, longest, sum) = (Float(0), Float(0), Float(0))
        for j in 0..<keys {
            let key = key + j * stride
            for c in 0..<width { row[c] = key[c] - average[c] }
            top = max(top, HalfMath.largest(row, count: width))
            let squares = Self.squares(row, width)
            longest = max(longest, squares)
            sum += squares
        }
        // Not a number or infinite where a key is: no half precision then.
        longestKey = sum.isFinite ? longest.squareRoot() : .infinity
        keyScale = HalfMath.scale(largest: top, below: 2)
        var j = 0
        while j < keys {
            let height = HalfAttentionProducts.height(keys - j)
            for r in 0..<height {
                let key = key + (j + r) * stride
                for c in 0..<width { row[c] = key[c] - average[c] }
                HalfMath.double(row, count: width, factor: keyScale, into: words)
                let to = keyWords + j * width + r
                for c in 0..<width { to[c * height] = words[c] }
            }
            j += height
        }
    }

    /// The sum of the squares of some numbers.
    static func squares(_ x: UnsafeMutablePointer<Float>, _ count: Int) -> Float {
        var sums = Lanes.zero
        var i = 0
        while i + 16 <= count {
            sums = VectorMath.multiplyAdd(x.lanes(i), x.lanes(i), sums)
            i += 16
        }
        var sum = VectorMath.sum(sums)
        while i < count {
            sum += x[i] * x[i]
            i += 1
        }
        return sum
    }
}

/// Attention of up to 64 queries of one head in half precision, block by block of keys like `AttentionTile`, with the queries side by side in
/// vectors. Scores and weights are half-precision numbers, the sums of a block's weighted values too; sums over blocks are float32.
struct HalfAttentionTile {
    /// Keys that are looked at together: weights of up to 256 times values below two stay below half precision's largest number.
    static let block = 120
    static let queries = 64
    /// Features of a head at most.
    static let widest = 192
    /// Queries whose largest score (as a power of two, against the average key) is beyond this are left to float32: below it half precision knows
    /// scores to a sixty-fourth, as well as products of bfloat16 numbers would.
    static let largestScore: Float = 32
    /// The same where lengths of queries and keys alone allow scores beyond this: sums on the way to a score could be larger than it is.
    static let largestBound: Float = 256

    let width: Int
    /// Floats from one query, and result, to the next.
    let stride: Int

    /// Floats of scratch: queries, scores, results, sums of weights, factors, largest scores and what `weigh` needs.
    static func scratch(width: Int) -> Int { queries / 2 * width + queries / 2 * block + queries * width + 3 * queries }

    /// Writes the results of `rows` queries.
    /// - Parameters:
    ///   - query: the first query of the tile, features of this head.
    ///   - context: keys and values.
    ///   - result: of the first query, features of this head.
    ///   - scratch: as many floats as `scratch` says.
    ///   - rows: 1 to 64.
    /// - Returns: whether that was done; not where scores are too large for half precision.
    func run(
        query: UnsafeMutablePointer<Float>, context: HalfAttentionContext, result: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>, rows: Int
    ) -> Bool {
        let lanes = Self.queries
        // Weights are powers of two here, not of e.
        let unit = 1.442695041 / Float(width).squareRoot()
        var (longest, sum) = (Float(0), Float(0))
        for r in 0..<rows {
            let squares = HalfAttentionContext.squares(query + r * stride, width)
            longest = max(longest, squares)
            sum += squares
        }
        guard sum.isFinite, longest.squareRoot() * context.longestKey * unit <= Self.largestBound else { return false }
        let packed = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Float16.self)  // [width, lanes]
        let scores = packed + width * lanes  // [block, lanes]
        let sums = scratch + lanes / 2 * (width + Self.block)  // [width, lanes]
        let totals = sums + width * lanes  // [lanes]
        let factors = totals + lanes  // [lanes]
        let tops = UnsafeMutableRawPointer(factors + lanes).assumingMemoryBound(to: Float16.self)  // [lanes]
        let past = tops + lanes  // [64]
        pack(query, packed, rows, unit / context.keyScale)
        sums.update(repeating: 0, count: width * lanes)
        totals.update(repeating: 0, count: lanes)
        tops.update(repeating: -.infinity, count: lanes)
        var start = 0
        while start < context.keys {
            let count = min(Self.block, context.keys - start)
            var j = 0
            while j < count {
                let height = HalfAttentionProducts.height(count - j)
                HalfAttentionProducts.score(
                    rows: height, depth: width, context.keyWords + (start + j) * width, packed, scores + j * lanes)
                j += height
            }
            weigh(scores, count, tops, totals, factors, past)
            weigh(scores + 32, count, tops + 32, totals + 32, factors + 32, past)
            var c = 0
            while c < width {
                let height = HalfAttentionProducts.height(width - c)
                HalfAttentionProducts.gain(
                    rows: height, depth: count, context.valueWords + start * width + c, step: width, scores, sums + c * lanes,
                    factors)
                c += height
            }
            start += count
        }
        for lane in 0..<lanes where Float(tops[lane]) > Self.largestScore { return false }
        for r in 0..<rows {
            let (to, factor) = (result + r * stride, 1 / (totals[r] * context.valueScale))
            for c in 0..<width { to[c] = sums[c * lanes + r] * factor }
        }
        return true
    }

    /// Queries, scaled, with a feature's numbers side by side; lanes beyond the last query repeat it.
    private func pack(
        _ query: UnsafeMutablePointer<Float>, _ packed: UnsafeMutablePointer<Float16>, _ rows: Int, _ scale: Float
    ) {
        var lanes = Lanes()
        for block in 0..<Self.queries / 16 {
            for c in 0..<width {
                for i in 0..<16 { lanes[i] = query[min(block * 16 + i, rows - 1) * stride + c] }
                UnsafeMutableRawPointer(packed + c * Self.queries + block * 16)
                    .storeBytes(of: HalfMath.narrow(lanes * scale), as: SIMD16<Float16>.self)
            }
        }
    }

    /// Replaces 32 columns of scores by weights against the largest score so far, and says by what the sums under the old largest have to be
    /// multiplied.
    private func weigh(
        _ scores: UnsafeMutablePointer<Float16>, _ count: Int, _ top: UnsafeMutablePointer<Float16>,
        _ total: UnsafeMutablePointer<Float>, _ factor: UnsafeMutablePointer<Float>, _ past: UnsafeMutablePointer<Float16>
    ) {
        let lanes = Self.queries
        let old = top.halfLanes(0)
        var (even, odd) = (old, old)
        for j in 0..<count / 2 {
            even = HalfMath.maximum(even, scores.halfLanes(2 * j * lanes))
            odd = HalfMath.maximum(odd, scores.halfLanes((2 * j + 1) * lanes))
        }
        if count % 2 == 1 { even = HalfMath.maximum(even, scores.halfLanes((count - 1) * lanes)) }
        let new = HalfMath.maximum(even, odd)
        top.store(new, 0)
        var (first, second) = (HalfLanes.zero, HalfLanes.zero)
        for j in 0..<count / 2 {
            let at = 2 * j * lanes
            let a = HalfMath.exp2Times256(HalfMath.subtract(scores.halfLanes(at), new))
            let b = HalfMath.exp2Times256(HalfMath.subtract(scores.halfLanes(at + lanes), new))
            scores.store(a, at)
            scores.store(b, at + lanes)
            first = HalfMath.add(first, a)
            second = HalfMath.add(second, b)
        }
        if count % 2 == 1 {
            let a = HalfMath.exp2Times256(HalfMath.subtract(scores.halfLanes((count - 1) * lanes), new))
            scores.store(a, (count - 1) * lanes)
            first = HalfMath.add(first, a)
        }
        // In memory they are read sixteen at a time; split in registers they would be converted four at a time.
        past.store(old, 0)
        past.store(HalfMath.add(first, second), 32)
        Self.note(past.sixteen(0), top.sixteen(0), past.sixteen(32), total, factor)
        Self.note(past.sixteen(16), top.sixteen(16), past.sixteen(48), total + 16, factor + 16)
    }

    /// Sixteen queries' sums of weights, and by what their sums so far are multiplied.
    @inline(__always)
    private static func note(
        _ old: SIMD16<Float16>, _ new: SIMD16<Float16>, _ weights: SIMD16<Float16>, _ total: UnsafeMutablePointer<Float>,
        _ factor: UnsafeMutablePointer<Float>
    ) {
        let scaling = VectorMath.exp((HalfMath.widen(old) - HalfMath.widen(new)) * 0.69314718)
        factor.store(scaling, 0)
        total.store(VectorMath.multiplyAdd(total.lanes(0), scaling, HalfMath.widen(weights)), 0)
    }
}
