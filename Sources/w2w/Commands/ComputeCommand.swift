import ArgumentParser
import Checkpoints
import EngineAPI
import Foundation
import Library
import StableDiffusion
import TensorKit
import WeightSpace

/// `w2w compute`: one network on numbers from a file, for comparison with other programs (`.scripts/check_full_size.py`). Not in the help.
struct ComputeCommand: ParsableCommand {
    enum Part: String, ExpressibleByArgument, CaseIterable { case tokens, text, unet, decode, encode }

    static let configuration = CommandConfiguration(
        commandName: "compute",
        abstract: "Run one network on numbers from a file.",
        discussion: """
            tokens: IN is a JSON list of prompts, OUT gets a JSON list of lists of token ids.
            text:   `tokens` [N, T] to `states`.
            unet:   `sample` [N, C, H, W], `timesteps` [N], `states` [N, T, D] to `prediction`; with `vectors` [N, n] each sample with its
                    own LoRA vector.
            decode: `latents` [N, C, H, W], scaled as for the U-Net, to `pictures` in -1...1.
            encode: `pictures` [N, 3, H, W] to `mean` and `log_variance`.
            Everything but prompts is safetensors.

            Examples:
              w2w compute unet --space ~/models/sd15 --in in.safetensors --out out.safetensors
            """,
        shouldDisplay: false)

    @Argument(help: "Which network.")
    var part: Part

    @Option(help: ArgumentHelp("Numbers to start from.", valueName: "file"))
    var `in`: String

    @Option(help: ArgumentHelp("Where the result goes.", valueName: "file"))
    var out: String

    @Option(help: "Arithmetic of large models.")
    var precision = PrecisionName.f32

    @OptionGroup var space: SpaceOptions

    func run() throws {
        let (input, output) = (URL(fileURLWithPath: `in`), URL(fileURLWithPath: out))
        let suite = BenchSuite(
            source: space.source, stopwatch: Stopwatch(repeats: 1),
            settings: BenchSettings(precision: Precision(rawValue: precision.rawValue) ?? .f32))
        let pipeline = try suite.pipeline()
        if part == .tokens {
            guard let prompts = try? JSONDecoder().decode([String].self, from: Data(contentsOf: input)) else {
                throw CheckpointError(file: input.path, problem: .unsupported(reason: "is no JSON list of prompts"))
            }
            try JSONEncoder().encode(prompts.map { pipeline.tokenizer.encode($0).ids }).write(to: output)
            return
        }
        let state = try StateDictionary(safetensors: input)
        try SafetensorsWriter.write(results(pipeline, state, suite), to: output)
    }

    private func results(
        _ pipeline: StableDiffusionPipeline, _ state: StateDictionary, _ suite: BenchSuite
    ) throws -> [StoredTensor] {
        switch part {
        case .tokens: return []
        case .text:
            let entry = try Self.entry("tokens", ["N", "T"], state)
            let (ids, length) = (try entry.integers(), entry.shape[1])
            let limits = pipeline.textModel.configuration
            guard length <= limits.maxPositionEmbeddings, ids.allSatisfy((0..<limits.vocabSize).contains) else {
                let reason = "should be rows of at most \(limits.maxPositionEmbeddings) ids below \(limits.vocabSize)"
                throw CheckpointError(file: state.file, problem: .invalidEntry(tensor: "tokens", reason: reason))
            }
            let lists = stride(from: 0, to: ids.count, by: length).map { Array(ids[$0..<$0 + length]) }
            return [StoredTensor("states", pipeline.textModel(lists))]
        case .unet:
            let limits = pipeline.unet.configuration
            let sample = Self.channelsLast(try Self.entry("sample", ["N", "\(limits.inChannels)", "H", "W"], state).tensor())
            let count = "\(sample.shape[0])"
            let states = try Self.entry("states", [count, "T", "\(limits.crossAttentionDim)"], state).tensor()
            let steps = try Self.entry("timesteps", [count], state).floats()
            let prompts = (0..<states.shape[0]).map { pipeline.unet.prepare(states.rows($0..<$0 + 1)) }
            let adapters = try state["vectors"].map { _ in
                let layout = try suite.models().space.layout
                let entry = try Self.entry("vectors", [count, "\(layout.vectorLength)"], state)
                return try (0..<entry.shape[0]).map { layout.adapter(of: try entry.tensor(rows: $0..<$0 + 1)) }
            }
            let prediction = pipeline.unet(
                sample, timesteps: steps,
                conditioning: pipeline.unet.conditioning(prompts, adapters: LoRABatch(adapters ?? [])))
            return [StoredTensor("prediction", Self.channelsFirst(prediction))]
        case .decode:
            let entry = try Self.entry("latents", ["N", "\(pipeline.vae.configuration.latentChannels)", "H", "W"], state)
            let pictures = pipeline.vae.decode(Self.channelsLast(entry.tensor()))
            return [StoredTensor("pictures", Self.channelsFirst(pictures))]
        case .encode:
            let entry = try Self.entry("pictures", ["N", "3", "H", "W"], state)
            let least = pipeline.vae.configuration.downscale
            guard entry.shape[2...].allSatisfy({ $0 >= least }) else {
                let problem = CheckpointError.Problem.wrongShape(
                    tensor: "pictures", expected: "[N, 3, H, W], H and W at least \(least)", found: entry.shape)
                throw CheckpointError(file: state.file, problem: problem)
            }
            let moments = pipeline.vae.encode(Self.channelsLast(entry.tensor()))
            return [
                StoredTensor("mean", Self.channelsFirst(moments.mean)),
                StoredTensor("log_variance", Self.channelsFirst(moments.logVariance)),
            ]
        }
    }

    /// A tensor of the file. In its shape letters stand for any number from 1 on.
    private static func entry(_ name: String, _ shape: [String], _ state: StateDictionary) throws -> TensorEntry {
        let entry = try state.entry(name)
        let fits = entry.shape.count == shape.count && zip(entry.shape, shape).allSatisfy { $0 == Int($1) ?? max(1, $0) }
        guard fits else {
            throw CheckpointError(
                file: state.file,
                problem: .wrongShape(tensor: name, expected: "[\(shape.joined(separator: ", "))]", found: entry.shape))
        }
        return entry
    }

    /// [N, C, H, W] -> [N, H, W, C]
    private static func channelsLast(_ x: Tensor) -> Tensor {
        let (samples, channels, height, width) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        return swapped(x, samples, channels, height * width).reshaped([samples, height, width, channels])
    }

    /// [N, H, W, C] -> [N, C, H, W]
    private static func channelsFirst(_ x: Tensor) -> Tensor {
        let (samples, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        return swapped(x, samples, height * width, channels).reshaped([samples, channels, height, width])
    }

    /// [N, A, B] -> [N, B, A]
    private static func swapped(_ x: Tensor, _ samples: Int, _ a: Int, _ b: Int) -> Tensor {
        let y = Tensor(uninitialized: [samples, b, a])
        for n in 0..<samples {
            let (from, to) = (x.pointer + n * a * b, y.pointer + n * a * b)
            for i in 0..<a {
                for j in 0..<b { to[j * a + i] = from[i * b + j] }
            }
        }
        return y
    }
}
