/// Where new seeds come from: SplitMix64 (Steele, Lea, Flood 2014), started from outside so that a session can be played again.
struct SeedSource: Sendable {
    private var state: UInt64

    init(_ seed: UInt64) {
        state = seed
    }

    private mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// A seed short enough to say aloud: 1...9999.
    mutating func seed() -> UInt64 { next() % 9999 + 1 }
}
