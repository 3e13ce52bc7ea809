import Dispatch
import EngineAPI
import Foundation
import ImageCore
import Synchronization
import Testing

@testable import Engine

/// The whole engine on the built-in space, with few steps.
@Suite(.serialized) struct BuiltInSpaceTests {
    /// An engine that waits for its jobs.
    final class Bench: Sendable {
        let engine: Engine
        let folder: String
        private let box = Box()

        final class Box: Sendable {
            let events = Mutex<[EngineEvent]>([])
            let ends = DispatchSemaphore(value: 0)
        }

        init(folder: String = NSTemporaryDirectory() + "w2w-engine-\(UUID().uuidString)", slowStep: Duration = Pace.noticeable) {
            self.folder = folder
            let box = box
            engine = Engine(
                cacheDirectory: folder, directionsDirectory: nil, yieldsToScreen: false, precision: .f32, use: .exploring,
                slowStep: slowStep
            ) { event in
                box.events.withLock { $0.append(event) }
                if event.isLast { box.ends.signal() }
            }
        }

        deinit {
            engine.shutDown()
            try? FileManager.default.removeItem(atPath: folder)
        }

        func submit(_ command: EngineCommand, _ id: UInt64) { engine.submit(command, as: JobID(id)) }

        func waitForEnds(_ count: Int = 1) {
            for _ in 0..<count { box.ends.wait() }
        }

        /// Carries out one command and gives its events.
        func run(_ command: EngineCommand, _ id: UInt64) -> [EngineEvent] {
            submit(command, id)
            waitForEnds()
            return events(of: id)
        }

        func events(of id: UInt64) -> [EngineEvent] { box.events.withLock { $0.filter { $0.job == JobID(id) } } }
        var all: [EngineEvent] { box.events.withLock { $0 } }

        func open() throws -> SpaceDescription {
            for case .opened(_, let description) in run(.open(.builtIn), 0) { return description }
            throw EngineFailure(message: "the built-in space did not open: \(all)")
        }
    }

    static func pictures(_ events: [EngineEvent]) -> [Picture] {
        events.compactMap { event in
            switch event {
            case .picture(_, let picture), .thumbnail(_, let picture): picture
            default: nil
            }
        }
    }

    static func failure(_ events: [EngineEvent]) -> EngineFailure? {
        for case .failed(_, let failure) in events { return failure }
        return nil
    }

    static func settings(_ description: SpaceDescription, steps: Int) -> GenerationSettings {
        var settings = description.defaults
        settings.steps = steps
        return settings
    }

    @Test func openingTellsOfTheSpaceBeforeItIsFinished() throws {
        let bench = Bench()
        let description = try bench.open()
        #expect(description.identities.count == 544)
        #expect(description.fingerprint.count == 64)
        #expect(description.vectorLength == 6272)
        let kinds = bench.events(of: 0).compactMap { event -> String? in
            switch event {
            case .opened: "opened"
            case .finished: "finished"
            default: nil
            }
        }
        #expect(kinds == ["opened", "finished"])
    }

    @Test func aPreviewClimbsFromFirstLookToTheFaceThatARenderDraws() throws {
        let bench = Bench()
        let settings = Self.settings(try bench.open(), steps: 5)
        let request = RenderRequest(subject: .identity("p00042"), settings: settings)
        let preview = Self.pictures(bench.run(.preview(request), 1))
        #expect(preview.first?.stage == .firstLook)
        #expect(preview.last?.stage == .final)
        // The latest look before the finished face: on a busy machine the first one comes from the first evaluation and shows little.
        let look = try #require(preview.dropLast().last?.image)
        let final = try #require(preview.last?.image)
        // Looks show this person, not just anybody: another person's finished picture is farther from the same look.
        let other = RenderRequest(subject: .identity("p00317"), settings: settings)
        let strangers = Self.pictures(bench.run(.preview(other), 2))
        #expect(strangers.first?.stage == .firstLook)
        let stranger = try #require(strangers.last?.image)
        #expect(strangers.last?.stage == .final)
        // On a busy machine looks are smaller than the picture.
        func likeness(to final: RGBImage) throws -> Double {
            try #require(look.psnr(to: final.fitted(width: look.width, height: look.height)))
        }
        #expect(try likeness(to: final) > 17)
        #expect(try likeness(to: final) > likeness(to: stranger))
        // From the cache, at once and alone.
        let again = Self.pictures(bench.run(.preview(request), 3))
        #expect(again.map(\.stage) == [.final])
        #expect(again.first?.image == final)
        // Another engine that draws it in one go.
        let second = Bench()
        _ = try second.open()
        #expect(Self.pictures(second.run(.render(request), 1)).last?.image == final)
    }

