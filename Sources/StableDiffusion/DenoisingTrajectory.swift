import TensorKit

/// Where a run stood before each of its evaluations, sampler included: a later run of a person who is nearly the same can go on from the
/// middle of it (delayed injection, as in weights2weights: the beginning lays out the picture, the end draws the person).
///
/// A place is some image latents and the sampler's few tensors; prompts and adapters are shared between all of them.
public struct DenoisingTrajectory {
    private var places: [DenoisingRun] = []

    public init() {}

    /// Number of places kept, from the first noise on.
    public var count: Int { places.count }

    /// Keeps where a run stands, once for each evaluation; out of order is ignored.
    public mutating func note(_ run: DenoisingRun) {
        guard run.stepsDone == places.count, !run.isFinished else { return }
        places.append(run)
    }

    /// The run as it stood, going on with other identities.
    /// - Parameters:
    ///   - evaluation: how many evaluations are taken over, 0 ..< `count`.
    ///   - adapters: one for each picture, or empty.
    /// - Returns: nil when the trajectory was left before that place.
    public func resumed(at evaluation: Int, adapters: [LoRAAdapter?]) -> DenoisingRun? {
        guard places.indices.contains(evaluation) else { return nil }
        var run = places[evaluation]
        run.replaceAdapters(adapters)
        return run
    }
}

extension LoRAAdapter {
    /// How far two adapters of one model lie apart: the distance of all their factors over the larger one's length; 0 for equal ones, about
    /// 1.4 for strangers.
    /// - Parameter other: an adapter with the same layers; nil stands for the base model.
    /// - Returns: infinity when the layers, ranks or scales differ, so that nobody takes one for a small change of the other.
    public func relativeChange(to other: LoRAAdapter?) -> Float {
        guard let other, scale == other.scale, factors.count == other.factors.count else { return .infinity }
        var (difference, own, others) = (0.0, 0.0, 0.0)
        for (path, mine) in factors {
            guard let theirs = other.factors[path], mine.a.shape == theirs.a.shape, mine.b.shape == theirs.b.shape else {
                return .infinity
            }
            for (x, y) in [(mine.a, theirs.a), (mine.b, theirs.b)] {
                for i in 0..<x.count {
                    let (p, q) = (Double(x.pointer[i]), Double(y.pointer[i]))
                    difference += (p - q) * (p - q)
                    own += p * p
                    others += q * q
                }
            }
        }
        let length = max(own, others)
        return length > 0 ? Float((difference / length).squareRoot()) : 0
    }
}
