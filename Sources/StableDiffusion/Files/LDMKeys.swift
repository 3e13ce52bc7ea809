/// Names of the original layout of latent diffusion checkpoints (CompVis `stable-diffusion`, class `LatentDiffusion`) for the names that diffusers and
/// transformers use. The direction is from today's names to the old ones, so that every parameter asks for exactly one tensor.
enum LDMKeys {
    static let unetPrefix = "model.diffusion_model."
    static let vaePrefix = "first_stage_model."
    static let textPrefix = "cond_stage_model.transformer."

    /// The old name of a parameter of the U-Net.
    /// - Parameters:
    ///   - name: "down_blocks.0.resnets.1.conv1.weight".
    ///   - configuration: of the U-Net; the old numbers run through all blocks.
    /// - Returns: "model.diffusion_model.input_blocks.2.0.in_layers.2.weight"; nil for names that no U-Net has.
    static func unet(_ name: String, _ configuration: UNet2DConditionConfiguration) -> String? {
        let parts = name.split(separator: ".").map(String.init)
        guard let first = parts.first, let last = parts.last else { return nil }
        let top = [
            "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
            "time_embedding.linear_1": "time_embed.0",
            "time_embedding.linear_2": "time_embed.2",
        ]
        if let old = top[parts.dropLast().joined(separator: ".")] { return "\(unetPrefix)\(old).\(last)" }
        if first == "mid_block", parts.count > 3, let index = Int(parts[2]) {
            let rest = Array(parts.dropFirst(3))
            let place = parts[1] == "attentions" ? 1 : index * 2
            return inner(parts[1], rest).map { "\(unetPrefix)middle_block.\(place).\($0)" }
        }
        guard parts.count > 4, let block = Int(parts[1]), let index = Int(parts[3]) else { return nil }
        let rest = Array(parts.dropFirst(4))
        let levels = configuration.levels
        switch (first, parts[2]) {
        case ("down_blocks", "downsamplers"):
            return "\(unetPrefix)input_blocks.\(levels.prefix(block + 1).reduce(0) { $0 + $1.layers + 1 }).0.op.\(last)"
        case ("down_blocks", let kind):
            let place = levels.prefix(block).reduce(1) { $0 + $1.layers + 1 } + index
            return inner(kind, rest).map { "\(unetPrefix)input_blocks.\(place).\(kind == "attentions" ? 1 : 0).\($0)" }
        case ("up_blocks", let kind):
            let above = levels.reversed().prefix(block).reduce(0) { $0 + $1.layers + 1 }
            guard block < levels.count else { return nil }
            let level = levels[levels.count - 1 - block]
            if kind == "upsamplers" {
                return "\(unetPrefix)output_blocks.\(above + level.layers).\(level.hasUpAttention ? 2 : 1).conv.\(last)"
            }
            return inner(kind, rest).map { "\(unetPrefix)output_blocks.\(above + index).\(kind == "attentions" ? 1 : 0).\($0)" }
        default: return nil
        }
    }

    /// Names within a residual block or a transformer.
    private static func inner(_ kind: String, _ rest: [String]) -> String? {
        guard kind == "resnets" else { return kind == "attentions" ? rest.joined(separator: ".") : nil }
        let names = [
            "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
            "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
        ]
        guard rest.count == 2, let name = names[rest[0]] else { return nil }
        return "\(name).\(rest[1])"
    }

    /// The old name of a parameter of the AutoencoderKL.
    /// - Parameters:
    ///   - name: "decoder.up_blocks.0.resnets.1.conv1.weight".
    ///   - levels: number of resolutions; the old decoder counts them from below.
    /// - Returns: "first_stage_model.decoder.up.3.block.1.conv1.weight"; nil for names that no AutoencoderKL has.
    static func vae(_ name: String, levels: Int) -> String? {
        var parts = name.split(separator: ".").map(String.init)
        if let at = parts.firstIndex(of: "conv_shortcut") { parts[at] = "nin_shortcut" }
        if let at = parts.firstIndex(of: "conv_norm_out") { parts[at] = "norm_out" }
        guard parts.count > 4, parts[0] == "encoder" || parts[0] == "decoder" else {
            return vaePrefix + parts.joined(separator: ".")
        }
        let half = vaePrefix + parts[0]
        if parts[1] == "mid_block", let index = Int(parts[3]) {
            guard parts[2] == "attentions" else {
                return ([half, "mid", "block_\(index + 1)"] + parts.dropFirst(4)).joined(separator: ".")
            }
            let names = ["group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out": "proj_out"]
            guard let last = parts.last, let old = names[parts[4]] else { return nil }
            return "\(half).mid.attn_1.\(old).\(last)"
        }
        guard let block = Int(parts[2]), parts.count > 5 else { return nil }
        let isDown = parts[1] == "down_blocks"
        let place = isDown ? "\(half).down.\(block)" : "\(half).up.\(levels - 1 - block)"
        switch parts[3] {
        case "resnets": return ([place, "block"] + parts.dropFirst(4)).joined(separator: ".")
        case "downsamplers", "upsamplers":
            return ([place, isDown ? "downsample" : "upsample"] + parts.dropFirst(5)).joined(separator: ".")
        default: return nil
        }
    }
}
