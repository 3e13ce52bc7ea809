/// Thirty-two half-precision numbers (IEEE 754 binary16): one AVX-512 register.
typealias HalfLanes = SIMD32<Float16>

/// Arithmetic of half-precision vectors. Only fast where the processor multiplies them as they are (`Precision.hasHalfProducts`); right everywhere.
enum HalfMath {
    /// The first and the second sixteen lanes.
    @_transparent
    static func halves(_ x: HalfLanes) -> (low: SIMD16<Float16>, high: SIMD16<Float16>) {
        var (low, high) = (SIMD16<Float16>(), SIMD16<Float16>())
        for i in 0..<16 {
            low[i] = x[i]
            high[i] = x[i + 16]
        }
        return (low, high)
    }

    /// 256 times 2 to the power x, for x from -21.5 (where it stays below) to 0, within 6e-4 of itself. The factor keeps it away from numbers too
    /// small for half precision.
    @_transparent
    static func exp2Times256(_ x: HalfLanes) -> HalfLanes {
        let x = maximum(x, constant(0xCD60))
        // x = n + r with whole n: adding 1.5 * 2^10 rounds to a whole number and leaves it in the low bits.
        let shifted = add(x, constant(0x6600))
        let r = subtract(x, subtract(shifted, constant(0x6600)))
        // 256 times 1 + 0.6934 r + 0.2422 r^2 + 0.055 r^3: the least largest error of this degree is 1e-4.
        var p = multiplyAdd(r, constant(0x4B0B), constant(0x53C0))
        p = multiplyAdd(p, r, constant(0x598C))
        p = multiplyAdd(p, r, constant(0x5C00))
        // Multiply by 2^n in the exponents' bits, which are the highest but one of sixteen: what is above them falls off.
        let exponents = (unsafeBitCast(shifted, to: SIMD16<UInt32>.self) &<< 10) & 0xFC00_FC00
        return unsafeBitCast(
            unsafeBitCast(p, to: SIMD32<UInt16>.self) &+ unsafeBitCast(exponents, to: SIMD32<UInt16>.self), to: HalfLanes.self)
    }

    @_transparent
    static func constant(_ bits: UInt16) -> HalfLanes { spread(UInt32(bits) * 0x1_0001) }

    /// The two equal halves of a word in all lanes. Words of 32 bits are spread while they are loaded, single half-precision numbers are not.
    @_transparent
    static func spread(_ word: UInt32) -> HalfLanes { unsafeBitCast(SIMD16<UInt32>(repeating: word), to: HalfLanes.self) }

    @inline(__always)
    static func widen(_ half: SIMD16<Float16>) -> Lanes {
        var result = Lanes()
        for i in 0..<16 { result[i] = Float(half[i]) }
        return result
    }

    @inline(__always)
    static func narrow(_ lanes: Lanes) -> SIMD16<Float16> {
        var result = SIMD16<Float16>()
        for i in 0..<16 { result[i] = Float16(lanes[i]) }
        return result
    }

    /// Each number twice in a word of its own, for `spread`.
    @inline(__always)
    static func doubled(_ half: SIMD16<Float16>) -> SIMD16<UInt32> {
        let bits = unsafeBitCast(half, to: SIMD16<UInt16>.self)
        var words = SIMD16<UInt32>()
        for i in 0..<16 { words[i] = UInt32(bits[i]) }
        return words | (words &<< 16)
    }

    /// Narrows a row to doubled words.
    /// - Parameters:
    ///   - source: `count` numbers.
    ///   - count: how many; may be no multiple of sixteen.
    ///   - factor: they are multiplied by this first.
    ///   - target: gets the words.
    @inline(__always)
    static func double(
        _ source: UnsafeMutablePointer<Float>, count: Int, factor: Float, into target: UnsafeMutablePointer<UInt32>
    ) {
        var i = 0
        while i + 16 <= count {
            UnsafeMutableRawPointer(target + i).storeBytes(
                of: doubled(narrow(source.lanes(i) * factor)), as: SIMD16<UInt32>.self)
            i += 16
        }
        while i < count {
            let bits = UInt32(Float16(source[i] * factor).bitPattern)
            target[i] = bits | bits &<< 16
            i += 1
        }
    }

    /// The largest magnitude; not-a-number counts as nothing.
    static func largest(_ x: UnsafeMutablePointer<Float>, count: Int) -> Float {
        var (first, second) = (Lanes.zero, Lanes.zero)
        var i = 0
        while i + 32 <= count {
            let (a, b) = (x.lanes(i), x.lanes(i + 16))
            first = VectorMath.maximum(first, a.replacing(with: -a, where: a .< 0))
            second = VectorMath.maximum(second, b.replacing(with: -b, where: b .< 0))
            i += 32
        }
        var top = VectorMath.maximum(of: VectorMath.maximum(first, second))
        while i < count {
            if abs(x[i]) > top { top = abs(x[i]) }
            i += 1
        }
        return top
    }

    /// The power of two that brings numbers of up to `largest` below `bound`, itself a power of two, and above half of it. One where there is
    /// nothing to scale: only zeros, or numbers that are infinite.
    static func scale(largest: Float, below bound: Float) -> Float {
        guard largest.isFinite, largest > 0x1p-100 else { return 1 }
        // Never more than 2^100, so that its inverse and products with it stay normal.
        return bound / Float(sign: .plus, exponent: largest.exponent + 1, significand: 1)
    }
}

extension UnsafeMutablePointer<Float16> {
    /// Thirty-two elements from `index` on, which need not be aligned.
    @inline(__always)
    func halfLanes(_ index: Int) -> HalfLanes { UnsafeRawPointer(self + index).loadUnaligned(as: HalfLanes.self) }

    /// Sixteen elements from `index` on.
    @inline(__always)
    func sixteen(_ index: Int) -> SIMD16<Float16> { UnsafeRawPointer(self + index).loadUnaligned(as: SIMD16<Float16>.self) }

    /// Sets thirty-two elements from `index` on.
    @inline(__always)
    func store(_ lanes: HalfLanes, _ index: Int) {
        UnsafeMutableRawPointer(self + index).storeBytes(of: lanes, as: HalfLanes.self)
    }
}
