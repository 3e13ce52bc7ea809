import Checkpoints

/// How far two groups of numbers lie apart in units of their spread, d' of signal detection:
/// (mean of same - mean of different) / sqrt((variance of same + variance of different) / 2).
public struct Separation: Sendable, Equatable {
    /// Mean and deviation of the likenesses of one person's pictures.
    public let same: (mean: Double, deviation: Double)
    /// Mean and deviation of the likenesses of two people's pictures.
    public let different: (mean: Double, deviation: Double)
    /// Number of pairs.
    public let pairs: (same: Int, different: Int)

    /// - Parameters:
    ///   - same: likenesses of pairs of one person.
    ///   - different: likenesses of pairs of two people.
    public init(same: [Double], different: [Double]) {
        self.same = Self.moments(same)
        self.different = Self.moments(different)
        pairs = (same.count, different.count)
    }

    /// d'; 0 where a group is empty or nothing varies.
    public var dPrime: Double {
        let spread = ((same.deviation * same.deviation + different.deviation * different.deviation) / 2).squareRoot()
        return spread > 0 && pairs.same > 0 && pairs.different > 0 ? (same.mean - different.mean) / spread : 0
    }

    private static func moments(_ values: [Double]) -> (mean: Double, deviation: Double) {
        guard !values.isEmpty else { return (0, 0) }
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
        return (mean, variance.squareRoot())
    }

    public static func == (a: Separation, b: Separation) -> Bool {
        a.same == b.same && a.different == b.different && a.pairs == b.pairs
    }

    var json: JSONValue {
        .object([
            .init("d_prime", .float(Float(dPrime))), .init("same_mean", .float(Float(same.mean))),
            .init("same_deviation", .float(Float(same.deviation))), .init("different_mean", .float(Float(different.mean))),
            .init("different_deviation", .float(Float(different.deviation))), .init("same_pairs", .integer(pairs.same)),
            .init("different_pairs", .integer(pairs.different)),
        ])
    }

    /// Likenesses of all pairs of pictures, parted by whether both show one person.
    /// - Parameters:
    ///   - cosines: of all pictures with all, [N, N] row-major.
    ///   - people: who each picture shows.
    ///   - counts: whether a pair of different people counts.
    /// - Returns: likenesses of the pairs i < j.
    static func pairs(
        cosines: [Float], people: [Int], counting counts: (Int, Int) -> Bool = { _, _ in true }
    ) -> (same: [Double], different: [Double]) {
        var (same, different) = ([Double](), [Double]())
        for i in people.indices {
            for j in people.indices where j > i {
                let value = Double(cosines[i * people.count + j])
                if people[i] == people[j] {
                    same.append(value)
                } else if counts(people[i], people[j]) {
                    different.append(value)
                }
            }
        }
        return (same, different)
    }
}
