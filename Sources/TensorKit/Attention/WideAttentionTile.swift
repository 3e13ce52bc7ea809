/// Attention of up to 64 queries of one head, block by block of keys, with the queries side by side in vectors: keys and values are read as rows of
/// `WordTile`, and no number has to cross from lane to lane.
///
/// Where no score can be so large that its exponential leaves float32's range, weights are made of scores as they come out of the products. Else
/// the softmax is kept up as blocks come in (online softmax, Milakov and Gimelshein 1805.02867; FlashAttention, Dao et al. 2205.14135).
struct WideAttentionTile<Number: AttentionNumber> {
    /// Keys that are looked at together, an even number.
    static var block: Int { 128 }
    static var queries: Int { 64 }
    /// A power of two that exponentials stay below; their sums over keys, times values, stay far below float32's largest number.
    private static var bound: Float { 64 }

    private let width: Int
    /// Floats from one query, and result, to the next.
    private let stride: Int
    /// Words of a query, and rounded up to whole vectors.
    private let words, wholeWords: Int
    private let wholeWidth: Int

    init(width: Int, stride: Int) {
        (self.width, self.stride) = (width, stride)
        words = (width + Number.perWord - 1) / Number.perWord
        wholeWords = (words + 15) / 16 * 16
        wholeWidth = (width + 15) / 16 * 16
    }

    /// Floats of scratch: packed queries, scores, weights, results, three numbers for each query, and for turning.
    var scratch: Int { Self.queries * (wholeWords + 2 * Self.block + wholeWidth + 3) + 16 * wholeWords + 512 }

