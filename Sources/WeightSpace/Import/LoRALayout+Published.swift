import Checkpoints
import StableDiffusion

extension LoRALayout {
    /// The layout of weights2weights for a model: rank 1, `lora_alpha` 27, `to_q` and `to_v` of every attention, sorted by name, A before B. On
    /// Stable Diffusion 1.5 a vector has 99,648 numbers.
    /// - Parameters:
    ///   - model: whose U-Net is adapted.
    ///   - alpha: `lora_alpha`.
    /// - Throws: `CheckpointError` when the U-Net has no attention.
    public init(publishedFor model: ModelFolder, alpha: Float = 27) throws {
        let shapes = UNet2DConditionModel(model.unetConfiguration).adaptableShapes
        let modules = shapes.keys.filter { $0.hasSuffix(".to_q") || $0.hasSuffix(".to_v") }.sorted()
        try self.init(
            rank: 1, alpha: alpha,
            entries: modules.flatMap { module -> [(module: String, factor: Factor, shape: [Int])] in
                let shape = shapes[module] ?? [0, 0]
                return [(module, .a, [1, shape[1]]), (module, .b, [shape[0], 1])]
            }, file: model.url.path)
    }
}
