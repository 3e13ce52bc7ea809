import TensorKit

/// How the numbers of a stored tensor are written; raw values are the names in safetensors headers.
public enum ElementType: String, Sendable, Hashable, CaseIterable {
    case float64 = "F64"
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int64 = "I64"
    case int32 = "I32"
    case int16 = "I16"
    case int8 = "I8"
    case uint64 = "U64"
    case uint32 = "U32"
    case uint16 = "U16"
    case uint8 = "U8"
    case bool = "BOOL"
    /// Sign, 4 bits of exponent, 3 of mantissa; no infinities.
    case float8e4m3 = "F8_E4M3"
    /// Sign, 5 bits of exponent, 2 of mantissa.
    case float8e5m2 = "F8_E5M2"

    /// Bytes of one element.
    public var size: Int {
        switch self {
        case .float64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .int8, .uint8, .bool, .float8e4m3, .float8e5m2: 1
        }
    }

    public var isFloatingPoint: Bool {
        switch self {
        case .float64, .float32, .float16, .bfloat16, .float8e4m3, .float8e5m2: true
        default: false
        }
    }
}

/// Conversions between stored little-endian numbers and float32. Addresses need no alignment.
enum ElementConversion {
    /// Reads `count` elements of `type` as float32, rounding to nearest where float32 cannot hold them.
    static func floats(
        _ source: UnsafeRawPointer, _ type: ElementType, count: Int, into target: UnsafeMutablePointer<Float>
    ) {
        switch type {
        case .float32: UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: count * 4)
        case .float16: HalfFloats.widen(source, count: count, into: target)
        case .bfloat16:
            for i in 0..<count {
                target[i] = Float(bitPattern: UInt32(source.loadUnaligned(fromByteOffset: i * 2, as: UInt16.self)) << 16)
            }
        case .float64: each(source, Double.self, count) { target[$0] = Float($1) }
        case .int64: each(source, Int64.self, count) { target[$0] = Float($1) }
        case .int32: each(source, Int32.self, count) { target[$0] = Float($1) }
        case .int16: each(source, Int16.self, count) { target[$0] = Float($1) }
        case .int8: each(source, Int8.self, count) { target[$0] = Float($1) }
        case .uint64: each(source, UInt64.self, count) { target[$0] = Float($1) }
        case .uint32: each(source, UInt32.self, count) { target[$0] = Float($1) }
        case .uint16: each(source, UInt16.self, count) { target[$0] = Float($1) }
        case .uint8: each(source, UInt8.self, count) { target[$0] = Float($1) }
        case .float8e4m3: each(source, UInt8.self, count) { target[$0] = quarter($1, exponentBits: 4) }
        case .float8e5m2: each(source, UInt8.self, count) { target[$0] = quarter($1, exponentBits: 5) }
        case .bool: each(source, UInt8.self, count) { target[$0] = $1 == 0 ? 0 : 1 }
        }
    }

    /// Reads whole numbers, those above `Int.max` as `Int.max`; nil for a floating-point type.
    static func integers(_ source: UnsafeRawPointer, _ type: ElementType, count: Int) -> [Int]? {
        guard !type.isFloatingPoint else { return nil }
        var result = [Int](repeating: 0, count: count)
        switch type {
        case .int64: each(source, Int64.self, count) { result[$0] = Int($1) }
        case .int32: each(source, Int32.self, count) { result[$0] = Int($1) }
        case .int16: each(source, Int16.self, count) { result[$0] = Int($1) }
        case .int8: each(source, Int8.self, count) { result[$0] = Int($1) }
        case .uint64: each(source, UInt64.self, count) { result[$0] = Int(clamping: $1) }
        case .uint32: each(source, UInt32.self, count) { result[$0] = Int($1) }
        case .uint16: each(source, UInt16.self, count) { result[$0] = Int($1) }
        default: each(source, UInt8.self, count) { result[$0] = Int($1) }
        }
        return result
    }

    /// Reads numbers as double precision, which holds whole numbers up to 2^53 exactly.
    static func doubles(_ source: UnsafeRawBufferPointer, _ type: ElementType, count: Int) -> [Double] {
        guard let base = source.baseAddress, count > 0 else { return [] }
        var result = [Double](repeating: 0, count: count)
        switch type {
        case .float64: each(base, Double.self, count) { result[$0] = $1 }
        case .int64: each(base, Int64.self, count) { result[$0] = Double($1) }
        case .uint64: each(base, UInt64.self, count) { result[$0] = Double($1) }
        case .int32: each(base, Int32.self, count) { result[$0] = Double($1) }
        case .uint32: each(base, UInt32.self, count) { result[$0] = Double($1) }
        default:
            let singles = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
                if let target = buffer.baseAddress { floats(base, type, count: count, into: target) }
                initialized = count
            }
            for i in 0..<count { result[i] = Double(singles[i]) }
        }
        return result
    }

    @inline(__always)
    private static func each<Stored: BitwiseCopyable>(
        _ source: UnsafeRawPointer, _: Stored.Type, _ count: Int, _ body: (Int, Stored) -> Void
    ) {
        for i in 0..<count {
            body(i, source.loadUnaligned(fromByteOffset: i * MemoryLayout<Stored>.size, as: Stored.self))
        }
    }

    /// One number of eight bits (OCP 8-bit floating point: E4M3 without infinities, E5M2 as a shortened half).
    private static func quarter(_ bits: UInt8, exponentBits: Int) -> Float {
        if exponentBits == 5 { return half(UInt16(bits) << 8) }
        let magnitude = bits & 0x7F
        let value: Float
        if magnitude == 0x7F {
            value = .nan
        } else {
            let (exponent, fraction) = (Int(magnitude >> 3), Float(magnitude & 7))
            value = exponent == 0 ? fraction * 0x1p-9 : Float(sign: .plus, exponent: exponent - 7, significand: 1 + fraction / 8)
        }
        return bits & 0x80 == 0 ? value : -value
    }

    /// One half-precision number.
    static func half(_ bits: UInt16) -> Float {
        let magnitude = UInt32(bits & 0x7FFF)
        let sign = UInt32(bits & 0x8000) << 16
        if magnitude >= 0x7C00 { return Float(bitPattern: magnitude << 13 | 0x7F80_0000 | sign) }
        let scaled = Float(bitPattern: magnitude << 13) * Float(bitPattern: UInt32(127 + 112) << 23)
        return Float(bitPattern: scaled.bitPattern | sign)
    }

    /// Single precision to half, to nearest even; what is too large becomes infinite.
    static func half(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
        let magnitude = bits & 0x7FFF_FFFF
        if magnitude > 0x7F80_0000 { return sign | 0x7E00 }
        if magnitude >= 0x477F_F000 { return sign | 0x7C00 }  // 65520 and above round to infinity
        if magnitude < 0x3880_0000 {
            // Below 2^-14: adding 1/2 leaves the rounded multiple of 2^-24 in the lowest bits of the mantissa.
            let shifted = Float(bitPattern: magnitude) + 0.5
            return sign | UInt16(truncatingIfNeeded: shifted.bitPattern &- Float(0.5).bitPattern)
        }
        let odd = (magnitude >> 13) & 1
        return sign | UInt16(truncatingIfNeeded: (magnitude &- 0x3800_0000 &+ 0xFFF &+ odd) >> 13)
    }

    /// Single precision to bfloat16, to nearest even.
    static func brain(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if bits & 0x7FFF_FFFF > 0x7F80_0000 { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
        let odd = (bits >> 16) & 1
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ odd) >> 16)
    }
}
