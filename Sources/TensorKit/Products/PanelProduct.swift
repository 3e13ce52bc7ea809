import COneDNN

/// Products of sixteen-bit numbers: twice as many to an instruction as of float32 where the processor has them (AVX512_FP16, AVX512_BF16).
///
/// Products of bfloat16 numbers are exact and summed in float32. Of binary16 numbers up to `step` products are summed one after the other in half precision, the sums of up to `chunk` of them added up there, then added to
/// float32 sums, so the error does not grow with the number of inputs (about 1.2e-3 of the result, less than bfloat16's operands alone would make
/// it). Rows are scaled by a power of two to below `rowBound`, weights to below two: the sum of `chunk` products stays below half precision's
/// largest number, whatever the numbers are: 2 * 64 * 256 < 65504.
struct PanelProduct {
    /// Products that are summed one after the other at most.
    static let step = 96
    static let rowBound: Float = 64
    /// Rows whose inputs are prepared together at most.
    static let rowBlock = 132
    /// Inputs that are prepared together; a panel's share of as many stays in the first cache (in the second, of bfloat16 numbers, whose prepared
    /// rows are half as long).
    static let chunk = 256
    static func chunk(_ number: PanelNumber) -> Int { number == .bfloat16 ? 2 * chunk : chunk }
    /// Words from one prepared row of a piece to the next.
    static let rowStride = chunk + 16

    /// Where rows come from.
    enum Source {
        /// One after the other, `panels.inputs` numbers each.
        case matrix(UnsafeMutablePointer<Float>)
        /// What the positions of a convolution's result see.
        case image(PanelImage)
    }

    let panels: WeightPanels

    /// What becomes of the products.
    enum Target {
        /// y = x W + bias + residual, rows of `outputs` numbers.
        case rows(UnsafeMutablePointer<Float>, adding: UnsafeMutablePointer<Float>?)
        /// The first half of the outputs times the GELU of the second, rows of `outputs / 2` numbers; of an even number of panels.
        case gated(UnsafeMutablePointer<Float>)

        /// Whether results of so many rows are better sent past the caches.
        func isWorthStreaming(rows: Int, outputs: Int) -> Bool {
            switch self {
            case .rows(let y, _): y.isWorthStreaming(count: rows * outputs, rowLength: outputs)
            case .gated(let y): y.isWorthStreaming(count: rows * outputs / 2, rowLength: outputs / 2)
            }
        }
    }

    /// Products with all rows.
    /// - Parameters:
    ///   - source: rows of inputs.
    ///   - rows: number of rows.
    ///   - weights: in these panels.
    ///   - bias: one number for each output, or nil.
    ///   - target: where they go.
    func multiply(
        _ source: Source, rows: Int, weights: UnsafeMutableRawPointer, bias: UnsafeMutablePointer<Float>?, into target: Target
    ) {
        var (count, isGated) = (panels.outputs / WeightPanels.width, false)
        if case .gated = target { (count, isGated) = (count / 2, true) }
        let threads = rows * panels.inputs * panels.outputs < 1 << 18 ? 1 : Parallel.threads
        let splitsRows = rows >= 96 * Parallel.threads || count < Parallel.threads
        let parts = splitsRows ? min(threads, (rows + 11) / 12) : min(threads, count)
        let pieces = PanelPieces(panels, source, rows: rows, isGated: isGated)
        let wordCount = pieces.bufferWords
        let size = wordCount + HalfTile.scratch / 2 + pieces.blockRows * 2 * WeightPanels.width
        let streams = target.isWorthStreaming(rows: rows, outputs: panels.outputs)
        let scratch = Tensor(uninitialized: [parts, size])
        let buffers = scratch.pointer
        func work(_ part: Int, _ rows: Range<Int>, _ panels: Range<Int>) -> Work {
            let buffer = buffers + part * size
            return Work(
                source: source, weights: weights, bias: bias, target: target, pieces: pieces,
                words: UnsafeMutableRawPointer(buffer).bindMemory(to: UInt32.self, capacity: wordCount),
                sums: UnsafeMutableRawPointer(buffer + wordCount).bindMemory(to: Float16.self, capacity: HalfTile.scratch),
                pair: buffer + wordCount + HalfTile.scratch / 2, streams: streams, rows: rows, panels: panels)
        }
        if splitsRows {
            Parallel.run(parts) { part in
                let tiles = (rows + 11) / 12
                let own = min(rows, tiles * part / parts * 12)..<min(rows, tiles * (part + 1) / parts * 12)
                multiply(work(part, own, 0..<count)) { (0..<count).forEach($0) }
            }
        } else if pieces.order == .panelByPanel && rows <= pieces.blockRows {
            // All rows are prepared once by each thread: for whichever panels.
            Parallel.share(count, parts: parts) { part, take in
                multiply(work(part, 0..<rows, 0..<count)) { body in
                    while let panel = take() { body(panel) }
                }
            }
        } else {
            Parallel.run(parts) { part in
                let panels = count * part / parts..<count * (part + 1) / parts
                multiply(work(part, 0..<rows, panels)) { panels.forEach($0) }
            }
        }
        withExtendedLifetime(scratch) {}
    }

