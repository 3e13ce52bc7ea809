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
    ///   - fits: Whether a run is done in time.
    /// - Returns: nil when nobody known is near enough.
    func following(_ adapter: LoRAAdapter, for key: Key, where fits: (DifferenceRun) -> Bool) -> DifferenceRun? {
        let candidates = entries.filter { $0.key == key }.map { ($0, adapter.relativeChange(to: $0.adapter)) }
        guard let (entry, change) = candidates.min(by: { $0.1 < $1.1 }) else { return nil }
        // A short run is done as soon itself.
        for way in Self.ways(change: change) where way.evaluations * 2 <= entry.trajectory.count {
            let run = entry.trajectory.difference(evaluations: way.evaluations, adapters: [adapter], guided: way.guided)
            if let run, fits(run) { return run }
        }
        return nil
    }

    /// How a change is followed.
    struct Way {
        var evaluations: Int
        /// Time steps at which the pictures are compared with guidance.
        var guided: ClosedRange<Float>
    }

    /// How a change is followed well, the best first. Measured on the built-in space over eight people (`w2w bench shortcuts`), median likeness
    /// to the full run of 12 evaluations: a change of 0.02 in 4 evaluations 51 dB, in 3 evaluations 49 dB; of 0.07 in 4 evaluations 40 dB, in
    /// 3 evaluations 37 dB; of 0.2 in 6 evaluations 36 dB, which a draft from noise reaches in 6 evaluations too. To compare without guidance
    /// above time step 900 loses nothing, below 200 about half a decibel.
    /// - Parameter change: `LoRAAdapter.relativeChange`.
    /// - Returns: none where a draft from noise in as many evaluations shows the person as well.
    static func ways(change: Float) -> [Way] {
        switch change {
        case ..<0.1:
            [
                Way(evaluations: 4, guided: 0...900), Way(evaluations: 4, guided: 200...900),
                Way(evaluations: 3, guided: 200...900),
            ]
        case ..<0.2: [Way(evaluations: 6, guided: 0...900), Way(evaluations: 6, guided: 200...900)]
        default: []
        }
    }
}
