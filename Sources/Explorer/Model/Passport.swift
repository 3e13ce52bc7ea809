import EngineAPI
import Glibc

/// What is known of one axis: how the people lie along it, and the faces that show what it does.
struct Passport: Sendable {
    /// Where its faces stand on the axis, in sigma.
    static let stops: [Float] = [-2, -1, 0, 1, 2]
    /// Bins of the histogram from -3 to +3 sigma of the prior (or of the people, where there is no prior).
    static let bins = 25

    let axis: Int
    /// Share of the identities in each bin, 0...1; those farther out count in the outermost.
    let people: [Float]
    /// What the prior, a normal distribution, has in each bin.
    let prior: [Float]
    /// KL of a normal distribution with the people's mean and deviation to the prior, in nats: what the aggregated posterior has beyond it.
    let aggregate: Float

    init(axis: Int, in index: SpaceIndex) {
        self.axis = axis
        let description = index.description.axes[axis]
        let (centre, unit): (Float, Float) = index.hasPrior ? (0, 1) : (description.mean, max(1e-6, description.deviation))
        let table = index.description.identities
        var counts = [Int](repeating: 0, count: Self.bins)
        for row in 0..<table.count {
            let value = (table.codes[row * table.latentDimension + axis] - centre) / unit
            guard value.isFinite else { continue }
            counts[Int(((value + 3) / 6 * Float(Self.bins)).rounded(.down).clamped(to: 0...Float(Self.bins - 1)))] += 1
        }
        let all = Float(max(1, counts.reduce(0, +)))
        people = counts.map { Float($0) / all }
        let density = (0..<Self.bins).map { bin in
            let x = (Float(bin) + 0.5) / Float(Self.bins) * 6 - 3
            return exp(-x * x / 2)
        }
        let sum = density.reduce(0, +)
        prior = density.map { $0 / sum }
        aggregate = index.hasPrior ? Self.divergence(mean: description.mean, deviation: description.deviation) : 0
    }

    /// KL(N(mean, deviation²) ‖ N(0, 1)) in nats.
    static func divergence(mean: Float, deviation: Float) -> Float {
        guard deviation > 0, mean.isFinite, deviation.isFinite else { return 0 }
        let square = deviation * deviation
        return max(0, (mean * mean + square - 1 - log(square)) / 2)
    }
}
