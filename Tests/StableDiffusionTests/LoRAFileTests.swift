import Checkpoints
import Foundation
import NeuralNetworks
import TensorKit
import Testing

@testable import StableDiffusion

/// Adapters of PEFT, diffusers and kohya's scripts (Fixtures/make_adapters.py) against PEFT and diffusers themselves.
@Suite struct LoRAFileTests {
    private let expected: StateDictionary
    private let small: StateDictionary

    init() throws {
        expected = try StateDictionary(safetensors: fixture("adapters/expected.safetensors"))
        small = try StateDictionary(safetensors: fixture("small_expected.safetensors"))
    }

    private func pipeline(_ name: String, multiplier: Float = 1) throws -> StableDiffusionPipeline {
        StableDiffusionPipeline(
            try PipelineLoader(ModelFolder(fixture("small")), adapters: [(LoRAFile(fixture("adapters/\(name)")), multiplier)]))
    }

    private func prediction(_ pipeline: StableDiffusionPipeline) throws -> Tensor {
        let states = try small.entry("text/states").tensor()
        let conditioning = pipeline.unet.conditioning((0..<2).map { pipeline.unet.prepare(states.rows($0..<($0 + 1))) })
        let steps = try small.entry("unet/odd/timesteps").integers().map(Float.init)
        return pipeline.unet(try small.entry("unet/odd/sample").tensor(), timesteps: steps, conditioning: conditioning)
    }

    private func states(_ pipeline: StableDiffusionPipeline) throws -> Tensor {
        let entry = try small.entry("text/tokens")
        let ids = try entry.integers()
        return pipeline.textModel(
            stride(from: 0, to: ids.count, by: entry.shape[1]).map { Array(ids[$0..<($0 + entry.shape[1])]) })
    }

    /// Ranks and alphas by pattern, convolutions, projections of time and image, the text model. kohya's file is float16.
    @Test(arguments: [("peft", 1e-3), ("diffusers.safetensors", 1e-3), ("kohya.safetensors", 2e-3)] as [(String, Float)])
    func wholeAdapters(name: String, tolerance: Float) throws {
        let pipeline = try pipeline(name)
        expectClose(
            "U-Net output with \(name)", try prediction(pipeline), try expected.entry("peft/unet").tensor(), tolerance: tolerance)
        expectClose(
            "text states with \(name)", try states(pipeline), try expected.entry("peft/states").tensor(), tolerance: tolerance)
    }

    @Test(arguments: [
        ("peft-bin", "peft/unet"), ("peft/unet", "peft/unet"), ("peft-bin/adapter_model.bin", "peft/unet"),
        ("processors.bin", "processors/unet"), ("stabilized.safetensors", "stabilized/unet"),
    ])
    func adaptersOfTheUNetAlone(name: String, reference: String) throws {
        let pipeline = try pipeline(name)
        expectClose(
            "U-Net output with \(name)", try prediction(pipeline), try expected.entry(reference).tensor(), tolerance: 1e-3)
        expectClose("text states without change", try states(pipeline), try small.entry("text/states").tensor(), tolerance: 1e-4)
    }

    /// The adapters of diffusers 0.12 to 0.17 for the text model: "to_q_lora" for "q_proj".
    @Test func oldNamesOfTheTextModel() throws {
        let given = try StateDictionary(opening: fixture("adapters/diffusers.safetensors"))
        let names = ["q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out"]
        var count = 0
        let old = try given.renamed { name in
            guard let range = name.firstMatch(of: #/([a-z]+_proj)\.lora_([AB])\.weight$/#), let layer = names[String(range.1)]
            else {
                return name
            }
            count += 1
            return name[..<range.range.lowerBound] + "\(layer)_lora.\(range.2 == "A" ? "down" : "up").weight"
        }
        #expect(count > 3)
        let layers = try LoRAFile(fixture("adapters/diffusers.safetensors")).layers.map { "\($0.part) \($0.path)" }
        #expect(try Set(LoRAKeys(old, settings: nil, part: nil).layers.map { "\($0.part) \($0.path)" }) == Set(layers))
    }

    @Test func anAdapterThatIsNotFiniteIsRefused() throws {
        let given = try StateDictionary(opening: fixture("adapters/diffusers.safetensors"))
        let damaged = try #require(given.entries.last)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("w2w-adapter-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("damaged.safetensors")
        try SafetensorsWriter.write(
            given.entries.map { entry in
                let tensor = entry.tensor()
                if entry.name == damaged.name { tensor.pointer[tensor.count - 1] = .nan }
                return StoredTensor(entry.name, tensor)
            }, to: file)
        #expect {
            let loader = try PipelineLoader(ModelFolder(fixture("small")), adapters: [(LoRAFile(file), 1)])
            _ = StableDiffusionPipeline(loader)
        } throws: {
            "\($0)".contains("damaged.safetensors") && "\($0)".contains(damaged.name) && "\($0)".contains("not finite")
        }
    }

