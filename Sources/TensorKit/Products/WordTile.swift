import COneDNN

/// What a word of a row gives with sixteen words of a panel.
protocol WordProduct {
    /// sums + a b, lane by lane.
    static func add(_ sums: Lanes, _ a: Words, _ b: Words) -> Lanes
    /// Lines of 64 bytes that the words of 64 columns fill.
    static var lines: Int { get }
    /// Words of 64 columns, sixteen by sixteen.
    static func load(_ columns: UnsafeRawPointer, _ sixteen: Int) -> Words
}

extension WordProduct {
    static var lines: Int { 4 }

    @_transparent
    static func load(_ columns: UnsafeRawPointer, _ sixteen: Int) -> Words {
        (columns + 64 * sixteen).loadUnaligned(as: Words.self)
    }
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

/// Words are float32 numbers, those of a panel kept in half precision.
enum WidenedWords: WordProduct {
    static var lines: Int { 2 }

    @_transparent
    static func load(_ columns: UnsafeRawPointer, _ sixteen: Int) -> Words {
        unsafeBitCast(w2w_half_widen((columns + 32 * sixteen).loadUnaligned(as: SIMD16<UInt16>.self)), to: Words.self)
    }

    @_transparent
    static func add(_ sums: Lanes, _ a: Words, _ b: Words) -> Lanes { w2w_float_dot(sums, a, b) }
}

/// A row of 64 sums.
struct WordRow {
    var x, y, z, w: Lanes

    @inline(__always)
    init(from start: Float) {
        x = Lanes(repeating: start)
        (y, z, w) = (x, x, x)
    }

    @inline(__always)
    init(_ row: UnsafeMutablePointer<Float>) {
        (x, y, z, w) = (row.lanes(0), row.lanes(16), row.lanes(32), row.lanes(48))
    }

    @inline(__always)
    func store(_ row: UnsafeMutablePointer<Float>) {
        row.store(x, 0)
        row.store(y, 16)
        row.store(z, 32)
        row.store(w, 48)
    }
}

/// What becomes of a tile's sums.
protocol WordSink {
    /// What all sums start from.
    var start: Float { get }
    /// - Parameters:
    ///   - sums: of a row.
    ///   - row: its number.
    mutating func take(_ sums: WordRow, _ row: Int)
    /// - Parameters:
    ///   - sums: of a row with an even number.
    ///   - next: of the row after it.
    ///   - row: number of the first.
    mutating func take(_ sums: WordRow, _ next: WordRow, _ row: Int)
}

/// Sums are stored, with what is to be added to them.
struct SumSink: WordSink {
    /// The first row's columns, and floats from one row to the next.
    let c: UnsafeMutablePointer<Float>
    let apart: Int
    /// Added to each row, or nil.
    var bias: UnsafeMutablePointer<Float>?
    /// What is added, laid out like `c`, or nil; may be `c`.
    var before: UnsafeMutablePointer<Float>?
    /// Whether sums go past the caches, where all rows lie at whole lines.
    var streams = false
    var start: Float { 0 }

    @inline(__always)
    func take(_ sums: WordRow, _ row: Int) {
        let at = row * apart
        store(sums.x, at, 0)
        store(sums.y, at, 16)
        store(sums.z, at, 32)
        store(sums.w, at, 48)
    }

    @inline(__always)
    func take(_ sums: WordRow, _ next: WordRow, _ row: Int) {
        take(sums, row)
        take(next, row + 1)
    }

    @inline(__always)
    private func store(_ sums: Lanes, _ at: Int, _ column: Int) {
        var sums = sums
        if let before { sums += before.lanes(at + column) }
        if let bias { sums += bias.lanes(column) }
        if streams { c.stream(sums, at + column) } else { c.store(sums, at + column) }
    }
}

/// Up to six rows by 64 columns of products, summed in float32 and held in registers.
struct WordTile<Product: WordProduct, Sink: WordSink> {
    /// Number of the first row.
    private let first: Int
    /// Rows `stride` words apart.
    private let a: UnsafeMutablePointer<UInt32>
    private let stride: Int
    /// For each word of a row those of 64 columns.
    private let b: UnsafeMutableRawPointer
    /// Words of a row.
    private let depth: Int
    /// What is brought into the cache meanwhile, and how many bytes of it with each word: part of a line, or whole ones.
    private let ahead: UnsafeMutableRawPointer?
    private let aheadStep: Int