    /// The share of a thread.
    private struct Work {
        let source: Source
        let weights: UnsafeMutableRawPointer
        let bias: UnsafeMutablePointer<Float>?
        let target: Target
        let pieces: PanelPieces
        /// Prepared rows.
        let words: UnsafeMutablePointer<UInt32>
        /// Scratch of `HalfTile`.
        let sums: UnsafeMutablePointer<Float16>
        /// Products with a panel and with that of its gates.
        let pair: UnsafeMutablePointer<Float>
        /// Whether the results go past the caches.
        let streams: Bool
        let rows: Range<Int>
        /// Of a gated target those of the first half.
        let panels: Range<Int>
    }

    /// Rows that are multiplied together.
    private struct Block {
        let first, count: Int
        /// What prepared numbers were multiplied by.
        let scale: Float
    }

    /// Where the products with a panel go.
    private struct Columns {
        let c: UnsafeMutablePointer<Float>
        /// Floats from one row to the next.
        let apart: Int
        /// What is added, laid out like `c`.
        let residual: UnsafeMutablePointer<Float>?
        /// Whether finished sums go past the caches.
        var streams = false
    }

    /// - Parameters:
    ///   - work: what is to be done.
    ///   - eachPanel: calls its argument with the thread's panels.
    private func multiply(_ work: Work, _ eachPanel: (_ body: (Int) -> Void) -> Void) {
        let (rows, pieces, outputs) = (work.rows, work.pieces, panels.outputs)
        guard !rows.isEmpty else { return }
        defer { if work.streams { w2w_stream_end() } }
        // Blocks of equal numbers of whole tiles.
        let blocks = (rows.count + pieces.blockRows - 1) / pieces.blockRows
        let blockRows = ((rows.count + 11) / 12 + blocks - 1) / blocks * 12
        for first in stride(from: rows.lowerBound, to: rows.upperBound, by: blockRows) {
            let count = min(blockRows, rows.upperBound - first)
            let block = Block(first: first, count: count, scale: scale(work.source, first, count))
            func columns(_ panel: Int, _ y: UnsafeMutablePointer<Float>, _ residual: UnsafeMutablePointer<Float>?) -> Columns {
                let at = first * outputs + panel * WeightPanels.width
                return Columns(c: y + at, apart: outputs, residual: residual.map { $0 + at }, streams: work.streams)
            }
            switch work.target {
            case .rows(let y, let residual) where pieces.order == .panelByPanel:
                prepareAll(block, work)
                eachPanel { multiply($0, block, into: columns($0, y, residual), next: $0 + 1, work) }
            case .rows(let y, let residual):
                pieces.each { piece in
                    prepare(work.source, block, piece, work.words)
                    for panel in work.panels {
                        let (next, at) =
                            panel + 1 < work.panels.upperBound ? (panel + 1, piece.first) : (work.panels.lowerBound, piece.end)
                        add(
                            panel, piece, work.words, Self.rowStride, block, to: columns(panel, y, residual), next: (next, at),
                            work)
                    }
                }
            case .gated(let y):
                prepareAll(block, work)
                let half = outputs / WeightPanels.width / 2
                eachPanel { panel in
                    let (values, gates) = (work.pair, work.pair + WeightPanels.width)
                    let apart = 2 * WeightPanels.width
                    multiply(panel, block, into: Columns(c: values, apart: apart, residual: nil), next: half + panel, work)
                    multiply(half + panel, block, into: Columns(c: gates, apart: apart, residual: nil), next: panel + 1, work)
                    for row in 0..<count {
                        let to = y + (first + row) * (outputs / 2) + panel * WeightPanels.width
                        let row = values + row * apart
                        if panels.number == .bfloat16 {
                            Kernels.gateRow(row, WeightPanels.width, into: to, streams: work.streams, BrainGELU.self)
                        } else {
                            Kernels.gateRow(row, WeightPanels.width, into: to, streams: work.streams, GELU.self)
                        }
                    }
                }
            }
        }
    }

