import COneDNN

/// The turns of Winograd's minimal filtering F(n x n, 3 x 3): from an image's tiles and a kernel to numbers that are multiplied place by place, and
/// back. In float32, sixteen channels or outputs at a time.
///
/// n = 4 makes 36 products for sixteen results instead of 144; with the points 0, √½, -√½, √2, -√2 and infinity a sum's error grows about fourfold
/// (with the usual 0, 1, -1, 2, -2 tenfold). n = 2 makes sixteen for four instead of 36, with the points 0, 1, -1 and infinity; its weights take less
/// than half the memory, its error is less than half as large.
enum WinogradTurns: Int {
    case two = 2
    case four = 4

    /// Results of a tile in a row.
    var results: Int { rawValue }
    /// Pixels of a tile in a row.
    var side: Int { rawValue + 2 }
    /// Products of a channel.
    var places: Int { side * side }

    /// Floats for one turn.
    static let scratch = 36 * 16

    /// Bᵀ d B of one tile: a number may become 4 times (n = 2) or 21 times (n = 4) the largest.
    /// - Parameters:
    ///   - source: the tile's first pixel.
    ///   - row: floats from one row of pixels to the next.
    ///   - column: from one pixel to the next.
    ///   - channels: a multiple of sixteen.
    ///   - scale: all numbers are multiplied by it.
    ///   - target: of the first place.
    ///   - number: what they become.
    ///   - apart: numbers from one place to the next.
    ///   - scratch: as `scratch` says.
    func turn(
        _ source: UnsafeMutablePointer<Float>, row: Int, column: Int, channels: Int, scale: Float,
        into target: UnsafeMutableRawPointer, of number: PanelNumber, apart: Int, _ scratch: UnsafeMutablePointer<Float>
    ) {
        switch number {
        case .binary16: turn(source, row, column, channels, target, apart, scratch) { HalfMath.narrow($0 * scale) }
        case .bfloat16: turn(source, row, column, channels, target, apart, scratch) { BrainMath.narrow($0) }
        case .float32: turn(source, row, column, channels, target, apart, scratch) { $0 }
        }
    }

    @inline(__always)
    private func turn<Stored>(
        _ source: UnsafeMutablePointer<Float>, _ row: Int, _ column: Int, _ channels: Int, _ target: UnsafeMutableRawPointer,
        _ apart: Int, _ scratch: UnsafeMutablePointer<Float>, _ narrow: (Lanes) -> Stored
    ) {
        // Each with its own constants.
        switch self {
        case .two: Self.two.turnAll(source, row, column, channels, target, apart, scratch, narrow)
        case .four: Self.four.turnAll(source, row, column, channels, target, apart, scratch, narrow)
        }
    }

    @inline(__always)
    private func turnAll<Stored>(
        _ source: UnsafeMutablePointer<Float>, _ row: Int, _ column: Int, _ channels: Int, _ target: UnsafeMutableRawPointer,
        _ apart: Int, _ scratch: UnsafeMutablePointer<Float>, _ narrow: (Lanes) -> Stored
    ) {
        let bytes = MemoryLayout<Stored>.size / 16
        for channel in stride(from: 0, to: channels, by: 16) {
            for j in 0..<side {
                // The pixels' next lines: too many streams for the processor to foresee.
                let ahead = source + j * column + channel + 32
                for i in 0..<side { w2w_prefetch(ahead + i * row) }
                turnInput(source + j * column + channel, row) { i, lanes in scratch.store(lanes, (i * side + j) * 16) }
            }
            for i in 0..<side {
                turnInput(scratch + i * side * 16, 16) { j, lanes in
                    (target + ((i * side + j) * apart + channel) * bytes).storeBytes(of: narrow(lanes), as: Stored.self)
                }
            }
        }
    }

    /// G w Gᵀ of sixteen kernels.
    /// - Parameters:
    ///   - source: the first kernel, nine numbers.
    ///   - apart: from one kernel to the next.
    ///   - target: [places, 16]
    @inline(never)
    func turnWeights(_ source: UnsafeMutablePointer<Float>, _ apart: Int, into target: UnsafeMutablePointer<Float>) {
        switch self {
        case .two: Self.two.turnGathered(source, apart, target)
        case .four: Self.four.turnGathered(source, apart, target)
        }
    }

