import Checkpoints
import Foundation
import NeuralNetworks

/// A Stable Diffusion model on disk: a folder in diffusers layout (`model_index.json` and a folder for each part; 1.x or 2.x), or a checkpoint
/// of 1.x in one file. Opening reads the small files, or the names and shapes, and checks that the parts belong together; weights are read by
/// the `load` functions.
public struct ModelFolder: Sendable {
    public let url: URL
    public let tokenizer: CLIPTokenizer
    public let textConfiguration: CLIPTextConfiguration
    public let unetConfiguration: UNet2DConditionConfiguration
    public let vaeConfiguration: AutoencoderKLConfiguration
    /// `scheduler/scheduler_config.json`, whichever class wrote it, as diffusers' pipeline takes it; of a single file that of Stable Diffusion 1.x.
    public let schedulerConfiguration: JSONConfiguration
    /// The checkpoint, when the model is one file.
    private let singleFile: SingleFileModel?

    /// Parts and the classes that are known here.
    private static let classes = [
        ("unet", "UNet2DConditionModel"), ("vae", "AutoencoderKL"), ("text_encoder", "CLIPTextModel"),
        ("tokenizer", "CLIPTokenizer"),
    ]

    /// Opens a folder or a checkpoint.
    /// - Throws: `StableDiffusionError` for missing files, other kinds of models and parts that do not belong together;
    ///   `CheckpointError` for files that cannot be read.
    public init(_ url: URL) throws {
        self.url = url
        let (unet, vae, text): (JSONConfiguration, JSONConfiguration, JSONConfiguration)
        if url.fileKind == .file {
            let model = try SingleFileModel(url)
            singleFile = model
            (unet, vae, text, schedulerConfiguration) = (model.unet, model.vae, model.text, model.scheduler)
            tokenizer = try CLIPTokenizer(forCheckpoint: url)
        } else {
            singleFile = nil
            try Self.checkClasses(in: url)
            func configuration(_ path: String, role: String) throws -> JSONConfiguration {
                try Self.configuration(url.appendingPathComponent(path), role: role)
            }
            unet = try configuration("unet/config.json", role: "the shape of the U-Net")
            vae = try configuration("vae/config.json", role: "the shape of the AutoencoderKL")
            text = try configuration("text_encoder/config.json", role: "the shape of the text model")
            schedulerConfiguration = try Self.corrected(
                configuration("scheduler/scheduler_config.json", role: "the noise schedule"))
            tokenizer = try CLIPTokenizer(folder: url.appendingPathComponent("tokenizer"))
        }
        unetConfiguration = try UNet2DConditionConfiguration(unet)
        vaeConfiguration = try AutoencoderKLConfiguration(vae)
        textConfiguration = try CLIPTextConfiguration(text)
        // Read again by each run: a mistake shows here, before anything is loaded or drawn.
        _ = try NoiseSchedule(schedulerConfiguration)
        _ = try SchedulerKind(configuration: schedulerConfiguration)
        try checkParts(unetFile: unet.file, vaeFile: vae.file, textFile: text.file)
    }

    /// Whether something lies at a place that could be opened as a model: a folder with a `model_index.json`, or a file of weights.
    public static func isModel(_ url: URL) -> Bool {
        if FileManager.default.fileExists(atPath: url.appendingPathComponent("model_index.json").path) { return true }
        return ["safetensors", "ckpt", "pt", "pth", "bin"].contains(url.pathExtension.lowercased())
    }

    /// What a part's `config.json` calls itself: diffusers writes `_class_name`, transformers a list of `architectures`.
    private static func className(_ file: JSONConfiguration) throws -> String? {
        try file.optional("_class_name", as: String.self) ?? file.optional("architectures", as: [String].self)?.first
    }

    /// What diffusers' `StableDiffusionPipeline` makes of a scheduler's configuration before it draws: whatever the file says, or leaves to the
    /// defaults of its class, `steps_offset` is 1 and `clip_sample` false.
    private static func corrected(_ file: JSONConfiguration) throws -> JSONConfiguration {
        _ = (try file.optional("steps_offset", as: Int.self), try file.optional("clip_sample", as: Bool.self))
        let members = file.members.filter { !["steps_offset", "clip_sample"].contains($0.key) }
        return JSONConfiguration(
            members: members + [JSONValue.Member("steps_offset", .integer(1)), JSONValue.Member("clip_sample", .bool(false))],
            file: file.file)
    }

