import Dispatch
import EngineAPI
import Foundation
import TensorKit

/// The engine: one serial queue that owns the models, and jobs that take turns on it.
///
/// Tensors are not `Sendable`; they never leave the queue. Commands come in and events go out as values.
public final class Engine: EngineService {
    private let queue: JobQueue

    /// An engine without a space; `.open` gives it one.
    /// - Parameters:
    ///   - cacheDirectory: Where thumbnails are kept between runs of the program.
    ///   - directionsDirectory: Where a person's own directions are kept, a file for each space and model; nil puts them into the cache.
    ///   - yieldsToScreen: Whether the models leave a busy processor to the threads of a user interface.
    ///   - precision: How exactly large models compute.
    ///   - use: What it is used for.
    ///   - events: Takes the events, on the engine's queue; what takes long there holds the engine up.
    public convenience init(
        cacheDirectory: String, directionsDirectory: String? = nil, yieldsToScreen: Bool = false, precision: PrecisionName = .f32,
        use: EngineUse = .exploring, events: @escaping @Sendable (EngineEvent) -> Void
    ) {
        self.init(
            cacheDirectory: cacheDirectory, directionsDirectory: directionsDirectory, yieldsToScreen: yieldsToScreen,
            precision: precision, use: use, slowStep: Pace.noticeable, events: events)
    }

    /// An engine that tells how far it is with an evaluation that takes longer than `slowStep`.
    init(
        cacheDirectory: String, directionsDirectory: String?, yieldsToScreen: Bool, precision: PrecisionName, use: EngineUse,
        slowStep: Duration, events: @escaping @Sendable (EngineEvent) -> Void
    ) {
        let directions = directionsDirectory ?? cacheDirectory + "/directions"
        KernelLedger.shared.file = URL(fileURLWithPath: cacheDirectory + "/kernels.tsv")
        queue = JobQueue(label: "w2w.engine", stepsBack: yieldsToScreen, events: events) {
            Renderer(
                cacheDirectory: cacheDirectory, directionsDirectory: directions, precision: precision, use: use,
                slowStep: slowStep)
        }
    }

    deinit {
        queue.shutDown()
    }

    public func submit(_ command: EngineCommand, as id: JobID) {
        queue.submit(command, as: id)
    }

    public func cancel(_ id: JobID) {
        queue.cancel(id)
    }

    /// Cancels all jobs; their last events still come. Waits for nothing.
    public func shutDown() {
        queue.shutDown()
    }
}
