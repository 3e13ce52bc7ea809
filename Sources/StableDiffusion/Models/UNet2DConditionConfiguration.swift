import Checkpoints

/// `unet/config.json`: the keys of diffusers' `UNet2DConditionModel` that Stable Diffusion 1.x and 2.x use. What would change the result
/// and is not supported is refused by name.
public struct UNet2DConditionConfiguration: Sendable, Equatable {
    /// One resolution, from the top down.
    public struct Level: Sendable, Equatable {
        /// `block_out_channels`
        public var channels: Int
        /// `layers_per_block`
        public var layers: Int
        /// Number of attention heads; the file calls it `attention_head_dim` (diffusers keeps that misnomer for old models).
        public var heads: Int
        /// `transformer_layers_per_block`
        public var transformerLayers: Int
        public var hasDownAttention: Bool
        public var hasUpAttention: Bool
    }

    public var levels: [Level]
    public var inChannels: Int
    public var outChannels: Int
    public var crossAttentionDim: Int
    public var useLinearProjection: Bool
    public var normNumGroups: Int
    public var normEps: Float
    public var downsamplePadding: Int
    public var flipSinToCos: Bool
    public var freqShift: Float
    public var timeEmbeddingDim: Int
    public var convInKernel: Int
    public var convOutKernel: Int
    /// Side of the latents that the model was trained for, nil when the file does not say.
    public var sampleSize: Int?

    /// Reads the file.
    /// - Throws: `CheckpointError` that names the key at fault.
    public init(_ file: JSONConfiguration) throws {
        try Self.refuseOtherArchitectures(file)
        let channels = try file.counts("block_out_channels", limit: 1 << 16)
        let downTypes = try file.value("down_block_types", default: ["CrossAttnDownBlock2D"])
        let upTypes = try file.value("up_block_types", default: ["CrossAttnUpBlock2D"])
        let down = try downTypes.map { try Self.attends($0, file, "down_block_types", ["DownBlock2D", "CrossAttnDownBlock2D"]) }
        let up = try upTypes.map { try Self.attends($0, file, "up_block_types", ["UpBlock2D", "CrossAttnUpBlock2D"]) }
        guard channels.count <= 16 else { throw file.wrong("block_out_channels", expected: "at most 16 levels") }
        guard down.count == channels.count else { throw file.wrong("down_block_types", expected: "\(channels.count) names") }
        guard up.count == channels.count else { throw file.wrong("up_block_types", expected: "\(channels.count) names") }
        let layers = try Self.perLevel(file, "layers_per_block", count: channels.count, default: 2, limit: 64)
        let heads = try Self.perLevel(file, "attention_head_dim", count: channels.count, default: 8, limit: 1 << 16)
        let transformers = try Self.perLevel(file, "transformer_layers_per_block", count: channels.count, default: 1, limit: 64)
        levels = channels.indices.map {
            Level(
                channels: channels[$0], layers: layers[$0], heads: heads[$0], transformerLayers: transformers[$0],
                hasDownAttention: down[$0], hasUpAttention: up[channels.count - 1 - $0])
        }
        inChannels = try file.count("in_channels", default: 4, limit: 1 << 10)
        outChannels = try file.count("out_channels", default: 4, limit: 1 << 10)
        crossAttentionDim = try Self.same(file, "cross_attention_dim", default: 1280)
        useLinearProjection = try file.value("use_linear_projection", default: false)
        normNumGroups = try file.count("norm_num_groups", default: 32)
        normEps = try file.finite("norm_eps", default: 1e-5, from: 0)
        downsamplePadding = try file.value("downsample_padding", default: 1)
        flipSinToCos = try file.value("flip_sin_to_cos", default: true)
        freqShift = try file.finite("freq_shift", default: 0)
        timeEmbeddingDim = try file.count("time_embedding_dim", default: channels[0] * 4)
        convInKernel = try file.count("conv_in_kernel", default: 3, limit: 31)
        convOutKernel = try file.count("conv_out_kernel", default: 3, limit: 31)
        sampleSize = try Self.sampleSize(file)
        guard (0...1).contains(downsamplePadding) else { throw file.wrong("downsample_padding", expected: "0 or 1") }
        guard channels.allSatisfy({ $0 % normNumGroups == 0 }) else {
            throw file.wrong("norm_num_groups", expected: "a divisor of block_out_channels \(channels)")
        }
        for level in levels where level.channels % level.heads != 0 {
            throw file.wrong("attention_head_dim", expected: "numbers of heads that divide block_out_channels \(channels)")
        }
        guard channels[0] % 2 == 0 else { throw file.wrong("block_out_channels", expected: "an even first number") }
    }