    private static func checkClasses(in url: URL) throws {
        let indexURL = url.appendingPathComponent("model_index.json")
        let partURL = url.appendingPathComponent("config.json")
        if !FileManager.default.fileExists(atPath: indexURL.path), FileManager.default.fileExists(atPath: partURL.path),
            let part = try className(JSONConfiguration(contentsOf: partURL))
        {
            let other = ForeignModel(className: part)
            throw StableDiffusionError.otherModel(
                file: url.path, name: other?.name ?? "one part of a model (\(part))",
                advice: other?.advice ?? "name the folder above it, which holds model_index.json")
        }
        let index = try configuration(indexURL, role: "the list of the model's parts")
        let pipeline: String = try index.require("_class_name")
        if let other = ForeignModel(className: pipeline) {
            throw StableDiffusionError.otherModel(file: index.file, name: other.name, advice: other.advice)
        }
        guard ["StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"].contains(pipeline) else {
            throw StableDiffusionError.unsupportedClass(file: index.file, found: pipeline, expected: "StableDiffusionPipeline")
        }
        for (part, expected) in classes {
            let names = try index.require(part, as: [String].self)
            // A tokenizer may also be named after its faster twin, which reads the same files.
            let found = names.last ?? "nothing"
            guard found == expected || found == expected + "Fast" else {
                throw StableDiffusionError.unsupportedClass(file: index.file, found: "\(part) \(found)", expected: expected)
            }
        }
    }

    private func checkParts(unetFile: String, vaeFile: String, textFile: String) throws {
        let unet = unetConfiguration
        guard textConfiguration.hiddenSize == unet.crossAttentionDim else {
            // The width shows in every attention to the prompt; the first one is named.
            let level = unet.levels.firstIndex(where: \.hasDownAttention) ?? 0
            let key = "down_blocks.\(level).attentions.0.transformer_blocks.0.attn2.to_k.weight"
            let channels = unet.levels[level].channels
            throw StableDiffusionError.incompatible(
                file: unetFile,
                reason: "cross_attention_dim is \(unet.crossAttentionDim), the text model's hidden_size "
                    + "\(textConfiguration.hiddenSize) (\(textFile)): \(key) should be [\(channels), \(textConfiguration.hiddenSize)], "
                    + "found [\(channels), \(unet.crossAttentionDim)]")
        }
        guard unet.inChannels == vaeConfiguration.latentChannels, unet.outChannels == vaeConfiguration.latentChannels else {
            let kinds = [
                9: ": an inpainting model, which needs a picture and a mask", 8: ": a model that edits a given picture",
                5: ": a model that needs a depth map", 7: ": an upscaler",
            ]
            throw StableDiffusionError.incompatible(
                file: unetFile,
                reason: "in_channels is \(unet.inChannels) and out_channels \(unet.outChannels), "
                    + "the AutoencoderKL's latent_channels \(vaeConfiguration.latentChannels)\(kinds[unet.inChannels] ?? "")")
        }
        guard vaeConfiguration.inChannels == 3, vaeConfiguration.outChannels == 3 else {
            throw StableDiffusionError.incompatible(file: vaeFile, reason: "pictures are not RGB")
        }
        guard tokenizer.vocabularySize <= textConfiguration.vocabSize else {
            throw StableDiffusionError.incompatible(
                file: textFile,
                reason: "vocab_size is \(textConfiguration.vocabSize), the tokenizer has \(tokenizer.vocabularySize) tokens")
        }
        guard tokenizer.modelMaxLength <= textConfiguration.maxPositionEmbeddings else {
            throw StableDiffusionError.incompatible(
                file: textFile,
                reason: "max_position_embeddings is \(textConfiguration.maxPositionEmbeddings), "
                    + "the tokenizer's model_max_length \(tokenizer.modelMaxLength)")
        }
    }

    /// The U-Net with its weights.
    /// - Throws: what `CheckpointError`, `StateDictionaryMismatch` or `StableDiffusionError` says of its file.
    public func loadUNet() throws -> UNet2DConditionModel {
        let model = UNet2DConditionModel(unetConfiguration)
        try model.load(unetState(of: model))
        return model
    }

    /// The AutoencoderKL with its weights.
    /// - Throws: what `CheckpointError`, `StateDictionaryMismatch` or `StableDiffusionError` says of its file.
    public func loadVAE() throws -> AutoencoderKL {
        let model = AutoencoderKL(vaeConfiguration)
        try model.load(vaeState(of: model))
        return model
    }

    /// The text model with its weights.
    /// - Throws: what `CheckpointError`, `StateDictionaryMismatch` or `StableDiffusionError` says of its file.
    public func loadTextModel() throws -> CLIPTextModel {
        let model = CLIPTextModel(textConfiguration)
        try model.load(textState(of: model))
        return model
    }

