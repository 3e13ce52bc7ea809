/// Attention of up to 48 queries of one head, block by block of keys, with the softmax kept up as blocks come in (online softmax, Milakov and
/// Gimelshein 1805.02867; FlashAttention, Dao et al. 2205.14135).
///
/// Everything lies with the queries side by side in vectors: scores as [keys, queries], results as [features, queries]. So keys and values are
/// read where they are, largest scores and sums need no crossing of lanes, and what is written between the products stays in the cache.
struct AttentionTile {
    /// Keys that are looked at together.
    static let block = 128
    /// Queries in one tile at most: three vectors.
    static let queries = 48

    /// Features of a head, and of a row of queries and results.
    let width, stride: Int
    /// Distance of keys, and of values.
    let keyStride: Int
    let keys: Int
    let causal: Bool

    /// Floats of scratch: queries, scores, results.
    var scratch: Int { Self.scratch(width: width) }

    static func scratch(width: Int) -> Int { (2 * width + block + 3) * queries }

    /// Writes the results of `rows` queries.
    /// - Parameters:
    ///   - query: the first query of the tile, features of this head.
    ///   - key: the first key, features of this head.
    ///   - value: the first value, features of this head.
    ///   - result: of the first query, features of this head.
    ///   - scratch: as many floats as `scratch` says.
    ///   - first: number of the first query, for the causal mask.
    ///   - rows: 1 to 48.
    func run(
        query: UnsafeMutablePointer<Float>, key: UnsafeMutablePointer<Float>, value: UnsafeMutablePointer<Float>,
        result: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>, first: Int, rows: Int
    ) {
        let vectors = (rows + 15) / 16
        let lanes = vectors * 16
        let packed = scratch  // [width, lanes]
        let scores = packed + width * lanes  // [block, lanes]
        let sums = scores + Self.block * lanes  // [width, lanes]
        pack(query, packed, rows, lanes)
        sums.update(repeating: 0, count: width * lanes)
        let tops = sums + width * lanes  // [lanes]
        let totals = tops + lanes  // [lanes]
        let factors = totals + lanes  // [lanes]
        tops.update(repeating: -.infinity, count: lanes)
        totals.update(repeating: 0, count: lanes)
        let end = causal ? min(keys, first + rows) : keys
        var start = 0
        while start < end {
            let count = min(Self.block, end - start)
            score(vectors, key + start * keyStride, packed, scores, count)
            if causal { mask(scores, lanes, start, count, first) }
            for v in 0..<vectors { exponentials(scores + v * 16, lanes, count, tops + v * 16, totals + v * 16, factors + v * 16) }
            if start > 0 {
                for c in 0..<width {
                    for v in 0..<vectors {
                        let at = c * lanes + v * 16
                        sums.store(sums.lanes(at) * factors.lanes(v * 16), at)
                    }
                }
            }
            accumulate(vectors, value + start * keyStride, scores, sums, count)
            start += count
        }
        for v in 0..<vectors { factors.store(1 / totals.lanes(v * 16), v * 16) }
        for r in 0..<rows {
            let to = result + r * stride
            for c in 0..<width { to[c] = sums[c * lanes + r] * factors[r] }
        }
    }

    /// Replaces sixteen columns of scores by exponentials against the largest score so far, and says by what the sums under the old largest
    /// have to be multiplied.
    private func exponentials(
        _ scores: UnsafeMutablePointer<Float>, _ lanes: Int, _ count: Int, _ top: UnsafeMutablePointer<Float>,
        _ total: UnsafeMutablePointer<Float>, _ factor: UnsafeMutablePointer<Float>
    ) {
        let old = top.lanes(0)
        var (even, odd) = (old, old)
        for j in 0..<count / 2 {
            even = VectorMath.maximum(even, scores.lanes(2 * j * lanes))
            odd = VectorMath.maximum(odd, scores.lanes((2 * j + 1) * lanes))
        }
        if count % 2 == 1 { even = VectorMath.maximum(even, scores.lanes((count - 1) * lanes)) }
        let new = VectorMath.maximum(even, odd)
        let scaling = VectorMath.exp(old - new)
        var sum = total.lanes(0) * scaling
        for j in 0..<count {
            let e = VectorMath.exp(scores.lanes(j * lanes) - new)
            scores.store(e, j * lanes)
            sum += e
        }
        top.store(new, 0)
        total.store(sum, 0)
        factor.store(scaling, 0)
    }

    /// Queries, scaled, with a feature's numbers side by side; lanes beyond the last query repeat it.
    @inline(__always)
    private func pack(_ query: UnsafeMutablePointer<Float>, _ packed: UnsafeMutablePointer<Float>, _ rows: Int, _ lanes: Int) {
        let scale = 1 / Float(width).squareRoot()
        for r in 0..<lanes {
            let from = query + min(r, rows - 1) * stride
            for c in 0..<width { packed[c * lanes + r] = from[c] * scale }
        }
    }

