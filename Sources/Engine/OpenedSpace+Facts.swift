import EngineAPI
import Foundation
import StableDiffusion

extension OpenedSpace {
    /// What the base model is, for the screen that shows a model without a weight space.
    /// - Parameter loader: its networks, loaded or not.
    /// - Returns: a line for each fact, the most telling first.
    public func facts(_ loader: PipelineLoader) -> [ModelFact] {
        let (unet, vae, text) = (model.unetConfiguration, model.vaeConfiguration, model.textConfiguration)
        func millions(_ count: Int) -> String {
            String(format: count < 9_950_000 ? "%.1f M weights" : "%.0f M weights", Double(count) / 1e6)
        }
        let family =
            switch (unet.crossAttentionDim, unet.useLinearProjection) {
            case (768, false): "Stable Diffusion 1.x"
            case (1024, true): "Stable Diffusion 2.x"
            default: "of Stable Diffusion's kind"
            }
        let predicts: String = (try? model.schedulerConfiguration.optional("prediction_type")) ?? "epsilon"
        let sampler: String? = try? model.schedulerConfiguration.optional("_class_name")
        let size = (unet.sampleSize ?? 64) * vae.downscale
        let counts = loader.parameterCounts
        let widths = unet.levels.map(\.channels)
        let bytes = Double(loader.totalBytes)
        var facts = [
            ModelFact("kind", "\(family), \(model.url.fileKind == .file ? "one file" : "a folder")"),
            ModelFact("on disk", bytes < 1e9 ? String(format: "%.0f MB", bytes / 1e6) : String(format: "%.1f GB", bytes / 1e9)),
            ModelFact(
                "U-Net", "\(millions(counts.unet)), \(widths.min() ?? 0) to \(widths.max() ?? 0) wide"),
            ModelFact("text model", "\(millions(counts.text)), \(text.hiddenSize) wide"),
            ModelFact("image VAE", "\(millions(counts.vae)), \(vae.latentChannels) × 1/\(vae.downscale)"),
            ModelFact("trained at", "\(size) × \(size) pixels"),
            ModelFact(
                "predicts",
                predicts == "v_prediction" ? "velocity" : predicts == "sample" ? "the clean latents" : "noise"),
            ModelFact(
                "sampler",
                space.unknownSampler.map { "\($0) is not known; \(space.manifest.defaults.scheduler.rawValue) draws" } ?? sampler
                    ?? "not named"),
        ]
        for adapter in adapters {
            let name = (adapter.file.file as NSString).lastPathComponent
            facts.append(ModelFact("adapter", adapter.multiplier == 1 ? name : "\(name) × \(adapter.multiplier)"))
        }
        return facts
    }
}