    /// At least 64 in files from before diffusers 0.9, many of which say 32 (as `StableDiffusionPipeline` takes it).
    private static func sampleSize(_ file: JSONConfiguration) throws -> Int? {
        guard file["sample_size"] ?? .null != .null else { return nil }
        // Height and width, where they differ: the larger.
        if case .array = file["sample_size"] { return try file.counts("sample_size", limit: 1 << 16).max() }
        let size = try file.count("sample_size", limit: 1 << 16)
        let version = try file.value("_diffusers_version", default: "").split(separator: ".").prefix(2).map { Int($0) ?? .max }
        return version.count == 2 && version[0] == 0 && version[1] < 9 ? max(64, size) : size
    }

    /// Keys of other members of the family; SDXL shows itself by `addition_embed_type`.
    private static func refuseOtherArchitectures(_ file: JSONConfiguration) throws {
        let expected = "null: only Stable Diffusion 1.x and 2.x are supported"
        for key in [
            "addition_embed_type", "class_embed_type", "num_class_embeds", "encoder_hid_dim", "encoder_hid_dim_type",
            "time_embedding_act_fn", "time_cond_proj_dim", "timestep_post_act", "num_attention_heads",
            "reverse_transformer_layers_per_block", "cross_attention_norm",
        ] where file[key] ?? .null != .null { throw file.wrong(key, expected: expected) }
        try file.refuse(
            "center_input_sample", "dual_cross_attention", "only_cross_attention", "resnet_skip_time_act",
            "class_embeddings_concat", "mid_block_only_cross_attention",
            because: "only Stable Diffusion 1.x and 2.x are supported")
        for (key, words) in [
            ("mid_block_type", ["UNetMidBlock2DCrossAttn"]), ("time_embedding_type", ["positional"]),
            ("resnet_time_scale_shift", ["default"]), ("attention_type", ["default"]), ("act_fn", ["silu", "swish"]),
        ] where try !words.contains(file.value(key, default: words[0])) {
            throw file.wrong(key, expected: words.joined(separator: " or "))
        }
        if case .null = file["mid_block_type"] { throw file.wrong("mid_block_type", expected: "UNetMidBlock2DCrossAttn") }
        for key in ["mid_block_scale_factor", "resnet_out_scale_factor"] where try file.value(key, default: 1.0) != 1 {
            throw file.wrong(key, expected: "1")
        }
    }

    /// Whether a block type, one of plain and attending, attends to the prompt.
    private static func attends(_ type: String, _ file: JSONConfiguration, _ key: String, _ known: [String]) throws -> Bool {
        guard let index = known.firstIndex(of: type) else {
            throw file.wrong(key, expected: "made of " + known.joined(separator: " and "))
        }
        return index == 1
    }

    /// A number for all levels, or a list with one for each.
    private static func perLevel(
        _ file: JSONConfiguration, _ key: String, count: Int, default fallback: Int, limit: Int
    ) throws -> [Int] {
        guard case .array = file[key] else {
            return try [Int](repeating: file.count(key, default: fallback, limit: limit), count: count)
        }
        let values = try file.counts(key, limit: limit)
        guard values.count == count else { throw file.wrong(key, expected: "a number, or \(count) of them") }
        return values
    }

    /// A number, or a list of equal numbers.
    private static func same(_ file: JSONConfiguration, _ key: String, default fallback: Int) throws -> Int {
        guard case .array = file[key] else { return try file.count(key, default: fallback) }
        let values = try file.counts(key)
        guard Set(values).count == 1 else { throw file.wrong(key, expected: "one width for all blocks") }
        return values[0]
    }
}
