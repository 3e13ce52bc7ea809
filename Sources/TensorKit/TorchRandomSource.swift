import Foundation

/// The stream of `torch.manual_seed(seed)` and `torch.randn` / `torch.rand` (float32) on the CPU, so that a seed means the same picture as
/// in diffusers. Values agree within 1e-6 (torch's vectorised logarithm and cosine round differently).
///
/// The generator is the 32-bit Mersenne Twister (Matsumoto and Nishimura 1998). `randn` of fewer than 16 numbers draws pairs in double
/// precision and keeps the second of a pair for later; from 16 on it fills blocks of 16 in single precision, and a rest of the last block
/// is drawn anew together with the 16 numbers before the end.
public final class TorchRandomSource: RandomSource {
    /// Everything that the next numbers depend on, for exact resume.
    public struct State: Codable, Equatable, Sendable {
        var words: [UInt32]
        var next: Int
        var pendingNormal: Double?
    }
    public var state: State

    /// The stream from the beginning; torch uses the low 32 bits of the seed.
    public init(seed: UInt64) {
        var words = [UInt32](repeating: UInt32(truncatingIfNeeded: seed), count: Self.length)
        for i in 1..<Self.length {
            words[i] = 1_812_433_253 &* (words[i - 1] ^ (words[i - 1] >> 30)) &+ UInt32(i)
        }
        state = State(words: words, next: Self.length, pendingNormal: nil)
    }

    /// The stream from a remembered place.
    public init(state: State) {
        self.state = state
    }

    private static let length = 624
    private static let middle = 397

    private func advance() {
        func mixed(_ high: UInt32, _ low: UInt32) -> UInt32 {
            let y = (high & 0x8000_0000) | (low & 0x7fff_ffff)
            return (y >> 1) ^ (y & 1 == 0 ? 0 : 0x9908_b0df)
        }
        state.words.withUnsafeMutableBufferPointer { words in
            for i in 0..<Self.length {
                words[i] = words[(i + Self.middle) % Self.length] ^ mixed(words[i], words[(i + 1) % Self.length])
            }
        }
        state.next = 0
    }

    /// The next 32 random bits.
    public func nextUInt32() -> UInt32 {
        if state.next >= Self.length { advance() }
        var y = state.words[state.next]
        state.next += 1
        y ^= y >> 11
        y ^= (y << 7) & 0x9d2c_5680
        y ^= (y << 15) & 0xefc6_0000
        return y ^ (y >> 18)
    }

    private func nextFloat() -> Float { Float(nextUInt32() & 0xff_ffff) * 0x1p-24 }

    private func nextDouble() -> Double {
        let high = UInt64(nextUInt32())
        return Double((high << 32 | UInt64(nextUInt32())) & 0x1f_ffff_ffff_ffff) * 0x1p-53
    }

    /// `torch.rand(count)`
    public func uniform(_ count: Int) -> [Float] { (0..<count).map { _ in nextFloat() } }

    /// A whole number in `0..<bound`, `bound` from 1 to 2³²; every one equally likely.
    public func integer(below bound: Int) -> Int {
        require(bound > 0 && bound <= 1 << 32, "no whole number from 0 below \(bound)")
        let range = UInt64(bound)
        let limit = (UInt64(1) << 32) / range * range
        while true {
            let value = UInt64(nextUInt32())
            if value < limit { return Int(value % range) }
        }
    }

    /// `torch.randn(count)`
    public func normal(_ count: Int) -> [Float] {
        if count < 16 { return (0..<max(0, count)).map { _ in Float(nextNormal()) } }
        var values = uniform(count)
        for start in stride(from: 0, through: count - 16, by: 16) { Self.boxMuller(&values, start) }
        if count % 16 != 0 {
            values.replaceSubrange(count - 16..<count, with: uniform(16))
            Self.boxMuller(&values, count - 16)
        }
        return values
    }

    private func nextNormal() -> Double {
        if let pending = state.pendingNormal {
            state.pendingNormal = nil
            return pending
        }
        let (first, second) = (nextDouble(), nextDouble())
        let radius = (-2 * log1p(-second)).squareRoot()
        state.pendingNormal = radius * sin(2 * .pi * first)
        return radius * cos(2 * .pi * first)
    }

    /// Turns 16 uniform numbers into normal ones: number i gives the radius and number i + 8 the angle of a pair (Box and Muller 1958).
    private static func boxMuller(_ values: inout [Float], _ start: Int) {
        for i in start..<start + 8 {
            let radius = (-2 * log(1 - Double(values[i]))).squareRoot()
            let angle = 2 * Double.pi * Double(values[i + 8])
            values[i] = Float(radius * cos(angle))
            values[i + 8] = Float(radius * sin(angle))
        }
    }
}
