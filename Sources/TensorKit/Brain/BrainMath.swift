import COneDNN

/// Sixteen words, each a float32 number or a pair of bfloat16 numbers: one AVX-512 register.
typealias Words = SIMD16<UInt32>

/// Arithmetic of bfloat16 numbers. Only fast where the processor has instructions for it (`Precision.hasBrainProducts`); right everywhere.
enum BrainMath {
    @_transparent
    static func narrow(_ x: Lanes) -> SIMD16<UInt16> { w2w_brain_narrow(x) }

    /// Narrowed numbers, each in the lower half of a word.
    @_transparent
    static func words(_ x: Lanes) -> Words { w2w_brain_words(x) }

    /// Sixteen numbers of an even row with those of the row after it.
    @_transparent
    static func pairs(_ even: Lanes, _ odd: Lanes) -> Words { words(even) | words(odd) &<< 16 }

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

    /// 2 to the power x, for x up to 0, within 1e-4 of itself: as exact as the bfloat16 numbers that are made of it need.
    @_transparent
    static func exp2(_ x: Lanes) -> Lanes {
        // x = n + r with whole n: adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits.
        let x = VectorMath.maximum(x, Lanes(repeating: -126))
        let shifted = x + 12_582_912
        let r = x - (shifted - 12_582_912)
        var p = VectorMath.multiplyAdd(r, Lanes(repeating: 0.05500893), Lanes(repeating: 0.24221097))
        p = VectorMath.multiplyAdd(p, r, Lanes(repeating: 0.69326098))
        p = VectorMath.multiplyAdd(p, r, Lanes(repeating: 1.0))
        let bits = unsafeBitCast(p, to: SIMD16<Int32>.self) &+ (unsafeBitCast(shifted, to: SIMD16<Int32>.self) &<< 23)
        return unsafeBitCast(bits, to: Lanes.self)
    }
}