    /// Keys after a query get no weight.
    private func mask(_ scores: UnsafeMutablePointer<Float>, _ lanes: Int, _ start: Int, _ count: Int, _ first: Int) {
        for j in 0..<count {
            for r in 0..<min(lanes, max(0, start + j - first)) { scores[j * lanes + r] = -.infinity }
        }
    }

    /// scores[j] = key[j] · queries
    @inline(__always)
    private func score(
        _ vectors: Int, _ key: UnsafeMutablePointer<Float>, _ packed: UnsafeMutablePointer<Float>,
        _ scores: UnsafeMutablePointer<Float>, _ count: Int
    ) {
        let lanes = vectors * 16
        var j = 0
        while j < count && count >= 8 {
            // The last eight may overlap those before: the same numbers come out again.
            let at = min(j, count - 8)
            let (a, c) = (key + at * keyStride, scores + at * lanes)
            switch vectors {
            case 1: TileProduct.multiply1(width, a, keyStride, 1, packed, c, adds: false)
            case 2: TileProduct.multiply2(width, a, keyStride, 1, packed, c, adds: false)
            default: TileProduct.multiply3(width, a, keyStride, 1, packed, c, adds: false)
            }
            j += 8
        }
        while j < count {
            for v in 0..<vectors {
                var sum = Lanes.zero
                for k in 0..<width {
                    let x = Lanes(repeating: key[j * keyStride + k])
                    sum = VectorMath.multiplyAdd(x, packed.lanes(k * lanes + v * 16), sum)
                }
                scores.store(sum, j * lanes + v * 16)
            }
            j += 1
        }
    }

    /// sums[c] += value[..][c] · scores
    @inline(__always)
    private func accumulate(
        _ vectors: Int, _ value: UnsafeMutablePointer<Float>, _ scores: UnsafeMutablePointer<Float>,
        _ sums: UnsafeMutablePointer<Float>, _ count: Int
    ) {
        let lanes = vectors * 16
        var c = 0
        while c + 8 <= width {
            let (a, to) = (value + c, sums + c * lanes)
            switch vectors {
            case 1: TileProduct.multiply1(count, a, 1, keyStride, scores, to, adds: true)
            case 2: TileProduct.multiply2(count, a, 1, keyStride, scores, to, adds: true)
            default: TileProduct.multiply3(count, a, 1, keyStride, scores, to, adds: true)
            }
            c += 8
        }
        while c < width {
            for v in 0..<vectors {
                var sum = sums.lanes(c * lanes + v * 16)
                for j in 0..<count {
                    let x = Lanes(repeating: value[j * keyStride + c])
                    sum = VectorMath.multiplyAdd(x, scores.lanes(j * lanes + v * 16), sum)
                }
                sums.store(sum, c * lanes + v * 16)
            }
            c += 1
        }
    }
}

/// Products of eight rows with one to three vectors of columns, held in registers: the inside of attention, whose matrices are too small and too
/// many for a primitive each. `a` has eight rows, `row` floats apart, and `depth` columns, `step` apart; `b` is [depth, vectors * 16] and `c`
/// [8, vectors * 16], both without gaps.
private enum TileProduct {
    /// One row of the result: a number of `a` is spread over a register once and meets all vectors of `b`.
    private struct Row3 {
        var x = Lanes.zero, y = Lanes.zero, z = Lanes.zero

        @inline(__always)
        mutating func add(_ a: Float, _ b0: Lanes, _ b1: Lanes, _ b2: Lanes) {
            let a = Lanes(repeating: a)
            x = VectorMath.multiplyAdd(a, b0, x)
            y = VectorMath.multiplyAdd(a, b1, y)
            z = VectorMath.multiplyAdd(a, b2, z)
        }

        @inline(__always)
        func store(_ c: UnsafeMutablePointer<Float>, _ adds: Bool) {
            c.store(adds ? c.lanes(0) + x : x, 0)
            c.store(adds ? c.lanes(16) + y : y, 16)
            c.store(adds ? c.lanes(32) + z : z, 32)
        }
    }