    @inline(__always)
    private func turnGathered(
        _ source: UnsafeMutablePointer<Float>, _ apart: Int, _ target: UnsafeMutablePointer<Float>
    ) {
        turnKernels { place in
            (source + place).lanes(apart: apart)
        } _: { place, lanes in
            target.store(lanes, place * 16)
        }
    }

    /// Aᵀ m A of one tile and sixteen outputs.
    /// - Parameters:
    ///   - source: sixteen outputs of the first place.
    ///   - apart: floats from one place to the next.
    ///   - scratch: as `scratch` says.
    ///   - take: gets the numbers of each pixel, row and column.
    @inline(__always)
    func turnBack(
        _ source: UnsafeMutablePointer<Float>, _ apart: Int, _ scratch: UnsafeMutablePointer<Float>,
        _ take: (_ row: Int, _ column: Int, _ lanes: Lanes) -> Void
    ) {
        for j in 0..<side {
            turnResult(source + j * apart, side * apart) { i, lanes in scratch.store(lanes, (i * side + j) * 16) }
        }
        for i in 0..<results { turnResult(scratch + i * side * 16, 16) { j, lanes in take(i, j, lanes) } }
    }

    /// Bᵀ d: the coefficients of the product of all x - p for infinity, and of the others' product for each point p.
    @inline(__always)
    private func turnInput(_ d: UnsafeMutablePointer<Float>, _ step: Int, _ store: (_ place: Int, _ lanes: Lanes) -> Void) {
        let (d0, d1, d2, d3) = (d.lanes(0), d.lanes(step), d.lanes(2 * step), d.lanes(3 * step))
        switch self {
        case .two:
            store(0, d0 - d2)
            store(1, d1 + d2)
            store(2, d2 - d1)
            store(3, d1 - d3)
        case .four:
            let (d4, d5) = (d.lanes(4 * step), d.lanes(5 * step))
            // Divided by what the others' product is at p: by 2 p² (p² - q²), where ±q are the others, -1.5 and 6. Kernels that are turned at use have
            // less to do then.
            let most = Lanes(repeating: -2.5)
            let even1 = VectorMath.multiplyAdd(d2, Lanes(repeating: 4.0 / 3), d4 * (-2.0 / 3))
            let odd1 = VectorMath.multiplyAdd(d1, Lanes(repeating: 0.70710678 * 4.0 / 3), d3 * (0.70710678 * -2.0 / 3))
            let even2 = VectorMath.multiplyAdd(d2, Lanes(repeating: -0.5 / 6), d4 * (1.0 / 6))
            let odd2 = VectorMath.multiplyAdd(d1, Lanes(repeating: 1.41421356 * -0.5 / 6), d3 * (1.41421356 / 6))
            store(0, VectorMath.multiplyAdd(d2, most, d0 + d4))
            store(1, even1 + odd1)
            store(2, even1 - odd1)
            store(3, even2 + odd2)
            store(4, even2 - odd2)
            store(5, VectorMath.multiplyAdd(d3, most, d1 + d5))
        }
    }

    /// A row or column of what a kernel is turned into; n = 2 has four of them.
    struct TurnedRow {
        let a, b, c, d, e, f: Lanes
    }

    /// G w: the kernel's polynomial at the points; of n = 2 divided by what the others' product is there.
    @_transparent
    func turnKernel(_ w0: Lanes, _ w1: Lanes, _ w2: Lanes) -> TurnedRow {
        switch self {
        case .two:
            let (even, odd) = ((w0 + w2) * 0.5, w1 * 0.5)
            return TurnedRow(a: w0, b: even + odd, c: even - odd, d: w2, e: w2, f: w2)
        case .four:
            let (even1, odd1) = (VectorMath.multiplyAdd(w2, Lanes(repeating: 0.5), w0), w1 * 0.70710678)
            let (even2, odd2) = (VectorMath.multiplyAdd(w2, Lanes(repeating: 2), w0), w1 * 1.41421356)
            return TurnedRow(a: w0, b: even1 + odd1, c: even1 - odd1, d: even2 + odd2, e: even2 - odd2, f: w2)
        }
    }

