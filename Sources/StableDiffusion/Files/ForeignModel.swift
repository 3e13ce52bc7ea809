import Checkpoints

/// A file of weights that is no Stable Diffusion 1.x model, recognised by its names.
struct ForeignModel {
    let name: String
    let advice: String

    /// The kind of a file; nil when its names are those of a whole checkpoint in the original layout.
    /// - Parameter keys: names of all tensors of a file.
    init?(keys: [String]) {
        func any(_ test: (String) -> Bool) -> Bool { keys.contains(where: test) }
        let supported = "choose a Stable Diffusion 1.x model"
        if any({ $0.hasPrefix("conditioner.embedders.") || $0.hasPrefix("model.diffusion_model.label_emb.") }) {
            self.init("Stable Diffusion XL", supported)
        } else if any({ $0.contains("joint_blocks.") }) {
            self.init("Stable Diffusion 3", supported)
        } else if any({ $0.contains("double_blocks.") }) {
            self.init("FLUX", supported)
        } else if any({
            $0.hasPrefix("control_model.") || $0.contains("controlnet_cond_embedding") || $0.contains("controlnet_down_blocks")
        }) {
            self.init("ControlNet", "it steers a model and is none itself; \(supported)")
        } else if any({ $0.contains("lora_") || $0.contains("_lora.") || $0.contains(".lora.") }) {
            self.init("a LoRA adapter", "give it with --adapter, and a whole model with --space")
        } else if any({ $0.hasPrefix("cond_stage_model.model.") }) {
            self.init("Stable Diffusion 2.x in one file", "convert it to a diffusers folder, which can be opened")
        } else if !any({ $0.hasPrefix(LDMKeys.unetPrefix) }) {
            let parts = [
                ("a U-Net alone", ["down_blocks.", "time_embedding."]),
                ("an image VAE alone", ["encoder.down", "decoder.up", "first_stage_model."]),
                ("a text model alone", ["text_model.", "cond_stage_model.", "embeddings.token_embedding."]),
            ]
            let part = parts.first { part in any { key in part.1.contains(where: key.hasPrefix) } }?.0
            self.init(
                part ?? "no model that is known here", "choose a whole model: a diffusers folder, or a checkpoint in one file")
        } else if !any({ $0.hasPrefix(LDMKeys.vaePrefix) }) {
            self.init("a checkpoint without its image VAE", "choose one with the VAE baked in, or a diffusers folder")
        } else if !any({ $0.hasPrefix(LDMKeys.textPrefix) }) {
            self.init("a checkpoint without its text model", "choose a whole checkpoint, or a diffusers folder")
        } else {
            return nil
        }
    }

    /// The kind of a model whose configuration names this class; nil for those that are supported or not known.
    init?(className: String) {
        let supported = "choose a Stable Diffusion 1.x or 2.x model"
        if className.hasPrefix("StableDiffusionXL") {
            self.init("Stable Diffusion XL (\(className))", supported)
        } else if className.hasPrefix("StableDiffusion3") || className.hasPrefix("SD3") {
            self.init("Stable Diffusion 3 (\(className))", supported)
        } else if className.contains("Inpaint") {
            self.init("an inpainting model (\(className))", "choose the model it was made from")
        } else if className.contains("ControlNet") {
            self.init("ControlNet (\(className))", "it steers a model and is none itself; \(supported)")
        } else if className.hasPrefix("Flux") {
            self.init("FLUX (\(className))", supported)
        } else {
            return nil
        }
    }

    private init(_ name: String, _ advice: String) {
        self.name = name
        self.advice = advice
    }
}
