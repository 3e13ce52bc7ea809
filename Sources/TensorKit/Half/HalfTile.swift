import COneDNN

/// Up to twelve rows by 64 columns of half-precision sums, held in registers.
struct HalfTile {
    /// Doubled words, rows `PanelProduct.rowStride` apart.
    private let a: UnsafeMutablePointer<UInt32>
    private let b: UnsafeMutableRawPointer
    /// Inputs in all, and those that are summed one after the other.
    private let depth, step: Int
    private let c: UnsafeMutablePointer<Float>
    private let outputs: Int
    private let bias: UnsafeMutablePointer<Float>?
    /// What is added, laid out like `c`; may be `c`.
    private let before: UnsafeMutablePointer<Float>?
    private let factor: Float
    private let ahead: UnsafeMutableRawPointer?
    /// Sums of the steps so far.
    private let sums: UnsafeMutablePointer<Float16>

    /// Numbers of scratch.
    static let scratch = 12 * 64

    /// Adds the products of prepared rows with a piece of a panel to 64 columns of the result.
    /// - Parameters:
    ///   - rows: number of rows.
    ///   - a: doubled words, rows `PanelProduct.rowStride` apart.
    ///   - b: [depth, 64] half-precision numbers.
    ///   - depth: number of inputs, at most `PanelProduct.chunk`.
    ///   - step: inputs that are summed one after the other at most; sums of steps are added up in half precision, those of the piece in float32.
    ///   - c: the first row's columns.
    ///   - outputs: floats from one row of the result to the next.
    ///   - bias: added to each row, or nil.
    ///   - before: what is added, laid out like `c`, or nil; may be `c`.
    ///   - factor: the products are multiplied by it.
    ///   - ahead: what is brought into the cache meanwhile, of the size of `b`.
    ///   - sums: `scratch` numbers.
    @inline(__always)
    static func run(
        rows: Int, a: UnsafeMutablePointer<UInt32>, b: UnsafeMutableRawPointer, depth: Int, step: Int,
        c: UnsafeMutablePointer<Float>, outputs: Int, bias: UnsafeMutablePointer<Float>?, before: UnsafeMutablePointer<Float>?,
        factor: Float,
        ahead: UnsafeMutableRawPointer, sums: UnsafeMutablePointer<Float16>
    ) {
        // Steps of equal lengths, but for the last.
        let steps = (depth + step - 1) / step
        let step = (depth + steps - 1) / steps
        var row = 0
        while row < rows {
            let tile = HalfTile(
                a: a + row * PanelProduct.rowStride, b: b, depth: depth, step: step, c: c + row * outputs, outputs: outputs,
                bias: bias, before: before.map { $0 + row * outputs }, factor: factor, ahead: row == 0 ? ahead : nil, sums: sums)
            row += tile.run(rows - row)
        }
    }

    /// Does as many rows as fit a tile.
    /// - Returns: how many.
    @inline(__always)
    private func run(_ rows: Int) -> Int {
        if rows >= 12 {
            twelve()
            return 12
        }
        if rows >= 8 {
            eight()
            return 8
        }
        if rows >= 4 {
            four()
            return 4
        }
        one()
        return 1
    }

    @inline(never)
    private func twelve() { multiply(TwelveHalfRows.self) }

    @inline(never)
    private func eight() { multiply(EightHalfRows.self) }

    @inline(never)
    private func four() { multiply(FourHalfRows.self) }

    @inline(never)
    private func one() { multiply(OneHalfRow.self) }

    @inline(__always)
    private func multiply<Rows: HalfRows>(_ type: Rows.Type) {
        var start = 0
        while start < depth {
            let end = min(depth, start + step)
            var rows = Rows()
            each(start..<end) { k, b0, b1 in rows.add(a + k, PanelProduct.rowStride, b0, b1) }
            if start > 0 { rows.each { row, index in row.add(sums + index * 64) } }
            if end < depth {
                rows.each { row, index in row.store(sums + index * 64) }
            } else {
                rows.each { row, index in store(row, index * outputs) }
            }
            start = end
        }
    }

    @inline(__always)
    private func store(_ row: HalfRow, _ at: Int) {
        row.eachSixteen { sums, column in
            var start = before.map { $0.lanes(at + column) } ?? .zero
            if let bias { start += bias.lanes(column) }
            c.store(VectorMath.multiplyAdd(sums, Lanes(repeating: factor), start), at + column)
        }
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
}
