import Checkpoints
import Foundation
import ImageCore
import StableDiffusion
import TensorKit
import Testing

/// Finished pictures of the built-in space against those of diffusers and PEFT (Fixtures/make_pictures.py).
@Suite struct PipelineTests {
    /// An identity of the built-in space as an adapter.
    static func adapter(row: Int) throws -> LoRAAdapter {
        let space = builtInModel.deletingLastPathComponent()
        let layout = try JSONConfiguration(contentsOf: space.appendingPathComponent("layout.json"))
        let weights = try StateDictionary(safetensors: space.appendingPathComponent("weights.safetensors")).entry("weights")
        let vector = try weights.tensor(rows: row..<(row + 1)).array
        var parts = [String: [String: Tensor]]()
        var position = 0
        for entry in try layout.objects("entries") {
            let shape: [Int] = try entry.require("shape")
            let count = shape.reduce(1, *)
            parts[try entry.require("module"), default: [:]][try entry.require("factor")] = Tensor(
                shape, Array(vector[position..<(position + count)]))
            position += count
        }
        #expect(position == vector.count)
        let factors = try parts.mapValues { LoRAAdapter.Factors(a: try #require($0["A"]), b: try #require($0["B"])) }
        return LoRAAdapter(
            factors: factors, scale: try layout.require("alpha", as: Float.self) / layout.require("rank", as: Float.self))
    }

    private struct Case {
        let request: DenoisingRequest
        let expected: RGBImage
        let file: String
    }

    private func cases() throws -> [Case] {
        let text = try String(contentsOf: fixture("pictures.json"), encoding: .utf8)
        return try JSONConfiguration(text: "{\"cases\":\(text)}", file: "pictures.json").objects("cases").map { item in
            let file: String = try item.require("file")
            let request = DenoisingRequest(
                prompt: try item.require("prompt"), negativePrompt: try item.require("negative"),
                seeds: [UInt64(try item.require("seed", as: Int.self))],
                adapters: [try item.optional("row", as: Int.self).map(Self.adapter)], steps: try item.require("steps"),
                guidance: try item.require("guidance"),
                scheduler: try #require(SchedulerKind(rawValue: item.require("scheduler"))), width: try item.require("width"),
                height: try item.require("height"))
            return Case(request: request, expected: try RGBImage(contentsOfFile: fixture(file).path), file: file)
        }
    }

    @Test func finishedPicturesEqualThoseOfDiffusers() throws {
        let pipeline = try StableDiffusionPipeline(ModelFolder(builtInModel))
        let cases = try cases()
        #expect(Set(cases.map(\.request.scheduler)) == Set(SchedulerKind.allCases))
        for item in cases {
            let pictures = try pipeline(item.request)
            let decibels = pictures[0].psnr(to: item.expected) ?? 0
            #expect(pictures.count == 1 && decibels >= 40, "\(item.file): PSNR \(decibels) dB")
        }
        // The first two differ in their identity only: one batch draws both.
        var both = cases[0].request
        both.seeds += cases[1].request.seeds
        both.adapters += cases[1].request.adapters
        for (picture, item) in zip(try pipeline(both), cases) {
            let decibels = picture.psnr(to: item.expected) ?? 0
            #expect(decibels >= 40, "\(item.file) in a batch: PSNR \(decibels) dB")
        }
    }

    /// A run can be left, copied and gone on with; its estimate ends as its result; the fitted preview shows what the decoder will.
    @Test func runsCanBeResumed() throws {
        let pipeline = try StableDiffusionPipeline(ModelFolder(builtInModel))
        let request = DenoisingRequest(
            prompt: "photo of sks person", seeds: [1, 2], steps: 4, guidance: 2, scheduler: .dpmpp2M, width: 64, height: 64)
        var run = try pipeline.start(request)
        #expect(run.stepCount == 4 && run.estimate == nil && run.nextTimestep == 999)
        run.step()
        run.step()
        var copy = run
        while !run.isFinished { run.step() }
        #expect(copy.stepsDone == 2)
        while !copy.isFinished { copy.step() }
        #expect(run.latents.array == copy.latents.array)
        expectClose("the last estimate", try #require(run.estimate), run.latents, tolerance: 1e-5)

        let pictures = pipeline.decode(run.latents)
        let preview = try #require(LatentPreview(fitting: run.latents, to: pictures))
        let looks = preview(run.latents)
        #expect(looks.count == 2 && looks[0].width == 8 && looks[0].height == 8)
        // Mean colours agree, since the fit has a constant.
        for channel in 0..<3 {
            func mean(_ images: [RGBImage]) -> Double {
                let values = images.flatMap { image in
                    stride(from: channel, to: image.pixels.count, by: 3).map { Double(image.pixels[$0]) }
                }
                return values.reduce(0, +) / Double(values.count)
            }
            #expect(abs(mean(looks) - mean(pictures)) < 2)
        }
        let coded = try JSONDecoder().decode(LatentPreview.self, from: JSONEncoder().encode(preview))
        #expect(coded == preview)
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(LatentPreview.self, from: Data(#"{"coefficients":[[1,2],[1,2]]}"#.utf8))
        }
    }

    @Test func identitiesCanBeReplacedOnTheWay() throws {
        let pipeline = try StableDiffusionPipeline(ModelFolder(builtInModel))
        let own = try Self.adapter(row: 3)
        var request = DenoisingRequest(
            prompt: "photo of sks person", seeds: [1], adapters: [own], steps: 3, guidance: 1, scheduler: .ddim, width: 64,
            height: 64)
        let whole = try pipeline(request)
        request.adapters = []
        var run = try pipeline.start(request)
        run.replaceAdapters([own])
        while !run.isFinished { run.step() }
        #expect(pipeline.decode(run.latents) == whole)
        #expect(try pipeline(request) != whole)
    }

    /// Above the time step one identity draws, at and below it the other; the ends of the range are one or the other alone.
    @Test func injectionChangesTheIdentityAtItsTimestep() throws {
        let pipeline = try StableDiffusionPipeline(ModelFolder(builtInModel))
        let (early, own) = (try Self.adapter(row: 3), try Self.adapter(row: 40))
        var request = DenoisingRequest(
            prompt: "photo of sks person", seeds: [1], adapters: [own], steps: 4, guidance: 1.5, scheduler: .ddim, width: 64,
            height: 64)
        let whole = try pipeline(request)
        request.early = EarlyAdapters(adapters: [early], above: 1000)
        #expect(try pipeline(request) == whole)
        request.early?.above = -1
        let other = try pipeline(request)
        request.early = nil
        request.adapters = [early]
        #expect(try pipeline(request) == other)

        // By hand: two steps of one, then the other.
        var run = try pipeline.start(request)
        #expect(run.timesteps == [999, 666, 333, 0])
        run.step()
        run.step()
        run.replaceAdapters([own])
        while !run.isFinished { run.step() }
        let byHand = pipeline.decode(run.latents)
        request.adapters = [own]
        for above: Float in [333, 400, 665] {
            request.early = EarlyAdapters(adapters: [early], above: above)
            #expect(try pipeline(request) == byHand)
        }
        request.early = EarlyAdapters(adapters: [], above: 666)
        #expect(try pipeline(request) != byHand)
    }

    /// Outside the interval the prompt alone is asked; an interval over everything is guidance everywhere.
    @Test func guidanceCanBeLimitedToAnInterval() throws {
        let pipeline = try StableDiffusionPipeline(ModelFolder(builtInModel))
        var request = DenoisingRequest(
            prompt: "photo of sks person", seeds: [1], adapters: [try Self.adapter(row: 3)], steps: 4, guidance: 3,
            scheduler: .ddim,
            width: 64, height: 64)
        let guided = try pipeline(request)
        request.guidanceInterval = 0...1000
        #expect(try pipeline(request) == guided)
        request.guidanceInterval = 2000...2000
        let never = try pipeline(request)
        request.guidanceInterval = nil
        request.guidance = 1
        let plain = try pipeline(request)
        #expect((plain[0].psnr(to: never[0]) ?? 99) > 60)
        request.guidance = 3
        request.guidanceInterval = 200...600
        let partly = try pipeline(request)
        #expect(partly != guided && partly != never)
    }

    @Test(arguments: [(0, 64), (62, 64), (64, 4100), (-8, 64)]) func impossibleSizesAreRefused(width: Int, height: Int) throws {
        let pipeline = try StableDiffusionPipeline(ModelFolder(fixture("small")))
        let request = DenoisingRequest(
            prompt: "a", seeds: [1], steps: 1, guidance: 1, scheduler: .ddim, width: width, height: height)
        #expect(throws: StableDiffusionError.self) { try pipeline.start(request) }
    }
}
