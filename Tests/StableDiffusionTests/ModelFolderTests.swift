import Checkpoints
import Foundation
import StableDiffusion
import Testing

/// Runs `body` with a copy of the small model and removes it afterwards.
func withModelCopy(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("w2w-model-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: fixture("small"), to: folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
}

@Suite struct ModelFolderTests {
    /// Replaces text in a file of a copy and gives the message of opening it.
    private func messageAfterReplacing(_ old: String, by new: String, in file: String) throws -> String {
        var result = ""
        try withModelCopy { folder in
            let url = folder.appendingPathComponent(file)
            let text = try String(contentsOf: url, encoding: .utf8)
            let changed = text.replacingOccurrences(of: old, with: new)
            #expect(changed != text, "\(old) does not stand in \(file)")
            try Data(changed.utf8).write(to: url)
            result = message { try ModelFolder(folder) }
        }
        return result
    }

    @Test(arguments: [
        (
            "model_index.json", "StableDiffusionPipeline", "StableDiffusionXLPipeline",
            "is Stable Diffusion XL (StableDiffusionXLPipeline), which cannot be opened"
        ),
        ("model_index.json", "UNet2DConditionModel", "SD3Transformer2DModel", "unet SD3Transformer2DModel is not supported"),
        ("model_index.json", "{", "[", "not valid JSON"),
        (
            "unet/config.json", "\"CrossAttnDownBlock2D\"", "\"AttnDownBlock2D\"",
            "\"down_block_types\" should be made of DownBlock2D and"
        ),
        (
            "unet/config.json", "\"addition_embed_type\": null", "\"addition_embed_type\": \"text_time\"",
            "\"addition_embed_type\" should be null"
        ),
        ("unet/config.json", "\"norm_num_groups\": 4", "\"norm_num_groups\": 5", "\"norm_num_groups\" should be a divisor"),
        (
            "unet/config.json", "\"cross_attention_dim\": 20", "\"cross_attention_dim\": 24",
            "cross_attention_dim is 24, the text model's hidden_size 20"
        ),
        ("unet/config.json", "\"in_channels\": 4", "\"in_channels\": 9", "in_channels is 9"),
        ("unet/config.json", "\"layers_per_block\": 2", "\"layers_per_block\": -2", "\"layers_per_block\" should be between 1"),
        ("vae/config.json", "\"norm_num_groups\": 3", "\"norm_num_groups\": 4", "\"norm_num_groups\" should be a divisor"),
        ("vae/config.json", "\"scaling_factor\": 0.7", "\"scaling_factor\": 0", "\"scaling_factor\" should be a number, not 0"),
        ("vae/config.json", "\"shift_factor\": 0.1", "\"shift_factor\": NaN", "\"shift_factor\" should be a finite number"),
        ("unet/config.json", "\"norm_eps\": 0.0001", "\"norm_eps\": -1", "\"norm_eps\" should be a number from 0.0 on, found -1"),
        (
            "unet/config.json", "\"sample_size\": 9", "\"sample_size\": 9223372036854775807",
            "\"sample_size\" should be between 1 and"
        ),
        (
            "text_encoder/config.json", "\"num_attention_heads\": 5", "\"num_attention_heads\": 3",
            "\"num_attention_heads\" should be a divisor"
        ),
        ("text_encoder/config.json", "\"vocab_size\": 40", "\"vocab_size\": 39", "vocab_size is 39, the tokenizer has 40 tokens"),
        (
            "text_encoder/config.json", "\"hidden_act\": \"gelu\"", "\"hidden_act\": \"relu\"",
            "\"hidden_act\" should be quick_gelu or gelu"
        ),
    ])
    func foldersThatCannotBeUsedAreExplained(file: String, old: String, new: String, expected: String) throws {
        let text = try messageAfterReplacing(old, by: new, in: file)
        #expect(text.contains(file) && text.contains(expected), "\(text)")
    }

    /// `scheduler.config` of a `StableDiffusionPipeline` of diffusers 0.42: steps_offset 1 and clip_sample False, whatever was in the file; its DDIM
    /// asks at 751, 501, 251 and 1 in four steps.
    @Test(arguments: ["", #", "steps_offset": 0, "clip_sample": true"#, #", "steps_offset": 9223372036854775807"#])
    func schedulersAreCorrectedAsByThePipeline(members: String) throws {
        try withModelCopy { folder in
            let file = folder.appendingPathComponent("scheduler/scheduler_config.json")
            try Data(#"{"_class_name": "DDIMScheduler", "timestep_spacing": "leading"\#(members)}"#.utf8).write(to: file)
            let configuration = try ModelFolder(folder).schedulerConfiguration
            #expect(try configuration.require("clip_sample") == false)
            #expect(try DDIMScheduler(configuration: configuration, inferenceSteps: 4).timesteps == [751, 501, 251, 1])
        }
    }

    /// Files from before diffusers 0.9 often say 32, which its pipeline takes for 64.
    @Test(arguments: [("0.6.0", 32, 64), ("0.8.1", 96, 96), ("0.9.0", 32, 32), ("1.2.0", 32, 32)])
    func sizesOfOldModels(version: String, size: Int, expected: Int) throws {
        try withModelCopy { folder in
            let file = folder.appendingPathComponent("unet/config.json")
            let text = try String(contentsOf: file, encoding: .utf8)
                .replacing(#/"sample_size": 9/#, with: "\"sample_size\": \(size)")
                .replacing(#/"_diffusers_version": "[^"]*"/#, with: "\"_diffusers_version\": \"\(version)\"")
            try Data(text.utf8).write(to: file)
            #expect(try ModelFolder(folder).unetConfiguration.sampleSize == expected)
            try Data(text.replacingOccurrences(of: ": \(size),", with: ": [\(size), 8],").utf8).write(to: file)
            #expect(try ModelFolder(folder).unetConfiguration.sampleSize == size)
        }
    }

    /// Whatever chooses the sampler or its levels is looked at when the model is opened.
    @Test(arguments: [
        (
            #""_class_name": "DPMSolverMultistepScheduler", "use_karras_sigmas": "true""#,
            #""use_karras_sigmas" should be true or false, found"#
        ),
        (#""_class_name": ["DDIMScheduler"]"#, #""_class_name" should be a text, found"#),
        (#""prediction_type": 1"#, #""prediction_type" should be a text, found"#),
        (#""beta_start": "0.1""#, #""beta_start" should be a number, found"#),
        (#""rescale_betas_zero_snr": 0"#, #""rescale_betas_zero_snr" should be true or false, found"#),
    ])
    func schedulersOfAnotherKindAreNamed(member: String, expected: String) throws {
        try withModelCopy { folder in
            let file = "scheduler/scheduler_config.json"
            try Data("{\(member)}".utf8).write(to: folder.appendingPathComponent(file))
            let text = message { try ModelFolder(folder) }
            #expect(text.contains(file) && text.contains(expected), "\(text)")
        }
    }

    @Test(arguments: [
        "model_index.json", "unet/config.json", "vae/config.json", "text_encoder/config.json", "scheduler/scheduler_config.json",
        "tokenizer/vocab.json", "tokenizer/merges.txt",
    ])
    func missingFilesAreNamed(file: String) throws {
        try withModelCopy { folder in
            try FileManager.default.removeItem(at: folder.appendingPathComponent(file))
            let text = message { try ModelFolder(folder) }
            #expect(text.contains(file) && text.contains("is missing"), "\(text)")
        }
    }

    @Test func missingAndTruncatedWeightsAreNamed() throws {
        try withModelCopy { url in
            let vae = url.appendingPathComponent("vae/diffusion_pytorch_model.safetensors")
            let shard = url.appendingPathComponent("unet/diffusion_pytorch_model-00002-of-00003.safetensors")
            try Data(contentsOf: vae).prefix(50_000).write(to: vae)
            try FileManager.default.removeItem(at: shard)
            try FileManager.default.removeItem(at: url.appendingPathComponent("text_encoder/model.safetensors"))
            let folder = try ModelFolder(url)
            #expect(message { try folder.loadVAE() }.contains("diffusion_pytorch_model.safetensors: ends too early, 50000 of"))
            #expect(message { try folder.loadUNet() }.contains("00002-of-00003.safetensors, which is not beside it"))
            #expect(message { try folder.loadTextModel() }.contains("the weights of text_encoder is missing"))
        }
    }

    @Test func shardsWithoutTheirIndexAreNamed() throws {
        try withModelCopy { url in
            let index = "unet/diffusion_pytorch_model.safetensors.index.json"
            try FileManager.default.removeItem(at: url.appendingPathComponent(index))
            let text = message { try ModelFolder(url).loadUNet() }
            #expect(
                text.contains(
                    "\(index): the index of the shards of unet (diffusion_pytorch_model-00001-of-00003.safetensors is one)")
                    && text.contains("is missing"), "\(text)")
        }
    }

    /// As editors on Windows write text.
    @Test func aByteOrderMarkIsPassedOver() throws {
        try withModelCopy { url in
            for file in ["unet/config.json", "model_index.json"] {
                let place = url.appendingPathComponent(file)
                try (Data([0xEF, 0xBB, 0xBF]) + Data(contentsOf: place)).write(to: place)
            }
            #expect(try ModelFolder(url).unetConfiguration == ModelFolder(fixture("small")).unetConfiguration)
        }
    }

    @Test func weightsOfAnotherShapeAreListed() throws {
        try withModelCopy { url in
            let config = url.appendingPathComponent("unet/config.json")
            let text = try String(contentsOf: config, encoding: .utf8)
            try Data(text.replacingOccurrences(of: "    12,", with: "    24,").utf8).write(to: config)
            let folder = try ModelFolder(url)
            let report = message { try folder.loadUNet() }
            #expect(
                report.contains("down_blocks.1.resnets.0.conv1.weight: expected [24, 8, 3, 3], found [12, 8, 3, 3]"), "\(report)")
            #expect(report.contains("of another shape"), "\(report)")
        }
    }
}