    /// Writes the results of `rows` queries.
    /// - Parameters:
    ///   - query: the first query of the tile, features of this head.
    ///   - context: keys and values.
    ///   - result: gets what the queries find, features of this head.
    ///   - scratch: as many floats as `scratch` says.
    ///   - rows: 1 to 64.
    ///   - next: as many queries that come next; they and this tile's place in the result are asked for meanwhile. Or nil.
    func run(
        query: HeadFeatures, context: AttentionContext<Number>, result: HeadFeatures,
        scratch: UnsafeMutablePointer<Float>, rows: Int, next: HeadFeatures?
    ) {
        let lanes = Self.queries
        let all = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: UInt32.self)
        let packed = all  // [wholeWords, lanes]
        let weights = packed + wholeWords * lanes  // [block / perWord, lanes]
        let scores = scratch + (wholeWords + Self.block) * lanes  // [block, lanes]
        let sums = scores + Self.block * lanes  // [wholeWidth, lanes]
        let totals = sums + wholeWidth * lanes  // [lanes]
        let (tops, factors) = (totals + lanes, totals + 2 * lanes)
        let turning = UnsafeMutableRawPointer(totals + 3 * lanes).assumingMemoryBound(to: UInt32.self)
        let longest = pack(query, rows, packed, turning)
        let isBounded = longest * context.longest < Self.bound * Number.doubling
        totals.update(repeating: 0, count: lanes)
        tops.update(repeating: -1e30, count: lanes)
        let blocks = (context.keys + Self.block - 1) / Self.block
        for start in Swift.stride(from: 0, to: context.keys, by: Self.block) {
            if let next {
                let number = start / Self.block
                for row in rows * number / blocks..<rows * (number + 1) / blocks {
                    result.prefetch(row)
                    next.prefetch(row)
                }
            }
            let count = min(Self.block, context.keys - start)
            let keys = context.keyWords + start * words
            if isBounded {
                var sink = WeightSink<Number>(weights: weights, totals: WordRow(totals))
                WordTile<Number.Product, WeightSink<Number>>.run(
                    rows: count, a: keys, stride: words, b: packed, depth: words, into: &sink)
                sink.totals.store(totals)
            } else {
                var sink = SumSink(c: scores, apart: lanes)
                WordTile<Number.Product, SumSink>.run(
                    rows: count, a: keys, stride: words, b: packed, depth: words, into: &sink)
                for v in Swift.stride(from: 0, to: lanes, by: 16) {
                    weigh(scores + v, count, weights + v, tops + v, totals + v, factors + v)
                }
                if start > 0 { rescale(sums, factors) }
            }
            var sink = SumSink(c: sums, apart: lanes, before: start > 0 ? sums : nil)
            WordTile<Number.Product, SumSink>.run(
                rows: width, a: context.valueWords + start / Number.perWord, stride: context.valueStride, b: weights,
                depth: (count + Number.perWord - 1) / Number.perWord, into: &sink)
        }
        for v in Swift.stride(from: 0, to: lanes, by: 16) { factors.store(1 / totals.lanes(v), v) }
        unpack(sums, factors, rows, into: result.first, turning)
    }

    /// Queries, scaled for powers of two, side by side; lanes beyond the last query repeat it.
    /// - Returns: the largest length of a scaled query.
    private func pack(
        _ query: HeadFeatures, _ rows: Int, _ packed: UnsafeMutablePointer<UInt32>, _ turning: UnsafeMutablePointer<UInt32>
    ) -> Float {
        let scale = 1.442695041 / Float(width).squareRoot() * Number.doubling
        let (spare, group) = (turning, turning + 256)
        var longest: Float = 0
        for first in Swift.stride(from: 0, to: Self.queries, by: 16) {
            for i in 0..<16 {
                var squares = Lanes.zero
                for c in Swift.stride(from: 0, to: width, by: 16) {
                    let x = query.lanes(min(first + i, rows - 1), c) * scale
                    squares = VectorMath.multiplyAdd(x, x, squares)
                    let word = c / Number.perWord
                    // Sixteen words of all sixteen queries lie together.
                    Number.store(x, group + word / 16 * 256 + i * 16 + word % 16)
                }
                longest = max(longest, VectorMath.sum(squares))
            }
            for word in Swift.stride(from: 0, to: wholeWords, by: 16) {
                WordTurn.run(
                    group + word * 16, spare: spare, into: packed + word * Self.queries + first, apart: Self.queries)
            }
        }
        return longest.squareRoot()
    }

    /// Results in rows again, divided by the sum of the weights.
    private func unpack(
        _ sums: UnsafeMutablePointer<Float>, _ factors: UnsafeMutablePointer<Float>, _ rows: Int,
        into result: UnsafeMutablePointer<Float>, _ turning: UnsafeMutablePointer<UInt32>
    ) {
        let (spare, group, columns) = (turning, turning + 256, turning + 512)
        let turned = UnsafeMutableRawPointer(columns).assumingMemoryBound(to: Float.self)
        for first in Swift.stride(from: 0, to: rows, by: 16) {
            let factor = factors.lanes(first)
            for c in Swift.stride(from: 0, to: width, by: 16) {
                for i in 0..<16 {
                    FloatNumber.store(sums.lanes((c + i) * Self.queries + first) * factor, group + i * 16)
                }
                WordTurn.run(group, spare: spare, into: columns, apart: 16)
                let count = min(16, width - c)
                for row in first..<min(first + 16, rows) {
                    let (from, to) = (turned + (row - first) * 16, result + row * stride + c)
                    to.storePartial(from.lanes(0), 0, count)
                }
            }
        }
    }

    /// Makes weights against the largest score so far of sixteen columns of scores, and says by what the sums under the old largest have to be
    /// multiplied.
    @inline(__always)
    private func weigh(
        _ scores: UnsafeMutablePointer<Float>, _ count: Int, _ weights: UnsafeMutablePointer<UInt32>,
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
        var (sum, ill) = (Lanes.zero, Lanes.zero)
        let (nothing, highest) = (Lanes(repeating: Number.nothing), new - Number.unit)
        for row in Swift.stride(from: 0, to: count, by: 2) {
            let a = VectorMath.maximum(scores.lanes(row * lanes) - highest, nothing)
            // The last key of an odd number has nobody beside it.
            let b = row + 1 < count ? VectorMath.maximum(scores.lanes((row + 1) * lanes) - highest, nothing) : nothing
            sum = Number.weigh(a, b, row, apart: lanes, weights, adding: sum)
            // Nought times what is not a number is not one either; its weight may be.
            ill = VectorMath.multiplyAdd(a + b, .zero, ill)
        }
        let scaling = FloatNumber.exp2((old - new) / Number.doubling)
        top.store(new, 0)
        factor.store(scaling, 0)
        total.store(VectorMath.multiplyAdd(total.lanes(0), scaling, sum) + ill, 0)
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

/// Scores become weights, which are added up.
private struct WeightSink<Number: AttentionNumber>: WordSink {
    /// [keys / perWord, 64]
    let weights: UnsafeMutablePointer<UInt32>
    var totals: WordRow
    var start: Float { Number.unit }

    @inline(__always)
    mutating func take(_ scores: WordRow, _ row: Int) {
        take(scores, WordRow(from: Number.nothing), row)
    }

    @inline(__always)
    mutating func take(_ scores: WordRow, _ next: WordRow, _ row: Int) {
        totals.x = Number.weigh(scores.x, next.x, row, apart: 64, weights, adding: totals.x)
        totals.y = Number.weigh(scores.y, next.y, row, apart: 64, weights + 16, adding: totals.y)
        totals.z = Number.weigh(scores.z, next.z, row, apart: 64, weights + 32, adding: totals.z)
        totals.w = Number.weigh(scores.w, next.w, row, apart: 64, weights + 48, adding: totals.w)
    }
}
