import COneDNN

/// Products of float32 matrices with seven multiplications of quadrants instead of eight: Strassen's way (Numerische Mathematik 13, 1969) in
/// Winograd's form. Worth it for many rows; rounding errors are a few times those of the plain product.
///
/// Two neighbouring rows, halved, are the quadrants a11 a12 / a21 a22: of one sample where it has an even number, so that what is wrong with it stays
/// there. Panel j of the first half of the outputs and panel j of the second, their inputs halved as well, are the quadrants b11 b12 / b21 b22. With
///
///     s1 = a21 + a22    s2 = s1 - a11    s3 = a11 - a21    s4 = a12 - s2
///     t1 = b12 - b11    t2 = b22 - t1    t3 = b22 - b12    t4 = b21 - t2
///
/// the results are
///
///     c11 = a11 b11 + a12 b21          u = a11 b11 + s2 t2
///     c12 = u + s4 b22 + s1 t1         v = u + s3 t3
///     c21 = v + a22 t4
///     c22 = v + s1 t1
///
/// Everywhere here the seven products come in this order: a11 b11, s2 t2, s3 t3, a12 b21, a22 t4, s4 b22, s1 t1.
struct StrassenProduct {
    private static let width = StrassenPanels.width

    let panels: StrassenPanels

    /// Whether this is faster than the plain product: where many rows share what the weights take of memory, and many products make up for the
    /// sums. It keeps the weights in seven quarters of the memory, so it has to be worth that.
    static func isFaster(rows: Int, inputs: Int, outputs: Int, isGated: Bool) -> Bool {
        Precision.hasWideVectors && rows >= 256 && rows % 2 == 0 && inputs >= (isGated ? 320 : 2048) && outputs >= 512
            && inputs * outputs <= 1 << 24 && StrassenPanels(inputs: inputs, outputs: outputs) != nil
    }

    /// Products with all rows.
    /// - Parameters:
    ///   - x: rows of `inputs` numbers.
    ///   - rows: an even number.
    ///   - weights: in these panels.
    ///   - bias: one number for each output, or nil.
    ///   - target: where they go.
    func multiply(
        _ x: UnsafeMutablePointer<Float>, rows: Int, weights: UnsafeMutableRawPointer, bias: UnsafeMutablePointer<Float>?,
        into target: PanelProduct.Target
    ) {
        let (pairs, tiles) = (rows / 2, (rows / 2 + 5) / 6)
        // Pairs of rows that are multiplied together: their sums stay in the second cache, but enough of them share a panel on its way there.
        let most = max(66, 40_960 / panels.depth)
        let parts = min(Parallel.threads, tiles)
        let blocks = (pairs + parts * most - 1) / (parts * most)
        let blockRows = (tiles + parts * blocks - 1) / (parts * blocks) * 6
        let sums = Grid(rows: blockRows, width: panels.depth + 16)
        let products = Grid(rows: blockRows, width: Self.width)
        let scratch = Tensor(uninitialized: [parts, 4 * sums.count + StrassenPanels.products * products.count])
        let streams = target.isWorthStreaming(rows: rows, outputs: panels.outputs)
        Parallel.run(parts) { part in
            let buffer = scratch.pointer + part * (scratch.count / parts)
            let work = Work(
                x: x, weights: weights, bias: bias, target: target, streams: streams, sums: sums, products: products,
                s: buffer, q: buffer + 4 * sums.count)
            for block in 0..<blocks {
                let first = (part * blocks + block) * blockRows
                if first < pairs { multiply(first..<min(first + blockRows, pairs), work) }
            }
            if streams { w2w_stream_end() }
        }
        withExtendedLifetime(scratch) {}
    }

    /// Where rows of a buffer of several matrices lie.
    private struct Grid {
        let rows, width: Int
        var count: Int { rows * width }

        @inline(__always)
        func at(_ matrix: Int, _ row: Int) -> Int { (matrix * rows + row) * width }
    }

    /// The share of a thread.
    private struct Work {
        let x: UnsafeMutablePointer<Float>
        let weights: UnsafeMutableRawPointer
        let bias: UnsafeMutablePointer<Float>?
        let target: PanelProduct.Target
        /// Whether the results go past the caches.
        let streams: Bool
        let sums, products: Grid
        /// s1, s2, s3, s4
        let s: UnsafeMutablePointer<Float>
        /// The seven products with a pair of panels, in their order.
        let q: UnsafeMutablePointer<Float>
    }

