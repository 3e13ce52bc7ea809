import COneDNN

/// Sixteen floats: one AVX-512 register, two of AVX2, four of NEON.
typealias Lanes = SIMD16<Float>

extension UnsafePointer<Float> {
    /// Sixteen elements from `index` on, which need not be aligned.
    @inline(__always)
    func lanes(_ index: Int) -> Lanes { UnsafeRawPointer(self + index).loadUnaligned(as: Lanes.self) }
}

extension UnsafeMutablePointer<Float> {
    /// Sixteen elements from `index` on, which need not be aligned.
    @inline(__always)
    func lanes(_ index: Int) -> Lanes { UnsafeRawPointer(self + index).loadUnaligned(as: Lanes.self) }

    /// Sixteen elements, `stride` from one to the next.
    @inline(__always)
    func lanes(apart stride: Int) -> Lanes {
        var lanes = Lanes()
        for i in 0..<16 { lanes[i] = self[i * stride] }
        return lanes
    }

    /// Sets sixteen elements from `index` on.
    @inline(__always)
    func store(_ lanes: Lanes, _ index: Int) { UnsafeMutableRawPointer(self + index).storeBytes(of: lanes, as: Lanes.self) }

    /// The same past the caches, for an `index` at a multiple of 64 bytes; `w2w_stream_end` follows the last.
    @inline(__always)
    func stream(_ lanes: Lanes, _ index: Int) { w2w_stream(self + index, lanes) }

    /// Whether a result is better streamed: rows of whole lines, and more of them than stay in the caches until they are read.
    func isWorthStreaming(count: Int, rowLength: Int) -> Bool {
        count >= 2 << 20 && rowLength % 16 == 0 && UInt(bitPattern: self) % 64 == 0
    }

    /// The first `count` (at most sixteen) elements from `index` on, the rest zero.
    @inline(__always)
    func partialLanes(_ index: Int, _ count: Int) -> Lanes { w2w_load_first(self + index, Int32(truncatingIfNeeded: count)) }

    /// Sets the first `count` (at most sixteen) elements from `index` on.
    @inline(__always)
    func storePartial(_ lanes: Lanes, _ index: Int, _ count: Int) {
        w2w_store_first(self + index, lanes, Int32(truncatingIfNeeded: count))
    }
}

/// Elementwise functions of sixteen floats. The coefficients are least-maximum fits in double precision, rounded to float.
enum VectorMath {
    /// a * b + c, in one rounding where the processor can.
    @_transparent
    static func multiplyAdd(_ a: Lanes, _ b: Lanes, _ c: Lanes) -> Lanes { w2w_multiply_add(a, b, c) }

    /// The sum of the sixteen, pairwise.
    @_transparent
    static func sum(_ x: Lanes) -> Float {
        let eight = x.lowHalf + x.highHalf
        let four = eight.lowHalf + eight.highHalf
        let two = four.lowHalf + four.highHalf
        return two[0] + two[1]
    }

    /// The largest of the sixteen.
    @_transparent
    static func maximum(of x: Lanes) -> Float {
        let eight = x.lowHalf.replacing(with: x.highHalf, where: x.lowHalf .< x.highHalf)
        let four = eight.lowHalf.replacing(with: eight.highHalf, where: eight.lowHalf .< eight.highHalf)
        return Swift.max(Swift.max(four[0], four[1]), Swift.max(four[2], four[3]))
    }

    @_transparent
    static func maximum(_ a: Lanes, _ b: Lanes) -> Lanes { a.replacing(with: b, where: a .< b) }

    @_transparent
    static func minimum(_ a: Lanes, _ b: Lanes) -> Lanes { a.replacing(with: b, where: a .> b) }

    /// eˣ within 2e-7 of itself; below -87.3 it stays at the smallest normal number's size, above 88 it stays there.
    @_transparent
    static func exp(_ x: Lanes) -> Lanes {
        let x = minimum(maximum(x, Lanes(repeating: -87.3)), Lanes(repeating: 88))
        // x = n ln 2 + r with whole n. Adding 1.5 * 2²³ rounds to a whole number and leaves it in the low bits.
        let shifted = multiplyAdd(x, Lanes(repeating: 1.442695041), Lanes(repeating: 12_582_912))
        let n = shifted - 12_582_912
        let high = multiplyAdd(n, Lanes(repeating: -0.693145751953125), x)
        let r = multiplyAdd(n, Lanes(repeating: -1.428606765330187e-06), high)
        var p = multiplyAdd(r, Lanes(repeating: 0.0013950602151453495), Lanes(repeating: 0.008368953131139278))
        p = multiplyAdd(p, r, Lanes(repeating: 0.04166620597243309))
        p = multiplyAdd(p, r, Lanes(repeating: 0.166665181517601))
        p = multiplyAdd(p, r, Lanes(repeating: 0.5))
        p = multiplyAdd(p, r * r, r) + 1
        // Multiply by 2ⁿ in the exponent's bits.
        let bits = unsafeBitCast(p, to: SIMD16<Int32>.self) &+ (unsafeBitCast(shifted, to: SIMD16<Int32>.self) &<< 23)
        return unsafeBitCast(bits, to: Lanes.self)
    }