    /// Products of rows with a piece of a panel.
    /// - Parameters:
    ///   - rows: number of rows.
    ///   - a: rows of words.
    ///   - stride: words from one row to the next.
    ///   - b: [depth, 64] words.
    ///   - depth: words of a row.
    ///   - sink: takes the sums.
    ///   - ahead: what is brought into the cache meanwhile, or nil.
    ///   - aheadBytes: how much of it; nil: as much as `b`.
    @inline(__always)
    static func run(
        rows: Int, a: UnsafeMutablePointer<UInt32>, stride: Int, b: UnsafeMutableRawPointer, depth: Int, into sink: inout Sink,
        ahead: UnsafeMutableRawPointer? = nil, aheadBytes: Int? = nil
    ) {
        // Spread over up to four tiles, so that none waits for memory.
        let bytes = aheadBytes ?? depth * 64 * Product.lines
        let words = depth * min(4, (rows + 5) / 6)
        let step = (bytes + words - 1) / words
        let aheadStep = step <= 64 ? step : (step + 63) / 64 * 64
        var (row, fetched) = (0, 0)
        while row < rows {
            let next = fetched < bytes ? ahead.map { $0 + fetched } : nil
            let tile = WordTile(
                first: row, a: a + row * stride, stride: stride, b: b, depth: depth, ahead: next, aheadStep: aheadStep)
            row += tile.run(rows - row, &sink)
            fetched += aheadStep * depth
        }
    }

    /// Does as many rows as fit a tile.
    /// - Returns: how many.
    @inline(__always)
    private func run(_ rows: Int, _ sink: inout Sink) -> Int {
        // Two tiles of four hide the instructions' latency better than one of six and one of two.
        if rows >= 6 && rows != 8 {
            six(&sink)
            return 6
        }
        if rows >= 4 {
            four(&sink)
            return 4
        }
        if rows >= 2 {
            two(&sink)
            return 2
        }
        one(&sink)
        return 1
    }

    /// The words of 64 columns.
    private struct Columns {
        let x, y, z, w: Words

        @inline(__always)
        init(_ at: UnsafeMutableRawPointer) {
            let at = UnsafeRawPointer(at)
            (x, y, z, w) = (Product.load(at, 0), Product.load(at, 1), Product.load(at, 2), Product.load(at, 3))
        }
    }

    @inline(__always)
    private func add(_ row: inout WordRow, _ word: UInt32, _ b: Columns) {
        let a = Words(repeating: word)
        row.x = Product.add(row.x, a, b.x)
        row.y = Product.add(row.y, a, b.y)
        row.z = Product.add(row.z, a, b.z)
        row.w = Product.add(row.w, a, b.w)
    }

    /// Calls `body` with the number of a word and its partners.
    @inline(__always)
    private func each(_ body: (_ k: Int, _ b: Columns) -> Void) {
        if let ahead, aheadStep <= 64 {
            for k in 0..<depth {
                w2w_prefetch(ahead + k * aheadStep)
                body(k, Columns(b + k * 64 * Product.lines))
            }
        } else if let ahead {
            for k in 0..<depth {
                for line in Swift.stride(from: 0, to: aheadStep, by: 64) { w2w_prefetch(ahead + k * aheadStep + line) }
                body(k, Columns(b + k * 64 * Product.lines))
            }
        } else {
            for k in 0..<depth { body(k, Columns(b + k * 64 * Product.lines)) }
        }
    }

    @inline(__always)
    private func six(_ sink: inout Sink) {
        let start = WordRow(from: sink.start)
        var (r0, r1, r2, r3, r4, r5) = (start, start, start, start, start, start)
        let a3 = a + 3 * stride
        each { k, b in
            add(&r0, a[k], b)
            add(&r1, a[k + stride], b)
            add(&r2, a[k + 2 * stride], b)
            add(&r3, a3[k], b)
            add(&r4, a3[k + stride], b)
            add(&r5, a3[k + 2 * stride], b)
        }
        sink.take(r0, r1, first)
        sink.take(r2, r3, first + 2)
        sink.take(r4, r5, first + 4)
    }

    @inline(never)
    private func four(_ sink: inout Sink) {
        let start = WordRow(from: sink.start)
        var (r0, r1, r2, r3) = (start, start, start, start)
        each { k, b in
            add(&r0, a[k], b)
            add(&r1, a[k + stride], b)
            add(&r2, a[k + 2 * stride], b)
            add(&r3, a[k + 3 * stride], b)
        }
        sink.take(r0, r1, first)
        sink.take(r2, r3, first + 2)
    }

    @inline(never)
    private func two(_ sink: inout Sink) {
        var (r0, r1) = (WordRow(from: sink.start), WordRow(from: sink.start))
        each { k, b in
            add(&r0, a[k], b)
            add(&r1, a[k + stride], b)
        }
        sink.take(r0, r1, first)
    }

    @inline(never)
    private func one(_ sink: inout Sink) {
        var r0 = WordRow(from: sink.start)
        each { k, b in add(&r0, a[k], b) }
        sink.take(r0, first)
    }
}
