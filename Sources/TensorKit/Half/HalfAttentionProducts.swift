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

    /// One row of the sums.
    private struct Row {
        var x = HalfLanes.zero, y = HalfLanes.zero

        @inline(__always)
        mutating func add(_ a: UInt32, _ b0: HalfLanes, _ b1: HalfLanes) {
            let a = HalfMath.spread(a)
            x = HalfMath.multiplyAdd(a, b0, x)
            y = HalfMath.multiplyAdd(a, b1, y)
        }

        @inline(__always)
        func store(_ c: UnsafeMutablePointer<Float16>) {
            c.store(x, 0)
            c.store(y, 32)
        }

        @inline(__always)
        func add(to sums: UnsafeMutablePointer<Float>, _ factors: UnsafeMutablePointer<Float>) {
            let (a, b) = (HalfMath.halves(x), HalfMath.halves(y))
            Self.add(a.low, to: sums, factors, 0)
            Self.add(a.high, to: sums, factors, 16)
            Self.add(b.low, to: sums, factors, 32)
            Self.add(b.high, to: sums, factors, 48)
        }

        @inline(__always)
        private static func add(
            _ half: SIMD16<Float16>, to sums: UnsafeMutablePointer<Float>, _ factors: UnsafeMutablePointer<Float>, _ at: Int
        ) {
            sums.store(VectorMath.multiplyAdd(sums.lanes(at), factors.lanes(at), HalfMath.widen(half)), at)
        }
    }

    @inline(never)
    private static func score12(
        _ depth: Int, _ a: UnsafeMutablePointer<UInt32>, _ b: UnsafeMutablePointer<Float16>, _ c: UnsafeMutablePointer<Float16>
    ) {
        var (r0, r1, r2, r3) = (Row(), Row(), Row(), Row())
        var (r4, r5, r6, r7) = (Row(), Row(), Row(), Row())
        var (r8, r9, r10, r11) = (Row(), Row(), Row(), Row())
        for k in 0..<depth {
            let (b0, b1) = (b.halfLanes(k * 64), b.halfLanes(k * 64 + 32))
            r0.add(a[k * 12 + 0], b0, b1)
            r1.add(a[k * 12 + 1], b0, b1)
            r2.add(a[k * 12 + 2], b0, b1)
            r3.add(a[k * 12 + 3], b0, b1)
            r4.add(a[k * 12 + 4], b0, b1)
            r5.add(a[k * 12 + 5], b0, b1)
            r6.add(a[k * 12 + 6], b0, b1)
            r7.add(a[k * 12 + 7], b0, b1)
            r8.add(a[k * 12 + 8], b0, b1)
            r9.add(a[k * 12 + 9], b0, b1)
            r10.add(a[k * 12 + 10], b0, b1)
            r11.add(a[k * 12 + 11], b0, b1)
        }
        r0.store(c + 0 * 64)
        r1.store(c + 1 * 64)
        r2.store(c + 2 * 64)
        r3.store(c + 3 * 64)
        r4.store(c + 4 * 64)
        r5.store(c + 5 * 64)
        r6.store(c + 6 * 64)
        r7.store(c + 7 * 64)
        r8.store(c + 8 * 64)
        r9.store(c + 9 * 64)
        r10.store(c + 10 * 64)
        r11.store(c + 11 * 64)
    }

    @inline(never)
    private static func gain12(
        _ depth: Int, _ a: UnsafeMutablePointer<UInt32>, _ step: Int, _ b: UnsafeMutablePointer<Float16>,
        _ sums: UnsafeMutablePointer<Float>, _ factors: UnsafeMutablePointer<Float>
    ) {
        var (r0, r1, r2, r3) = (Row(), Row(), Row(), Row())
        var (r4, r5, r6, r7) = (Row(), Row(), Row(), Row())
        var (r8, r9, r10, r11) = (Row(), Row(), Row(), Row())
        var p = a
        for k in 0..<depth {
            let (b0, b1) = (b.halfLanes(k * 64), b.halfLanes(k * 64 + 32))
            r0.add(p[0], b0, b1)
            r1.add(p[1], b0, b1)
            r2.add(p[2], b0, b1)
            r3.add(p[3], b0, b1)
            r4.add(p[4], b0, b1)
            r5.add(p[5], b0, b1)
            r6.add(p[6], b0, b1)
            r7.add(p[7], b0, b1)
            r8.add(p[8], b0, b1)
            r9.add(p[9], b0, b1)
            r10.add(p[10], b0, b1)
            r11.add(p[11], b0, b1)
            p += step
        }
        r0.add(to: sums + 0 * 64, factors)
        r1.add(to: sums + 1 * 64, factors)
        r2.add(to: sums + 2 * 64, factors)
        r3.add(to: sums + 3 * 64, factors)
        r4.add(to: sums + 4 * 64, factors)
        r5.add(to: sums + 5 * 64, factors)
        r6.add(to: sums + 6 * 64, factors)
        r7.add(to: sums + 7 * 64, factors)
        r8.add(to: sums + 8 * 64, factors)
        r9.add(to: sums + 9 * 64, factors)
        r10.add(to: sums + 10 * 64, factors)
        r11.add(to: sums + 11 * 64, factors)
    }

    @inline(never)
    private static func score8(
        _ depth: Int, _ a: UnsafeMutablePointer<UInt32>, _ b: UnsafeMutablePointer<Float16>, _ c: UnsafeMutablePointer<Float16>
    ) {
        var (r0, r1, r2, r3) = (Row(), Row(), Row(), Row())
        var (r4, r5, r6, r7) = (Row(), Row(), Row(), Row())
        for k in 0..<depth {
            let (b0, b1) = (b.halfLanes(k * 64), b.halfLanes(k * 64 + 32))
            r0.add(a[k * 8 + 0], b0, b1)
            r1.add(a[k * 8 + 1], b0, b1)
            r2.add(a[k * 8 + 2], b0, b1)
            r3.add(a[k * 8 + 3], b0, b1)
            r4.add(a[k * 8 + 4], b0, b1)
            r5.add(a[k * 8 + 5], b0, b1)
            r6.add(a[k * 8 + 6], b0, b1)
            r7.add(a[k * 8 + 7], b0, b1)
        }
        r0.store(c + 0 * 64)
        r1.store(c + 1 * 64)
        r2.store(c + 2 * 64)
        r3.store(c + 3 * 64)
        r4.store(c + 4 * 64)
        r5.store(c + 5 * 64)
        r6.store(c + 6 * 64)
        r7.store(c + 7 * 64)
    }

    @inline(never)
    private static func gain8(
        _ depth: Int, _ a: UnsafeMutablePointer<UInt32>, _ step: Int, _ b: UnsafeMutablePointer<Float16>,
        _ sums: UnsafeMutablePointer<Float>, _ factors: UnsafeMutablePointer<Float>
    ) {
        var (r0, r1, r2, r3) = (Row(), Row(), Row(), Row())
        var (r4, r5, r6, r7) = (Row(), Row(), Row(), Row())
        var p = a
        for k in 0..<depth {
            let (b0, b1) = (b.halfLanes(k * 64), b.halfLanes(k * 64 + 32))
            r0.add(p[0], b0, b1)
            r1.add(p[1], b0, b1)
            r2.add(p[2], b0, b1)
            r3.add(p[3], b0, b1)
            r4.add(p[4], b0, b1)
            r5.add(p[5], b0, b1)
            r6.add(p[6], b0, b1)
            r7.add(p[7], b0, b1)
            p += step
        }
        r0.add(to: sums + 0 * 64, factors)
        r1.add(to: sums + 1 * 64, factors)
        r2.add(to: sums + 2 * 64, factors)
        r3.add(to: sums + 3 * 64, factors)
        r4.add(to: sums + 4 * 64, factors)
        r5.add(to: sums + 5 * 64, factors)
        r6.add(to: sums + 6 * 64, factors)
        r7.add(to: sums + 7 * 64, factors)
    }

    @inline(never)
    private static func score4(
        _ depth: Int, _ a: UnsafeMutablePointer<UInt32>, _ b: UnsafeMutablePointer<Float16>, _ c: UnsafeMutablePointer<Float16>
    ) {
        var (r0, r1, r2, r3) = (Row(), Row(), Row(), Row())
        for k in 0..<depth {
            let (b0, b1) = (b.halfLanes(k * 64), b.halfLanes(k * 64 + 32))
            r0.add(a[k * 4 + 0], b0, b1)
            r1.add(a[k * 4 + 1], b0, b1)
            r2.add(a[k * 4 + 2], b0, b1)
            r3.add(a[k * 4 + 3], b0, b1)
        }
        r0.store(c + 0 * 64)
        r1.store(c + 1 * 64)
        r2.store(c + 2 * 64)
        r3.store(c + 3 * 64)
    }

    @inline(never)
    private static func gain4(
        _ depth: Int, _ a: UnsafeMutablePointer<UInt32>, _ step: Int, _ b: UnsafeMutablePointer<Float16>,
        _ sums: UnsafeMutablePointer<Float>, _ factors: UnsafeMutablePointer<Float>
    ) {
        var (r0, r1, r2, r3) = (Row(), Row(), Row(), Row())
        var p = a
        for k in 0..<depth {
            let (b0, b1) = (b.halfLanes(k * 64), b.halfLanes(k * 64 + 32))
            r0.add(p[0], b0, b1)
            r1.add(p[1], b0, b1)
            r2.add(p[2], b0, b1)
            r3.add(p[3], b0, b1)
            p += step
        }
        r0.add(to: sums + 0 * 64, factors)
        r1.add(to: sums + 1 * 64, factors)
        r2.add(to: sums + 2 * 64, factors)
        r3.add(to: sums + 3 * 64, factors)
    }

    @inline(never)
    private static func score1(
        _ depth: Int, _ a: UnsafeMutablePointer<UInt32>, _ b: UnsafeMutablePointer<Float16>, _ c: UnsafeMutablePointer<Float16>
    ) {
        var r0 = Row()
        for k in 0..<depth {
            let (b0, b1) = (b.halfLanes(k * 64), b.halfLanes(k * 64 + 32))
            r0.add(a[k], b0, b1)
        }
        r0.store(c + 0 * 64)
    }

    @inline(never)
    private static func gain1(
        _ depth: Int, _ a: UnsafeMutablePointer<UInt32>, _ step: Int, _ b: UnsafeMutablePointer<Float16>,
        _ sums: UnsafeMutablePointer<Float>, _ factors: UnsafeMutablePointer<Float>
    ) {
        var r0 = Row()
        var p = a
        for k in 0..<depth {
            let (b0, b1) = (b.halfLanes(k * 64), b.halfLanes(k * 64 + 32))
            r0.add(p[0], b0, b1)
            p += step
        }
        r0.add(to: sums + 0 * 64, factors)
    }
}
