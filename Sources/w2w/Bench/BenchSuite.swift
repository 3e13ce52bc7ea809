import Engine
import EngineAPI
import Foundation
import NeuralNetworks
import StableDiffusion
import TensorKit
import WeightSpace

/// One thing that `w2w bench` can measure. Each stands in a file of its own; `BenchSuite.benchmarks` lists them.
struct Benchmark {
    let name: String
    /// A few words for `w2w bench --help`.
    let summary: String
    /// Whether `w2w bench` without names measures it.
    var isPartOfAll = true
    /// What it needs of a space, as in "needs a space with ...", and whether a space has it; nil when any model will do.
    var need: (words: String, isMet: @Sendable (Space) -> Bool)?
    let run: @Sendable (BenchSuite) throws -> [BenchResult]
}

/// What the figures are of, where the command line says so.
struct BenchSettings {
    /// Height and width of image latents; nil is the space's default.
    var latent: (height: Int, width: Int)?
    /// Samples in a batch; nil measures several.
    var batch: Int?
    var precision = Precision.f32
}

/// What the benchmarks share. The models are loaded once, when a benchmark first needs them.
final class BenchSuite {
    /// In the order in which they run: from the kernels up.
    static let benchmarks: [Benchmark] = [
        .convolution, .product, .memory, .text, .unet, .decoder, .preview, .gallery, .training, .fullTraining,
        .fullTrainingInHalf, .keys,
        .startup, .shortcuts,
    ]

    static var names: [String] { benchmarks.map(\.name) }

    let source: SpaceSource
    let stopwatch: Stopwatch
    let settings: BenchSettings
    private var space: OpenedSpace?
    private var opened: (space: Space, pipeline: StableDiffusionPipeline)?
    private var model: StableDiffusionPipeline?

    init(source: SpaceSource, stopwatch: Stopwatch, settings: BenchSettings = BenchSettings()) {
        self.source = source
        self.stopwatch = stopwatch
        self.settings = settings
    }

    /// - Parameter name: One of `names`.
    /// - Returns: The figures of that benchmark.
    /// - Throws: What opening the space throws, `CommandFailure` when the space has not what the benchmark needs, or `Cancelled` after Ctrl-C.
    func run(_ name: String) throws -> [BenchResult] {
        guard let benchmark = Self.benchmarks.first(where: { $0.name == name }) else {
            throw CommandFailure("there is no benchmark '\(name)'.", status: .wrongUsage)
        }
        if let lack = try lack(of: benchmark) {
            throw CommandFailure(lack, advice: "Choose another space with --space, or leave the benchmark out.")
        }
        return try benchmark.run(self)
    }

    /// Why a benchmark cannot be measured with this space; nil when it can.
    /// - Throws: What opening the space throws.
    func lack(of benchmark: Benchmark) throws -> String? {
        guard let need = benchmark.need else { return nil }
        let space = try found().space
        return need.isMet(space) ? nil : "\(benchmark.name) needs a space with \(need.words); \(space.folder.path) has none."
    }

    private func found() throws -> OpenedSpace {
        let space = try space ?? OpenedSpace(source)
        self.space = space
        return space
    }

    /// The space and its base model.
    /// - Throws: What opening them throws.
    func models() throws -> (space: Space, pipeline: StableDiffusionPipeline) {
        if let opened { return opened }
        let found = try found()
        let made = (space: found.space, pipeline: StableDiffusionPipeline(try found.loader()))
        made.pipeline.precision = settings.precision
        opened = made
        return made
    }

    /// The base model, of a space or alone.
    /// - Throws: What opening it throws.
    func pipeline() throws -> StableDiffusionPipeline {
        if let model { return model }
        var made: StableDiffusionPipeline
        if case .folder(let path) = source, !FileManager.default.fileExists(atPath: path + "/space.json") {
            made = try StableDiffusionPipeline(ModelFolder(URL(fileURLWithPath: path)))
            made.precision = settings.precision
        } else {
            made = try models().pipeline
        }
        model = made
        return made
    }

    /// The space's settings, where the source is one.
    func defaults() throws -> SpaceManifest.Defaults? {
        if case .folder(let path) = source, !FileManager.default.fileExists(atPath: path + "/space.json") { return nil }
        return try models().space.manifest.defaults
    }

    /// Height and width of the image latents that are asked for.
    func latent() throws -> (height: Int, width: Int) {
        if let latent = settings.latent { return latent }
        let downscale = try pipeline().vae.configuration.downscale
        guard let defaults = try defaults() else { return (64, 64) }
        return (defaults.height / downscale, defaults.width / downscale)
    }

    /// Values that are neither zero nor denormal.
    static func noise(_ shape: [Int], seed: UInt64 = 1) -> Tensor {
        Tensor(shape, TorchRandomSource(seed: seed).normal(shape.reduce(1, *)))
    }
}
