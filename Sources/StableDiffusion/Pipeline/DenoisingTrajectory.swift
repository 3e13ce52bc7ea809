import TensorKit

/// Where a run stood before each of its evaluations and what the model said there: a later run of a person who is nearly the same need not do
/// all of it again.
///
/// A place is some image latents and the sampler's few tensors; prompts and adapters are shared between all of them.
public struct DenoisingTrajectory {
    struct Place {
        /// Before the evaluation.
        let run: DenoisingRun
        /// The clean latents as the model alone saw them there, [N, H, W, C].
        let original: Tensor
        /// The same without guidance.
        let alone: Tensor
    }

    private(set) var places: [Place] = []
    /// The finished image latents, nil while the run is under way.
    public private(set) var finished: Tensor?

    public init() {}

    /// The whole way of a run.
    /// - Parameter run: as it starts; left finished.
    public init(finishing run: inout DenoisingRun) {
        while !run.isFinished {
            let before = run
            run.step()
            note(before, run)
        }
    }

    /// Number of evaluations noted.
    public var count: Int { places.count }

    /// Notes an evaluation; out of order is ignored.
    /// - Parameters:
    ///   - before: the run as it stood.
    ///   - after: the same run one step later.
    public mutating func note(_ before: DenoisingRun, _ after: DenoisingRun) {
        guard before.stepsDone == places.count, after.stepsDone == places.count + 1, let original = after.modelOriginal,
            let alone = after.aloneOriginal
        else { return }
        places.append(Place(run: before.withoutMemory, original: original, alone: alone))
        if after.isFinished { finished = after.latents }
    }

    /// The run as it stood, going on with other identities (delayed injection, as in weights2weights: the beginning lays out the picture).
    /// - Parameters:
    ///   - evaluation: how many evaluations are taken over, 0 ..< `count`.
    ///   - adapters: one for each picture, or empty.
    /// - Returns: nil when the trajectory was left before that place.
    public func resumed(at evaluation: Int, adapters: [LoRAAdapter?]) -> DenoisingRun? {
        guard places.indices.contains(evaluation) else { return nil }
        var run = places[evaluation].run
        run.replaceAdapters(adapters)
        return run
    }

    /// A run of a changed person that follows this one at a distance.
    /// - Parameters:
    ///   - evaluations: how many it may take, at least 1; about a third of the run's own is much.
    ///   - adapters: one for each picture, or empty.
    ///   - guided: training time steps at which both pictures are compared with guidance; elsewhere as the prompt alone has them, which takes
    ///     half the time. nil is everywhere.
    /// - Returns: nil when this run is not finished, took shortcuts itself, or its sampler adds fresh noise.
    public func difference(
        evaluations: Int, adapters: [LoRAAdapter?], guided: ClosedRange<Float>? = nil
    ) -> DifferenceRun? {
        guard let finished, evaluations > 0 else { return nil }
        return DifferenceRun(places, finished: finished, evaluations: evaluations, adapters: adapters, guided: guided)
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