    /// Where an evaluation takes long, a person sees how far it is, from the first on.
    @Test func aSlowPreviewTellsHowFarItIs() throws {
        // How long evaluations take is this machine's affair: here any is slow, there none.
        for (slowStep, isSlow) in [(Duration.nanoseconds(1), true), (.seconds(3600), false)] {
            let bench = Bench(slowStep: slowStep)
            let settings = Self.settings(try bench.open(), steps: 6)
            let events = bench.run(.preview(RenderRequest(subject: .identity("p00042"), settings: settings)), 1)
            let steps = events.compactMap { event -> (done: Int, total: Int, left: Double?)? in
                guard case .progress(_, let progress) = event, progress.activity == "rendering" else { return nil }
                return (progress.done, progress.total, progress.secondsLeft)
            }
            guard isSlow else {
                #expect(steps.isEmpty, "\(steps)")
                continue
            }
            #expect(steps.map(\.done) == Array(0...6), "\(steps)")
            #expect(steps.allSatisfy { $0.total == 6 })
            #expect(steps.dropFirst().dropLast().allSatisfy { ($0.left ?? 0) > 0 }, "\(steps)")
        }
    }

    /// How long a slow walk takes is said before its first frame is there.
    @Test func aSlowWalkTellsHowLongItTakes() throws {
        for (slowStep, isSlow) in [(Duration.nanoseconds(1), true), (.seconds(3600), false)] {
            let bench = Bench(slowStep: slowStep)
            let description = try bench.open()
            let people = description.identities
            let walk = MorphRequest(
                from: people.code(at: 0), to: people.code(at: 1), frames: 2, path: .slerp,
                settings: Self.settings(description, steps: 3))
            let early = bench.run(.morph(walk), 1).prefix { if case .frame = $0 { false } else { true } }
            let estimates = early.compactMap { event -> Double? in
                guard case .progress(_, let progress) = event, progress.done == 0 else { return nil }
                return progress.secondsLeft
            }
            #expect(estimates.isEmpty != isSlow && estimates.allSatisfy { $0 > 0 }, "\(estimates)")
        }
    }

    @Test func thumbnailsComeInOrderAndFromDiskTheSecondTime() throws {
        let bench = Bench()
        let settings = Self.settings(try bench.open(), steps: 2)
        let names = ["p00001", "p00002", "p00003", "p00004", "p00005"]
        let requests = names.map { RenderRequest(subject: .identity($0), settings: settings) }
        let drawn = Self.pictures(bench.run(.thumbnails(requests), 1))
        #expect(drawn.map(\.request) == requests)
        #expect(drawn.allSatisfy { max($0.image.width, $0.image.height) <= 128 })
        // A second engine on the same folder finds them; a space that is not even warm cannot have drawn them.
        let second = Bench(folder: bench.folder)
        _ = try second.open()
        let found = Self.pictures(second.run(.thumbnails(requests), 1))
        #expect(found.map(\.image) == drawn.map(\.image))
        #expect(found.allSatisfy { $0.seconds < 0.5 })
    }

    @Test func oneFaceThatCannotBeDrawnDoesNotKeepTheOthersFromIt() throws {
        let bench = Bench()
        let settings = Self.settings(try bench.open(), steps: 1)
        let requests = ["p00001", "nobody", "p00002"].map { RenderRequest(subject: .identity($0), settings: settings) }
        let events = bench.run(.thumbnails(requests), 1)
        #expect(Self.pictures(events).map(\.request) == [requests[0], requests[2]])
        #expect(Self.failure(events)?.message.contains("nobody") == true)
    }