    /// The U-Net's tensors under its own names.
    /// - Throws: `CheckpointError` or `StableDiffusionError` that names the file.
    func unetState(of model: UNet2DConditionModel) throws -> StateDictionary {
        guard let singleFile else {
            return try PartWeights.open(
                url.appendingPathComponent("unet"), names: ["diffusion_pytorch_model"], role: "the weights of unet")
        }
        return try singleFile.part(model.namedParameters().map(\.name), prefix: LDMKeys.unetPrefix) {
            LDMKeys.unet($0, unetConfiguration)
        }
    }

    /// The AutoencoderKL's tensors under today's names and shapes.
    /// - Throws: `CheckpointError` or `StableDiffusionError` that names the file.
    func vaeState(of model: AutoencoderKL) throws -> StateDictionary {
        guard let singleFile else {
            return try AutoencoderKL.stateDictionary(
                PartWeights.open(
                    url.appendingPathComponent("vae"), names: ["diffusion_pytorch_model"], role: "the weights of vae"))
        }
        let levels = vaeConfiguration.blockOutChannels.count
        return try AutoencoderKL.stateDictionary(
            singleFile.part(model.namedParameters().map(\.name), prefix: LDMKeys.vaePrefix) { LDMKeys.vae($0, levels: levels) })
    }

    /// The text model's tensors under its own names.
    /// - Throws: `CheckpointError` or `StableDiffusionError` that names the file.
    func textState(of model: CLIPTextModel) throws -> StateDictionary {
        guard let singleFile else {
            return try CLIPTextModel.stateDictionary(
                PartWeights.open(
                    url.appendingPathComponent("text_encoder"), names: ["model", "pytorch_model"],
                    role: "the weights of text_encoder"))
        }
        let prefix = SingleFileModel.textPrefix(singleFile.state)
        return try singleFile.part(model.namedParameters().map(\.name), prefix: LDMKeys.textPrefix) { prefix + $0 }
    }

    private static func configuration(_ url: URL, role: String) throws -> JSONConfiguration {
        try requireFile(url, role: role)
        return try JSONConfiguration(contentsOf: url)
    }

    static func requireFile(_ url: URL, role: String) throws {
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw StableDiffusionError.missingFile(path: url.path, role: role)
        }
    }
}

/// The weights of one part of a folder under any of the names that diffusers and transformers give: whole or in shards, safetensors or
/// `.bin`, plain or a variant ("fp16", "bf16", "non_ema", ...).
enum PartWeights {
    /// Opens the best of what is there: plain before variants, safetensors before `.bin`.
    /// - Parameters:
    ///   - folder: of the part.
    ///   - names: that the file may have, without ending.
    ///   - role: for the message.
    /// - Returns: its tensors.
    /// - Throws: `StableDiffusionError.missingFile`, or what `StateDictionary` says of the file.
    static func open(_ folder: URL, names: [String], role: String) throws -> StateDictionary {
        let files = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
        let found = files.compactMap { file in rank(file, names: names).map { (rank: $0, file: file) } }
        guard let best = found.min(by: { ($0.rank, $0.file) < ($1.rank, $1.file) }) else {
            if let shard = files.first(where: { file in names.contains { file.hasPrefix($0) } && file.contains("-of-") }) {
                let ending = shard.hasSuffix(".bin") ? ".bin" : ".safetensors"
                throw StableDiffusionError.missingFile(
                    path: folder.appendingPathComponent(names[0] + ending + ".index.json").path,
                    role: "the index of the shards of \(folder.lastPathComponent) (\(shard) is one)")
            }
            throw StableDiffusionError.missingFile(
                path: folder.appendingPathComponent(names[0] + ".safetensors").path, role: role)
        }
        return try StateDictionary(opening: folder.appendingPathComponent(best.file))
    }

    /// How good a file is, 0 the best; nil when its name is none of a part's weights.
    private static func rank(_ file: String, names: [String]) -> Int? {
        for name in names where file.hasPrefix(name + ".") {
            var words = file.dropFirst(name.count + 1).split(separator: ".").map(String.init)
            if words.last == "json" {
                words.removeLast()
                guard let at = words.firstIndex(of: "index") else { return nil }
                words.remove(at: at)
            }
            guard let at = words.firstIndex(where: { $0 == "safetensors" || $0 == "bin" }) else { continue }
            let kind = words.remove(at: at)
            // A shard ("fp16-00001-of-00002") is found by its index.
            guard words.count <= 1, !words.contains(where: { $0.contains("-of-") }) else { return nil }
            let variants = ["fp32", "fp16", "bf16"]
            let variant = words.first.map { variants.firstIndex(of: $0).map { $0 + 1 } ?? variants.count + 1 } ?? 0
            return variant * 2 + (kind == "safetensors" ? 0 : 1)
        }
        return nil
    }
}
