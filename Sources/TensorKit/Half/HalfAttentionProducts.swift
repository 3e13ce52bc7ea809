/// The products inside attention in half precision (`HalfAttentionTile`): some rows of doubled words by 64 columns, held in registers.
enum HalfAttentionProducts {
    /// Rows that are done at once when so many are left.
    @inline(__always)
    static func height(_ left: Int) -> Int { left >= 12 ? 12 : left >= 8 ? 8 : left >= 4 ? 4 : 1 }

    /// scores [rows, 64] = keys [depth, rows] times queries [depth, 64].
    @inline(__always)
    static func score(
        rows: Int, depth: Int, _ keys: UnsafeMutablePointer<UInt32>, _ queries: UnsafeMutablePointer<Float16>,
        _ scores: UnsafeMutablePointer<Float16>
    ) {
        switch rows {
        case 12: score12(depth, keys, queries, scores)
        case 8: score8(depth, keys, queries, scores)
        case 4: score4(depth, keys, queries, scores)
        default: score1(depth, keys, queries, scores)
        }
    }

    /// sums [rows, 64] = factors [64] times sums + values [depth, rows] times weights [depth, 64].
    /// - Parameters:
    ///   - rows: 12, 8, 4 or 1 features.
    ///   - depth: number of keys.
    ///   - values: doubled words, `step` from one key to the next.
    ///   - step: words.
    ///   - weights: of the keys.
    ///   - sums: changed in place.
    ///   - factors: for what lies in `sums`.
    @inline(__always)
    static func gain(
        rows: Int, depth: Int, _ values: UnsafeMutablePointer<UInt32>, step: Int, _ weights: UnsafeMutablePointer<Float16>,
        _ sums: UnsafeMutablePointer<Float>, _ factors: UnsafeMutablePointer<Float>
    ) {
        switch rows {
        case 12: gain12(depth, values, step, weights, sums, factors)
        case 8: gain8(depth, values, step, weights, sums, factors)
        case 4: gain4(depth, values, step, weights, sums, factors)
        default: gain1(depth, values, step, weights, sums, factors)
        }
    }

    @inline(__always)
    private static func multiply<Rows: HalfRows>(
        _ depth: Int, _ a: UnsafeMutablePointer<UInt32>, _ step: Int, _ b: UnsafeMutablePointer<Float16>, into rows: inout Rows
    ) {
        var p = a
        for k in 0..<depth {
            rows.add(p, 1, b.halfLanes(k * 64), b.halfLanes(k * 64 + 32))
            p += step
        }
    }

    @inline(__always)
    private static func score<Rows: HalfRows>(
        _ type: Rows.Type, _ depth: Int, _ keys: UnsafeMutablePointer<UInt32>, _ queries: UnsafeMutablePointer<Float16>,
        _ scores: UnsafeMutablePointer<Float16>
    ) {
        var rows = Rows()
        multiply(depth, keys, Rows.count, queries, into: &rows)
        rows.each { row, index in row.store(scores + index * 64) }
    }

    @inline(__always)
    private static func gain<Rows: HalfRows>(
        _ type: Rows.Type, _ depth: Int, _ values: UnsafeMutablePointer<UInt32>, _ step: Int,
        _ weights: UnsafeMutablePointer<Float16>, _ sums: UnsafeMutablePointer<Float>, _ factors: UnsafeMutablePointer<Float>
    ) {
        var rows = Rows()
        multiply(depth, values, step, weights, into: &rows)
        rows.each { row, index in
            row.eachSixteen { gained, column in
                let at = index * 64 + column
                sums.store(VectorMath.multiplyAdd(sums.lanes(at), factors.lanes(column), gained), at)
            }
        }
    }

    @inline(never)
    private static func score12(
        _ depth: Int, _ keys: UnsafeMutablePointer<UInt32>, _ queries: UnsafeMutablePointer<Float16>,
        _ scores: UnsafeMutablePointer<Float16>
    ) { score(TwelveHalfRows.self, depth, keys, queries, scores) }

    @inline(never)
    private static func score8(
        _ depth: Int, _ keys: UnsafeMutablePointer<UInt32>, _ queries: UnsafeMutablePointer<Float16>,
        _ scores: UnsafeMutablePointer<Float16>
    ) { score(EightHalfRows.self, depth, keys, queries, scores) }

    @inline(never)
    private static func score4(
        _ depth: Int, _ keys: UnsafeMutablePointer<UInt32>, _ queries: UnsafeMutablePointer<Float16>,
        _ scores: UnsafeMutablePointer<Float16>
    ) { score(FourHalfRows.self, depth, keys, queries, scores) }

    @inline(never)
    private static func score1(
        _ depth: Int, _ keys: UnsafeMutablePointer<UInt32>, _ queries: UnsafeMutablePointer<Float16>,
        _ scores: UnsafeMutablePointer<Float16>
    ) { score(OneHalfRow.self, depth, keys, queries, scores) }

    @inline(never)
    private static func gain12(
        _ depth: Int, _ values: UnsafeMutablePointer<UInt32>, _ step: Int, _ weights: UnsafeMutablePointer<Float16>,
        _ sums: UnsafeMutablePointer<Float>, _ factors: UnsafeMutablePointer<Float>
    ) { gain(TwelveHalfRows.self, depth, values, step, weights, sums, factors) }

    @inline(never)
    private static func gain8(
        _ depth: Int, _ values: UnsafeMutablePointer<UInt32>, _ step: Int, _ weights: UnsafeMutablePointer<Float16>,
        _ sums: UnsafeMutablePointer<Float>, _ factors: UnsafeMutablePointer<Float>
    ) { gain(EightHalfRows.self, depth, values, step, weights, sums, factors) }

    @inline(never)
    private static func gain4(
        _ depth: Int, _ values: UnsafeMutablePointer<UInt32>, _ step: Int, _ weights: UnsafeMutablePointer<Float16>,
        _ sums: UnsafeMutablePointer<Float>, _ factors: UnsafeMutablePointer<Float>
    ) { gain(FourHalfRows.self, depth, values, step, weights, sums, factors) }

    @inline(never)
    private static func gain1(
        _ depth: Int, _ values: UnsafeMutablePointer<UInt32>, _ step: Int, _ weights: UnsafeMutablePointer<Float16>,
        _ sums: UnsafeMutablePointer<Float>, _ factors: UnsafeMutablePointer<Float>
    ) { gain(OneHalfRow.self, depth, values, step, weights, sums, factors) }
}
