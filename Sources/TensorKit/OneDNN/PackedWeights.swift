import COneDNN
import Synchronization

/// A weight in the layouts that primitives asked for, made anew when its version changes. Lanes share it.
///
/// Of a weight that lies in a file only these layouts are in memory: panels are filled straight from the file, for other layouts it is read in
/// float32 for as long as the reordering takes; then its pages are let go.
final class PackedWeights: Sendable {
    private struct Entry: @unchecked Sendable {  // reached under the lock only, the tensor filled before anybody else sees it
        let descriptor: DNN.Descriptor
        var version: Int
        let tensor: Tensor
        var lastUse: Int
    }

    private struct State {
        var entries: [Entry] = []
        var clock = 0
        var keepsAll = false
    }

    private let state = Mutex(State())
    /// A large weight is not kept in many layouts.
    private static let limits = (small: 4, large: 2)
    private static let largeCount = 1 << 20

    /// Forgets all layouts.
    func removeAll() { state.withLock { $0.entries = [] } }

    private var layouts: [DNN.Descriptor] { state.withLock { $0.entries.map(\.descriptor) } }

    /// Calls `body`, which tries ways to calculate by turns, and forgets the layouts of those that it did not choose.
    /// - Parameter body: gives the layout of its choice.
    func trying(_ body: () -> DNN.Descriptor?) {
        let before = layouts
        state.withLock { $0.keepsAll = true }
        let chosen = body()
        state.withLock { state in
            state.keepsAll = false
            let kept = before + (chosen.map { [$0] } ?? [])
            state.entries.removeAll { entry in !kept.contains { DNN.equal($0, entry.descriptor) } }
        }
    }

    /// Bytes of the layouts that are kept.
    var bytes: Int { state.withLock { $0.entries.reduce(0) { $0 + 4 * $1.tensor.count } } }

    /// Calls `body` with the weight in `descriptor`'s layout.
    func withPointer(
        _ weight: WeightSource, plain: DNN.Descriptor, as descriptor: DNN.Descriptor, _ body: (UnsafeMutableRawPointer) -> Void
    ) {
        if case .tensor(let tensor) = weight.content, DNN.equal(plain, descriptor) {
            body(tensor.pointer)
            return
        }
        // Kept alive here: another lane may drop the entry meanwhile.
        let tensor = packed(weight, plain, descriptor).tensor
        withExtendedLifetime(tensor) { body(tensor.pointer) }
    }

    private struct SharedTensor: @unchecked Sendable {  // for reading
        let tensor: Tensor
    }

    private func packed(_ weight: WeightSource, _ plain: DNN.Descriptor, _ descriptor: DNN.Descriptor) -> SharedTensor {
        state.withLock { state in
            state.clock += 1
            if let index = state.entries.firstIndex(where: { DNN.equal($0.descriptor, descriptor) }) {
                state.entries[index].lastUse = state.clock
                if state.entries[index].version != weight.version {
                    state.entries[index].version = weight.version
                    Self.fill(state.entries[index].tensor, weight, plain, descriptor)
                }
                return SharedTensor(tensor: state.entries[index].tensor)
            }
            let limit = weight.count >= Self.largeCount ? Self.limits.large : Self.limits.small
            if !state.keepsAll, state.entries.count >= limit,
                let oldest = state.entries.indices.min(by: { state.entries[$0].lastUse < state.entries[$1].lastUse })
            {
                state.entries.remove(at: oldest)
            }
            let bytes =
                WeightPanels(descriptor)?.bytes ?? WinogradPanels(descriptor)?.bytes ?? KernelPanels(descriptor)?.bytes
                ?? StrassenPanels(descriptor)?.bytes ?? DNN.size(descriptor)
            let tensor = Tensor(apart: [(bytes + 3) / 4])
            Self.fill(tensor, weight, plain, descriptor)
            state.entries.append(
                Entry(descriptor: descriptor, version: weight.version, tensor: tensor, lastUse: state.clock))
            return SharedTensor(tensor: tensor)
        }
    }

    private static func fill(_ target: Tensor, _ weight: WeightSource, _ plain: DNN.Descriptor, _ descriptor: DNN.Descriptor) {
        Profile.measure("packing", "") {
            let bytes = UnsafeMutableRawPointer(target.pointer)
            if let panels = WeightPanels(descriptor) { return readingThrough(weight) { panels.fill(bytes, read: $0) } }
            if let panels = WinogradPanels(descriptor) { return readingThrough(weight) { panels.fill(bytes, read: $0) } }
            if let panels = KernelPanels(descriptor) { return readingThrough(weight) { panels.fill(bytes, read: $0) } }
            if let panels = StrassenPanels(descriptor) { return readingThrough(weight) { panels.fill(bytes, read: $0) } }
            if let packing = PanelPacking(descriptor) { return readingThrough(weight) { packing.fill(bytes, read: $0) } }
            var source: Tensor
            switch weight.content {
            case .tensor(let tensor): source = tensor
            case .stored(let stored):
                source = DNN.equal(plain, descriptor) ? target : Tensor(uninitialized: weight.shape)
                let pointer = source.pointer
                Parallel.ranges(weight.count, grain: 1 << 16) { stored.read($0, pointer + $0.lowerBound) }
                stored.release()
            }
            guard source !== target, let reorder = DNN.shared?.reordering(from: plain, to: descriptor) else { return }
            reorder.bind(0, source.pointer)
            reorder.bind(1, target.pointer)
            reorder.run()
        }
    }

    /// Calls `body` with what gives elements of a weight by their numbers, then lets go of the pages that it lies in.
    private static func readingThrough(
        _ weight: WeightSource, _ body: (@escaping (_ range: Range<Int>, _ into: UnsafeMutablePointer<Float>) -> Void) -> Void
    ) {
        switch weight.content {
        case .tensor(let tensor): body { $1.update(from: tensor.pointer + $0.lowerBound, count: $0.count) }
        case .stored(let stored):
            body(stored.read)
            stored.release()
        }
    }
}
