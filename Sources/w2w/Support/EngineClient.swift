import Dispatch
import Engine
import EngineAPI
import Foundation
import Library
import Synchronization

/// The engine for a command that waits for its answers: one job after the other, progress on the progress line, Ctrl-C cancels the job
/// under way.
final class EngineClient {
    /// Events on their way from the engine's queue to the command.
    private final class Inbox: Sendable {
        private let events = Mutex<[EngineEvent]>([])
        private let arrivals = DispatchSemaphore(value: 0)

        func put(_ event: EngineEvent) {
            events.withLock { $0.append(event) }
            arrivals.signal()
        }

        func take() -> EngineEvent {
            while true {
                arrivals.wait()
                if let event = events.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { return event }
            }
        }
    }

    private let inbox = Inbox()
    private let engine: Engine
    private let current = CurrentJob()
    private var lastJob: UInt64 = 0

    /// The job that Ctrl-C ends.
    private final class CurrentJob: Sendable {
        let id = Mutex<JobID?>(nil)
    }

    /// - Parameters:
    ///   - cacheDirectory: Where thumbnails are kept; nil means the user's cache folder.
    ///   - precision: How exactly large models compute.
    ///   - use: What the engine is used for.
    init(cacheDirectory: String? = nil, precision: PrecisionName = .f32, use: EngineUse = .drawingMany) {
        let inbox = inbox
        let folders = Directories()
        let engine = Engine(
            cacheDirectory: cacheDirectory ?? folders.cache, directionsDirectory: folders.directions, precision: precision,
            use: use
        ) { inbox.put($0) }
        self.engine = engine
        let current = current
        Interruption.shared.listen {
            if let id = current.id.withLock({ $0 }) { engine.cancel(id) }
        }
    }

    deinit {
        engine.shutDown()
    }

    /// Opens a space.
    /// - Parameters:
    ///   - source: What to open.
    ///   - model: Whose coordinates count; nil for the weight VAE where there is one.
    /// - Returns: What the commands know of it.
    /// - Throws: `EngineFailure`, or `Cancelled` after Ctrl-C.
    func open(_ source: SpaceSource, model: WeightModel? = nil) throws -> SpaceDescription {
        var opened: SpaceDescription?
        try run(.open(source, model: model)) { event in
            if case .opened(_, let description) = event { opened = description }
        }
        guard let opened else { throw CommandFailure("the engine opened no space.") }
        return opened
    }

    /// Opens the space of a command line, with the model that it asks for.
    /// - Throws: `EngineFailure`, or `Cancelled` after Ctrl-C.
    func open(_ options: SpaceOptions) throws -> SpaceDescription {
        try open(options.source, model: options.model)
    }

    /// Codes of new people.
    /// - Throws: `EngineFailure`, or `Cancelled` after Ctrl-C.
    func sample(_ request: SampleRequest) throws -> [WeightCode] {
        var codes: [WeightCode] = []
        try run(.sample(request)) { event in
            if case .sampled(_, let answer) = event { codes = answer }
        }
        return codes
    }

    /// Directions in the coordinates of the model in use.
    /// - Throws: `EngineFailure`, or `Cancelled` after Ctrl-C.
    func directions(_ search: DirectionSearch) throws -> [DirectionDescription] {
        var found: [DirectionDescription] = []
        try run(.findDirections(search)) { event in
            if case .directions(_, let answer) = event { found = answer }
        }
        return found
    }

    /// One finished picture.
    /// - Parameters:
    ///   - request: Whose, drawn how.
    ///   - showsProgress: Whether the job's progress goes to the progress line.
    /// - Returns: The picture at its last stage.
    /// - Throws: `EngineFailure`, or `Cancelled` after Ctrl-C.
    func render(_ request: RenderRequest, showsProgress: Bool = true) throws -> Picture {
        var final: Picture?
        try run(.render(request), showsProgress: showsProgress) { event in
            if case .picture(_, let picture) = event, picture.stage == .final { final = picture }
        }
        guard let final else { throw CommandFailure("the engine drew no picture.") }
        return final
    }

    /// Carries out a command and waits for its end.
    /// - Parameters:
    ///   - command: What to do.
    ///   - showsProgress: Whether the job's progress goes to the progress line.
    ///   - handle: Takes the job's events but the last, as they come; when it throws, the job is cancelled.
    /// - Throws: `EngineFailure`, `Cancelled` after Ctrl-C, or what `handle` threw.
    func run(_ command: EngineCommand, showsProgress: Bool = true, handle: (EngineEvent) throws -> Void) throws {
        try Interruption.shared.check()
        lastJob += 1
        let id = JobID(lastJob)
        current.id.withLock { $0 = id }
        defer { current.id.withLock { $0 = nil } }
        engine.submit(command, as: id)
        // A signal between the check and the line above found no job to cancel.
        if Interruption.shared.isRequested { engine.cancel(id) }
        var problem: (any Error)?
        while true {
            let event = inbox.take()
            guard event.job == id else { continue }
            switch event {
            case .progress(_, let progress):
                if showsProgress { ProgressLine.show(progress) }
            case .finished:
                ProgressLine.clear()
                if let problem { throw problem }
                return
            case .cancelled:
                ProgressLine.clear()
                throw problem ?? Cancelled()
            case .failed(_, let failure):
                ProgressLine.clear()
                throw problem ?? failure
            default:
                guard problem == nil else { continue }
                do {
                    try handle(event)
                } catch {
                    problem = error
                    engine.cancel(id)
                }
            }
        }
    }
}
