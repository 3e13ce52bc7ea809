import COneDNN

/// Up to twelve rows by 64 columns of half-precision sums, held in registers.
struct HalfTile {
    /// Doubled words, rows `HalfProduct.rowStride` apart.
    private let a: UnsafeMutablePointer<UInt32>
    private let b: UnsafeMutableRawPointer
    /// Inputs in all, and those after which sums go over into float32.
    private let depth, step: Int
    private let c: UnsafeMutablePointer<Float>
    private let outputs: Int
    private let bias: UnsafeMutablePointer<Float>?
    /// Whether the sums start with what lies in `c`.
    private let keeps: Bool
    private let factor: Float
    private let ahead: UnsafeMutableRawPointer?

    /// Adds the products of prepared rows with a piece of a panel to 64 columns of the result.
    /// - Parameters:
    ///   - rows: number of rows.
    ///   - a: doubled words, rows `HalfProduct.rowStride` apart.
    ///   - b: [depth, 64] half-precision numbers.
    ///   - depth: number of inputs.
    ///   - c: the first row's columns.
    ///   - outputs: floats from one row of the result to the next.
    ///   - bias: added to each row, or nil.
    ///   - keeps: whether the sums start with what lies in `c`.
    ///   - factor: the products are multiplied by it.
    ///   - ahead: what is brought into the cache meanwhile, of the size of `b`.
    @inline(__always)
    static func run(
        rows: Int, a: UnsafeMutablePointer<UInt32>, b: UnsafeMutableRawPointer, depth: Int, c: UnsafeMutablePointer<Float>,
        outputs: Int, bias: UnsafeMutablePointer<Float>?, keeps: Bool, factor: Float, ahead: UnsafeMutableRawPointer
    ) {
        // Steps of equal lengths, but for the last.
        let steps = (depth + HalfProduct.step - 1) / HalfProduct.step
        let step = (depth + steps - 1) / steps
        var row = 0
        while row < rows {
            let tile = HalfTile(
                a: a + row * HalfProduct.rowStride, b: b, depth: depth, step: step, c: c + row * outputs, outputs: outputs,
                bias: bias,
                keeps: keeps, factor: factor, ahead: row == 0 ? ahead : nil)
            row += tile.run(rows - row)
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
        func store(_ tile: HalfTile, _ row: Int, isFirst: Bool) {
            let (a, b) = (HalfMath.halves(x), HalfMath.halves(y))
            store(a.low, tile, row, 0, isFirst)
            store(a.high, tile, row, 16, isFirst)
            store(b.low, tile, row, 32, isFirst)
            store(b.high, tile, row, 48, isFirst)
        }

        @inline(__always)
        private func store(_ sums: SIMD16<Float16>, _ tile: HalfTile, _ row: Int, _ column: Int, _ isFirst: Bool) {
            let c = tile.c + row * tile.outputs
            var before = isFirst && !tile.keeps ? Lanes.zero : c.lanes(column)
            if isFirst, let bias = tile.bias { before += bias.lanes(column) }
            c.store(VectorMath.multiplyAdd(HalfMath.widen(sums), Lanes(repeating: tile.factor), before), column)
        }
    }

    /// Does as many rows as fit a tile.
    /// - Returns: how many.
    @inline(__always)
    private func run(_ rows: Int) -> Int {
        if rows >= 12 {
            tile12()
            return 12
        }
        if rows >= 8 {
            tile8()
            return 8
        }
        if rows >= 4 {
            tile4()
            return 4
        }
        tile1()
        return 1
    }

    /// Calls `body` with the number of an input and its 64 weights.
    @inline(__always)
    private func each(_ inputs: Range<Int>, _ body: (_ k: Int, _ b0: HalfLanes, _ b1: HalfLanes) -> Void) {
        @inline(__always)
        func lanes(_ at: UnsafeMutableRawPointer) -> HalfLanes { UnsafeRawPointer(at).loadUnaligned(as: HalfLanes.self) }
        if let ahead {
            for k in inputs {
                let next = ahead + k * 128
                w2w_prefetch(next)
                w2w_prefetch(next + 64)
                body(k, lanes(b + k * 128), lanes(b + k * 128 + 64))
            }
        } else {
            for k in inputs { body(k, lanes(b + k * 128), lanes(b + k * 128 + 64)) }
        }
    }

    private var stride: Int { HalfProduct.rowStride }

    @inline(never)
    private func tile12() {
        var start = 0
        while start < depth {
            let end = min(depth, start + step)
            var (r0, r1, r2, r3) = (Row(), Row(), Row(), Row())
            var (r4, r5, r6, r7) = (Row(), Row(), Row(), Row())
            var (r8, r9, r10, r11) = (Row(), Row(), Row(), Row())
            each(start..<end) { k, b0, b1 in
                r0.add(a[k], b0, b1)
                r1.add(a[k + stride], b0, b1)
                r2.add(a[k + 2 * stride], b0, b1)
                r3.add(a[k + 3 * stride], b0, b1)
                r4.add(a[k + 4 * stride], b0, b1)
                r5.add(a[k + 5 * stride], b0, b1)
                r6.add(a[k + 6 * stride], b0, b1)
                r7.add(a[k + 7 * stride], b0, b1)
                r8.add(a[k + 8 * stride], b0, b1)
                r9.add(a[k + 9 * stride], b0, b1)
                r10.add(a[k + 10 * stride], b0, b1)
                r11.add(a[k + 11 * stride], b0, b1)
            }
            r0.store(self, 0, isFirst: start == 0)
            r1.store(self, 1, isFirst: start == 0)
            r2.store(self, 2, isFirst: start == 0)
            r3.store(self, 3, isFirst: start == 0)
            r4.store(self, 4, isFirst: start == 0)
            r5.store(self, 5, isFirst: start == 0)
            r6.store(self, 6, isFirst: start == 0)
            r7.store(self, 7, isFirst: start == 0)
            r8.store(self, 8, isFirst: start == 0)
            r9.store(self, 9, isFirst: start == 0)
            r10.store(self, 10, isFirst: start == 0)
            r11.store(self, 11, isFirst: start == 0)
            start = end
        }
    }

    @inline(never)
    private func tile8() {
        var start = 0
        while start < depth {
            let end = min(depth, start + step)
            var (r0, r1, r2, r3) = (Row(), Row(), Row(), Row())
            var (r4, r5, r6, r7) = (Row(), Row(), Row(), Row())
            each(start..<end) { k, b0, b1 in
                r0.add(a[k], b0, b1)
                r1.add(a[k + stride], b0, b1)
                r2.add(a[k + 2 * stride], b0, b1)
                r3.add(a[k + 3 * stride], b0, b1)
                r4.add(a[k + 4 * stride], b0, b1)
                r5.add(a[k + 5 * stride], b0, b1)
                r6.add(a[k + 6 * stride], b0, b1)
                r7.add(a[k + 7 * stride], b0, b1)
            }
            r0.store(self, 0, isFirst: start == 0)
            r1.store(self, 1, isFirst: start == 0)
            r2.store(self, 2, isFirst: start == 0)
            r3.store(self, 3, isFirst: start == 0)
            r4.store(self, 4, isFirst: start == 0)
            r5.store(self, 5, isFirst: start == 0)
            r6.store(self, 6, isFirst: start == 0)
            r7.store(self, 7, isFirst: start == 0)
            start = end
        }
    }

    @inline(never)
    private func tile4() {
        var start = 0
        while start < depth {
            let end = min(depth, start + step)
            var (r0, r1, r2, r3) = (Row(), Row(), Row(), Row())
            each(start..<end) { k, b0, b1 in
                r0.add(a[k], b0, b1)
                r1.add(a[k + stride], b0, b1)
                r2.add(a[k + 2 * stride], b0, b1)
                r3.add(a[k + 3 * stride], b0, b1)
            }
            r0.store(self, 0, isFirst: start == 0)
            r1.store(self, 1, isFirst: start == 0)
            r2.store(self, 2, isFirst: start == 0)
            r3.store(self, 3, isFirst: start == 0)
            start = end
        }
    }

    @inline(never)
    private func tile1() {
        var start = 0
        while start < depth {
            let end = min(depth, start + step)
            var r0 = Row()
            each(start..<end) { k, b0, b1 in
                r0.add(a[k], b0, b1)
            }
            r0.store(self, 0, isFirst: start == 0)
            start = end
        }
    }
}
