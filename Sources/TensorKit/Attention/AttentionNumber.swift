import COneDNN

/// What queries, keys, values and weights become before `WideAttentionTile` multiplies them.
///
/// A score s weighs 2 to the power (s - `unit`) / `doubling`.
protocol AttentionNumber {
    associatedtype Product: WordProduct
    /// Numbers in a word.
    static var perWord: Int { get }
    /// How much larger scores have to be for twice the weight.
    static var doubling: Float { get }
    /// The score that weighs one, and one that weighs nothing.
    static var unit: Float { get }
    static var nothing: Float { get }
    /// Sixteen neighbouring numbers of a row as `16 / perWord` words.
    static func store(_ x: Lanes, _ words: UnsafeMutablePointer<UInt32>)
    /// Numbers of `perWord` rows, side by side: of a row with an even number, and of the row after it.
    static func store(_ even: Lanes, _ odd: Lanes, _ row: Int, apart: Int, _ words: UnsafeMutablePointer<UInt32>)
    /// Stores what scores weigh in the same way.
    /// - Returns: `total` and the weights of both rows.
    static func weigh(
        _ even: Lanes, _ odd: Lanes, _ row: Int, apart: Int, _ words: UnsafeMutablePointer<UInt32>, adding total: Lanes
    ) -> Lanes
}

/// Float32.
enum FloatNumber: AttentionNumber {
    typealias Product = FloatWords

    static var perWord: Int { 1 }
    static var doubling: Float { 1 }
    static var unit: Float { 0 }
    static var nothing: Float { -1e30 }

    /// 2 to the power x, for x up to 127, within 3e-7 of itself.
    @_transparent
    static func exp2(_ x: Lanes) -> Lanes {
        let r = w2w_fraction(x)
        var p = VectorMath.multiplyAdd(r, Lanes(repeating: 0.0018775766), Lanes(repeating: 0.008989341))
        p = VectorMath.multiplyAdd(p, r, Lanes(repeating: 0.055826318))
        p = VectorMath.multiplyAdd(p, r, Lanes(repeating: 0.24015361))
        p = VectorMath.multiplyAdd(p, r, Lanes(repeating: 0.6931531))
        p = VectorMath.multiplyAdd(p, r, Lanes(repeating: 0.99999994))
        return w2w_times_power(p, x)
    }

    @inline(__always)
    static func store(_ x: Lanes, _ words: UnsafeMutablePointer<UInt32>) {
        UnsafeMutableRawPointer(words).storeBytes(of: x, as: Lanes.self)
    }

    @inline(__always)
    static func store(_ even: Lanes, _ odd: Lanes, _ row: Int, apart: Int, _ words: UnsafeMutablePointer<UInt32>) {
        store(even, words + row * apart)
        store(odd, words + (row + 1) * apart)
    }

    @inline(__always)
    static func weigh(
        _ even: Lanes, _ odd: Lanes, _ row: Int, apart: Int, _ words: UnsafeMutablePointer<UInt32>, adding total: Lanes
    ) -> Lanes {
        let (a, b) = (exp2(even), exp2(odd))
        store(a, b, row, apart: apart, words)
        return total + (a + b)
    }
}

/// Bfloat16, products summed in float32.
enum BrainNumber: AttentionNumber {
    typealias Product = BrainWords

    static var perWord: Int { 2 }
    // As `BrainMath.powers` takes them, and half a step, as numbers are cut off there.
    static var doubling: Float { 128 }
    static var unit: Float { 127 * 128 + 0.5 }
    static var nothing: Float { 0 }

    @inline(__always)
    static func store(_ x: Lanes, _ words: UnsafeMutablePointer<UInt32>) {
        UnsafeMutableRawPointer(words).storeBytes(of: BrainMath.narrow(x), as: SIMD16<UInt16>.self)
    }

    @inline(__always)
    static func store(_ even: Lanes, _ odd: Lanes, _ row: Int, apart: Int, _ words: UnsafeMutablePointer<UInt32>) {
        UnsafeMutableRawPointer(words + (row >> 1) * apart).storeBytes(of: BrainMath.pairs(even, odd), as: Words.self)
    }

    @inline(__always)
    static func weigh(
        _ even: Lanes, _ odd: Lanes, _ row: Int, apart: Int, _ words: UnsafeMutablePointer<UInt32>, adding total: Lanes
    ) -> Lanes {
        let weights = BrainMath.powers(even, odd)
        UnsafeMutableRawPointer(words + (row >> 1) * apart).storeBytes(of: weights, as: Words.self)
        // Times one and one.
        return BrainWords.add(total, weights, Words(repeating: 0x3F80_3F80))
    }
}

/// Turns sixteen rows of sixteen words into columns.
enum WordTurn {
    /// - Parameters:
    ///   - rows: [16, 16] words, which are lost.
    ///   - spare: as many.
    ///   - target: gets the columns; neither of both.
    ///   - apart: words from one column to the next.
    @inline(__always)
    static func run(
        _ rows: UnsafeMutablePointer<UInt32>, spare: UnsafeMutablePointer<UInt32>, into target: UnsafeMutablePointer<UInt32>,
        apart: Int
    ) {
        // Four times the rows of both halves are mixed like the halves of a pack of cards.
        mix(rows, 16, into: spare, 16)
        mix(spare, 16, into: rows, 16)
        mix(rows, 16, into: spare, 16)
        mix(spare, 16, into: target, apart)
    }

    @inline(__always)
    private static func mix(
        _ from: UnsafeMutablePointer<UInt32>, _ fromApart: Int, into to: UnsafeMutablePointer<UInt32>, _ toApart: Int
    ) {
        for i in 0..<8 {
            let a = UnsafeRawPointer(from + i * fromApart).loadUnaligned(as: Words.self)
            let b = UnsafeRawPointer(from + (i + 8) * fromApart).loadUnaligned(as: Words.self)
            var (low, high) = (Words(), Words())
            low.evenHalf = a.lowHalf
            low.oddHalf = b.lowHalf
            high.evenHalf = a.highHalf
            high.oddHalf = b.highHalf
            UnsafeMutableRawPointer(to + 2 * i * toApart).storeBytes(of: low, as: Words.self)
            UnsafeMutableRawPointer(to + (2 * i + 1) * toApart).storeBytes(of: high, as: Words.self)
        }
    }
}

/// The features of one head in many rows.
struct HeadFeatures {
    /// The first row's.
    let first: UnsafeMutablePointer<Float>
    /// Floats from one row to the next.
    private let stride: Int
    let width: Int

    init(_ first: UnsafeMutablePointer<Float>, stride: Int, width: Int) {
        (self.first, self.stride, self.width) = (first, stride, width)
    }

    /// Sixteen features of a row from `feature` on, zero beyond the last.
    @inline(__always)
    func lanes(_ row: Int, _ feature: Int) -> Lanes { first.partialLanes(row * stride + feature, min(16, width - feature)) }

    /// Asks for a row's lines. Heads lie between each other, so that the processor does not foresee which come next.
    @inline(__always)
    func prefetch(_ row: Int) {
        let row = UnsafeRawPointer(first + row * stride)
        for byte in Swift.stride(from: 0, to: 4 * width, by: 64) { w2w_prefetch(row + byte) }
        w2w_prefetch(row + 4 * width - 1)
    }
}
