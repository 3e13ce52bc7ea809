import Checkpoints
import Foundation
import NeuralNetworks
import TensorKit
import Testing

@testable import StableDiffusion

/// Runs `body` with a new empty folder and removes it afterwards.
private func withFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("w2w-opening-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}

/// A safetensors file of given names and shapes whose numbers are a hole: nothing is written but the header.
private func writeHollow(_ tensors: [(name: String, shape: [Int])], to url: URL) throws {
    var (offset, members) = (0, [String]())
    for (name, shape) in tensors {
        let end = offset + shape.reduce(1, *)
        members.append("\"\(name)\":{\"dtype\":\"F8_E4M3\",\"shape\":\(shape),\"data_offsets\":[\(offset),\(end)]}")
        offset = end
    }
    let header = "{" + members.joined(separator: ",") + "}"
    var data = Data()
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { data.append(contentsOf: $0) }
    data.append(contentsOf: header.utf8)
    try data.write(to: url)
    let handle = try FileHandle(forWritingTo: url)
    try handle.truncate(atOffset: UInt64(data.count + offset))
    try handle.close()
}

/// Names and shapes of Stable Diffusion 1.5 (Fixtures/make_ldm_names.py).
private struct FullModel {
    let unet, vae: [(new: String, old: String, shape: [Int])]
    let text: [(name: String, shape: [Int])]

    init() throws {
        let file = try JSONConfiguration(contentsOf: fixture("ldm_names.json"))
        func list(_ key: String, prefix: String) throws -> [(new: String, old: String, shape: [Int])] {
            guard case .array(let items)? = file[key] else { return [] }
            return try items.map { item in
                guard case .array(let parts) = item, parts.count == 3 else { throw file.wrong(key, expected: "triples") }
                return (
                    try #require(String(json: parts[0])), prefix + (try #require(String(json: parts[1]))),
                    try #require([Int](json: parts[2]))
                )
            }
        }
        unet = try list("unet", prefix: "model.diffusion_model.")
        vae = try list("vae", prefix: "first_stage_model.")
        text = CLIPTextModel(try CLIPTextConfiguration(JSONConfiguration(text: Self.clip, file: "text"))).parameterShapes
    }

    static let clip = """
        {"vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
        """

    var tensors: [(name: String, shape: [Int])] {
        unet.map { ($0.old, $0.shape) } + vae.map { ($0.old, $0.shape) }
            + text.map { ("cond_stage_model.transformer.text_model." + $0.name, $0.shape) }
            + [
                ("model_ema.decay", []), ("betas", [1000]),
                ("cond_stage_model.transformer.text_model.embeddings.position_ids", [1, 77]),
            ]
    }
}

/// Puts the tokenizer of the small model beside a checkpoint.
private func placeTokenizer(in folder: URL) throws {
    try FileManager.default.copyItem(at: fixture("small/tokenizer"), to: folder.appendingPathComponent("tokenizer"))
}

@Suite struct SingleFileTests {
    @Test func namesAreThoseThatDiffusersProved() throws {
        let full = try FullModel()
        #expect(full.unet.count == 686 && full.vae.count == 248)
        let json =
            #"{"block_out_channels": [320, 640, 1280, 1280], "cross_attention_dim": 768, "attention_head_dim": 8, "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]}"#
        let configuration = try UNet2DConditionConfiguration(JSONConfiguration(text: json, file: "unet"))
        for (new, old, _) in full.unet { #expect(LDMKeys.unet(new, configuration) == old) }
        for (new, old, _) in full.vae { #expect(LDMKeys.vae(new, levels: 4) == old) }
        #expect(
            LDMKeys.unet("nonsense", configuration) == nil
                && LDMKeys.unet("up_blocks.9.upsamplers.0.conv.weight", configuration) == nil)
    }

    /// The whole of Stable Diffusion 1.5, its numbers a hole in the file: configurations come from the shapes, and every parameter is found.
    @Test func configurationsComeFromTheShapes() throws {
        let full = try FullModel()
        try withFolder { folder in
            let url = folder.appendingPathComponent("v1-5.safetensors")
            try writeHollow(full.tensors, to: url)
            #expect(message { try ModelFolder(url) }.contains("put CLIP's merges.txt"))
            try placeTokenizer(in: folder)
            let model = try ModelFolder(url)
            #expect(model.unetConfiguration.levels.map(\.channels) == [320, 640, 1280, 1280])
            #expect(model.unetConfiguration.levels.map(\.layers) == [2, 2, 2, 2])
            #expect(model.unetConfiguration.levels.map(\.heads) == [8, 8, 8, 8])
            #expect(model.unetConfiguration.levels.map(\.hasDownAttention) == [true, true, true, false])
            #expect(model.unetConfiguration.levels.map(\.hasUpAttention) == [true, true, true, false])
            #expect(model.unetConfiguration.crossAttentionDim == 768 && !model.unetConfiguration.useLinearProjection)
            #expect(
                model.vaeConfiguration.blockOutChannels == [128, 256, 512, 512] && model.vaeConfiguration.layersPerBlock == 2)
            #expect(model.textConfiguration == (try CLIPTextConfiguration(JSONConfiguration(text: FullModel.clip, file: "text"))))
            #expect(try NoiseSchedule(model.schedulerConfiguration).predictionType == .epsilon)
            let loader = try PipelineLoader(model)
            #expect(loader.totalBytes == 859_520_964 + 83_653_863 + 123_060_480 && loader.loadedBytes == 0)

            let velocity = folder.appendingPathComponent("velocity.safetensors")
            try writeHollow(full.tensors + [("v_pred", [0])], to: velocity)
            #expect(try NoiseSchedule(ModelFolder(velocity).schedulerConfiguration).predictionType == .vPrediction)
            let missing = folder.appendingPathComponent("missing.safetensors")
            try writeHollow(
                full.tensors.filter { !$0.name.hasSuffix("middle_block.1.proj_out.bias") } + [
                    ("model.diffusion_model.extra", [3])
                ], to: missing)
            let words = message { try PipelineLoader(ModelFolder(missing)) }
            #expect(words.contains("mid_block.attentions.0.proj_out.bias: missing, expected [1280]"), "\(words)")
            #expect(words.contains("model.diffusion_model.extra: unexpected, found [3]"), "\(words)")
        }
    }

    @Test func otherKindsAreNamed() throws {
        let full = try FullModel().tensors
        let cases: [([(name: String, shape: [Int])], String)] = [
            (full + [("conditioner.embedders.0.transformer.x", [1])], "is Stable Diffusion XL"),
            ([("model.diffusion_model.joint_blocks.0.x.weight", [1])], "is Stable Diffusion 3"),
            ([("double_blocks.0.x", [1])], "is FLUX"),
            (full + [("control_model.input_blocks.0.0.weight", [1])], "is ControlNet"),
            ([("lora_unet_mid_block_attentions_0_proj_in.lora_down.weight", [1])], "give it with --adapter"),
            ([("cond_stage_model.model.transformer.resblocks.0.ln_1.weight", [1])], "Stable Diffusion 2.x in one file"),
            ([("encoder.down.0.block.0.conv1.weight", [1])], "is an image VAE alone"),
            ([("embeddings.token_embedding.weight", [1])], "is a text model alone"),
            ([("weights", [1])], "is no model that is known"),
            (full.filter { !$0.name.hasPrefix("first_stage_model.") }, "without its image VAE"),
            (full.filter { !$0.name.hasPrefix("cond_stage_model.") }, "without its text model"),
            (
                full.map { $0.name.hasSuffix("input_blocks.0.0.weight") ? ($0.name, [320, 9, 3, 3]) : $0 },
                "in_channels is 9 and out_channels 4, the AutoencoderKL's latent_channels 4: an inpainting model"
            ),
            (
                full.map { $0.name.hasSuffix("attn2.to_k.weight") ? ($0.name, [$0.shape[0], 1024]) : $0 },
                "attn2.to_k.weight should be [320, 768], found [320, 1024]"
            ),
        ]
        try withFolder { folder in
            try placeTokenizer(in: folder)
            for (tensors, words) in cases {
                let url = folder.appendingPathComponent("model.safetensors")
                try writeHollow(tensors, to: url)
                let found = message { try ModelFolder(url) }
                #expect(found.contains("model.safetensors") && found.contains(words), "\(words): \(found)")
            }
        }
    }

    /// A small model in the original layout, written from random parameters: every parameter comes back.
    @Test func numbersComeBack() throws {
        let unetJSON =
            #"{"block_out_channels": [32, 64], "layers_per_block": 1, "cross_attention_dim": 64, "attention_head_dim": 8, "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"]}"#
        let configuration = try UNet2DConditionConfiguration(JSONConfiguration(text: unetJSON, file: "unet"))
        let unet = UNet2DConditionModel(configuration)
        let vae = AutoencoderKL(
            try AutoencoderKLConfiguration(
                JSONConfiguration(text: #"{"block_out_channels": [32, 64], "layers_per_block": 1}"#, file: "vae")))
        let text = CLIPTextModel(
            try CLIPTextConfiguration(
                JSONConfiguration(
                    text:
                        #"{"vocab_size": 40, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 1, "max_position_embeddings": 11}"#,
                    file: "text")))
        let source = TorchRandomSource(seed: 3)
        let modules: [any Module] = [unet, vae, text]
        for module in modules {
            for (_, parameter) in module.namedParameters() { parameter.value = source.normal(shape: parameter.shape) }
        }
        try withFolder { folder in
            try placeTokenizer(in: folder)
            let url = folder.appendingPathComponent("small.safetensors")
            var tensors = try unet.namedParameters().map {
                StoredTensor(try #require(LDMKeys.unet($0.name, configuration)), $0.parameter.value)
            }
            tensors += try vae.namedParameters().map { name, parameter in
                let isProjection = name.contains("attentions") && name.hasSuffix("weight") && parameter.shape.count == 2
                return StoredTensor(
                    try #require(LDMKeys.vae(name, levels: 2)),
                    isProjection ? parameter.value.reshaped(parameter.shape + [1, 1]) : parameter.value)
            }
            // The text model without "text_model.", as some files have it.
            tensors += text.namedParameters().map { StoredTensor("cond_stage_model.transformer." + $0.name, $0.parameter.value) }
            // What some programs store along of the whole of CLIP.
            tensors.append(StoredTensor("cond_stage_model.transformer.text_projection.weight", Tensor(zeros: [64, 64])))
            tensors.append(StoredTensor("cond_stage_model.transformer.logit_scale", Tensor(zeros: [1])))
            try SafetensorsWriter.write(tensors, to: url)
            let model = try ModelFolder(url)
            #expect(
                model.unetConfiguration
                    == {
                        var it = configuration; it.sampleSize = 64; return it
                    }())
            let loader = try PipelineLoader(model)
            var calls = 0
            while loader.advance(bytes: 1 << 20) { calls += 1 }
            #expect(loader.loadedBytes == loader.totalBytes && calls > 1)
            for (module, found) in zip(modules, [loader.unet, loader.vae, loader.textModel] as [any Module]) {
                for ((name, parameter), (_, other)) in zip(module.namedParameters(), found.namedParameters()) {
                    #expect(parameter.value.array == other.value.array, "\(name)")
                }
            }
        }
    }
}

@Suite struct FolderLayoutTests {
    private func unchanged(_ url: URL) throws {
        let (found, expected) = (try ModelFolder(url), try ModelFolder(fixture("small")))
        for (one, other) in zip(
            [try found.loadUNet(), try found.loadVAE(), try found.loadTextModel()] as [any Module],
            [try expected.loadUNet(), try expected.loadVAE(), try expected.loadTextModel()] as [any Module])
        {
            for ((name, parameter), (_, same)) in zip(one.namedParameters(), other.namedParameters()) {
                #expect(parameter.value.array == same.value.array, "\(name)")
            }
        }
    }

    @Test func whatCLIPComparesByIsPassedOver() throws {
        try withModelCopy { url in
            let file = url.appendingPathComponent("text_encoder/model.safetensors")
            let state = try StateDictionary(safetensors: file)
            let extra = StoredTensor("text_projection.weight", Tensor(zeros: [20, 20]))
            try SafetensorsWriter.write(state.entries.map { StoredTensor($0.name, $0.tensor()) } + [extra], to: file)
            try unchanged(url)
        }
    }

    @Test func variantsShardsAndPicklesAreFound() throws {
        try withModelCopy { url in
            let manager = FileManager.default
            let move = { (from: String, to: String) in
                try manager.moveItem(at: url.appendingPathComponent(from), to: url.appendingPathComponent(to))
            }
            try move("vae/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.fp16.safetensors")
            try Data("not looked at".utf8).write(
                to: url.appendingPathComponent("vae/diffusion_pytorch_model.non_ema.safetensors"))
            try Data("not looked at".utf8).write(to: url.appendingPathComponent("vae/diffusion_pytorch_model.fp16.bin"))
            let index = "unet/diffusion_pytorch_model.safetensors.index.json"
            var text = try String(contentsOf: url.appendingPathComponent(index), encoding: .utf8)
            for number in 1...3 {
                let name = "-0000\(number)-of-00003.safetensors"
                try move("unet/diffusion_pytorch_model\(name)", "unet/diffusion_pytorch_model.fp16\(name)")
                text = text.replacingOccurrences(
                    of: "diffusion_pytorch_model\(name)", with: "diffusion_pytorch_model.fp16\(name)")
            }
            try manager.removeItem(at: url.appendingPathComponent(index))
            try Data(text.utf8).write(to: url.appendingPathComponent("unet/diffusion_pytorch_model.safetensors.index.fp16.json"))
            // A pickle of an old transformers, its names with a prefix, as the only shard of an index.
            try manager.removeItem(at: url.appendingPathComponent("text_encoder/model.safetensors"))
            let shard = "pytorch_model-00001-of-00001.bin"
            let pickle = try StateDictionary(opening: fixture("old/text_encoder.bin"))
            let map = pickle.names.map { "\"\($0)\": \"\(shard)\"" }.joined(separator: ", ")
            try Data("{\"metadata\": {}, \"weight_map\": {\(map)}}".utf8).write(
                to: url.appendingPathComponent("text_encoder/pytorch_model.bin.index.json"))
            try manager.copyItem(
                at: fixture("old/text_encoder.bin"), to: url.appendingPathComponent("text_encoder/\(shard)"))
            // The tokenizer in one file.
            for name in ["vocab.json", "merges.txt"] {
                try manager.removeItem(at: url.appendingPathComponent("tokenizer/\(name)"))
            }
            try manager.copyItem(at: fixture("old/tokenizer.json"), to: url.appendingPathComponent("tokenizer/tokenizer.json"))
            try unchanged(url)
            let (one, other) = (try ModelFolder(url).tokenizer, try ModelFolder(fixture("small")).tokenizer)
            for prompt in ["abc d?e", "", "ab<|endoftext|>q", "ÄÖ"] { #expect(one.encode(prompt) == other.encode(prompt)) }
        }
    }

    @Test func safetyCheckersMayBeThereOrMissing() throws {
        for checker in [
            #""safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"], "feature_extractor": ["transformers", "CLIPFeatureExtractor"],"#,
            "",
        ] {
            try withModelCopy { url in
                let index = url.appendingPathComponent("model_index.json")
                var text = try String(contentsOf: index, encoding: .utf8)
                text = text.replacingOccurrences(of: #""safety_checker": ["#, with: #""ignored": ["#)
                text = text.replacingOccurrences(of: #""unet": ["#, with: checker + #""unet": ["#)
                try Data(text.utf8).write(to: index)
                try unchanged(url)
            }
        }
    }

    @Test func partsAndOtherModelsAreNamed() throws {
        try withModelCopy { url in
            #expect(
                message { try ModelFolder(url.appendingPathComponent("unet")) }.contains(
                    "is one part of a model (UNet2DConditionModel)"))
            #expect(
                message { try ModelFolder(url.appendingPathComponent("text_encoder")) }.contains(
                    "is one part of a model (CLIPTextModel)"))
            let config = url.appendingPathComponent("unet/config.json")
            let text = try String(contentsOf: config, encoding: .utf8)
            try Data(text.replacingOccurrences(of: "\"UNet2DConditionModel\"", with: "\"ControlNetModel\"").utf8).write(
                to: config)
            #expect(message { try ModelFolder(url.appendingPathComponent("unet")) }.contains("is ControlNet (ControlNetModel)"))
        }
    }
}
