import COneDNN

/// Weights in half precision for `HalfProduct`: for each 64 outputs a list of their weights for input 0, input 1, ...; behind all panels a
/// float32 number for each, by which its products are to be multiplied. Every panel is scaled by a power of two so that its largest weight is
/// below two: neither large nor small weights leave the range of half precision.
struct HalfPanels: Equatable {
    /// Outputs of a panel.
    static let width = 64

    let outputs: Int
    /// Channels of the input: what lies together.
    let channels: Int
    /// Height and width of a convolution's kernel; a matrix has one position.
    let height, columns: Int

    /// nil where the outputs do not fill panels.
    init?(outputs: Int, channels: Int, height: Int = 1, columns: Int = 1) {
        guard outputs > 0, channels > 0, outputs % Self.width == 0 else { return nil }
        (self.outputs, self.channels, self.height, self.columns) = (outputs, channels, height, columns)
    }

    /// How these panels are named among oneDNN's layouts; no other layout here is of half-precision numbers.
    var descriptor: DNN.Descriptor { DNN.descriptor([outputs, channels, height, columns], dnnl_abcd, dnnl_f16) }

    /// nil for other layouts.
    init?(_ descriptor: DNN.Descriptor) {
        guard descriptor.data_type == dnnl_f16, descriptor.ndims == 4 else { return nil }
        let d = descriptor.dims
        self.init(outputs: Int(d.0), channels: Int(d.1), height: Int(d.2), columns: Int(d.3))
    }

    private var taps: Int { height * columns }
    /// Inputs of a panel: channels of each position of the kernel in turn.
    var inputs: Int { taps * channels }
    private var weightBytes: Int { 2 * inputs * outputs }

    /// Of the panels and their factors.
    var bytes: Int { weightBytes + 4 * (outputs / Self.width) }

    /// A panel's weights.
    @inline(__always)
    func panel(_ index: Int, in weights: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        weights + 2 * index * Self.width * inputs
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
        let chunk = min(rowLength, max(taps, 576 / taps * taps))
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
                eachChunk { _, count in
                    for row in 0..<Self.width { top = max(top, HalfMath.largest(rows + row * stride, count: count)) }
                }
                let scale = HalfMath.scale(largest: top, below: 2)
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
        let target = panel.assumingMemoryBound(to: UInt16.self)
        for element in 0..<count {
            let (channel, tap) = ((first + element) / taps, (first + element) % taps)
            let to = target + (tap * channels + channel) * Self.width
            let source = rows + element
            for block in 0..<Self.width / 16 {
                var lanes = Lanes()
                for i in 0..<16 { lanes[i] = source[(block * 16 + i) * stride] }
                UnsafeMutableRawPointer(to + block * 16).storeBytes(of: HalfMath.narrow(lanes * scale), as: SIMD16<Float16>.self)
            }
        }
    }
}
