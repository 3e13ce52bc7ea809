import COneDNN

/// Weights that lie in panels: for each 32 (or 64) outputs a list of their weights for input 0, input 1, ... That is how oneDNN keeps weights for
/// its own kernels, so the two can take turns on one copy. Its products are what oneDNN has none of: weights in bfloat16 with rows in float32,
/// widened in registers and fetched ahead of their use (exact products, half the traffic).
struct PanelLayout: Equatable {
    /// Outputs of a panel, a multiple of 32.
    let width: Int
    let inputs, outputs: Int
    /// Two bytes a weight, those of inputs 2 i and 2 i + 1 side by side.
    let isHalf: Bool
    /// Inputs that lie together before the next position of a convolution's kernel follows.
    let inputBlock: Int
    /// Elements from one block of inputs to the next, from one row of the kernel and from one column to the next.
    let strides: [Int]

    /// nil when a layout is not of this kind.
    /// - Parameters:
    ///   - descriptor: of weights in oneDNN's words.
    ///   - output: number of the dimension of the outputs.
    init?(_ descriptor: DNN.Descriptor, output: Int) {
        guard descriptor.format_kind == dnnl_blocked, descriptor.data_type == dnnl_f32 || descriptor.data_type == dnnl_bf16 else {
            return nil
        }
        isHalf = descriptor.data_type == dnnl_bf16
        let blocking = descriptor.format_desc.blocking
        func list<T>(_ tuple: T) -> [Int] {
            withUnsafeBytes(of: tuple) { $0.bindMemory(to: dnnl_dim_t.self).map { Int($0) } }
        }
        let (blocks, dimensions) = (list(blocking.inner_blks), list(blocking.inner_idxs))
        var last = Int(blocking.inner_nblks) - 1
        if isHalf {
            guard last >= 1, blocks[last] == 2, dimensions[last] != output else { return nil }
            last -= 1
        }
        guard last >= 0, dimensions[last] == output else { return nil }
        // Inputs lie in the order of their numbers: a block of them before the outputs is the only other one.
        guard last == 0 || (last == 1 && dimensions[0] != output) else { return nil }
        width = blocks[last]
        inputBlock = (last == 1 ? blocks[0] : 1) * (isHalf ? 2 : 1)
        let shape = (0..<Int(descriptor.ndims)).map { list(descriptor.dims)[$0] }
        let padded = (0..<Int(descriptor.ndims)).map { list(descriptor.padded_dims)[$0] }
        guard shape == padded else { return nil }
        outputs = shape[output]
        inputs = shape.reduce(1, *) / max(1, outputs)
        let steps = list(blocking.strides)
        strides = (0..<shape.count).filter { $0 != output }.map { steps[$0] }
        guard width % 32 == 0, outputs % width == 0, inputs % 2 == 0,
            steps[output] == inputs * width
        else { return nil }
    }

    /// y = x W + bias, or y + x W + bias, for weights in bfloat16.
    /// - Parameters:
    ///   - x: rows of `inputs` numbers.
    ///   - rows: number of rows.
    ///   - weights: in this layout.
    ///   - bias: one number for each output, or nil.
    ///   - y: rows of `outputs` numbers.
    ///   - adds: keeps what lies in `y`.
    func multiply(
        _ x: UnsafeMutablePointer<Float>, rows: Int, weights: UnsafeMutableRawPointer, bias: UnsafeMutablePointer<Float>?,
        into y: UnsafeMutablePointer<Float>, adds: Bool
    ) {
        let strips = outputs / 32
        let threads = rows * inputs * outputs < 1 << 18 ? 1 : Parallel.threads
        if rows > outputs && rows >= 64 * threads {
            // Each thread has some of the rows, in whole tiles.
            let tiles = (rows + 11) / 12
            Parallel.run(threads) { part in
                let range = min(rows, tiles * part / threads * 12)..<min(rows, tiles * (part + 1) / threads * 12)
                multiply(x, range, weights, 0..<strips, bias, y, adds)
            }
        } else {
            let parts = min(threads, strips)
            Parallel.run(parts) { part in
                multiply(x, 0..<rows, weights, strips * part / parts..<strips * (part + 1) / parts, bias, y, adds)
            }
        }
    }

    /// Rows that are gone through with a block of weights before the next one.
    private static let rowBlock = 240

    private func multiply(
        _ x: UnsafeMutablePointer<Float>, _ rows: Range<Int>, _ weights: UnsafeMutableRawPointer, _ strips: Range<Int>,
        _ bias: UnsafeMutablePointer<Float>?, _ y: UnsafeMutablePointer<Float>, _ adds: Bool
    ) {
        // A block of weights is 32 outputs of so many inputs and stays in the first cache, as does a tile's share of the rows.
        let depth = 384
        func block(_ strip: Int, _ input: Int) -> UnsafeMutableRawPointer {
            let (panel, within) = (strip * 32 / width, strip * 32 % width)
            return weights + 2 * ((panel * inputs + input) * width) + within * 4
        }
        var first = rows.lowerBound
        while first < rows.upperBound {
            let end = min(rows.upperBound, first + Self.rowBlock)
            var input = 0
            while input < inputs {
                let count = min(depth, inputs - input)
                for strip in strips {
                    let (at, column) = (block(strip, input), strip * 32)
                    // What comes next is asked for while this is calculated.
                    let isLast = strip + 1 == strips.upperBound
                    let isEnd = input + count >= inputs
                    let ahead = isLast ? (isEnd ? at : block(strips.lowerBound, input + count)) : block(strip + 1, input)
                    var row = first
                    var fetch: UnsafeMutableRawPointer? = ahead
                    while row < end {
                        let tile = PanelTile(
                            a: x + row * inputs + input, stride: inputs, b: at, width: width, depth: count,
                            c: y + row * outputs + column, outputs: outputs, bias: input == 0 ? bias.map { $0 + column } : nil,
                            keeps: adds || input > 0, ahead: fetch)
                        row += tile.run(rows: end - row)
                        fetch = nil
                    }
                }
                input += count
            }
            first = end
        }
    }
}

