import EngineAPI
import Foundation
import StableDiffusion
import TensorKit
import WeightSpace

/// What `w2w bench` can measure. The models are loaded once, when a benchmark first needs them.
final class BenchSuite {
    /// In the order in which they run: from the kernels up.
    static let names = ["conv", "gemm", "text", "unet", "decoder", "preview", "gallery", "train", "keys", "startup", "shortcuts"]

    let source: SpaceSource
    let stopwatch: Stopwatch
    private var opened: (space: Space, pipeline: StableDiffusionPipeline)?

    init(source: SpaceSource, stopwatch: Stopwatch) {
        self.source = source
        self.stopwatch = stopwatch
    }

    /// - Parameter name: One of `names`.
    /// - Returns: The figures of that benchmark.
    /// - Throws: What opening the space throws, or `Cancelled` after Ctrl-C.
    func run(_ name: String) throws -> [BenchResult] {
        switch name {
        case "conv": try convolution()
        case "gemm": try product()
        case "text": try text()
        case "unet": try unet()
        case "decoder": try decoder()
        case "preview": try preview()
        case "gallery": try gallery()
        case "train": try training()
        case "train-full": try fullTraining(moments: .f32)
        case "train-full-bf16": try fullTraining(moments: .bf16)
        case "keys": try keys()
        case "startup": try startup()
        case "shortcuts": try shortcuts()
        default: throw CommandFailure("there is no benchmark '\(name)'.", status: .wrongUsage)
        }
    }

    func models() throws -> (space: Space, pipeline: StableDiffusionPipeline) {
        if let opened { return opened }
        let space =
            switch source {
            case .builtIn: try Space.builtIn()
            case .folder(let path): try Space(URL(fileURLWithPath: path))
            }
        let made = (space: space, pipeline: try StableDiffusionPipeline(ModelFolder(space.baseFolder)))
        opened = made
        return made
    }

    /// Values that are neither zero nor denormal.
    private static func noise(_ shape: [Int], seed: UInt64 = 1) -> Tensor {
        Tensor(shape, TorchRandomSource(seed: seed).normal(shape.reduce(1, *)))
    }

    private func convolution() throws -> [BenchResult] {
        let (batch, side, channels) = (2, 16, 128)
        let kernel = ConvolutionKernel(
            ConvolutionGeometry(inChannels: channels, outChannels: channels, kernelHeight: 3, kernelWidth: 3, padding: Padding(1))
        )
        let x = Self.noise([batch, side, side, channels])
        let weight = Self.noise([channels, channels, 3, 3], seed: 2)
        let inner = 20
        let samples = try stopwatch.milliseconds(scale: Double(inner)) { _ in
            for _ in 0..<inner { _ = kernel.forward(x, weight: weight, version: 1) }
        }
        let gigaflop = 2 * Double(batch * side * side * channels * channels * 9) / 1e9
        return [
            BenchResult(
                name: "conv", unit: "ms", samples: samples,
                work: "3x3, \(batch) x \(side) x \(side) x \(channels) to \(channels); \(String(format: "%.2f", gigaflop)) GFLOP")
        ]
    }

    private func product() throws -> [BenchResult] {
        let (rows, inner, columns) = (512, 512, 512)
        let kernel = LinearKernel(inFeatures: inner, outFeatures: columns)
        let x = Self.noise([rows, inner])
        let weight = Self.noise([columns, inner], seed: 2)
        let count = 20
        let samples = try stopwatch.milliseconds(scale: Double(count)) { _ in
            for _ in 0..<count { _ = kernel.forward(x, weight: weight, version: 1) }
        }
        let gigaflop = 2 * Double(rows * inner * columns) / 1e9
        return [
            BenchResult(
                name: "gemm", unit: "ms", samples: samples,
                work: "\(rows) x \(inner) x \(columns); \(String(format: "%.2f", gigaflop)) GFLOP")
        ]
    }

    private func text() throws -> [BenchResult] {
        let (space, pipeline) = try models()
        let tokens = pipeline.tokenizer.encode(space.manifest.defaults.prompt).ids
        let samples = try stopwatch.milliseconds { _ in _ = pipeline.textModel([tokens]) }
        return [BenchResult(name: "text", unit: "ms", samples: samples, work: "1 prompt of \(tokens.count) tokens")]
    }

    private func unet() throws -> [BenchResult] {
        let (space, pipeline) = try models()
        let defaults = space.manifest.defaults
        let side = (defaults.height / pipeline.vae.configuration.downscale, defaults.width / pipeline.vae.configuration.downscale)
        let prompt = pipeline.encode(defaults.prompt)
        return try [1, 2, 8].map { batch in
            let latents = Self.noise([batch, side.0, side.1, pipeline.unet.configuration.inChannels])
            let adapters = try (0..<batch).map { _ in try self.someAdapter(0, space) }
            let conditioning = pipeline.unet.conditioning(
                [PromptConditioning](repeating: prompt, count: batch), adapters: LoRABatch(adapters))
            let timesteps = [Float](repeating: 500, count: batch)
            let samples = try stopwatch.milliseconds { _ in
                _ = pipeline.unet(latents, timesteps: timesteps, conditioning: conditioning)
            }
            return BenchResult(
                name: "unet-batch\(batch)", unit: "ms", samples: samples,
                work: "\(batch) x \(side.0) x \(side.1) latents, each with an adapter")
        }
    }

    private func someAdapter(_ row: Int, _ space: Space) throws -> LoRAAdapter? {
        guard space.identities.count > 0, space.weights != nil else { return nil }
        return space.layout.adapter(of: try space.vector(at: row % space.identities.count))
    }

    private func decoder() throws -> [BenchResult] {
        let (space, pipeline) = try models()
        let (width, height) = (space.manifest.defaults.width, space.manifest.defaults.height)
        let downscale = pipeline.vae.configuration.downscale
        let latents = Self.noise([1, height / downscale, width / downscale, pipeline.vae.configuration.latentChannels])
        let samples = try stopwatch.milliseconds { _ in _ = pipeline.decode(latents) }
        return [BenchResult(name: "decode", unit: "ms", samples: samples, work: "1 picture of \(width) x \(height) pixels")]
    }

    private func training() throws -> [BenchResult] {
        let space = try models().space
        guard let weights = space.weights, weights.shape[0] >= 200 else { return [] }
        let trainer = try WeightVAETrainer(TrainingPlan(latentDim: 64), vectors: weights.tensor())
        let samples = try stopwatch.milliseconds { _ in try trainer.advance() }
        return [
            BenchResult(
                name: "train-step", unit: "ms", samples: samples,
                work: "weight VAE \(weights.shape[1]) to \(trainer.plan.latentDim), batch \(trainer.plan.batch), one Adam step")
        ]
    }
}
