/// Keys and values of one head as `WideAttentionTile` reads them.
struct AttentionContext<Number: AttentionNumber> {
    /// [keys, words of a key]
    let keyWords: UnsafeMutablePointer<UInt32>
    /// [features, words of keys]
    let valueWords: UnsafeMutablePointer<UInt32>
    /// Words from one feature's values to the next.
    let valueStride: Int
    let keys: Int
    /// The largest length of a key.
    private(set) var longest: Float = 0
    private let width, words: Int
    private let scratch: UnsafeMutablePointer<UInt32>

    /// Words for keys, values and for turning.
    static func size(keys: Int, width: Int) -> Int {
        let words = (width + Number.perWord - 1) / Number.perWord
        let whole = (width + 15) / 16 * 16
        return keys * words + 16 + whole * apart(keys: keys) + 512 + whole
    }

    /// Apart from powers of two, or all would fall on the same lines of the cache.
    private static func apart(keys: Int) -> Int { (keys + 16 * Number.perWord - 1) / (16 * Number.perWord) * 16 + 16 }

    /// - Parameters:
    ///   - memory: as many words as `size` says.
    ///   - keys: number of keys.
    ///   - width: features of a head.
    init(_ memory: UnsafeMutablePointer<UInt32>, keys: Int, width: Int) {
        words = (width + Number.perWord - 1) / Number.perWord
        let whole = (width + 15) / 16 * 16
        (self.keys, self.width, valueStride) = (keys, width, Self.apart(keys: keys))
        keyWords = memory
        valueWords = memory + keys * words + 16
        scratch = valueWords + whole * valueStride
    }

    /// Brings the features of a head together. The average key is taken off all of them: that changes all scores of a query by the same, which the
    /// softmax does not see, and the smaller scores are, the better bfloat16 knows them (SageAttention, 2410.02367).
    /// - Parameters:
    ///   - key: one row for each key.
    ///   - value: one row for each value.
    mutating func load(key: HeadFeatures, value: HeadFeatures) {
        let average = UnsafeMutableRawPointer(scratch + 512).assumingMemoryBound(to: Float.self)
        for c in stride(from: 0, to: width, by: 16) {
            var sum = Lanes.zero
            for j in 0..<keys { sum += key.lanes(j, c) }
            average.store(sum / Float(keys), c)
        }
        var longest: Float = 0
        for j in 0..<keys {
            var squares = Lanes.zero
            for c in stride(from: 0, to: width, by: 16) {
                let x = key.lanes(j, c) - average.lanes(c)
                squares = VectorMath.multiplyAdd(x, x, squares)
                // What the last vector writes too much the next key overwrites.
                Number.store(x, keyWords + j * words + c / Number.perWord)
            }
            longest = max(longest, VectorMath.sum(squares))
        }
        self.longest = longest.squareRoot()
        let (spare, group) = (scratch, scratch + 256)
        for first in stride(from: 0, to: keys, by: 16 * Number.perWord) {
            for c in stride(from: 0, to: width, by: 16) {
                for row in stride(from: 0, to: 16 * Number.perWord, by: 2) {
                    let (even, odd) = (first + row, first + row + 1)
                    Number.store(
                        even < keys ? value.lanes(even, c) : .zero, odd < keys ? value.lanes(odd, c) : .zero, row, apart: 16,
                        group)
                }
                WordTurn.run(
                    group, spare: spare, into: valueWords + c * valueStride + first / Number.perWord, apart: valueStride)
            }
        }
    }
}