/// Up to eight rows by 32 columns, held in registers beside the widened weights.
private struct PanelTile {
    let a: UnsafeMutablePointer<Float>
    let stride: Int
    let b: UnsafeMutableRawPointer
    let width, depth: Int
    let c: UnsafeMutablePointer<Float>
    let outputs: Int
    let bias: UnsafeMutablePointer<Float>?
    /// Whether the sums start with what lies in `c`.
    let keeps: Bool
    let ahead: UnsafeMutableRawPointer?

    /// One row of the result.
    struct Row {
        var x = Lanes.zero, y = Lanes.zero

        @inline(__always)
        init(_ tile: PanelTile, _ row: Int) {
            if tile.keeps {
                let c = tile.c + row * tile.outputs
                (x, y) = (c.lanes(0), c.lanes(16))
            }
            if let bias = tile.bias {
                x += bias.lanes(0)
                y += bias.lanes(16)
            }
        }

        @inline(__always)
        mutating func add(_ a: Float, _ b0: Lanes, _ b1: Lanes) {
            let a = Lanes(repeating: a)
            x = VectorMath.multiplyAdd(a, b0, x)
            y = VectorMath.multiplyAdd(a, b1, y)
        }

        @inline(__always)
        func store(_ tile: PanelTile, _ row: Int) {
            let c = tile.c + row * tile.outputs
            c.store(x, 0)
            c.store(y, 16)
        }
    }

    /// Does as many rows as fit a tile.
    /// - Returns: how many.
    @inline(__always)
    func run(rows: Int) -> Int {
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

    /// Calls `body` with the number of an input and its 32 weights. They lie in pairs: a word's lower half is the even input's weight.
    @inline(__always)
    private func each(_ body: (_ k: Int, _ b0: Lanes, _ b1: Lanes) -> Void) {
        @inline(__always)
        func pair(_ k: Int) {
            let words = b + k * width * 4
            let (w0, w1) = (
                UnsafeRawPointer(words).loadUnaligned(as: SIMD16<UInt32>.self),
                UnsafeRawPointer(words + 64).loadUnaligned(as: SIMD16<UInt32>.self)
            )
            body(2 * k, unsafeBitCast(w0 &<< 16, to: Lanes.self), unsafeBitCast(w1 &<< 16, to: Lanes.self))
            body(2 * k + 1, unsafeBitCast(w0 & 0xFFFF_0000, to: Lanes.self), unsafeBitCast(w1 & 0xFFFF_0000, to: Lanes.self))
        }
        if let ahead {
            for k in 0..<depth / 2 {
                let next = ahead + k * width * 4
                w2w_prefetch(next)
                w2w_prefetch(next + 64)
                pair(k)
            }
        } else {
            for k in 0..<depth / 2 { pair(k) }
        }
    }

    @inline(never)
    private func eight() {
        var (r0, r1, r2, r3) = (Row(self, 0), Row(self, 1), Row(self, 2), Row(self, 3))
        var (r4, r5, r6, r7) = (Row(self, 4), Row(self, 5), Row(self, 6), Row(self, 7))
        let (a0, a3, a6) = (a, a + 3 * stride, a + 6 * stride)
        each { k, b0, b1 in
            r0.add(a0[k], b0, b1)
            r1.add(a0[k + stride], b0, b1)
            r2.add(a0[k + 2 * stride], b0, b1)
            r3.add(a3[k], b0, b1)
            r4.add(a3[k + stride], b0, b1)
            r5.add(a3[k + 2 * stride], b0, b1)
            r6.add(a6[k], b0, b1)
            r7.add(a6[k + stride], b0, b1)
        }
        r0.store(self, 0)
        r1.store(self, 1)
        r2.store(self, 2)
        r3.store(self, 3)
        r4.store(self, 4)
        r5.store(self, 5)
        r6.store(self, 6)
        r7.store(self, 7)
    }

    @inline(never)
    private func four() {
        var (r0, r1, r2, r3) = (Row(self, 0), Row(self, 1), Row(self, 2), Row(self, 3))
        each { k, b0, b1 in
            r0.add(a[k], b0, b1)
            r1.add(a[k + stride], b0, b1)
            r2.add(a[k + 2 * stride], b0, b1)
            r3.add(a[k + 3 * stride], b0, b1)
        }
        r0.store(self, 0)
        r1.store(self, 1)
        r2.store(self, 2)
        r3.store(self, 3)
    }

    @inline(never)
    private func one() {
        var r0 = Row(self, 0)
        each { k, b0, b1 in r0.add(a[k], b0, b1) }
        r0.store(self, 0)
    }
}
