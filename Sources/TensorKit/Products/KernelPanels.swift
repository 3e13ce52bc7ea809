import COneDNN

/// Weights of 3x3 convolutions as a model has them, to be turned by `WinogradTurns` piece by piece while `Winograd` multiplies: where few tiles meet
/// them, nine numbers come from memory faster than the sixteen or 36 that they become.
///
/// For each panel of 64 outputs (or sixteen) a list: of each channel its nine positions, of each position the outputs' weights; of channels 2 i and
/// 2 i + 1 side by side where pairs of bfloat16 numbers will be multiplied. Behind all panels a float32 number for each, by which its products are to be multiplied.
struct KernelPanels: Equatable {
    private static let taps = 9

    /// What will be multiplied: `bfloat16` or `float32`.
    let number: PanelNumber
    /// How weights are kept: `binary16` or `float32`.
    let kept: PanelNumber
    let outputs, channels: Int
    /// Outputs of a panel: `WeightPanels.width`, or sixteen where they are turned in registers (`TurningTile`).
    let width: Int

    /// nil where the outputs do not fill panels or the channels no vectors, and for other numbers.
    init?(_ number: PanelNumber, kept: PanelNumber, outputs: Int, channels: Int, width: Int = WeightPanels.width) {
        guard channels > 0, channels % 16 == 0, outputs > 0, outputs % width == 0, number != .binary16,
            kept != .bfloat16, width == WeightPanels.width || (width == 16 && number == .float32)
        else { return nil }
        (self.number, self.kept, self.outputs, self.channels, self.width) = (number, kept, outputs, channels, width)
    }

    /// How these panels are named among oneDNN's layouts; no other layout here has six dimensions.
    var descriptor: DNN.Descriptor {
        DNN.descriptor([outputs, channels, Self.taps, width, number.rawValue, kept.rawValue], dnnl_abcdef, dnnl_f16)
    }

    /// nil for other layouts.
    init?(_ descriptor: DNN.Descriptor) {
        let d = descriptor.dims
        guard descriptor.data_type == dnnl_f16, descriptor.ndims == 6, let number = PanelNumber(rawValue: Int(d.4)),
            let kept = PanelNumber(rawValue: Int(d.5))
        else { return nil }
        self.init(number, kept: kept, outputs: Int(d.0), channels: Int(d.1), width: Int(d.3))
    }

    private var weightBytes: Int { kept.bytes * Self.taps * channels * outputs }
    /// Of the panels and their factors.
    var bytes: Int { weightBytes + 4 * (outputs / width) }
    /// Of a channel in a panel.
    var channelBytes: Int { kept.bytes * Self.taps * width }

    /// A panel's weights from a channel on, an even one.
    @inline(__always)
    func panel(_ index: Int, from channel: Int, in weights: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        weights + (index * channels + channel) * channelBytes
    }

    /// By what products with a panel are to be multiplied.
    func factor(_ panel: Int, in weights: UnsafeMutableRawPointer) -> Float {
        (weights + weightBytes).assumingMemoryBound(to: Float.self)[panel]
    }

    /// Fills all panels, on all threads. Numbers that are kept in binary16 are multiplied by a power of two where that brings them below two; those
    /// that are binary16 numbers stay exact.
    /// - Parameters:
    ///   - target: `bytes` bytes.
    ///   - read: gives elements of the weight [out, in, 3, 3] by their numbers; called from several threads at once.
    func fill(
        _ target: UnsafeMutableRawPointer, read: @escaping (_ range: Range<Int>, _ into: UnsafeMutablePointer<Float>) -> Void
    ) {
        let (count, taps) = (outputs / width, Self.taps)
        // Rows are padded apart, or all would fall on the same lines of the cache.
        let chunk = min(channels, 64)
        let stride = taps * chunk + 16
        let parts = min(count, Parallel.threads)
        let scratch = Tensor(uninitialized: [parts, width * stride])
        Parallel.run(parts) { part in
            let rows = scratch.pointer + part * width * stride
            for panel in count * part / parts..<count * (part + 1) / parts {
                func eachChunk(_ body: (_ first: Int, _ count: Int) -> Void) {
                    for first in Swift.stride(from: 0, to: channels, by: chunk) {
                        let inputs = min(chunk, channels - first)
                        for row in 0..<width {
                            let start = ((panel * width + row) * channels + first) * taps
                            read(start..<start + inputs * taps, rows + row * stride)
                        }
                        body(first, inputs)
                    }
                }
                var scale: Float = 1
                if kept == .binary16 {
                    var top: Float = 0
                    eachChunk { _, inputs in
                        for row in 0..<width {
                            top = max(top, HalfMath.largest(rows + row * stride, count: inputs * taps))
                        }
                    }
                    // Only what half precision cannot hold is made smaller.
                    let own = HalfMath.scale(largest: top, below: 2)
                    scale = top <= 65504 ? max(1, own) : own
                }
                eachChunk { first, inputs in
                    let to = self.panel(panel, from: first, in: target)
                    if number == .bfloat16 {
                        pack(rows, stride, inputs / 2, channelApart: 2 * taps, pairApart: taps, scale, to)
                    } else {
                        pack(rows, stride, inputs, channelApart: taps, pairApart: nil, scale, to)
                    }
                }
                (target + weightBytes).assumingMemoryBound(to: Float.self)[panel] = 1 / scale
            }
        }
        withExtendedLifetime(scratch) {}
    }

