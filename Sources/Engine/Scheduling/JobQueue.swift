import Dispatch
import EngineAPI
import Glibc
import Synchronization

/// Carries out jobs one piece at a time on one serial queue.
///
/// A burst of work stays on one thread: the drain that serves the queue lingers a while for more before it gives its thread back, because
/// libgomp keeps a team of threads for every thread that calls it.
///
/// `@unchecked Sendable`: `runner` and `runs` are touched on `queue` only; all else is behind the mutex or immutable.
final class JobQueue: @unchecked Sendable {
    private struct Shared {
        var table = JobTable()
        var isDraining = false
        var isShutDown = false
    }

    private let queue: DispatchQueue
    private let shared = Mutex(Shared())
    private let wake = DispatchSemaphore(value: 0)
    private let events: @Sendable (EngineEvent) -> Void
    private let linger: DispatchTimeInterval
    private let stepsBack: Bool

    private let makeRunner: @Sendable () -> any JobRunner
    private var runner: (any JobRunner)?
    private var runs: [JobID: any JobRun] = [:]

    /// - Parameters:
    ///   - label: Name of the queue.
    ///   - linger: How long the drain waits for more work before it gives its thread back.
    ///   - stepsBack: Whether the queue's thread, and those it starts for the kernels, leave a busy processor to others (nice 5).
    ///   - events: Called on the queue.
    ///   - runner: Makes what carries out the commands; called once, on the queue.
    init(
        label: String, linger: DispatchTimeInterval = .seconds(10), stepsBack: Bool = false,
        events: @escaping @Sendable (EngineEvent) -> Void,
        runner: @escaping @Sendable () -> any JobRunner
    ) {
        queue = DispatchQueue(label: label, qos: .userInitiated)
        self.linger = linger
        self.stepsBack = stepsBack
        self.events = events
        makeRunner = runner
    }

    /// - Precondition: no live job has this name.
    func submit(_ command: EngineCommand, as id: JobID) {
        change { shared in
            precondition(!shared.table.contains(id), "job \(id.rawValue) is under way already")
            shared.table.submit(command, as: id)
        }
    }

    func cancel(_ id: JobID) {
        change { $0.table.cancel(id) }
    }

    /// Ends all jobs and lets the drain go home; what is submitted later is carried out all the same.
    func shutDown() {
        change {
            $0.table.cancelAll()
            $0.isShutDown = true
        }
    }

    private func change(_ body: (inout Shared) -> Void) {
        let starts = shared.withLock { shared in
            body(&shared)
            defer { shared.isDraining = true }
            return !shared.isDraining
        }
        if starts { queue.async { self.drain() } } else { wake.signal() }
    }

    private func drain() {
        dispatchPrecondition(condition: .onQueue(queue))
        // On Linux this is the calling thread alone, and what it starts; a thread that has stepped back stays so.
        if stepsBack { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 5) }
        while true {
            let decision = shared.withLock { $0.table.next(now: .now) }
            switch decision {
            case .end(let id):
                runs[id] = nil
                events(.cancelled(id))
            case .step(let id):
                step(id)
            case .rest(let time):
                // Woken early by whatever is asked for meanwhile.
                let nanoseconds = Int((time - .now) / .nanoseconds(1))
                _ = wake.wait(timeout: .now() + .nanoseconds(max(0, nanoseconds)))
            case .idle:
                if waitForMore() { continue }
                return
            }
        }
    }

    /// - Returns: Whether there may be more to do; if not, the next submission starts a new drain.
    private func waitForMore() -> Bool {
        let goesHome = shared.withLock { shared in
            guard shared.isShutDown, shared.table.isEmpty else { return false }
            shared.isDraining = false
            shared.isShutDown = false
            return true
        }
        if goesHome { return false }
        if wake.wait(timeout: .now() + linger) == .success { return true }
        return shared.withLock { shared in
            guard shared.table.isEmpty else { return true }
            shared.isDraining = false
            return false
        }
    }

    private func step(_ id: JobID) {
        do {
            let run: any JobRun
            if let known = runs[id] {
                run = known
            } else {
                guard let command = shared.withLock({ $0.table.command(of: id) }) else { return }
                events(.began(id))
                run = try theRunner().begin(command)
                runs[id] = run
            }
            let isLeft = try run.advance { report in events(report.event(of: id)) }
            if isLeft {
                let (mayBeReplaced, restsUntil) = (run.mayBeReplaced, run.restsUntil)
                shared.withLock { $0.table.stepped(id, mayBeReplaced: mayBeReplaced, restsUntil: restsUntil) }
            } else {
                end(id, with: .finished(id))
            }
        } catch {
            end(id, with: .failed(id, theRunner().failure(for: error)))
        }
    }

    /// Sends the last event of a job, unless it was cancelled meanwhile: then that is told in its turn.
    private func end(_ id: JobID, with event: EngineEvent) {
        runs[id] = nil
        if shared.withLock({ $0.table.complete(id) }) { events(event) }
    }

    private func theRunner() -> any JobRunner {
        if let runner { return runner }
        let made = makeRunner()
        runner = made
        return made
    }
}
