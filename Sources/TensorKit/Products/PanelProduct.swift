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
    /// Rows whose inputs are prepared together.
    static let rowBlock = 132
    /// Inputs that are prepared together; a panel's share of as many stays in the first cache (in the second, of bfloat16 numbers, whose prepared
    /// rows are half as long).
    static let chunk = 256
    static func chunk(_ number: PanelNumber) -> Int { number == .bfloat16 ? 2 * chunk : chunk }
    /// Words from one prepared row to the next.
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
        /// The first half of the outputs times the GELU of the second, rows of `outputs / 2` numbers; for many rows.
        case gated(UnsafeMutablePointer<Float>)
    }

    /// Whether the threads share the rows rather than the outputs.
    func splitsRows(_ rows: Int) -> Bool {
        rows >= 96 * Parallel.threads || panels.outputs / WeightPanels.width < Parallel.threads
    }

    /// Products with all rows.
    /// - Parameters:
    ///   - source: rows of inputs.
    ///   - rows: number of rows.
    ///   - weights: in these panels.
    ///   - bias: one number for each output, or nil.
    ///   - target: where they go; gated only where the threads share the rows.
    func multiply(
        _ source: Source, rows: Int, weights: UnsafeMutableRawPointer, bias: UnsafeMutablePointer<Float>?, into target: Target
    ) {
        let count = panels.outputs / WeightPanels.width
        let threads = rows * panels.inputs * panels.outputs < 1 << 18 ? 1 : Parallel.threads
        let splitsRows = splitsRows(rows)
        let parts = splitsRows ? min(threads, (rows + 11) / 12) : min(threads, count)
        var size = Self.rowBlock * Self.rowStride + HalfTile.scratch / 2
        let before = size
        if case .gated = target { size += Self.rowBlock * panels.outputs }
        let scratch = Tensor(uninitialized: [parts, size])
        let buffers = scratch.pointer
        Parallel.run(parts) { part in
            var work = Work(
                source: source, weights: weights, bias: bias, target: target,
                words: UnsafeMutableRawPointer(buffers + part * size).bindMemory(to: UInt32.self, capacity: before),
                wide: buffers + part * size + before)
            if splitsRows {
                let tiles = (rows + 11) / 12
                work.rows = min(rows, tiles * part / parts * 12)..<min(rows, tiles * (part + 1) / parts * 12)
                work.panels = 0..<count
            } else {
                work.rows = 0..<rows
                work.panels = count * part / parts..<count * (part + 1) / parts
            }
            multiply(work)
        }
        withExtendedLifetime(scratch) {}
    }

    /// The share of a thread.
    private struct Work {
        let source: Source
        let weights: UnsafeMutableRawPointer
        let bias: UnsafeMutablePointer<Float>?
        let target: Target
        /// Prepared rows.
        let words: UnsafeMutablePointer<UInt32>
        /// All outputs of a block of rows before they are gated.
        let wide: UnsafeMutablePointer<Float>
        var rows = 0..<0
        var panels = 0..<0
    }

    private func multiply(_ work: Work) {
        let (rows, range, outputs) = (work.rows, work.panels, panels.outputs)
        guard !rows.isEmpty else { return }
        // Blocks of equal numbers of whole tiles, and chunks of equal numbers of channels, but for the last.
        let blocks = (rows.count + Self.rowBlock - 1) / Self.rowBlock
        let blockRows = ((rows.count + 11) / 12 + blocks - 1) / blocks * 12
        let chunk = Self.chunk(panels.number)
        let pieces = (panels.channels + chunk - 1) / chunk
        let depth = ((panels.channels + 15) / 16 + pieces - 1) / pieces * 16
        let taps = panels.inputs / panels.channels
        let sums = UnsafeMutableRawPointer(work.words + Self.rowBlock * Self.rowStride).assumingMemoryBound(to: Float16.self)
        func block(_ panel: Int, _ input: Int) -> UnsafeMutableRawPointer {
            panels.panel(panel, from: input, in: work.weights)
        }
        for first in stride(from: rows.lowerBound, to: rows.upperBound, by: blockRows) {
            let count = min(blockRows, rows.upperBound - first)
            let scale = scale(work.source, first, count)
            let (results, residual): (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>?) =
                switch work.target {
                case .rows(let y, let residual): (y + first * outputs, residual.map { $0 + first * outputs })
                case .gated: (work.wide, nil)
                }
            for tap in 0..<taps {
                for channel in stride(from: 0, to: panels.channels, by: depth) {
                    let inputs = min(depth, panels.channels - channel)
                    var (words, apart) = (work.words, Self.rowStride)
                    if panels.number == .float32, case .matrix(let x) = work.source {
                        // Rows of float32 numbers are used where they are.
                        words = UnsafeMutableRawPointer(x + first * panels.inputs + channel).assumingMemoryBound(to: UInt32.self)
                        apart = panels.inputs
                    } else {
                        prepare(work.source, first, count, tap, channel, inputs, scale, words)
                    }
                    let isFirst = tap == 0 && channel == 0
                    let at = tap * panels.channels + channel
                    for panel in range {
                        let b = block(panel, at)
                        // What comes next is asked for while this is calculated.
                        var next = b
                        if panel + 1 < range.upperBound {
                            next = block(panel + 1, at)
                        } else if at + inputs < panels.inputs {
                            next = block(range.lowerBound, at + inputs)
                        }
                        let column = panel * WeightPanels.width
                        let (c, bias) = (results + column, isFirst ? work.bias.map { $0 + column } : nil)
                        let before = (isFirst ? residual : results).map { $0 + column }
                        switch panels.number {
                        case .bfloat16:
                            WordTile<BrainWords>.run(
                                rows: count, a: words, stride: apart, b: b, depth: inputs / 2, c: c, outputs: outputs,
                                bias: bias, before: before, ahead: next)
                        case .float32:
                            WordTile<FloatWords>.run(
                                rows: count, a: words, stride: apart, b: b, depth: inputs, c: c, outputs: outputs, bias: bias,
                                before: before, ahead: next)
                        case .binary16:
                            HalfTile.run(
                                rows: count, a: work.words, b: b, depth: inputs, step: Self.step, c: c, outputs: outputs,
                                bias: bias, before: before, factor: panels.factor(panel, in: work.weights) / scale, ahead: next,
                                sums: sums)
                        }
                    }
                }
            }
            if case .gated(let y) = work.target {
                for row in 0..<count {
                    Kernels.gateRow(work.wide + row * outputs, outputs / 2, into: y + (first + row) * (outputs / 2))
                }
            }
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

    /// Brings some inputs of some rows into the buffer.
    private func prepare(
        _ source: Source, _ first: Int, _ count: Int, _ tap: Int, _ channel: Int, _ inputs: Int, _ scale: Float,
        _ buffer: UnsafeMutablePointer<UInt32>
    ) {
        @inline(__always)
        func narrow(_ from: UnsafeMutablePointer<Float>, _ to: UnsafeMutablePointer<UInt32>) {
            switch panels.number {
            case .bfloat16: BrainMath.narrow(from, count: inputs, into: to)
            case .float32:
                UnsafeMutableRawPointer(to).copyMemory(from: from, byteCount: 4 * inputs)
            case .binary16: HalfMath.double(from, count: inputs, factor: scale, into: to)
            }
        }
        switch source {
        case .matrix(let x):
            for row in 0..<count { narrow(x + (first + row) * panels.inputs + channel, buffer + row * Self.rowStride) }
        case .image(let image):
            for row in 0..<count {
                let to = buffer + row * Self.rowStride
                if let from = image.pixel(first + row, tap) {
                    narrow(from + channel, to)
                } else {
                    to.update(repeating: 0, count: inputs)
                }
            }
        }
    }
}

/// An image whose patches are a convolution's rows.
struct PanelImage {
    private let x: UnsafeMutablePointer<Float>
    private let geometry: ConvolutionGeometry
    private let height, width, outHeight, outWidth: Int
    /// Power of two that brings all numbers below `PanelProduct.rowBound`; one for numbers of float32's range.
    let scale: Float

    /// - Parameters:
    ///   - x: [N, H, W, in], which outlives this.
    ///   - geometry: of the convolution.
    ///   - output: shape of the result.
    ///   - number: what its numbers will become.
    init(_ x: Tensor, _ geometry: ConvolutionGeometry, output: [Int], for number: PanelNumber) {
        self.x = x.pointer
        self.geometry = geometry
        (height, width, outHeight, outWidth) = (x.shape[1], x.shape[2], output[1], output[2])
        scale = number == .binary16 ? HalfMath.scale(largest: Self.largest(x), below: PanelProduct.rowBound) : 1
    }

    /// The largest magnitude of all elements.
    static func largest(_ x: Tensor) -> Float {
        let parts = x.count < 1 << 16 ? 1 : Parallel.threads
        var tops = [Float](repeating: 0, count: parts)
        let source = x.pointer
        tops.withUnsafeMutableBufferPointer { tops in
            let tops = tops
            Parallel.run(parts) { part in
                let start = x.count * part / parts
                tops[part] = HalfMath.largest(source + start, count: x.count * (part + 1) / parts - start)
            }
        }
        return tops.max() ?? 0
    }

    /// The channels that position `row` of the result sees under a position of the kernel; nil beyond the edge.
    @inline(__always)
    func pixel(_ row: Int, _ tap: Int) -> UnsafeMutablePointer<Float>? {
        let (sample, within) = (row / (outHeight * outWidth), row % (outHeight * outWidth))
        let y = within / outWidth * geometry.stride - geometry.padding.top + tap / geometry.kernelWidth
        let x = within % outWidth * geometry.stride - geometry.padding.left + tap % geometry.kernelWidth
        guard y >= 0, y < height, x >= 0, x < width else { return nil }
        return self.x + ((sample * height + y) * width + x) * geometry.inChannels
    }
}
