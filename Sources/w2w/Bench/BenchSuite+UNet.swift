import StableDiffusion
import TensorKit
import WeightSpace

extension Benchmark {
    static let unet = Benchmark(name: "unet", summary: "one evaluation of the U-Net: alone, with guidance, for eight people") {
        try $0.unet()
    }
}

extension BenchSuite {
    fileprivate func unet() throws -> [BenchResult] {
        let (pipeline, side) = (try pipeline(), try latent())
        let prompt = pipeline.encode(try defaults()?.prompt ?? "photo of a person")
        pipeline.releasePromptLayouts()
        var results: [BenchResult] = []
        for batch in settings.batch.map({ [$0] }) ?? [1, 2, 8] {
            let latents = Self.noise([batch, side.height, side.width, pipeline.unet.configuration.inChannels])
            let adapters = try (0..<batch).map(someAdapter)
            let conditioning = pipeline.unet.conditioning(
                [PromptConditioning](repeating: prompt, count: batch), adapters: LoRABatch(adapters))
            let timesteps = [Float](repeating: 500, count: batch)
            let (first, samples) = try stopwatch.measured { _ in
                _ = pipeline.unet(latents, timesteps: timesteps, conditioning: conditioning)
            }
            let people = adapters.contains { $0 != nil } ? ", each with an adapter" : ""
            let work = "\(batch) x \(side.height) x \(side.width) latents\(people), \(settings.precision.rawValue)"
            results.append(BenchResult(name: "unet-batch\(batch)", unit: "ms", samples: samples, work: work))
            if pipeline.knowsPrecision {
                results.append(
                    BenchResult(
                        name: "unet-batch\(batch)-first", unit: "ms", samples: [first],
                        work: "the first call: weights read and laid out, kernels tried"))
            }
        }
        if pipeline.knowsPrecision {
            results.append(
                BenchResult(
                    name: "unet-weights", unit: "MB", samples: [Double(pipeline.unet.layoutBytes) / 1e6],
                    work: "the weights as they lie in memory, \(settings.precision.rawValue)"))
        }
        return results
    }

    /// The adapter of one of the space's identities, if it has any.
    private func someAdapter(_ row: Int) throws -> LoRAAdapter? {
        guard try defaults() != nil else { return nil }
        let space = try models().space
        guard space.identities.count > 0, space.weights != nil else { return nil }
        return space.layout.adapter(of: try space.vector(at: row % space.identities.count))
    }
}
