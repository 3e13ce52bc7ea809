import COneDNN

/// What a word of a row gives with sixteen words of a panel.
protocol WordProduct {
    /// sums + a b, lane by lane.
    static func add(_ sums: Lanes, _ a: Words, _ b: Words) -> Lanes
}

/// Words are pairs of bfloat16 numbers: both products are added.
enum BrainWords: WordProduct {
    @_transparent
    static func add(_ sums: Lanes, _ a: Words, _ b: Words) -> Lanes { w2w_brain_dot(sums, a, b) }
}

/// Words are float32 numbers.
enum FloatWords: WordProduct {
    @_transparent
    static func add(_ sums: Lanes, _ a: Words, _ b: Words) -> Lanes { w2w_float_dot(sums, a, b) }
}

/// Up to six rows by 64 columns of products, summed in float32 and held in registers.
struct WordTile<Product: WordProduct> {
    /// Rows `stride` words apart.
    private let a: UnsafeMutablePointer<UInt32>
    private let stride: Int
    /// For each word of a row those of 64 columns.
    private let b: UnsafeMutableRawPointer
    /// Words of a row.
    private let depth: Int
    private let c: UnsafeMutablePointer<Float>
    private let outputs: Int
    private let bias: UnsafeMutablePointer<Float>?
    /// What is added, laid out like `c`; may be `c`.
    private let before: UnsafeMutablePointer<Float>?
    /// Lines that are brought into the cache meanwhile, and how many for each word.
    private let ahead: UnsafeMutableRawPointer?
    private let aheadLines: Int

    /// Adds the products of rows with a piece of a panel to 64 columns of the result.
    /// - Parameters:
    ///   - rows: number of rows.
    ///   - a: rows of words.
    ///   - stride: words from one row to the next.
    ///   - b: [depth, 64] words.
    ///   - depth: words of a row.
    ///   - c: the first row's columns.
    ///   - outputs: floats from one row of the result to the next.
    ///   - bias: added to each row, or nil.
    ///   - before: what is added, laid out like `c`, or nil; may be `c`.
    ///   - ahead: what is brought into the cache meanwhile, of the size of `b`; or nil.
    @inline(__always)
    static func run(
        rows: Int, a: UnsafeMutablePointer<UInt32>, stride: Int, b: UnsafeMutableRawPointer, depth: Int,
        c: UnsafeMutablePointer<Float>, outputs: Int, bias: UnsafeMutablePointer<Float>? = nil,
        before: UnsafeMutablePointer<Float>? = nil, ahead: UnsafeMutableRawPointer? = nil
    ) {
        // The first four tiles bring a quarter each, so that none waits for memory; fewer tiles bring more.
        let aheadLines = rows > 18 ? 1 : rows > 6 ? 2 : 4
        var (row, fetched) = (0, 0)
        while row < rows {
            let next = fetched < 4 ? ahead.map { $0 + fetched * depth * 64 } : nil
            let tile = WordTile(
                a: a + row * stride, stride: stride, b: b, depth: depth, c: c + row * outputs, outputs: outputs, bias: bias,
                before: before.map { $0 + row * outputs }, ahead: next, aheadLines: aheadLines)
            row += tile.run(rows - row)
            fetched += aheadLines
        }
    }

    /// Does as many rows as fit a tile.
    /// - Returns: how many.
    @inline(__always)
    private func run(_ rows: Int) -> Int {
        // Two tiles of four hide the instructions' latency better than one of six and one of two.
        if rows >= 6 && rows != 8 {
            six()
            return 6
        }
        if rows >= 4 {
            four()
            return 4
        }
        if rows >= 2 {
            two()
            return 2
        }
        one()
        return 1
    }

    /// One row of the result.
    private struct Row {
        var x = Lanes.zero, y = Lanes.zero, z = Lanes.zero, w = Lanes.zero

        @inline(__always)
        mutating func add(_ word: UInt32, _ b: Columns) {
            let a = Words(repeating: word)
            x = Product.add(x, a, b.x)
            y = Product.add(y, a, b.y)
            z = Product.add(z, a, b.z)
            w = Product.add(w, a, b.w)
        }

        @inline(__always)
        func store(_ tile: WordTile, _ row: Int) {
            let at = row * tile.outputs
            tile.store(x, at, 0)
            tile.store(y, at, 16)
            tile.store(z, at, 32)
            tile.store(w, at, 48)
        }
    }

    /// The words of 64 columns.
    private struct Columns {
        let x, y, z, w: Words

        @inline(__always)
        init(_ at: UnsafeMutableRawPointer) {
            let at = UnsafeRawPointer(at)
            x = at.loadUnaligned(as: Words.self)
            y = (at + 64).loadUnaligned(as: Words.self)
            z = (at + 128).loadUnaligned(as: Words.self)
            w = (at + 192).loadUnaligned(as: Words.self)
        }
    }

    @inline(__always)
    private func store(_ sums: Lanes, _ at: Int, _ column: Int) {
        var sums = sums
        if let before { sums += before.lanes(at + column) }
        if let bias { sums += bias.lanes(column) }
        c.store(sums, at + column)
    }

    /// Calls `body` with the number of a word and its partners.
    @inline(__always)
    private func each(_ body: (_ k: Int, _ b: Columns) -> Void) {
        if let ahead, aheadLines == 1 {
            for k in 0..<depth {
                w2w_prefetch(ahead + k * 64)
                body(k, Columns(b + k * 256))
            }
        } else if let ahead {
            for k in 0..<depth {
                for line in 0..<aheadLines { w2w_prefetch(ahead + (k * aheadLines + line) * 64) }
                body(k, Columns(b + k * 256))
            }
        } else {
            for k in 0..<depth { body(k, Columns(b + k * 256)) }
        }
    }

    @inline(never)
    private func six() {
        var (r0, r1, r2, r3, r4, r5) = (Row(), Row(), Row(), Row(), Row(), Row())
        let a3 = a + 3 * stride
        each { k, b in
            r0.add(a[k], b)
            r1.add(a[k + stride], b)
            r2.add(a[k + 2 * stride], b)
            r3.add(a3[k], b)
            r4.add(a3[k + stride], b)
            r5.add(a3[k + 2 * stride], b)
        }
        r0.store(self, 0)
        r1.store(self, 1)
        r2.store(self, 2)
        r3.store(self, 3)
        r4.store(self, 4)
        r5.store(self, 5)
    }

    @inline(never)
    private func four() {
        var (r0, r1, r2, r3) = (Row(), Row(), Row(), Row())
        each { k, b in
            r0.add(a[k], b)
            r1.add(a[k + stride], b)
            r2.add(a[k + 2 * stride], b)
            r3.add(a[k + 3 * stride], b)
        }
        r0.store(self, 0)
        r1.store(self, 1)
        r2.store(self, 2)
        r3.store(self, 3)
    }

    @inline(never)
    private func two() {
        var (r0, r1) = (Row(), Row())
        each { k, b in
            r0.add(a[k], b)
            r1.add(a[k + stride], b)
        }
        r0.store(self, 0)
        r1.store(self, 1)
    }

    @inline(never)
    private func one() {
        var r0 = Row()
        each { k, b in r0.add(a[k], b) }
        r0.store(self, 0)
    }
}
