/// Numbers of sixteen bits.
public enum HalfFloats {
    /// Widens half-precision numbers (IEEE 754 binary16).
    /// - Parameters:
    ///   - source: `count` numbers, little-endian; need not be aligned.
    ///   - count: how many.
    ///   - target: gets them.
    public static func widen(_ source: UnsafeRawPointer, count: Int, into target: UnsafeMutablePointer<Float>) {
        // Not `Float(Float16(...))`: where this is inlined into a module that is not made for the processor at hand, that is a call for each number.
        // Exponent and mantissa move into place, a product with 2^112 re-biases the exponent and makes subnormals normal, and what was infinite
        // or NaN gets the full exponent back.
        let scale = Float(bitPattern: UInt32(127 + 112) << 23)
        for i in 0..<count {
            let half = UInt32(source.loadUnaligned(fromByteOffset: i &* 2, as: UInt16.self))
            let magnitude = half & 0x7FFF
            let scaled = (Float(bitPattern: magnitude &<< 13) * scale).bitPattern
            let bits = magnitude >= 0x7C00 ? (magnitude &<< 13) | 0x7F80_0000 : scaled
            target[i] = Float(bitPattern: bits | ((half & 0x8000) &<< 16))
        }
    }

    /// The nearest bfloat16 number, ties to even; NaN stays NaN.
    @inline(__always)
    static func brain(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        let rounded = (bits &+ 0x7FFF &+ ((bits &>> 16) & 1)) &>> 16
        return UInt16(truncatingIfNeeded: (bits & 0x7FFF_FFFF) > 0x7F80_0000 ? 0x7FC0 : rounded)
    }
}
