import Checkpoints
import Foundation
import ImageCore
import StableDiffusion
import TensorKit
import Testing

/// Pictures of a changed person as differences to a run that is known.
@Suite struct DifferenceRunTests {
    private let pipeline: StableDiffusionPipeline
    private var request = DenoisingRequest(
        prompt: "photo of sks person", seeds: [4], steps: 8, guidance: 2, scheduler: .dpmpp2M, width: 64, height: 64)

    init() throws {
        pipeline = try StableDiffusionPipeline(ModelFolder(builtInModel))
    }

    /// An identity of the built-in space, on its way to another one.
    private func adapter(row: Int, towards other: Int = 0, by share: Float = 0) throws -> LoRAAdapter {
        let (mine, theirs) = (try PipelineTests.adapter(row: row), try PipelineTests.adapter(row: other))
        let factors = try mine.factors.map { path, factors in
            let end = try #require(theirs.factors[path])
            func blend(_ x: Tensor, _ y: Tensor) -> Tensor {
                Tensor(x.shape, zip(x.array, y.array).map { $0 + share * ($1 - $0) })
            }
            return (path, LoRAAdapter.Factors(a: blend(factors.a, end.a), b: blend(factors.b, end.b)))
        }
        return LoRAAdapter(factors: Dictionary(uniqueKeysWithValues: factors), scale: mine.scale)
    }

    private func run(_ adapter: LoRAAdapter) throws -> DenoisingTrajectory {
        var request = request
        request.adapters = [adapter]
        var run = try pipeline.start(request)
        return DenoisingTrajectory(finishing: &run)
    }

    private func distance(_ a: Tensor, _ b: Tensor) -> Double {
        zip(a.array, b.array).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }.squareRoot()
    }

    private func finish(_ run: DifferenceRun?) throws -> Tensor {
        var run = try #require(run)
        while !run.isFinished { run.step() }
        return run.estimate
    }

    @Test func nobodyChangesWithoutAChange() throws {
        let known = try run(adapter(row: 3))
        let finished = try #require(known.finished)
        let same = try finish(known.difference(evaluations: 3, adapters: [adapter(row: 3)]))
        expectClose("the same person", same, finished, tolerance: 1e-4)
    }

    /// The solver is linear: asked everywhere where the known run was, the difference is that of two whole runs.
    @Test func allEvaluationsGiveTheWholeRun() throws {
        let (known, wanted) = (try run(adapter(row: 3)), try run(adapter(row: 40)))
        let finished = try #require(wanted.finished)
        let followed = try finish(known.difference(evaluations: 8, adapters: [adapter(row: 40)]))
        expectClose("another person", followed, finished, tolerance: 2e-3)
    }

    /// A small change is followed in few evaluations, better than by going on from the middle.
    @Test(arguments: [SchedulerKind.dpmpp2M, .ddim, .pndm, .euler]) func fewEvaluationsFollowASmallChange(kind: SchedulerKind)
        throws
    {
        var suite = self
        suite.request.scheduler = kind
        suite.request.steps = 12
        let changed = try adapter(row: 3, towards: 40, by: 0.1)
        let (known, wanted) = (try suite.run(adapter(row: 3)), try suite.run(changed))
        let (start, end) = (try #require(known.finished), try #require(wanted.finished))
        let change = distance(start, end)
        let followed = try finish(known.difference(evaluations: 4, adapters: [changed]))
        var resumed = try #require(known.resumed(at: known.count - 4, adapters: [changed]))
        while !resumed.isFinished { resumed.step() }
        #expect(change > 0)
        #expect(distance(followed, end) < 0.5 * change)
        #expect(distance(followed, end) < distance(resumed.latents, end))
    }

    @Test func freshNoiseCannotBeFollowed() throws {
        for kind in [SchedulerKind.eulerAncestral, .lcm] {
            var suite = self
            suite.request.scheduler = kind
            let known = try suite.run(adapter(row: 3))
            #expect(known.finished != nil && known.difference(evaluations: 2, adapters: [nil]) == nil)
        }
        #expect(DenoisingTrajectory().difference(evaluations: 2, adapters: []) == nil)
    }

    @Test func relativeChangeGrowsWithTheChange() throws {
        let own = try adapter(row: 3)
        #expect(own.relativeChange(to: own) == 0)
        let (little, much) = (try adapter(row: 3, towards: 40, by: 0.1), try adapter(row: 3, towards: 40, by: 0.5))
        #expect(own.relativeChange(to: little) > 0)
        #expect(own.relativeChange(to: much) > own.relativeChange(to: little))
        #expect(own.relativeChange(to: nil) == .infinity)
        #expect(own.relativeChange(to: LoRAAdapter(factors: own.factors, scale: own.scale + 1)) == .infinity)
    }
}
