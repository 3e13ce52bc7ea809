import Checkpoints
import Foundation

/// A Stable Diffusion 1.x model in one file of the original layout (`.safetensors` or `.ckpt`): configurations are read off the shapes, as
/// nothing else says them.
struct SingleFileModel: Sendable {
    let state: StateDictionary
    let unet: JSONConfiguration
    let vae: JSONConfiguration
    let text: JSONConfiguration
    let scheduler: JSONConfiguration

    /// Reads names and shapes.
    /// - Throws: `StableDiffusionError` when the file is another kind of model, `CheckpointError` when it cannot be read.
    init(_ url: URL) throws {
        state = try StateDictionary(opening: url)
        if let other = ForeignModel(keys: state.names) {
            throw StableDiffusionError.otherModel(file: url.path, name: other.name, advice: other.advice)
        }
        unet = try Self.unet(state)
        vae = try Self.vae(state)
        text = try Self.text(state)
        scheduler = try Self.scheduler(state)
    }

    /// Shape of a tensor that every model of this kind has.
    private static func shape(_ key: String, rank: Int, _ state: StateDictionary) throws -> [Int] {
        let shape = try state.entry(key).shape
        guard shape.count == rank, !shape.contains(0) else {
            throw CheckpointError(
                file: state.file, problem: .wrongShape(tensor: key, expected: "\(rank) dimensions", found: shape))
        }
        return shape
    }

    private static func object(_ members: [(String, JSONValue)], _ state: StateDictionary) -> JSONConfiguration {
        JSONConfiguration(members: members.map { JSONValue.Member($0.0, $0.1) }, file: state.file)
    }

    private static func unet(_ state: StateDictionary) throws -> JSONConfiguration {
        let prefix = LDMKeys.unetPrefix
        let first = try shape(prefix + "input_blocks.0.0.weight", rank: 4, state)
        var channels = [first[0]]
        var layers = [0]
        var transformers = [0]
        var context: Int?
        var isLinear = false
        for index in 1..<256 {
            let block = "\(prefix)input_blocks.\(index)."
            if state[block + "0.op.weight"] != nil {
                channels.append(channels[channels.count - 1])
                layers.append(0)
                transformers.append(0)
                continue
            }
            guard state[block + "0.in_layers.2.weight"] != nil else { break }
            channels[channels.count - 1] = try shape(block + "0.in_layers.2.weight", rank: 4, state)[0]
            layers[layers.count - 1] += 1
            let depth = (0..<64).first { state["\(block)1.transformer_blocks.\($0).attn2.to_k.weight"] == nil } ?? 64
            transformers[transformers.count - 1] = max(transformers[transformers.count - 1], depth)
            if depth > 0 {
                context = try shape("\(block)1.transformer_blocks.0.attn2.to_k.weight", rank: 2, state)[1]
                isLinear = try state.entry(block + "1.proj_in.weight").shape.count == 2
            }
        }
        guard let context, !layers.contains(0) else {
            throw CheckpointError(
                file: state.file, problem: .malformed(reason: "its U-Net has no blocks that attend to a prompt"))
        }
        // The models with linear projections have heads of 64 channels, those without have 8 heads.
        let heads = channels.map { isLinear ? max(1, $0 / 64) : 8 }
        let attends = transformers.map { $0 > 0 }
        let names = { (values: [Bool], kind: String) in
            JSONValue.array(values.map { .string($0 ? "CrossAttn\(kind)2D" : "\(kind)2D") })
        }
        let last = try shape(prefix + "out.2.weight", rank: 4, state)
        return object(
            [
                ("in_channels", .integer(first[1])), ("out_channels", .integer(last[0])),
                ("block_out_channels", .array(channels.map { .integer($0) })),
                ("layers_per_block", .array(layers.map { .integer($0) })),
                ("down_block_types", names(attends, "DownBlock")), ("up_block_types", names(attends.reversed(), "UpBlock")),
                ("transformer_layers_per_block", .array(transformers.map { .integer(max(1, $0)) })),
                ("attention_head_dim", .array(heads.map { .integer($0) })), ("cross_attention_dim", .integer(context)),
                ("use_linear_projection", .bool(isLinear)), ("sample_size", .integer(64)),
            ], state)
    }

