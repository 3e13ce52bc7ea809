import EngineAPI
import Testing

@testable import Engine

/// What is drafted, how, for what this machine does.
@Suite struct DraftPlanTests {
    static func request(side: Int, steps: Int = 50, guidance: Float = 3, scheduler: SchedulerName = .ddim) -> RenderRequest {
        RenderRequest(
            subject: .base,
            settings: GenerationSettings(
                prompt: "", seed: 1, steps: steps, guidance: guidance, scheduler: scheduler, width: side, height: side))
    }

    /// A machine that needs so long for an evaluation of 256 x 256 pixels without guidance.
    static func pace(milliseconds: Int, decoding: Int = 600) -> Pace {
        var pace = Pace()
        pace.noteStep(.milliseconds(milliseconds), .init(pixels: 256 * 256, samples: 1))
        pace.noteDecoding(.milliseconds(decoding), pixels: 256 * 256)
        return pace
    }

    @Test func whatFitsIntoTheTimeIsNotDrafted() {
        #expect(DraftPlan(for: Self.request(side: 256, steps: 8), pace: Self.pace(milliseconds: 200)) == nil)
        #expect(DraftPlan(for: Self.request(side: 128, steps: 12), pace: Self.pace(milliseconds: 30)) == nil)
    }

    @Test func manyStepsBecomeAsManyAsFit() throws {
        let plan = try #require(DraftPlan(for: Self.request(side: 256), pace: Self.pace(milliseconds: 200)))
        #expect(plan.reduction == 1 && plan.settings.width == 256)
        // (5 s - 0.6 s) / 0.4 s
        #expect(plan.settings.steps == 11)
        #expect(plan.settings.scheduler == .dpmpp2m)
        #expect(plan.settings.seed == 1 && plan.settings.guidance == 3)
    }

    @Test func largePicturesAreDraftedSmaller() throws {
        let plan = try #require(DraftPlan(for: Self.request(side: 512), pace: Self.pace(milliseconds: 300)))
        #expect(plan.reduction == 2 && plan.settings.width == 256 && plan.settings.height == 256)
        #expect(plan.settings.steps == 7)
        // Sides that the U-Net cannot halve stay.
        let odd = try #require(DraftPlan(for: Self.request(side: 456), pace: Self.pace(milliseconds: 300)))
        #expect(odd.reduction == 1 && odd.settings.steps == DraftPlan.fewestSteps)
    }

    /// Six evaluations of Stable Diffusion's size with guidance do not fit; what is left out grows until they do.
    @Test func whatDoesNotFitIsLeftOut() throws {
        func plan(_ milliseconds: Int, guidance: Float = 3) throws -> DraftPlan {
            try #require(
                DraftPlan(
                    for: Self.request(side: 256, guidance: guidance), pace: Self.pace(milliseconds: milliseconds, decoding: 1100))
            )
        }
        let (whole, some, most) = (try plan(330), try plan(480), try plan(600))
        #expect(whole.shortcuts == nil && whole.guidanceInterval == 0...900)
        #expect(some.shortcuts?.whole == [0, 1, 2, 3] && some.shortcuts?.guided == nil && some.guidanceInterval == 200...900)
        #expect(most.shortcuts?.guided == [0, 3] && most.guidanceInterval == 0...900)
        for plan in [whole, some, most] { #expect(plan.settings.steps == 6 && plan.reduction == 1) }
        let alone = try plan(800, guidance: 1)
        #expect(alone.shortcuts?.whole == [0, 1, 2, 3] && alone.guidanceInterval == nil)
    }

    @Test func anUnknownMachineDraftsSmallAndShort() throws {
        let plan = try #require(DraftPlan(for: Self.request(side: 512), pace: Pace()))
        #expect(plan.reduction == 2 && plan.settings.steps == 8)
    }

    @Test func aDistilledModelKeepsItsSampler() throws {
        let plan = try #require(
            DraftPlan(for: Self.request(side: 512, steps: 8, scheduler: .lcm), pace: Self.pace(milliseconds: 600)))
        #expect(plan.settings.scheduler == .lcm)
    }

    @Test func paceScalesFromWhatWasMeasured() {
        let pace = Self.pace(milliseconds: 200)
        #expect(pace.step(.init(pixels: 256 * 256, samples: 2)) == .milliseconds(400))
        #expect(pace.step(.init(pixels: 512 * 512, samples: 2)) == .milliseconds(1600))
        #expect(Pace().step(.init(pixels: 1, samples: 1)) == nil)
        #expect(pace.decoding(pixels: 512 * 512) == .milliseconds(2400))
        #expect(!pace.decodingIsQuick(pixels: 256 * 256) && pace.decodingIsQuick(pixels: 64 * 64))
    }

    /// A job that rests lets others have their turn and is due later.
    @Test func restingJobsLetOthersWork() {
        var table = JobTable()
        let now = ContinuousClock.now
        table.submit(.preview(Self.request(side: 64)), as: JobID(1))
        table.submit(.thumbnails([Self.request(side: 64)]), as: JobID(2))
        func word(_ decision: JobTable.Decision) -> String {
            switch decision {
            case .step(let id): "step \(id.rawValue)"
            case .end(let id): "end \(id.rawValue)"
            case .rest(let time): "rest \((time - now) / .seconds(1))"
            case .idle: "idle"
            }
        }
        #expect(word(table.next(now: now)) == "step 1")
        table.stepped(JobID(1), mayBeReplaced: true, restsUntil: now + .seconds(1))
        #expect(word(table.next(now: now)) == "step 2")
        _ = table.complete(JobID(2))
        #expect(word(table.next(now: now)) == "rest 1.0")
        #expect(word(table.next(now: now + .seconds(1))) == "step 1")
        // A newer one takes the place of one that rests.
        table.stepped(JobID(1), mayBeReplaced: true, restsUntil: now + .seconds(9))
        table.submit(.preview(Self.request(side: 64)), as: JobID(3))
        #expect(word(table.next(now: now)) == "end 1")
        #expect(word(table.next(now: now)) == "step 3")
    }
}
