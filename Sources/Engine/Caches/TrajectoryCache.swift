import EngineAPI
import StableDiffusion

/// The ways of the last few runs, so that a picture of nearly the same person can begin in the middle of one.
struct TrajectoryCache {
    /// What two runs must share for one to go on where the other was: everything but the person.
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

    /// Keeps a run's way.
    mutating func insert(_ trajectory: DenoisingTrajectory, of adapter: LoRAAdapter, for key: Key) {
        guard trajectory.count > 1 else { return }
        if entries.count == Self.limit { entries.removeFirst() }
        entries.append(Entry(key: key, adapter: adapter, trajectory: trajectory))
    }

    /// A run of a person that begins as far on as is harmless on the way of the nearest one known.
    /// - Parameters:
    ///   - adapter: Who is wanted.
    ///   - key: How they are drawn.
    /// - Returns: nil when nobody known is near enough.
    func resumed(_ adapter: LoRAAdapter, for key: Key) -> DenoisingRun? {
        let candidates = entries.filter { $0.key == key }.map { ($0, adapter.relativeChange(to: $0.adapter)) }
        guard let (entry, change) = candidates.min(by: { $0.1 < $1.1 }) else { return nil }
        let place = Int(Self.harmlessShare(change: change) * Double(entry.trajectory.count))
        guard place > 0 else { return nil }
        return entry.trajectory.resumed(at: place, adapters: [adapter])
    }

    /// Which part of a run may be another person's, by how far apart the two are (`LoRAAdapter.relativeChange`).
    static func harmlessShare(change: Float) -> Double {
        switch change {
        case ..<0.1: 0.67
        case ..<0.3: 0.5
        case ..<0.6: 0.25
        default: 0
        }
    }
}
