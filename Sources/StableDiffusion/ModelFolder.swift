import Checkpoints
import Foundation
import NeuralNetworks

/// A Stable Diffusion 1.x or 2.x model in diffusers layout: `model_index.json` and a folder for each part. Opening reads the small files
/// and checks that the parts belong together; weights are read by the `load` functions.
public struct ModelFolder: Sendable {
    public let url: URL
    public let tokenizer: CLIPTokenizer
    public let textConfiguration: CLIPTextConfiguration
    public let unetConfiguration: UNet2DConditionConfiguration
    public let vaeConfiguration: AutoencoderKLConfiguration
    /// `scheduler/scheduler_config.json`, whichever class wrote it.
    public let schedulerConfiguration: JSONConfiguration

    /// Parts and the classes that are known here.
    private static let classes = [
        ("unet", "UNet2DConditionModel"), ("vae", "AutoencoderKL"), ("text_encoder", "CLIPTextModel"),
        ("tokenizer", "CLIPTokenizer"),
    ]

    /// Opens a folder.
    /// - Throws: `StableDiffusionError` for missing files, other model classes and parts that do not belong together;
    ///   `CheckpointError` for files that cannot be read.
    public init(_ url: URL) throws {
        self.url = url
        let index = try Self.configuration(url.appendingPathComponent("model_index.json"), role: "the list of the model's parts")
        try Self.checkClasses(index)
        func configuration(_ path: String, role: String) throws -> JSONConfiguration {
            try Self.configuration(url.appendingPathComponent(path), role: role)
        }
        let unet = try configuration("unet/config.json", role: "the shape of the U-Net")
        let vae = try configuration("vae/config.json", role: "the shape of the AutoencoderKL")
        let text = try configuration("text_encoder/config.json", role: "the shape of the text model")
        unetConfiguration = try UNet2DConditionConfiguration(unet)
        vaeConfiguration = try AutoencoderKLConfiguration(vae)
        textConfiguration = try CLIPTextConfiguration(text)
        schedulerConfiguration = try configuration("scheduler/scheduler_config.json", role: "the noise schedule")
        for name in ["vocab.json", "merges.txt"] {
            try Self.requireFile(url.appendingPathComponent("tokenizer/\(name)"), role: "a part of the tokenizer")
        }
        tokenizer = try CLIPTokenizer(folder: url.appendingPathComponent("tokenizer"))
        try checkParts(unetFile: unet.file, textFile: text.file)
    }

    private static func checkClasses(_ index: JSONConfiguration) throws {
        let pipeline: String = try index.require("_class_name")
        guard pipeline == "StableDiffusionPipeline" else {
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

    private func checkParts(unetFile: String, textFile: String) throws {
        let unet = unetConfiguration
        guard textConfiguration.hiddenSize == unet.crossAttentionDim else {
            throw StableDiffusionError.incompatible(
                file: unetFile,
                reason:
                    "cross_attention_dim is \(unet.crossAttentionDim), the text model's hidden_size \(textConfiguration.hiddenSize)"
            )
        }
        guard unet.inChannels == vaeConfiguration.latentChannels, unet.outChannels == vaeConfiguration.latentChannels else {
            throw StableDiffusionError.incompatible(
                file: unetFile,
                reason: "in_channels is \(unet.inChannels) and out_channels \(unet.outChannels), "
                    + "the AutoencoderKL's latent_channels \(vaeConfiguration.latentChannels)")
        }
        guard vaeConfiguration.inChannels == 3, vaeConfiguration.outChannels == 3 else {
            throw StableDiffusionError.incompatible(
                file: url.appendingPathComponent("vae/config.json").path, reason: "pictures are not RGB")
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
        try model.load(weights("unet", "diffusion_pytorch_model"))
        return model
    }

    /// The AutoencoderKL with its weights.
    /// - Throws: what `CheckpointError`, `StateDictionaryMismatch` or `StableDiffusionError` says of its file.
    public func loadVAE() throws -> AutoencoderKL {
        let model = AutoencoderKL(vaeConfiguration)
        try model.load(AutoencoderKL.stateDictionary(weights("vae", "diffusion_pytorch_model")))
        return model
    }

    /// The text model with its weights.
    /// - Throws: what `CheckpointError`, `StateDictionaryMismatch` or `StableDiffusionError` says of its file.
    public func loadTextModel() throws -> CLIPTextModel {
        let model = CLIPTextModel(textConfiguration)
        try model.load(CLIPTextModel.stateDictionary(weights("text_encoder", "model")))
        return model
    }

    /// The weights of a part under any of the names that diffusers gives: whole, whole in half precision, or in shards.
    private func weights(_ part: String, _ name: String) throws -> StateDictionary {
        let folder = url.appendingPathComponent(part)
        func exists(_ file: String) -> Bool { FileManager.default.fileExists(atPath: folder.appendingPathComponent(file).path) }
        for variant in [name, name + ".fp16"] where exists(variant + ".safetensors") {
            return try StateDictionary(safetensors: folder.appendingPathComponent(variant + ".safetensors"))
        }
        for index in ["\(name).safetensors.index.json", "\(name).safetensors.index.fp16.json"] where exists(index) {
            return try StateDictionary(shardedIndex: folder.appendingPathComponent(index))
        }
        throw StableDiffusionError.missingFile(
            path: folder.appendingPathComponent(name + ".safetensors").path, role: "the weights of \(part)")
    }

    private static func configuration(_ url: URL, role: String) throws -> JSONConfiguration {
        try requireFile(url, role: role)
        return try JSONConfiguration(contentsOf: url)
    }

    private static func requireFile(_ url: URL, role: String) throws {
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw StableDiffusionError.missingFile(path: url.path, role: role)
        }
    }
}
