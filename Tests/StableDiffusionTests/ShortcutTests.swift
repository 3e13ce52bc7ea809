import Checkpoints
import Foundation
import StableDiffusion
import TensorKit
import Testing

/// Evaluations that take over what others calculated.
@Suite struct ShortcutTests {
    private let pipeline: StableDiffusionPipeline
    private var request = DenoisingRequest(
        prompt: "photo of sks person", seeds: [4], steps: 8, guidance: 2, scheduler: .dpmpp2M, width: 64, height: 64)

    init() throws {
        pipeline = try StableDiffusionPipeline(ModelFolder(builtInModel))
        request.adapters = [try PipelineTests.adapter(row: 3)]
    }

    private func latents(_ shortcuts: StepShortcuts?) throws -> Tensor {
        var request = request
        request.shortcuts = shortcuts
        var run = try pipeline.start(request)
        while !run.isFinished { run.step() }
        return run.latents
    }

    private func distance(_ a: Tensor, _ b: Tensor) -> Double {
        zip(a.array, b.array).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }.squareRoot()
    }

    /// Deep features of the very latents that are asked about change nothing, whichever layers follow and however threads share the batch.
    @Test(arguments: [1, 2, Int.max]) func deepFeaturesOfTheSameLatentsGiveTheSameAnswer(layers: Int) throws {
        let unet = pipeline.unet
        let prompt = pipeline.encode("photo of sks person")
        for count in [1, 3] {
            let conditioning = unet.conditioning([PromptConditioning](repeating: prompt, count: count))
            let x = Tensor([count, 8, 8, 4], TorchRandomSource(seed: 2).normal(count * 256))
            let timesteps = [Float](repeating: 400, count: count)
            let whole = unet(x, timesteps: timesteps, conditioning: conditioning)
            var deep: DeepFeatures? = DeepFeatures(layers: layers)
            let keeping = unet(x, timesteps: timesteps, conditioning: conditioning, deep: &deep)
            expectClose("whole, keeping", keeping, whole, tolerance: 1e-6)
            #expect(deep?.features != nil)
            let shallow = unet(x, timesteps: timesteps, conditioning: conditioning, deep: &deep)
            expectClose("shallow", shallow, whole, tolerance: 1e-6)
            // Of other latents the answer follows them.
            let y = Tensor([count, 8, 8, 4], TorchRandomSource(seed: 3).normal(count * 256))
            let other = unet(y, timesteps: timesteps, conditioning: conditioning, deep: &deep)
            #expect(distance(other, whole) > 0.1 * distance(Tensor(zeros: whole.shape), whole))
        }
    }

    @Test func everythingAskedForIsTheFullRun() throws {
        let full = try latents(nil)
        let all = Set(0..<8)
        expectClose("all whole, all guided", try latents(StepShortcuts(whole: all, guided: all)), full, tolerance: 1e-5)
    }

    /// The more is taken over, the farther from the full run; and each of the means does something.
    @Test func savingsCostLikeness() throws {
        let full = try latents(nil)
        let length = distance(Tensor(zeros: full.shape), full)
        let late = distance(try latents(StepShortcuts(whole: Set(0..<6), layers: .max)), full)
        let early = distance(try latents(StepShortcuts(whole: [0], layers: .max)), full)
        #expect(late > 0 && late < early && late < 0.25 * length)
        let borrowed = distance(try latents(StepShortcuts(guided: [0, 2, 4, 6])), full)
        let once = distance(try latents(StepShortcuts(guided: [0])), full)
        #expect(borrowed > 0 && borrowed < once && borrowed < 0.25 * length)
    }

    @Test func theRunSaysWhatItAsksNext() throws {
        var request = request
        request.shortcuts = StepShortcuts(whole: [0, 2], layers: 1, guided: [0, 2])
        var run = try pipeline.start(request)
        var asked: [String] = []
        while !run.isFinished {
            asked.append("\(run.nextIsWhole ? "whole" : "shallow") \(run.nextSamples)")
            run.step()
        }
        #expect(asked.prefix(4) == ["whole 2", "shallow 1", "whole 2", "shallow 1"])
    }

    /// A run that took shortcuts is no measure for another person.
    @Test func onlyFullRunsAreFollowed() throws {
        for shortcuts in [nil, StepShortcuts(guided: [0, 4])] {
            var request = request
            request.shortcuts = shortcuts
            var run = try pipeline.start(request)
            let trajectory = DenoisingTrajectory(finishing: &run)
            let following = trajectory.difference(evaluations: 3, adapters: request.adapters, guided: 200...900)
            #expect((following == nil) == (shortcuts != nil))
            if var following {
                // The first place lies above 900: the prompt alone is asked.
                #expect(following.batchSizes.first == 1 && following.batchSizes.contains(2))
                #expect(following.nextSamples == 1)
                while !following.isFinished { following.step() }
                expectClose("the same person", following.estimate, try #require(trajectory.finished), tolerance: 1e-4)
            }
        }
    }
}
