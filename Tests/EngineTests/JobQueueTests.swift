import Dispatch
import EngineAPI
import Foundation
import Synchronization
import Testing

@testable import Engine

/// The queue with a scripted workload: what is told, in which order, on how many threads.
@Suite struct JobQueueTests {
    /// Runs a job in pieces; each piece may be held until the test lets it go.
    final class ScriptedRunner: JobRunner {
        struct Unusable: Error {}

        final class Run: JobRun {
            var left: Int
            let first: Int
            let gate: Gate
            init(pieces: Int, gate: Gate) {
                left = pieces
                first = pieces - 1
                self.gate = gate
            }

            var mayBeReplaced: Bool { left < first }

            func advance(_ report: (JobReport) -> Void) throws -> Bool {
                gate.pass()
                left -= 1
                report(.progress(Progress(activity: "piece", done: first + 1 - left, total: first + 1)))
                return left > 0
            }
        }

        let gate: Gate
        init(gate: Gate) {
            self.gate = gate
        }

        func begin(_ command: EngineCommand) throws -> any JobRun {
            if case .sample(let request) = command, request.count == 0 { throw Unusable() }
            if case .sample(let request) = command { return Run(pieces: request.count, gate: gate) }
            return Run(pieces: 4, gate: gate)
        }

        func failure(for error: any Error) -> EngineFailure { EngineFailure(message: "no: \(error)") }
    }

    /// Lets pieces through one by one, or all.
    final class Gate: Sendable {
        private let entered = DispatchSemaphore(value: 0)
        private let allowed = DispatchSemaphore(value: 0)
        private let isOpen: Mutex<Bool>
        init(open: Bool) {
            isOpen = Mutex(open)
        }

        func pass() {
            guard !isOpen.withLock({ $0 }) else { return }
            entered.signal()
            allowed.wait()
        }

        /// Returns when a piece has come to the gate.
        func waitForPiece() { entered.wait() }
        func letOneThrough() { allowed.signal() }
        func openForGood() {
            isOpen.withLock { $0 = true }
            allowed.signal()
        }
    }

    /// Notes events and waits for last ones.
    final class Listener: Sendable {
        private let log = Mutex<[String]>([])
        private let ends = DispatchSemaphore(value: 0)
        let threads = Mutex<Set<pthread_t>>([])

        func take(_ event: EngineEvent) {
            let word =
                switch event {
                case .began: "\(event.job.rawValue) began"
                case .progress(_, let progress): "\(event.job.rawValue).\(progress.done)"
                case .finished: "\(event.job.rawValue) finished"
                case .cancelled: "\(event.job.rawValue) cancelled"
                case .failed(_, let failure): "\(event.job.rawValue) failed \(failure.message)"
                default: "\(event.job.rawValue) ?"
                }
            log.withLock { $0.append(word) }
            threads.withLock { _ = $0.insert(pthread_self()) }
            if event.isLast { ends.signal() }
        }

        func waitForEnds(_ count: Int) {
            for _ in 0..<count { ends.wait() }
        }

        var words: [String] { log.withLock { $0 } }
    }

    static func makeQueue(_ gate: Gate, _ listener: Listener, linger: DispatchTimeInterval = .seconds(10)) -> JobQueue {
        JobQueue(label: "test", linger: linger, events: { listener.take($0) }, runner: { ScriptedRunner(gate: gate) })
    }

    @Test func eventsOfAJobComeInOrderWithOneLast() {
        let listener = Listener()
        let queue = Self.makeQueue(Gate(open: true), listener)
        queue.submit(.sample(SampleRequest(count: 3, seed: 0)), as: JobID(1))
        listener.waitForEnds(1)
        #expect(listener.words == ["1 began", "1.1", "1.2", "1.3", "1 finished"])
        queue.shutDown()
    }

    @Test func aCommandThatCannotBeginFails() {
        let listener = Listener()
        let queue = Self.makeQueue(Gate(open: true), listener)
        queue.submit(.sample(SampleRequest(count: 0, seed: 0)), as: JobID(1))
        queue.submit(.sample(SampleRequest(count: 1, seed: 0)), as: JobID(2))
        listener.waitForEnds(2)
        #expect(listener.words == ["1 began", "1 failed no: Unusable()", "2 began", "2.1", "2 finished"])
        queue.shutDown()
    }