    /// All products of some pairs of rows.
    private func multiply(_ rows: Range<Int>, _ work: Work) {
        add(rows, work)
        let (count, depth) = (rows.count, panels.depth)
        let (first, apart) = (work.x + 2 * rows.lowerBound * panels.inputs, 2 * panels.inputs)
        func sum(_ number: Int) -> (UnsafeMutablePointer<Float>, Int) { (work.s + work.sums.at(number - 1, 0), work.sums.width) }
        let a = [
            (first, apart), sum(2), sum(3), (first + depth, apart), (first + panels.inputs + depth, apart), sum(4), sum(1),
        ]
        for pair in 0..<panels.pairs {
            for k in stride(from: 0, to: depth, by: StrassenPanels.chunk) {
                for product in 0..<StrassenPanels.products {
                    let (rows, stride) = a[product]
                    let b = panels.panel(pair, product, from: k, in: work.weights)
                    let c = work.q + work.products.at(product, 0)
                    var sink = SumSink(c: c, apart: Self.width, before: k == 0 ? nil : c)
                    WordTile<FloatWords, SumSink>.run(
                        rows: count, a: UnsafeMutableRawPointer(rows + k).assumingMemoryBound(to: UInt32.self), stride: stride,
                        b: b, depth: panels.count(from: k), into: &sink, ahead: b + 4 * Self.width * panels.count(from: k))
                }
            }
            finish(pair, rows, work)
        }
    }

    /// The sums of rows.
    private func add(_ rows: Range<Int>, _ work: Work) {
        let depth = panels.depth
        for row in rows {
            let first = work.x + 2 * row * panels.inputs
            let second = first + panels.inputs
            func sum(_ number: Int) -> UnsafeMutablePointer<Float> {
                work.s + work.sums.at(number - 1, row - rows.lowerBound)
            }
            let (s1, s2, s3, s4) = (sum(1), sum(2), sum(3), sum(4))
            for k in stride(from: 0, to: depth, by: 16) {
                let (a11, a21) = (first.lanes(k), second.lanes(k))
                let sum = a21 + second.lanes(depth + k)
                s1.store(sum, k)
                s2.store(sum - a11, k)
                s3.store(a11 - a21, k)
                s4.store(first.lanes(depth + k) - (sum - a11), k)
            }
        }
    }

    /// Brings the results of a pair of panels to where they belong.
    private func finish(_ pair: Int, _ rows: Range<Int>, _ work: Work) {
        for row in rows {
            for column in stride(from: 0, to: Self.width, by: 16) {
                @inline(__always)
                func product(_ number: Int) -> Lanes { work.q.lanes(work.products.at(number, row - rows.lowerBound) + column) }
                let (p, w) = (product(0), product(6))
                let u = p + product(1)
                let v = u + product(2)
                finish(p + product(3), u + product(5) + w, 2 * row, pair * Self.width + column, work)
                finish(v + product(4), v + w, 2 * row + 1, pair * Self.width + column, work)
            }
        }
    }

    /// The results of a row from output `column` of the first half on, and from that of the second.
    @inline(__always)
    private func finish(_ left: Lanes, _ right: Lanes, _ row: Int, _ column: Int, _ work: Work) {
        let half = panels.pairs * Self.width
        var (left, right) = (left, right)
        if let bias = work.bias {
            left += bias.lanes(column)
            right += bias.lanes(half + column)
        }
        switch work.target {
        case .rows(let y, let residual):
            let at = row * panels.outputs + column
            if let residual {
                left += residual.lanes(at)
                right += residual.lanes(at + half)
            }
            put(left, y, at, work)
            put(right, y, at + half, work)
        case .gated(let y): put(left * VectorMath.gelu(right), y, row * half + column, work)
        }
    }

    @inline(__always)
    private func put(_ lanes: Lanes, _ y: UnsafeMutablePointer<Float>, _ at: Int, _ work: Work) {
        if work.streams { y.stream(lanes, at) } else { y.store(lanes, at) }
    }
}
