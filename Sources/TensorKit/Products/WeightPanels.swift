import COneDNN

/// Weights for `PanelProduct`: for each 64 outputs a list of their weights for input 0, input 1, ...; behind all panels a
/// float32 number for each, by which its products are to be multiplied.
///
/// Panels of binary16 numbers are scaled by a power of two so that their largest weight is below two: neither large nor small weights leave the
/// range of half precision. In panels of bfloat16 numbers the weights of inputs 2 i and 2 i + 1 lie side by side.
struct WeightPanels: Equatable {
    /// Outputs of a panel.
    static let width = 64

    /// What is multiplied.
    let number: PanelNumber
    /// How it is kept: as that, or float32 in half precision, of weights that are such numbers and so lose nothing.
    let kept: PanelNumber
    let outputs: Int
    /// Channels of the input: what lies together.
    let channels: Int
    /// Height and width of a convolution's kernel; a matrix has one position.
    let height, columns: Int

    /// nil where the outputs do not fill panels, or the channels no pairs that lie together.
    init?(
        _ number: PanelNumber, kept: PanelNumber? = nil, outputs: Int, channels: Int, height: Int = 1, columns: Int = 1
    ) {
        let kept = kept ?? number
        guard outputs > 0, channels > 0, outputs % Self.width == 0, number != .bfloat16 || channels % 2 == 0,
            kept == number || (number == .float32 && kept == .binary16)
        else { return nil }
        (self.number, self.kept) = (number, kept)
        (self.outputs, self.channels, self.height, self.columns) = (outputs, channels, height, columns)
    }

    /// How these panels are named among oneDNN's layouts; no other layout here is of half-precision numbers.
    var descriptor: DNN.Descriptor {
        DNN.descriptor([outputs, channels, height, columns, number.rawValue + 4 * kept.rawValue], dnnl_abcde, dnnl_f16)
    }

    /// nil for other layouts.
    init?(_ descriptor: DNN.Descriptor) {
        let d = descriptor.dims
        guard descriptor.data_type == dnnl_f16, descriptor.ndims == 5, let number = PanelNumber(rawValue: Int(d.4) % 4),
            let kept = PanelNumber(rawValue: Int(d.4) / 4)
        else { return nil }
        self.init(number, kept: kept, outputs: Int(d.0), channels: Int(d.1), height: Int(d.2), columns: Int(d.3))
    }

    private var taps: Int { height * columns }
    /// Inputs of a panel: channels of each position of the kernel in turn.
    var inputs: Int { taps * channels }
    private var weightBytes: Int { kept.bytes * inputs * outputs }

    /// Of the panels and their factors.
    var bytes: Int { weightBytes + 4 * (outputs / Self.width) }

    /// A panel's weights, from one of its inputs on (an even one of bfloat16 numbers).
    @inline(__always)
    func panel(_ index: Int, from input: Int = 0, in weights: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        weights + kept.bytes * Self.width * (index * inputs + input)
    }

    /// By what products with a panel are to be multiplied.
    @inline(__always)
    func factor(_ panel: Int, in weights: UnsafeMutableRawPointer) -> Float {
        (weights + weightBytes).assumingMemoryBound(to: Float.self)[panel]
    }

    func setFactor(_ panel: Int, _ factor: Float, in weights: UnsafeMutableRawPointer) {
        (weights + weightBytes).assumingMemoryBound(to: Float.self)[panel] = factor
    }

    /// Fills all panels, on all threads.
    /// - Parameters:
    ///   - target: `bytes` bytes.
    ///   - read: gives elements of the weight [out, in, kh, kw] by their numbers; called from several threads at once.
    func fill(
        _ target: UnsafeMutableRawPointer, read: @escaping (_ range: Range<Int>, _ into: UnsafeMutablePointer<Float>) -> Void
    ) {
        let panels = outputs / Self.width
        let rowLength = channels * taps
        let chunk = min(rowLength, max(2 * taps, 576 / (2 * taps) * 2 * taps))
        // Rows are padded apart, or all would fall on the same lines of the cache.
        let stride = chunk + 16
        let parts = min(panels, Parallel.threads)
        let scratch = Tensor(uninitialized: [parts, Self.width * stride])
        Parallel.run(parts) { part in
            let rows = scratch.pointer + part * Self.width * stride
            for panel in panels * part / parts..<panels * (part + 1) / parts {
                var top: Float = 0
                func eachChunk(_ body: (_ first: Int, _ count: Int) -> Void) {
                    var first = 0
                    while first < rowLength {
                        let count = min(chunk, rowLength - first)
                        for row in 0..<Self.width {
                            let start = (panel * Self.width + row) * rowLength + first
                            read(start..<start + count, rows + row * stride)
                        }
                        body(first, count)
                        first += count
                    }
                }
                if number == .binary16 {
                    eachChunk { _, count in
                        for row in 0..<Self.width { top = max(top, HalfMath.largest(rows + row * stride, count: count)) }
                    }
                }
                let scale = number == .binary16 ? HalfMath.scale(largest: top, below: 2) : 1
                eachChunk { first, count in
                    turn(rows, stride, first, count, scale, into: self.panel(panel, in: target))
                }
                setFactor(panel, 1 / scale, in: target)
            }
        }
    }

    /// From rows of outputs to a panel.
    private func turn(
        _ rows: UnsafeMutablePointer<Float>, _ stride: Int, _ first: Int, _ count: Int, _ scale: Float,
        into panel: UnsafeMutableRawPointer
    ) {
        if number == .bfloat16 { return pair(rows, stride, first, count, into: panel) }
        for element in 0..<count {
            let (channel, tap) = ((first + element) / taps, (first + element) % taps)
            let to = panel + (tap * channels + channel) * Self.width * kept.bytes
            let source = rows + element
            for block in 0..<Self.width / 16 {
                let lanes = (source + block * 16 * stride).lanes(apart: stride)
                if kept == .float32 {
                    (to + block * 64).storeBytes(of: lanes, as: Lanes.self)
                } else {
                    (to + block * 32).storeBytes(of: HalfMath.narrow(lanes * scale), as: SIMD16<Float16>.self)
                }
            }
        }
    }

    /// The same for bfloat16 numbers: two channels at a time.
    private func pair(
        _ rows: UnsafeMutablePointer<Float>, _ stride: Int, _ first: Int, _ count: Int, into panel: UnsafeMutableRawPointer
    ) {
        for channel in Swift.stride(from: 0, to: count / taps, by: 2) {
            for tap in 0..<taps {
                let source = rows + channel * taps + tap
                let to = panel + (tap * channels + first / taps + channel) * Self.width * 2
                for block in 0..<Self.width / 16 {
                    let first = source + block * 16 * stride
                    let (even, odd) = (first.lanes(apart: stride), (first + taps).lanes(apart: stride))
                    (to + block * 64).storeBytes(of: BrainMath.pairs(even, odd), as: Words.self)
                }
            }
        }
    }
}
