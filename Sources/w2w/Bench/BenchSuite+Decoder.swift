import StableDiffusion
import TensorKit

extension Benchmark {
    static let decoder = Benchmark(name: "decoder", summary: "image latents to pixels") { try $0.decoder() }
}

extension BenchSuite {
    fileprivate func decoder() throws -> [BenchResult] {
        let (pipeline, side) = (try pipeline(), try latent())
        let (downscale, batch) = (pipeline.vae.configuration.downscale, settings.batch ?? 1)
        let latents = Self.noise([batch, side.height, side.width, pipeline.vae.configuration.latentChannels])
        let (first, samples) = try stopwatch.measured { _ in _ = pipeline.decode(latents) }
        let size = "\(side.width * downscale) x \(side.height * downscale) pixels"
        let result = BenchResult(
            name: "decode", unit: "ms", samples: samples,
            work: "\(batch == 1 ? "1 picture" : "\(batch) pictures") of \(size), \(settings.precision.rawValue)")
        guard pipeline.knowsPrecision else { return [result] }
        return [
            result,
            BenchResult(
                name: "decode-first", unit: "ms", samples: [first],
                work: "the first call: weights read and laid out, kernels tried"),
        ]
    }
}