    /// From rows of outputs, each [channels, 9], to a panel's channels or pairs of channels.
    private func pack(
        _ rows: UnsafeMutablePointer<Float>, _ stride: Int, _ count: Int, channelApart: Int, pairApart: Int?, _ scale: Float,
        _ target: UnsafeMutableRawPointer
    ) {
        var to = target
        for channel in 0..<count {
            for tap in 0..<Self.taps {
                let source = rows + channel * channelApart + tap
                for block in 0..<width * (pairApart == nil ? 1 : 2) / 16 {
                    var lanes = Lanes()
                    for i in 0..<16 {
                        let place = block * 16 + i
                        lanes[i] = pairApart.map { source[place / 2 * stride + place % 2 * $0] } ?? source[place * stride]
                    }
                    if kept == .binary16 {
                        to.storeBytes(of: HalfMath.narrow(lanes * scale), as: SIMD16<Float16>.self)
                    } else {
                        to.storeBytes(of: lanes, as: Lanes.self)
                    }
                    to += 16 * kept.bytes
                }
            }
        }
    }

    /// Turns some channels of a panel of 64 outputs: for each place [channels, 64] float32 numbers or [channels / 2, 64] pairs of bfloat16 numbers.
    /// - Parameters:
    ///   - source: the panel's weights from the first of these channels on.
    ///   - count: number of channels, an even one.
    ///   - turns: which.
    ///   - target: gets the numbers.
    ///   - apart: bytes from one place to the next.
    func turn(
        _ source: UnsafeMutableRawPointer, count: Int, _ turns: WinogradTurns, into target: UnsafeMutableRawPointer, apart: Int
    ) {
        switch kept {
        case .binary16: turn(source, count, turns, target, apart, HalfKernel.self)
        default: turn(source, count, turns, target, apart, FloatKernel.self)
        }
    }

    @inline(__always)
    private func turn<Kept: KeptKernel>(
        _ source: UnsafeMutableRawPointer, _ count: Int, _ turns: WinogradTurns, _ target: UnsafeMutableRawPointer, _ apart: Int,
        _ kept: Kept.Type
    ) {
        // Each with its own constants.
        switch (turns, number) {
        case (.two, .bfloat16): turnPairs(source, count, .two, target, apart, kept)
        case (.four, .bfloat16): turnPairs(source, count, .four, target, apart, kept)
        case (.two, _): turnSingle(source, count, .two, target, apart, kept)
        case (.four, _): turnSingle(source, count, .four, target, apart, kept)
        }
    }

    @_transparent
    private func turnSingle<Kept: KeptKernel>(
        _ source: UnsafeMutableRawPointer, _ count: Int, _ turns: WinogradTurns, _ target: UnsafeMutableRawPointer, _ apart: Int,
        _ kept: Kept.Type
    ) {
        for channel in 0..<count {
            let from = UnsafeRawPointer(source + channel * channelBytes)
            prefetch(from + 2 * channelBytes, 1)
            for output in stride(from: 0, to: WeightPanels.width, by: 16) {
                let to = target + (channel * WeightPanels.width + output) * 4
                turns.turnKernels {
                    Kept.load(from, $0 * WeightPanels.width + output)
                } _: { place, lanes in
                    (to + place * apart).storeBytes(of: lanes, as: Lanes.self)
                }
            }
        }
    }

    @_transparent
    private func turnPairs<Kept: KeptKernel>(
        _ source: UnsafeMutableRawPointer, _ count: Int, _ turns: WinogradTurns, _ target: UnsafeMutableRawPointer, _ apart: Int,
        _ kept: Kept.Type
    ) {
        let width = 2 * WeightPanels.width
        for pair in 0..<count / 2 {
            let from = UnsafeRawPointer(source + 2 * pair * channelBytes)
            prefetch(from + 2 * channelBytes, 2)
            for word in stride(from: 0, to: WeightPanels.width, by: 16) {
                let to = target + (pair * WeightPanels.width + word) * 4
                turns.turnKernels {
                    Kept.load(from, $0 * width + 2 * word)
                } _: {
                    Kept.load(from, $0 * width + 2 * word + 16)
                } _: { place, low, high in
                    (to + place * apart).storeBytes(of: BrainMath.narrow(low, high), as: Words.self)
                }
            }
        }
    }

    /// Asks for what is turned soon: the lines written meanwhile hide from the processor how regularly it is read.
    @inline(__always)
    private func prefetch(_ from: UnsafeRawPointer, _ channels: Int) {
        for line in stride(from: 0, to: channels * channelBytes, by: 64) { w2w_prefetch(from + line) }
    }
}

/// How a kernel's numbers are kept.
protocol KeptKernel {
    static var bytes: Int { get }
    /// Sixteen of them.
    static func load(_ from: UnsafeRawPointer, _ index: Int) -> Lanes
}

enum HalfKernel: KeptKernel {
    static var bytes: Int { 2 }

    @_transparent
    static func load(_ from: UnsafeRawPointer, _ index: Int) -> Lanes {
        w2w_half_widen((from + 2 * index).loadUnaligned(as: SIMD16<UInt16>.self))
    }
}

enum FloatKernel: KeptKernel {
    static var bytes: Int { 4 }

    @_transparent
    static func load(_ from: UnsafeRawPointer, _ index: Int) -> Lanes { (from + 4 * index).loadUnaligned(as: Lanes.self) }
}
