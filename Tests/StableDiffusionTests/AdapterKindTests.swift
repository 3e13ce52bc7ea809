import Checkpoints
import Foundation
import NeuralNetworks
import StableDiffusion
import TensorKit
import Testing

/// LoHa, LoKr, LoCon with a middle factor and DoRA (Fixtures/make_adapter_kinds.py) against PEFT and LyCORIS themselves.
@Suite struct AdapterKindTests {
    private let expected: StateDictionary
    private let small: StateDictionary

    init() throws {
        expected = try StateDictionary(safetensors: fixture("adapters/kinds.safetensors"))
        small = try StateDictionary(safetensors: fixture("small_expected.safetensors"))
    }

    private func unet(_ name: String, multiplier: Float = 1) throws -> UNet2DConditionModel {
        let file = try LoRAFile(fixture("adapters/\(name)"))
        return StableDiffusionPipeline(try PipelineLoader(ModelFolder(fixture("small")), adapters: [(file, multiplier)])).unet
    }

    private func weights(_ unet: UNet2DConditionModel) -> [String: Tensor] {
        Dictionary(unet.namedParameters().map { ($0.name, $0.parameter.value) }, uniquingKeysWith: { first, _ in first })
    }

    @Test(arguments: [
        "loha", "loha-flat", "lokr", "lokr-flat", "dora", "lycoris-locon", "lycoris-locon-dora", "lycoris-locon-dora-inputs",
        "lycoris-loha", "lycoris-loha-dora", "lycoris-lokr", "lycoris-lokr-whole", "lycoris-lokr-dora",
    ])
    func weightsEqualThoseOfTheirMakers(kind: String) throws {
        let found = weights(try unet(kind.hasPrefix("lycoris") ? kind + ".safetensors" : kind))
        let changed = expected.names.filter { $0.hasPrefix(kind + "/") && $0 != kind + "/unet" }
        #expect(changed.count == 6)
        for name in changed {
            let weight = try #require(found[name.dropFirst(kind.count + 1) + ".weight"], "\(name)")
            expectClose(name, weight, try expected.entry(name).tensor(), tolerance: 2e-6)
        }
    }

    @Test(arguments: ["loha", "loha-flat", "lokr", "lokr-flat", "dora"])
    func modelsPredictWhatTheyDoWithPEFT(kind: String) throws {
        let unet = try unet(kind)
        let states = try small.entry("text/states").tensor()
        let conditioning = unet.conditioning((0..<2).map { unet.prepare(states.rows($0..<($0 + 1))) })
        let steps = try small.entry("unet/odd/timesteps").integers().map(Float.init)
        let found = unet(try small.entry("unet/odd/sample").tensor(), timesteps: steps, conditioning: conditioning)
        expectClose("U-Net output with \(kind)", found, try expected.entry(kind + "/unet").tensor(), tolerance: 1e-3)
    }

    /// A multiplier goes from the model's own weight, 0, to the adapter's, 1.
    @Test(arguments: ["lokr", "dora", "lycoris-locon-dora-inputs.safetensors"]) func multipliers(name: String) throws {
        let (none, half, whole) = (
            weights(try unet(name, multiplier: 0)), weights(try unet(name, multiplier: 0.5)), weights(try unet(name))
        )
        let plain = weights(try StableDiffusionPipeline(ModelFolder(fixture("small"))).unet)
        for (name, weight) in plain {
            expectClose("\(name) times 0", try #require(none[name]), weight, tolerance: 1e-7)
            let middle = Kernels.scale(Kernels.add(weight, try #require(whole[name])), by: 0.5)
            expectClose("\(name) times 0.5", try #require(half[name]), middle, tolerance: 1e-6)
        }
    }

    /// What a file of one layer, `mid_block.attentions.0.proj_in` [16, 16], is refused for.
    @Test(
        arguments: [
            (["hada_w1_a": [16, 2], "hada_w1_b": [2, 16], "hada_w2_b": [2, 16]], "hada_w2_a is missing"),
            (
                ["hada_w1_a": [16, 2], "hada_w1_b": [2, 16], "hada_w2_a": [16, 2], "hada_w2_b": [2, 8]],
                "hada_w2_b\" should have shape one that makes [16, 16], as"
            ),
            (
                ["hada_w1_a": [16, 3], "hada_w1_b": [2, 16], "hada_w2_a": [16, 2], "hada_w2_b": [2, 16]],
                "hada_w1_a\" should have shape [out, 2]"
            ),
            (["lokr_w1": [4, 4]], "lokr_w2_b is missing"),
            (["lokr_w1": [4, 4], "lokr_w2": [4, 5]], "does not fit this network"),
            (["lokr_w1": [4, 4, 3, 3], "lokr_w2": [4, 4]], "lokr_w1\" should have shape [rows, columns]"),
            (
                ["lokr_w1": [4, 4], "lokr_w2_a": [1, 4], "lokr_w2_b": [1, 4], "lokr_t2": [1, 2, 3, 3]],
                "lokr_t2\" should have shape [1, 1,"
            ),
            (["lora_up.weight": [16, 1], "lora_down.weight": [1, 16], "dora_scale": [15, 1]], "does not fit this network"),
            (["dora_scale": [16, 1]], "the factor A (down) is missing"),
            (["lokr_w1": [0, 4], "lokr_w2": [4, 4]], "lokr_w1\" should have shape"),
            (["oft_blocks": [4, 4]], "OFT is not read"),
        ] as [([String: [Int]], String)])
    func whatDoesNotFitIsNamed(tensors: [String: [Int]], expected: String) throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).safetensors")
        defer { try? FileManager.default.removeItem(at: url) }
        try SafetensorsWriter.write(
            tensors.sorted { $0.key < $1.key }.map {
                StoredTensor("lora_unet_mid_block_attentions_0_proj_in." + $0.key, Tensor(zeros: $0.value))
            },
            to: url)
        let found = message { try PipelineLoader(ModelFolder(fixture("small")), adapters: [(LoRAFile(url), 1)]) }
        #expect(found.contains(expected), "\(found)")
    }
}
