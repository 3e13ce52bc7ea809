import EngineAPI

/// Which job gets the next piece of work. A value without clock, thread or model: everything that can be said about order is said here.
///
/// Lanes, the most urgent first: opening, preview, morph, work (sampling and rendering, in their turn), thumbnails. In a lane where the
/// newest counts (all but work) a newer job replaces what waits, and the running one as soon as that may be replaced.
struct JobTable {
    /// What to do now.
    enum Decision {
        /// Say that a job was cancelled and forget it.
        case end(JobID)
        /// Take a job one piece further.
        case step(JobID)
        /// Nothing before this time, unless more is asked for.
        case rest(until: ContinuousClock.Instant)
        case idle
    }

    private enum Lane: Int, CaseIterable {
        case open, preview, morph, work, thumbnails

        init(_ command: EngineCommand) {
            switch command {
            case .open, .use: self = .open
            case .preview: self = .preview
            case .morph: self = .morph
            case .sample, .render, .compare, .findDirections, .keepDirection, .forgetDirection: self = .work
            case .thumbnails: self = .thumbnails
            }
        }

        var newestCounts: Bool { self != .work }
    }

    private struct Job {
        let id: JobID
        let command: EngineCommand
        var isStarted = false
        /// Of a started job: whether a newer one may take its place.
        var mayBeReplaced = true
        /// Of a started job: when its next piece is due.
        var restsUntil: ContinuousClock.Instant?
    }

    private var lanes = [[Job]](repeating: [], count: Lane.allCases.count)
    /// Jobs that were cancelled or replaced and whose last event is still to be sent.
    private var ending: [JobID] = []

    var isEmpty: Bool { ending.isEmpty && lanes.allSatisfy(\.isEmpty) }

    /// Jobs that have not had their last event.
    var count: Int { ending.count + lanes.reduce(0) { $0 + $1.count } }

    func contains(_ id: JobID) -> Bool {
        ending.contains(id) || lanes.contains { $0.contains { $0.id == id } }
    }

    /// The command of a live job.
    func command(of id: JobID) -> EngineCommand? {
        for lane in lanes {
            if let job = lane.first(where: { $0.id == id }) { return job.command }
        }
        return nil
    }

    /// Queues a command. Opening a space ends all that was asked of the one before, another model all that was asked in the other's codes.
    mutating func submit(_ command: EngineCommand, as id: JobID) {
        let lane = Lane(command)
        if lane == .open {
            // Another model goes on with the space that is being opened.
            if case .use = command {} else { removeAll(in: lane.rawValue) { _ in true } }
            for index in lanes.indices where index != lane.rawValue { removeAll(in: index) { _ in true } }
        } else if lane.newestCounts {
            removeAll(in: lane.rawValue) { !$0.isStarted || $0.mayBeReplaced }
        }
        lanes[lane.rawValue].append(Job(id: id, command: command))
    }

    /// Asks a job to end, whatever it is doing; an unknown one is none of our business.
    mutating func cancel(_ id: JobID) {
        for index in lanes.indices { removeAll(in: index) { $0.id == id } }
    }

    mutating func cancelAll() {
        for index in lanes.indices { removeAll(in: index) { _ in true } }
    }

    /// What to do now; a job that is to be stepped counts as started from here on.
    /// - Parameter now: The time, for jobs that rest.
    /// - Returns: The most urgent that is due.
    mutating func next(now: ContinuousClock.Instant) -> Decision {
        if !ending.isEmpty { return .end(ending.removeFirst()) }
        var earliest: ContinuousClock.Instant?
        for index in lanes.indices where !lanes[index].isEmpty {
            if let time = lanes[index][0].restsUntil, time > now {
                earliest = min(earliest ?? time, time)
                continue
            }
            if !lanes[index][0].isStarted {
                lanes[index][0].isStarted = true
                // Until it has shown its first look.
                lanes[index][0].mayBeReplaced = index != Lane.preview.rawValue
            }
            return .step(lanes[index][0].id)
        }
        return earliest.map { .rest(until: $0) } ?? .idle
    }

    /// Notes that a piece of a job was done.
    /// - Parameters:
    ///   - id: The job.
    ///   - mayBeReplaced: Whether a newer one may now take its place.
    ///   - restsUntil: When its next piece is due; nil for at once.
    mutating func stepped(_ id: JobID, mayBeReplaced: Bool, restsUntil: ContinuousClock.Instant? = nil) {
        for index in lanes.indices {
            guard let place = lanes[index].firstIndex(where: { $0.id == id }) else { continue }
            lanes[index][place].mayBeReplaced = mayBeReplaced
            lanes[index][place].restsUntil = restsUntil
            if mayBeReplaced, place + 1 < lanes[index].count, index != Lane.work.rawValue,
                index != Lane.open.rawValue
            {
                ending.append(lanes[index].remove(at: place).id)
            }
        }
    }

    /// Takes out a job that is done or failed.
    /// - Returns: Whether it was still live; if not, its end has been or will be told as a cancellation.
    mutating func complete(_ id: JobID) -> Bool {
        for index in lanes.indices {
            guard let place = lanes[index].firstIndex(where: { $0.id == id }) else { continue }
            lanes[index].remove(at: place)
            return true
        }
        return false
    }

    private mutating func removeAll(in index: Int, where condition: (Job) -> Bool) {
        ending.append(contentsOf: lanes[index].filter(condition).map(\.id))
        lanes[index].removeAll(where: condition)
    }
}