    private static func vae(_ state: StateDictionary) throws -> JSONConfiguration {
        let prefix = LDMKeys.vaePrefix
        var channels = [Int]()
        while channels.count < 8, state["\(prefix)encoder.down.\(channels.count).block.0.conv1.weight"] != nil {
            channels.append(try shape("\(prefix)encoder.down.\(channels.count).block.0.conv1.weight", rank: 4, state)[0])
        }
        let layers = (0..<64).first { state["\(prefix)encoder.down.0.block.\($0).conv1.weight"] == nil } ?? 64
        let latent = try shape(prefix + "post_quant_conv.weight", rank: 4, state)[0]
        return object(
            [
                ("block_out_channels", .array(channels.map { .integer($0) })), ("layers_per_block", .integer(layers)),
                ("latent_channels", .integer(latent)), ("norm_num_groups", .integer(32)), ("scaling_factor", .number(0.18215)),
            ], state)
    }

    /// Old files have the names of transformers with or without "text_model.".
    static func textPrefix(_ state: StateDictionary) -> String {
        let long = LDMKeys.textPrefix + "text_model."
        return state[long + "embeddings.token_embedding.weight"] != nil ? long : LDMKeys.textPrefix
    }

    private static func text(_ state: StateDictionary) throws -> JSONConfiguration {
        let prefix = textPrefix(state)
        let tokens = try shape(prefix + "embeddings.token_embedding.weight", rank: 2, state)
        let positions = try shape(prefix + "embeddings.position_embedding.weight", rank: 2, state)
        let layers = (0..<256).first { state["\(prefix)encoder.layers.\($0).layer_norm1.weight"] == nil } ?? 256
        let inner = try shape(prefix + "encoder.layers.0.mlp.fc1.weight", rank: 2, state)
        return object(
            [
                ("vocab_size", .integer(tokens[0])), ("hidden_size", .integer(tokens[1])),
                ("intermediate_size", .integer(inner[0])),
                ("num_hidden_layers", .integer(layers)), ("num_attention_heads", .integer(max(1, tokens[1] / 64))),
                ("max_position_embeddings", .integer(positions[0])), ("hidden_act", .string("quick_gelu")),
            ], state)
    }

    /// The noise schedule of Stable Diffusion 1.x; velocity where the file says so ("v_pred" among its tensors, or its metadata).
    private static func scheduler(_ state: StateDictionary) throws -> JSONConfiguration {
        let said = state.metadata["modelspec.prediction_type"]?.lowercased() ?? ""
        let isVelocity = state["v_pred"] != nil || said == "v" || said == "v_prediction"
        return object(
            [
                ("_class_name", .string("PNDMScheduler")), ("num_train_timesteps", .integer(1000)),
                ("beta_start", .number(0.00085)),
                ("beta_end", .number(0.012)), ("beta_schedule", .string("scaled_linear")), ("skip_prk_steps", .bool(true)),
                ("set_alpha_to_one", .bool(false)), ("clip_sample", .bool(false)), ("steps_offset", .integer(1)),
                ("timestep_spacing", .string("leading")), ("prediction_type", .string(isVelocity ? "v_prediction" : "epsilon")),
                ("rescale_betas_zero_snr", .bool(state["ztsnr"] != nil)),
            ], state)
    }

    /// The tensors of a part under today's names.
    /// - Parameters:
    ///   - expected: names of the part's parameters.
    ///   - prefix: of all its tensors.
    ///   - oldName: the name in the file.
    /// - Returns: what was found; tensors of the part that nobody asks for keep their old names, so that a strict reader names them.
    /// - Throws: `CheckpointError` when two tensors get one name.
    func part(_ expected: [String], prefix: String, oldName: (String) -> String?) throws -> StateDictionary {
        var entries = [TensorEntry]()
        var used = Set<String>()
        for name in expected {
            guard let old = oldName(name), let entry = state[old] else { continue }
            used.insert(old)
            entries.append(entry.renamed(name))
        }
        // Losses and averages of the training lie beside the weights.
        let rest = state.entries.filter {
            $0.name.hasPrefix(prefix) && !used.contains($0.name) && !$0.name.hasPrefix(prefix + "loss.")
                && !CLIPTextModel.ignored.contains(where: $0.name.hasSuffix)
        }
        return try StateDictionary(file: state.file, entries: entries + rest)
    }
}