    /// G w Gᵀ of sixteen kernels.
    /// - Parameters:
    ///   - load: gives the kernels' numbers at one of nine positions.
    ///   - store: takes those of a place.
    @inline(__always)
    func turnKernels(_ load: (_ tap: Int) -> Lanes, _ store: (_ place: Int, _ lanes: Lanes) -> Void) {
        let left = turnKernel(load(0), load(3), load(6))
        let middle = turnKernel(load(1), load(4), load(7))
        let right = turnKernel(load(2), load(5), load(8))
        @inline(__always)
        func row(_ i: Int, _ w0: Lanes, _ w1: Lanes, _ w2: Lanes) {
            let row = turnKernel(w0, w1, w2)
            let first = i * side
            store(first, row.a)
            store(first + 1, row.b)
            store(first + 2, row.c)
            store(first + 3, row.d)
            if self == .four {
                store(first + 4, row.e)
                store(first + 5, row.f)
            }
        }
        row(0, left.a, middle.a, right.a)
        row(1, left.b, middle.b, right.b)
        row(2, left.c, middle.c, right.c)
        row(3, left.d, middle.d, right.d)
        if self == .four {
            row(4, left.e, middle.e, right.e)
            row(5, left.f, middle.f, right.f)
        }
    }

    /// The same of twice sixteen kernels, whose numbers are stored together.
    @inline(__always)
    func turnKernels(
        _ loadLow: (_ tap: Int) -> Lanes, _ loadHigh: (_ tap: Int) -> Lanes,
        _ store: (_ place: Int, _ low: Lanes, _ high: Lanes) -> Void
    ) {
        let (left, leftHigh) = (
            turnKernel(loadLow(0), loadLow(3), loadLow(6)), turnKernel(loadHigh(0), loadHigh(3), loadHigh(6))
        )
        let (middle, middleHigh) = (
            turnKernel(loadLow(1), loadLow(4), loadLow(7)), turnKernel(loadHigh(1), loadHigh(4), loadHigh(7))
        )
        let (right, rightHigh) = (
            turnKernel(loadLow(2), loadLow(5), loadLow(8)), turnKernel(loadHigh(2), loadHigh(5), loadHigh(8))
        )
        @inline(__always)
        func row(_ i: Int, _ low: (Lanes, Lanes, Lanes), _ high: (Lanes, Lanes, Lanes)) {
            let (low, high) = (turnKernel(low.0, low.1, low.2), turnKernel(high.0, high.1, high.2))
            let first = i * side
            store(first, low.a, high.a)
            store(first + 1, low.b, high.b)
            store(first + 2, low.c, high.c)
            store(first + 3, low.d, high.d)
            if self == .four {
                store(first + 4, low.e, high.e)
                store(first + 5, low.f, high.f)
            }
        }
        row(0, (left.a, middle.a, right.a), (leftHigh.a, middleHigh.a, rightHigh.a))
        row(1, (left.b, middle.b, right.b), (leftHigh.b, middleHigh.b, rightHigh.b))
        row(2, (left.c, middle.c, right.c), (leftHigh.c, middleHigh.c, rightHigh.c))
        row(3, (left.d, middle.d, right.d), (leftHigh.d, middleHigh.d, rightHigh.d))
        if self == .four {
            row(4, (left.e, middle.e, right.e), (leftHigh.e, middleHigh.e, rightHigh.e))
            row(5, (left.f, middle.f, right.f), (leftHigh.f, middleHigh.f, rightHigh.f))
        }
    }

    /// Aᵀ m: powers of the points times what was found there.
    @inline(__always)
    private func turnResult(_ m: UnsafeMutablePointer<Float>, _ step: Int, _ store: (_ place: Int, _ lanes: Lanes) -> Void) {
        let (m0, m1, m2, m3) = (m.lanes(0), m.lanes(step), m.lanes(2 * step), m.lanes(3 * step))
        switch self {
        case .two:
            store(0, m0 + m1 + m2)
            store(1, m1 - m2 - m3)
        case .four:
            let (m4, m5) = (m.lanes(4 * step), m.lanes(5 * step))
            let (sum1, less, sum2, more) = (m1 + m2, (m1 - m2) * 0.70710678, m3 + m4, (m3 - m4) * 1.41421356)
            store(0, m0 + sum1 + sum2)
            store(1, less + more)
            store(2, VectorMath.multiplyAdd(sum1, Lanes(repeating: 0.5), sum2 + sum2))
            store(3, VectorMath.multiplyAdd(less, Lanes(repeating: 0.5), VectorMath.multiplyAdd(more, Lanes(repeating: 2), m5)))
        }
    }
}
