import EngineAPI
import StableDiffusion

/// The ways of the last few runs, so that nearly the same person can be drawn as a difference to one that is known.
struct TrajectoryCache {
    /// What two runs must share for one to follow the other: everything but the person.
    struct Key: Hashable {
        var settings: GenerationSettings
        var guidanceInterval: ClosedRange<Int>?
        /// Of a draft whose noise was pooled.
        var reduction: Int
    }

    private struct Entry {
        let key: Key
        let adapter: LoRAAdapter
        let trajectory: DenoisingTrajectory
    }

    /// A run's places share prompts and adapters; a few runs weigh some tens of megabytes at Stable Diffusion's size.
    private static let limit = 4
    /// The latest last.
    private var entries: [Entry] = []

    /// Keeps a finished run's way.
    mutating func insert(_ trajectory: DenoisingTrajectory, of adapter: LoRAAdapter, for key: Key) {
        guard trajectory.finished != nil else { return }
        entries.removeAll { $0.key == key && adapter.relativeChange(to: $0.adapter) == 0 }
        if entries.count == Self.limit { entries.removeFirst() }
        entries.append(Entry(key: key, adapter: adapter, trajectory: trajectory))
    }

    /// A run of a person in few evaluations, as a difference to the nearest run known.
    /// - Parameters:
    ///   - adapter: Who is wanted.
    ///   - key: How they are drawn.
    /// - Returns: nil when nobody known is near enough.
    func following(_ adapter: LoRAAdapter, for key: Key) -> DifferenceRun? {
        let candidates = entries.filter { $0.key == key }.map { ($0, adapter.relativeChange(to: $0.adapter)) }
        guard let (entry, change) = candidates.min(by: { $0.1 < $1.1 }), let evaluations = Self.evaluations(change: change) else {
            return nil
        }
        // A short run is done as soon itself.
        guard evaluations * 2 <= entry.trajectory.count else { return nil }
        return entry.trajectory.difference(evaluations: evaluations, adapters: [adapter])
    }

    /// How many evaluations follow a change well. Measured on the built-in space over eight people (`w2w bench shortcuts`), likeness to the
    /// full run of 12 evaluations: a change of 0.02 in 4 evaluations 50 dB, of 0.07 in 4 evaluations 40 dB, of 0.2 in 6 evaluations 36 dB,
    /// which a draft from noise reaches in 6 evaluations too.
    /// - Parameter change: `LoRAAdapter.relativeChange`.
    /// - Returns: nil where a draft from noise in as many evaluations shows the person as well.
    static func evaluations(change: Float) -> Int? {
        switch change {
        case ..<0.1: 4
        case ..<0.2: 6
        default: nil
        }
    }
}