    @Test func multipliers() throws {
        expectClose(
            "multiplier 0", try prediction(pipeline("peft", multiplier: 0)), try small.entry("unet/odd/output").tensor(),
            tolerance: 1e-3)
        let file = try LoRAFile(fixture("adapters/peft"))
        let twice = StableDiffusionPipeline(
            try PipelineLoader(ModelFolder(fixture("small")), adapters: [(file, 0.25), (file, 0.75)]))
        expectClose(
            "a quarter and three quarters", try prediction(twice), try expected.entry("peft/unet").tensor(), tolerance: 1e-3)
    }

    @Test func ranksAndScales() throws {
        let layers = try LoRAFile(fixture("adapters/kohya.safetensors")).layers
        let convolution = try #require(layers.first { $0.path == "down_blocks_1_resnets_0_conv1" })
        #expect(convolution.scale == 1.25 && convolution.factors?.a.shape == [4, 8, 3, 3])
        let key = try #require(try LoRAFile(fixture("adapters/peft/unet")).layers.first { $0.path.hasSuffix("attn2.to_k") })
        #expect(key.factors?.b.shape == [8, 3] && key.alpha == 7)
    }

    @Test(arguments: [
        (#"{"alpha_pattern": [7]}"#, "\"alpha_pattern\" should be an object, found"),
        (#"{"peft_type": "LOKR", "rank_pattern": "q"}"#, "\"rank_pattern\" should be an object, found"),
        (#"{"modules_to_save": "proj_out"}"#, "\"modules_to_save\" should be null, found"),
        (#"{"use_rslora": 1}"#, "\"use_rslora\" should be true or false, found"),
    ])
    func settingsOfAnotherKindAreNamed(text: String, expected: String) throws {
        let found = message { try PEFTSettings(JSONConfiguration(text: text, file: "adapter_config.json")) }
        #expect(found.contains("adapter_config.json") && found.contains(expected), "\(found)")
        #expect(
            try PEFTSettings(JSONConfiguration(text: #"{"alpha_pattern": null, "modules_to_save": []}"#, file: "")).alpha(of: "q")
                == 8)
    }

    @Test func whatIsNotReadIsNamed() throws {
        #expect(
            message { try LoRAFile(fixture("small/vae/diffusion_pytorch_model.safetensors")) }.contains(
                "is no tensor of a LoRA adapter"))
        #expect(
            message { try LoRAFile(fixture("small")) }.contains("adapter_config.json: the settings of the adapter is missing"))
        #expect(message { try LoRAFile(fixture("nothing")) }.contains("there is no such file or folder"))
        #expect(
            message {
                try PipelineLoader(ModelFolder(fixture("small")), adapters: [(LoRAFile(fixture("adapters/xl.safetensors")), 1)])
            }
            .contains(
                "xl.safetensors: the adapter is for Stable Diffusion XL: input_blocks_4_1_transformer_blocks_0_attn2_to_k takes"))
        // An adapter of another model: every layer is listed.
        let words = message { try PipelineLoader(ModelFolder(builtInModel), adapters: [(LoRAFile(fixture("adapters/peft")), 1)]) }
        #expect(words.contains("adapters/peft: does not fit this network"), "\(words)")
    }
}