    @inline(__always)
    static func multiply3(
        _ depth: Int, _ a: UnsafeMutablePointer<Float>, _ row: Int, _ step: Int, _ b: UnsafeMutablePointer<Float>,
        _ c: UnsafeMutablePointer<Float>, adds: Bool
    ) {
        var (r0, r1, r2, r3, r4, r5, r6, r7) = (Row3(), Row3(), Row3(), Row3(), Row3(), Row3(), Row3(), Row3())
        var (p, q) = (a, b)
        for _ in 0..<depth {
            let (b0, b1, b2) = (q.lanes(0), q.lanes(16), q.lanes(32))
            r0.add(p[0], b0, b1, b2)
            r1.add(p[row], b0, b1, b2)
            r2.add(p[2 * row], b0, b1, b2)
            r3.add(p[3 * row], b0, b1, b2)
            r4.add(p[4 * row], b0, b1, b2)
            r5.add(p[5 * row], b0, b1, b2)
            r6.add(p[6 * row], b0, b1, b2)
            r7.add(p[7 * row], b0, b1, b2)
            p += step
            q += 48
        }
        r0.store(c, adds)
        r1.store(c + 48, adds)
        r2.store(c + 96, adds)
        r3.store(c + 144, adds)
        r4.store(c + 192, adds)
        r5.store(c + 240, adds)
        r6.store(c + 288, adds)
        r7.store(c + 336, adds)
    }

    private struct Row2 {
        var x = Lanes.zero, y = Lanes.zero

        @inline(__always)
        mutating func add(_ a: Float, _ b0: Lanes, _ b1: Lanes) {
            let a = Lanes(repeating: a)
            x = VectorMath.multiplyAdd(a, b0, x)
            y = VectorMath.multiplyAdd(a, b1, y)
        }

        @inline(__always)
        func store(_ c: UnsafeMutablePointer<Float>, _ adds: Bool) {
            c.store(adds ? c.lanes(0) + x : x, 0)
            c.store(adds ? c.lanes(16) + y : y, 16)
        }
    }

    @inline(__always)
    static func multiply2(
        _ depth: Int, _ a: UnsafeMutablePointer<Float>, _ row: Int, _ step: Int, _ b: UnsafeMutablePointer<Float>,
        _ c: UnsafeMutablePointer<Float>, adds: Bool
    ) {
        var (r0, r1, r2, r3, r4, r5, r6, r7) = (Row2(), Row2(), Row2(), Row2(), Row2(), Row2(), Row2(), Row2())
        var (p, q) = (a, b)
        for _ in 0..<depth {
            let (b0, b1) = (q.lanes(0), q.lanes(16))
            r0.add(p[0], b0, b1)
            r1.add(p[row], b0, b1)
            r2.add(p[2 * row], b0, b1)
            r3.add(p[3 * row], b0, b1)
            r4.add(p[4 * row], b0, b1)
            r5.add(p[5 * row], b0, b1)
            r6.add(p[6 * row], b0, b1)
            r7.add(p[7 * row], b0, b1)
            p += step
            q += 32
        }
        r0.store(c, adds)
        r1.store(c + 32, adds)
        r2.store(c + 64, adds)
        r3.store(c + 96, adds)
        r4.store(c + 128, adds)
        r5.store(c + 160, adds)
        r6.store(c + 192, adds)
        r7.store(c + 224, adds)
    }

    @inline(__always)
    static func multiply1(
        _ depth: Int, _ a: UnsafeMutablePointer<Float>, _ row: Int, _ step: Int, _ b: UnsafeMutablePointer<Float>,
        _ c: UnsafeMutablePointer<Float>, adds: Bool
    ) {
        var (r0, r1, r2, r3) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
        var (r4, r5, r6, r7) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
        var (p, q) = (a, b)
        for _ in 0..<depth {
            let b = q.lanes(0)
            r0 = VectorMath.multiplyAdd(Lanes(repeating: p[0]), b, r0)
            r1 = VectorMath.multiplyAdd(Lanes(repeating: p[row]), b, r1)
            r2 = VectorMath.multiplyAdd(Lanes(repeating: p[2 * row]), b, r2)
            r3 = VectorMath.multiplyAdd(Lanes(repeating: p[3 * row]), b, r3)
            r4 = VectorMath.multiplyAdd(Lanes(repeating: p[4 * row]), b, r4)
            r5 = VectorMath.multiplyAdd(Lanes(repeating: p[5 * row]), b, r5)
            r6 = VectorMath.multiplyAdd(Lanes(repeating: p[6 * row]), b, r6)
            r7 = VectorMath.multiplyAdd(Lanes(repeating: p[7 * row]), b, r7)
            p += step
            q += 16
        }
        c.store(adds ? c.lanes(0) + r0 : r0, 0)
        c.store(adds ? c.lanes(16) + r1 : r1, 16)
        c.store(adds ? c.lanes(32) + r2 : r2, 32)
        c.store(adds ? c.lanes(48) + r3 : r3, 48)
        c.store(adds ? c.lanes(64) + r4 : r4, 64)
        c.store(adds ? c.lanes(80) + r5 : r5, 80)
        c.store(adds ? c.lanes(96) + r6 : r6, 96)
        c.store(adds ? c.lanes(112) + r7 : r7, 112)
    }
}