    /// All products of a block's prepared rows with a panel.
    private func multiply(_ panel: Int, _ block: Block, into columns: Columns, next: Int, _ work: Work) {
        work.pieces.each { piece in
            let (words, stride) = inPlace(work, block, piece) ?? (work.words + work.pieces.offset(piece), Self.rowStride)
            let isLast = piece.end == panels.inputs
            add(panel, piece, words, stride, block, to: columns, next: isLast ? (next, 0) : (panel, piece.end), work)
        }
    }

    /// Adds the products with a piece of a panel, whose prepared rows lie `stride` words apart; what comes next, a panel and an input, is asked
    /// for meanwhile.
    @inline(__always)
    private func add(
        _ panel: Int, _ piece: PanelPieces.Piece, _ words: UnsafeMutablePointer<UInt32>, _ stride: Int, _ block: Block,
        to columns: Columns, next: (panel: Int, input: Int), _ work: Work
    ) {
        let (b, ahead) = (
            panels.panel(panel, from: piece.first, in: work.weights), panels.panel(next.panel, from: next.input, in: work.weights)
        )
        let isFirst = piece.number == 0
        let bias = isFirst ? work.bias.map { $0 + panel * WeightPanels.width } : nil
        let before = isFirst ? columns.residual : columns.c
        var sink = SumSink(
            c: columns.c, apart: columns.apart, bias: bias, before: before, streams: columns.streams && piece.end == panels.inputs
        )
        switch panels.number {
        case .bfloat16:
            WordTile<BrainWords, SumSink>.run(
                rows: block.count, a: words, stride: stride, b: b, depth: piece.count / 2, into: &sink, ahead: ahead)
        case .float32 where panels.kept == .binary16:
            WordTile<WidenedWords, SumSink>.run(
                rows: block.count, a: words, stride: stride, b: b, depth: piece.count, into: &sink, ahead: ahead)
        case .float32:
            WordTile<FloatWords, SumSink>.run(
                rows: block.count, a: words, stride: stride, b: b, depth: piece.count, into: &sink, ahead: ahead)
        case .binary16:
            HalfTile.run(
                rows: block.count, a: words, b: b, depth: piece.count, step: Self.step, c: columns.c,
                outputs: columns.apart, bias: bias, before: before, factor: panels.factor(panel, in: work.weights) / block.scale,
                ahead: ahead, sums: work.sums)
        }
    }

    private func scale(_ source: Source, _ first: Int, _ count: Int) -> Float {
        if panels.number != .binary16 { return 1 }
        return switch source {
        case .matrix(let x):
            HalfMath.scale(
                largest: HalfMath.largest(x + first * panels.inputs, count: count * panels.inputs), below: Self.rowBound)
        case .image(let image): image.scale
        }
    }

    /// Rows of float32 numbers are used where they are.
    @inline(__always)
    private func inPlace(_ work: Work, _ block: Block, _ piece: PanelPieces.Piece) -> (UnsafeMutablePointer<UInt32>, Int)? {
        guard work.pieces.areInPlace, case .matrix(let x) = work.source else { return nil }
        let first = UnsafeMutableRawPointer(x + block.first * panels.inputs + piece.first)
        return (first.assumingMemoryBound(to: UInt32.self), panels.inputs)
    }

    private func prepareAll(_ block: Block, _ work: Work) {
        guard !work.pieces.areInPlace else { return }
        work.pieces.each { prepare(work.source, block, $0, work.words + work.pieces.offset($0)) }
    }

    /// Brings a piece of a block's rows into the buffer, rows `rowStride` words apart.
    private func prepare(_ source: Source, _ block: Block, _ piece: PanelPieces.Piece, _ buffer: UnsafeMutablePointer<UInt32>) {
        @inline(__always)
        func narrow(_ from: UnsafeMutablePointer<Float>, _ to: UnsafeMutablePointer<UInt32>) {
            switch panels.number {
            case .bfloat16: BrainMath.narrow(from, count: piece.count, into: to)
            case .float32: UnsafeMutableRawPointer(to).copyMemory(from: from, byteCount: 4 * piece.count)
            case .binary16: HalfMath.double(from, count: piece.count, factor: block.scale, into: to)
            }
        }
        for row in 0..<block.count {
            let to = buffer + row * Self.rowStride
            switch source {
            case .matrix(let x): narrow(x + (block.first + row) * panels.inputs + piece.first, to)
            case .image(let image):
                if let from = image.pixel(block.first + row, piece.tap) {
                    narrow(from + piece.channel, to)
                } else {
                    to.update(repeating: 0, count: piece.count)
                }
            }
        }
    }
}