    @Test func aPreviewIsReplacedOnlyAfterItsFirstLook() {
        let gate = Gate(open: false)
        let listener = Listener()
        let queue = Self.makeQueue(gate, listener)
        queue.submit(JobTableTests.command("preview"), as: JobID(1))
        gate.waitForPiece()
        // The first piece is under way; its first look comes with the second.
        queue.submit(JobTableTests.command("preview"), as: JobID(2))
        queue.submit(JobTableTests.command("preview"), as: JobID(3))
        gate.openForGood()
        listener.waitForEnds(3)
        #expect(
            listener.words == [
                "1 began", "1.1", "2 cancelled", "1.2", "1 cancelled", "3 began", "3.1", "3.2", "3.3", "3.4", "3 finished",
            ])
        queue.shutDown()
    }

    @Test func thumbnailsYieldToAPreviewBetweenTwoPieces() {
        let gate = Gate(open: false)
        let listener = Listener()
        let queue = Self.makeQueue(gate, listener)
        queue.submit(JobTableTests.command("thumbnails"), as: JobID(1))
        gate.waitForPiece()
        queue.submit(JobTableTests.command("preview"), as: JobID(2))
        gate.openForGood()
        listener.waitForEnds(2)
        #expect(
            listener.words == [
                "1 began", "1.1", "2 began", "2.1", "2.2", "2.3", "2.4", "2 finished", "1.2", "1.3", "1.4", "1 finished",
            ])
        queue.shutDown()
    }

    @Test func cancellingTakesEffectAfterThePieceUnderWay() {
        let gate = Gate(open: false)
        let listener = Listener()
        let queue = Self.makeQueue(gate, listener)
        queue.submit(.sample(SampleRequest(count: 500, seed: 0)), as: JobID(1))
        gate.waitForPiece()
        queue.cancel(JobID(1))
        queue.cancel(JobID(1))
        gate.openForGood()
        listener.waitForEnds(1)
        #expect(listener.words == ["1 began", "1.1", "1 cancelled"])
        queue.shutDown()
    }

    @Test func aCancellationDuringTheLastPieceIsTheOnlyEnd() {
        let gate = Gate(open: false)
        let listener = Listener()
        let queue = Self.makeQueue(gate, listener)
        queue.submit(.sample(SampleRequest(count: 1, seed: 0)), as: JobID(1))
        gate.waitForPiece()
        queue.cancel(JobID(1))
        queue.submit(.sample(SampleRequest(count: 1, seed: 0)), as: JobID(2))
        gate.openForGood()
        listener.waitForEnds(2)
        #expect(listener.words == ["1 began", "1.1", "1 cancelled", "2 began", "2.1", "2 finished"])
        queue.shutDown()
    }

    @Test func everyJobOfAThousandHasOneEndAndTheyStayOnOneThread() {
        let listener = Listener()
        let queue = Self.makeQueue(Gate(open: true), listener)
        let kinds = ["preview", "render", "thumbnails", "morph", "sample"]
        for number in 1...1000 {
            queue.submit(JobTableTests.command(kinds[number % kinds.count]), as: JobID(UInt64(number)))
            if number % 7 == 0 { queue.cancel(JobID(UInt64(number - 3))) }
        }
        listener.waitForEnds(1000)
        let ends = listener.words.filter { $0.contains(" ") && !$0.hasSuffix("began") }.map { $0.split(separator: " ")[0] }
        #expect(ends.count == 1000)
        #expect(Set(ends).count == 1000)
        #expect(listener.threads.withLock(\.count) == 1)
        queue.shutDown()
    }

    @Test func workThatComesAfterTheDrainWentHomeIsDone() {
        let listener = Listener()
        let queue = Self.makeQueue(Gate(open: true), listener, linger: .milliseconds(1))
        for number in 1...50 {
            queue.submit(JobTableTests.command("render"), as: JobID(UInt64(number)))
            listener.waitForEnds(1)
            if number % 5 == 0 { usleep(3000) }
        }
        queue.shutDown()
        queue.submit(JobTableTests.command("render"), as: JobID(51))
        listener.waitForEnds(1)
        #expect(listener.words.filter { $0.hasSuffix("finished") }.count == 51)
    }
}
