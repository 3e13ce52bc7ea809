import COneDNN

/// Sixteen words, each a float32 number or a pair of bfloat16 numbers: one AVX-512 register.
typealias Words = SIMD16<UInt32>

/// Arithmetic of bfloat16 numbers. Only fast where the processor has instructions for it (`Precision.hasBrainProducts`); right everywhere.
enum BrainMath {
    @_transparent
    static func narrow(_ x: Lanes) -> SIMD16<UInt16> { w2w_brain_narrow(x) }

    /// Twice sixteen numbers one after the other, two to a word.
    @_transparent
    static func narrow(_ low: Lanes, _ high: Lanes) -> Words { w2w_brain_narrow_two(low, high) }

    /// Narrowed numbers, each in the lower half of a word.
    @_transparent
    static func words(_ x: Lanes) -> Words { w2w_brain_words(x) }

    /// Sixteen numbers of an even row with those of the row after it.
    @_transparent
    static func pairs(_ even: Lanes, _ odd: Lanes) -> Words { w2w_brain_pairs(even, odd) }

    /// Narrows a row.
    /// - Parameters:
    ///   - source: `count` numbers.
    ///   - count: how many.
    ///   - target: gets them; where `count` is odd a zero follows.
    @inline(__always)
    static func narrow(_ source: UnsafeMutablePointer<Float>, count: Int, into target: UnsafeMutableRawPointer) {
        var i = 0
        while i + 16 <= count {
            (target + 2 * i).storeBytes(of: narrow(source.lanes(i)), as: SIMD16<UInt16>.self)
            i += 16
        }
        let rest = count - i
        if rest > 0 {
            let last = narrow(source.partialLanes(i, rest))
            let to = target.assumingMemoryBound(to: UInt16.self)
            for k in 0..<rest { to[i + k] = last[k] }
            if count % 2 == 1 { to[count] = 0 }
        }
    }

    /// x Φ(x) within 3e-4 of it.
    @_transparent
    static func gelu(_ x: Lanes) -> Lanes {
        // Φ is an odd function around a half, and here one or zero from 3.8 on.
        let t = VectorMath.minimum(VectorMath.maximum(x, Lanes(repeating: -3.8)), Lanes(repeating: 3.8))
        let s = t * t
        var p = VectorMath.multiplyAdd(s, Lanes(repeating: 3.9128512e-08), Lanes(repeating: -2.4118499e-06))
        p = VectorMath.multiplyAdd(p, s, Lanes(repeating: 6.382112e-05))
        p = VectorMath.multiplyAdd(p, s, Lanes(repeating: -0.00096716062))
        p = VectorMath.multiplyAdd(p, s, Lanes(repeating: 0.0095283303))
        p = VectorMath.multiplyAdd(p, s, Lanes(repeating: -0.066328906))
        p = VectorMath.multiplyAdd(p, s, Lanes(repeating: 0.39931303))
        return x * VectorMath.multiplyAdd(p, t, Lanes(repeating: 0.5))
    }

    /// 2 to the power x / 128 - 127, within 0.7 %, of an even row with those of the row after it; for x from 128 to below 32640, and zero below 1.
    @_transparent
    static func powers(_ even: Lanes, _ odd: Lanes) -> Words { w2w_brain_powers(even, odd) }
}
