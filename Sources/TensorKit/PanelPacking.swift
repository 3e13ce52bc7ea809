import COneDNN

/// Puts a weight into panels, straight from where it lies: no copy of it in between, all threads at work.
struct PanelPacking {
    fileprivate let layout: PanelLayout
    /// Positions of a convolution's kernel; 1 for a matrix.
    private let taps: Int
    /// Where in a panel the inputs go, in the order in which the weight has them: [input, kernel row, kernel column].
    fileprivate let places: [Int32]

    /// nil when a layout is not of panels.
    /// - Parameter descriptor: of a matrix [in, out] or a convolution's weight [out, in, kh, kw], in oneDNN's words.
    init?(_ descriptor: DNN.Descriptor) {
        let isMatrix = descriptor.ndims == 2
        guard isMatrix || descriptor.ndims == 4, let layout = PanelLayout(descriptor, output: isMatrix ? 1 : 0) else {
            return nil
        }
        self.layout = layout
        let (height, columns) = isMatrix ? (1, 1) : (Int(descriptor.dims.2), Int(descriptor.dims.3))
        taps = height * columns
        let strides = layout.strides + [0, 0]
        let (width, block) = (layout.width, layout.inputBlock)
        var (places, seen) = ([Int32](), [Bool](repeating: false, count: layout.inputs))
        places.reserveCapacity(layout.inputs)
        for input in 0..<layout.inputs / taps {
            for row in 0..<height {
                for column in 0..<columns {
                    let place = (input / block * strides[0] + row * strides[1] + column * strides[2]) / width + input % block
                    guard place >= 0, place < layout.inputs, !seen[place] else { return nil }
                    seen[place] = true
                    places.append(Int32(place))
                }
            }
        }
        self.places = places
    }

    /// Fills a weight's panels.
    /// - Parameters:
    ///   - target: in the layout.
    ///   - read: gives elements of the weight [out, in, kh, kw] by their numbers; called from several threads at once.
    func fill(
        _ target: UnsafeMutableRawPointer, read: @escaping (_ range: Range<Int>, _ into: UnsafeMutablePointer<Float>) -> Void
    ) {
        let panels = layout.outputs / layout.width
        // Some rows' share of a panel at a time, in a block that stays in the cache; rows are padded apart, or all would fall on the same lines.
        let chunk = min(layout.inputs, max(taps, 512 / taps * taps))
        let stride = chunk + 16
        let parts = min(panels, Parallel.threads)
        let scratch = Tensor(uninitialized: [parts, layout.width * stride])
        Parallel.run(parts) { part in
            let rows = scratch.pointer + part * layout.width * stride
            for panel in panels * part / parts..<panels * (part + 1) / parts {
                var first = 0
                while first < layout.inputs {
                    let count = min(chunk, layout.inputs - first)
                    for row in 0..<layout.width {
                        let start = (panel * layout.width + row) * layout.inputs + first
                        read(start..<start + count, rows + row * stride)
                    }
                    turn(
                        rows, stride, first, count, into: target + panel * layout.inputs * layout.width * (layout.isHalf ? 2 : 4))
                    first += count
                }
            }
        }
    }

    /// From rows of outputs to a panel.
    private func turn(
        _ rows: UnsafeMutablePointer<Float>, _ stride: Int, _ first: Int, _ count: Int, into panel: UnsafeMutableRawPointer
    ) {
        let width = layout.width
        places.withUnsafeBufferPointer { places in
            for column in 0..<count {
                let place = Int(places[first + column])
                let source = rows + column
                if layout.isHalf {
                    let to = panel.assumingMemoryBound(to: UInt16.self) + (place / 2 * width * 2 + place % 2)
                    for row in 0..<width { to[2 * row] = HalfFloats.brain(source[row * stride]) }
                } else {
                    let to = panel.assumingMemoryBound(to: Float.self) + place * width
                    for row in 0..<width { to[row] = source[row * stride] }
                }
            }
        }
    }
}

/// Makes float32 panels of bfloat16 ones.
struct PanelWidening {
    private let words: Int
    private let width: Int

    /// nil when the two do not lie in the same order.
    init?(from half: DNN.Descriptor, to full: DNN.Descriptor) {
        guard let half = PanelPacking(half), let full = PanelPacking(full), half.layout.isHalf, !full.layout.isHalf,
            half.layout.width == full.layout.width, half.layout.outputs == full.layout.outputs, half.places == full.places
        else { return nil }
        width = half.layout.width
        words = half.layout.inputs * half.layout.outputs / 2
    }

    /// - Parameters:
    ///   - source: bfloat16 panels.
    ///   - target: gets the same numbers in float32.
    func run(_ source: UnsafeMutableRawPointer, into target: UnsafeMutablePointer<Float>) {
        let pairs = words / width
        Parallel.ranges(pairs, grain: 64) { range in
            for pair in range {
                let from = source + pair * width * 4
                let (even, odd) = (target + 2 * pair * width, target + (2 * pair + 1) * width)
                var at = 0
                while at < width {
                    let word = UnsafeRawPointer(from + at * 4).loadUnaligned(as: SIMD16<UInt32>.self)
                    even.store(unsafeBitCast(word &<< 16, to: Lanes.self), at)
                    odd.store(unsafeBitCast(word & 0xFFFF_0000, to: Lanes.self), at)
                    at += 16
                }
            }
        }
    }
}
