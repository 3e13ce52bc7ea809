import EngineAPI
import Testing

@testable import Engine

/// The order of jobs, without threads: a table is driven by hand and its decisions are written down as words such as "1" (a piece of job 1)
/// and "-2" (job 2 was cancelled).
@Suite struct JobTableTests {
    static let settings = GenerationSettings(
        prompt: "", seed: 0, steps: 1, guidance: 1, scheduler: .ddim, width: 8, height: 8)
    static let request = RenderRequest(subject: .base, settings: settings)
    static let code = WeightCode([0])

    static func command(_ kind: String) -> EngineCommand {
        switch kind {
        case "open": .open(.builtIn)
        case "preview": .preview(request)
        case "render": .render(request)
        case "thumbnails": .thumbnails([request])
        case "sample": .sample(SampleRequest(count: 1, seed: 0))
        default: .morph(MorphRequest(from: code, to: code, frames: 2, path: .slerp, settings: settings))
        }
    }

    /// A table and a worker that gives every job a number of pieces; previews show their first look with the second one.
    struct Worker {
        var table = JobTable()
        var done: [UInt64: Int] = [:]
        var pieces: Int

        mutating func submit(_ kind: String, _ id: UInt64) {
            table.submit(JobTableTests.command(kind), as: JobID(id))
        }

        /// Carries out `count` decisions.
        mutating func run(_ count: Int = .max) -> [String] {
            var log: [String] = []
            while log.count < count {
                switch table.next(now: .now) {
                case .idle, .rest: return log
                case .end(let id): log.append("-\(id.rawValue)")
                case .step(let id):
                    log.append("\(id.rawValue)")
                    let isPreview = if case .preview = table.command(of: id) { true } else { false }
                    done[id.rawValue, default: 0] += 1
                    let number = done[id.rawValue] ?? 0
                    if number == pieces {
                        _ = table.complete(id)
                    } else {
                        table.stepped(id, mayBeReplaced: !isPreview || number >= 2)
                    }
                }
            }
            return log
        }
    }

    @Test func urgentLanesGoFirstAndInterruptedJobsResume() {
        var worker = Worker(pieces: 3)
        worker.submit("thumbnails", 1)
        #expect(worker.run(1) == ["1"])
        worker.submit("render", 2)
        #expect(worker.run(1) == ["2"])
        worker.submit("morph", 3)
        #expect(worker.run(1) == ["3"])
        worker.submit("preview", 4)
        #expect(worker.run() == ["4", "4", "4", "3", "3", "2", "2", "1", "1"])
        #expect(worker.table.isEmpty)
    }

    @Test func workGoesInItsTurn() {
        var worker = Worker(pieces: 2)
        worker.submit("render", 1)
        worker.submit("sample", 2)
        worker.submit("render", 3)
        #expect(worker.run() == ["1", "1", "2", "2", "3", "3"])
    }

    @Test func aNewerPreviewReplacesOneThatWaits() {
        var worker = Worker(pieces: 4)
        worker.submit("preview", 1)
        worker.submit("preview", 2)
        worker.submit("preview", 3)
        #expect(worker.run() == ["-1", "-2", "3", "3", "3", "3"])
    }

    @Test func aRunningPreviewShowsItsFirstLookBeforeItIsReplaced() {
        var worker = Worker(pieces: 5)
        worker.submit("preview", 1)
        #expect(worker.run(1) == ["1"])
        worker.submit("preview", 2)
        worker.submit("preview", 3)
        #expect(worker.run() == ["-2", "1", "-1", "3", "3", "3", "3", "3"])
    }

    @Test func aPreviewThatHasShownItsFirstLookIsReplacedAtOnce() {
        var worker = Worker(pieces: 5)
        worker.submit("preview", 1)
        #expect(worker.run(2) == ["1", "1"])
        worker.submit("preview", 2)
        #expect(worker.run(2) == ["-1", "2"])
    }

    @Test func cancellingDoesNotWaitForTheFirstLook() {
        var worker = Worker(pieces: 5)
        worker.submit("preview", 1)
        #expect(worker.run(1) == ["1"])
        worker.table.cancel(JobID(1))
        #expect(worker.run() == ["-1"])
    }

    @Test func newerMorphsAndListsReplaceTheRunningOnes() {
        var worker = Worker(pieces: 3)
        worker.submit("morph", 1)
        worker.submit("thumbnails", 2)
        #expect(worker.run(1) == ["1"])
        worker.submit("thumbnails", 3)
        worker.submit("morph", 4)
        #expect(worker.run() == ["-2", "-1", "4", "4", "4", "3", "3", "3"])
    }

    @Test func openingEndsWhatWasAskedOfTheSpaceBefore() {
        var worker = Worker(pieces: 2)
        worker.submit("render", 1)
        worker.submit("preview", 2)
        #expect(worker.run(1) == ["2"])
        worker.submit("open", 3)
        worker.submit("preview", 4)
        let log = worker.run()
        #expect(Set(log.prefix(2)) == ["-1", "-2"])
        #expect(Array(log.dropFirst(2)) == ["3", "3", "4", "4"])
    }

    @Test func cancellingAnUnknownOrEndedJobDoesNothing() {
        var worker = Worker(pieces: 1)
        worker.submit("render", 1)
        worker.table.cancel(JobID(9))
        #expect(worker.run() == ["1"])
        worker.table.cancel(JobID(1))
        #expect(worker.run().isEmpty)
        let wasLive = worker.table.complete(JobID(1))
        #expect(!wasLive)
    }
}