    /// 1 / (1 + e⁻ˣ)
    @_transparent
    static func sigmoid(_ x: Lanes) -> Lanes { 1 / (1 + exp(-x)) }

    /// The hyperbolic tangent within 2e-7.
    @_transparent
    static func tanh(_ x: Lanes) -> Lanes {
        let large = 1 - 2 / (exp(x + x) + 1)
        let s = x * x
        var p = s * -0.05396825 + 0.13333333
        p = p * s - 0.33333333
        p = p * s * x + x
        return large.replacing(with: p, where: s .< 0.01)
    }

    /// The error function within 2e-7.
    @_transparent
    static func erf(_ x: Lanes) -> Lanes {
        // Odd: x times a polynomial of x², around the middle of its range, where its terms do not cancel. From 3.88 on one.
        let t = minimum(maximum(x, Lanes(repeating: -3.88)), Lanes(repeating: 3.88))
        let u = multiplyAdd(t * t, Lanes(repeating: 0.132851526), Lanes(repeating: -1))
        var p = multiplyAdd(u, Lanes(repeating: -0.000639931415), Lanes(repeating: 0.00171583076))
        p = multiplyAdd(p, u, Lanes(repeating: -0.00146131217))
        p = multiplyAdd(p, u, Lanes(repeating: 0.00201845705))
        p = multiplyAdd(p, u, Lanes(repeating: -0.00669023441))
        p = multiplyAdd(p, u, Lanes(repeating: 0.0128080556))
        p = multiplyAdd(p, u, Lanes(repeating: -0.0190293286))
        p = multiplyAdd(p, u, Lanes(repeating: 0.0286620595))
        p = multiplyAdd(p, u, Lanes(repeating: -0.0421389416))
        p = multiplyAdd(p, u, Lanes(repeating: 0.0573693179))
        p = multiplyAdd(p, u, Lanes(repeating: -0.0735628903))
        p = multiplyAdd(p, u, Lanes(repeating: 0.0907329991))
        p = multiplyAdd(p, u, Lanes(repeating: -0.109879561))
        p = multiplyAdd(p, u, Lanes(repeating: 0.135298818))
        p = multiplyAdd(p, u, Lanes(repeating: -0.181921348))
        p = multiplyAdd(p, u, Lanes(repeating: 0.364449948))
        return p * t
    }

    /// e to the power -x²/2, over the square root of 2π.
    @_transparent
    static func normalDensity(_ x: Lanes) -> Lanes { exp(x * x * -0.5) * 0.3989422804 }

    /// Φ(x), the cumulative normal distribution.
    @_transparent
    static func normalDistribution(_ x: Lanes) -> Lanes {
        multiplyAdd(erf(x * 0.70710678), Lanes(repeating: 0.5), Lanes(repeating: 0.5))
    }

    /// x Φ(x)
    @_transparent
    static func gelu(_ x: Lanes) -> Lanes { x * normalDistribution(x) }

    @_transparent
    static func geluDerivative(_ x: Lanes) -> Lanes { normalDistribution(x) + x * normalDensity(x) }

    @_transparent
    static func silu(_ x: Lanes) -> Lanes { x / (1 + exp(-x)) }

    /// Derivative of x sigmoid(x).
    @_transparent
    static func siluDerivative(_ x: Lanes) -> Lanes {
        let g = sigmoid(x)
        return g * (1 + x * (1 - g))
    }
}

/// A function of sixteen numbers that becomes part of the loop it is used in; a closure of some length is called, its numbers through memory.
protocol LaneFunction {
    static func of(_ x: Lanes) -> Lanes
}

enum Identity: LaneFunction {
    @_transparent
    static func of(_ x: Lanes) -> Lanes { x }
}

enum SiLU: LaneFunction {
    @_transparent
    static func of(_ x: Lanes) -> Lanes { VectorMath.silu(x) }
}

enum GELU: LaneFunction {
    @_transparent
    static func of(_ x: Lanes) -> Lanes { VectorMath.gelu(x) }
}

/// `GELU` as `BrainMath` has it.
enum BrainGELU: LaneFunction {
    @_transparent
    static func of(_ x: Lanes) -> Lanes { BrainMath.gelu(x) }
}