    @Test func whatCannotBeDrawnIsSaidAndTheEngineGoesOn() throws {
        let bench = Bench()
        let settings = Self.settings(try bench.open(), steps: 1)
        let unknown = bench.run(.render(RenderRequest(subject: .identity("nobody"), settings: settings)), 1)
        #expect(Self.failure(unknown)?.message.contains("no identity 'nobody'") == true)
        var odd = settings
        odd.width = 100
        let size = bench.run(.preview(RenderRequest(subject: .base, settings: odd)), 2)
        #expect(Self.failure(size)?.message.contains("100 x 128") == true)
        odd = settings
        odd.steps = 0
        let steps = bench.run(.render(RenderRequest(subject: .base, settings: odd)), 3)
        #expect(Self.failure(steps)?.message == "0 steps cannot be done.")
        let code = bench.run(.render(RenderRequest(subject: .code(WeightCode([1, 2, 3])), settings: settings)), 4)
        #expect(Self.failure(code) != nil)
        #expect(Self.pictures(bench.run(.render(RenderRequest(subject: .base, settings: settings)), 5)).count == 1)
    }

    @Test func withoutASpaceNothingIsDrawn() {
        let bench = Bench()
        #expect(Self.failure(bench.run(.sample(SampleRequest(count: 1, seed: 0)), 1))?.message == "no space is open.")
        let missing = bench.run(.open(.folder("/no/such/space")), 2)
        #expect(Self.failure(missing)?.message.contains("/no/such/space") == true)
    }

    @Test func samplesAndWalksFollowTheSpace() throws {
        let bench = Bench()
        let description = try bench.open()
        let request = SampleRequest(count: 3, seed: 7)
        let events = bench.run(.sample(request), 1)
        guard description.latentDimension > 0 else {
            #expect(Self.failure(events)?.advice.contains("w2w train") == true)
            return
        }
        var codes: [WeightCode] = []
        for case .sampled(_, let answer) in events { codes = answer }
        #expect(codes.count == 3)
        #expect(Set(codes).count == 3)
        #expect(codes.allSatisfy { $0.count == description.latentDimension })
        let morph = MorphRequest(
            from: codes[0], to: codes[1], frames: 5, path: .slerp, settings: Self.settings(description, steps: 1))
        let walk = bench.run(.morph(morph), 2)
        var frames: [MorphFrame] = []
        for case .frame(_, let frame) in walk { frames.append(frame) }
        #expect(frames.map(\.index) == [0, 4, 2, 1, 3])
        #expect(frames.first?.code == codes[0])
        #expect(frames.first { $0.index == 4 }?.code == codes[1])
        #expect(frames.first { $0.index == 2 }?.position == 0.5)
    }

    @Test func framesOfAWalkAreDrawnFromTheMiddleOutwards() {
        #expect(MorphRun.order(2) == [0, 1])
        #expect(MorphRun.order(3) == [0, 2, 1])
        #expect(MorphRun.order(7) == [0, 6, 3, 2, 4, 1, 5])
        #expect(MorphRun.order(8).sorted() == Array(0..<8))
    }

    @Test func aLongRenderEndsSoonAfterItIsCancelled() throws {
        let bench = Bench()
        let settings = Self.settings(try bench.open(), steps: 1000)
        bench.submit(.render(RenderRequest(subject: .base, settings: settings)), 1)
        bench.engine.cancel(JobID(1))
        bench.waitForEnds()
        guard case .cancelled = try #require(bench.events(of: 1).last) else {
            Issue.record("the render was not cancelled: \(bench.events(of: 1))")
            return
        }
        #expect(bench.events(of: 1).count < 100)
    }

    /// Number of threads of this process.
    static func threads() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count
    }

    @Test func aThousandJobsNeedNoMoreThreadsThanTheFirst() throws {
        let bench = Bench()
        let description = try bench.open()
        var settings = Self.settings(description, steps: 4)
        var numbers: [Int] = []
        var id: UInt64 = 0
        for wave in 0..<20 {
            for _ in 0..<50 {
                id += 1
                settings.seed = id
                bench.submit(.preview(RenderRequest(subject: .identity("p00007"), settings: settings)), id)
            }
            bench.waitForEnds(50)
            if wave >= 4 { numbers.append(try Self.threads()) }
        }
        let ends = bench.all.filter { $0.isLast && $0.job != JobID(0) }.map(\.job)
        #expect(ends.count == 1000)
        #expect(Set(ends).count == 1000)
        // Other suites of this process come and go, so the quietest moments count; a pool for each job would show as hundreds.
        let (early, late) = (numbers.prefix(8).min() ?? 0, numbers.suffix(8).min() ?? 0)
        #expect(late - early <= 8, "threads after each wave: \(numbers)")
    }
}
