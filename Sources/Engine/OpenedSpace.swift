import EngineAPI
import Foundation
import StableDiffusion
import TensorKit
import WeightSpace

/// What `--space` names, opened: a space folder, a diffusers folder or a checkpoint in one file, with LoRA files to be added. Every command opens by
/// this.
public struct OpenedSpace {
    public let space: Space
    public let model: ModelFolder
    let adapters: [(file: LoRAFile, multiplier: Float)]

    /// Opens the small files of everything; weights are read by a loader.
    /// - Throws: `SpaceError`, `StableDiffusionError`, `CheckpointError`, `StateDictionaryMismatch`: what is wrong, in which file, what to do.
    public init(_ source: SpaceSource) throws {
        switch source {
        case .builtIn:
            space = try Space.builtIn()
            model = try ModelFolder(space.baseFolder)
            adapters = []
        case .folder(let path):
            let url = URL(fileURLWithPath: path)
            let isSpace = FileManager.default.fileExists(atPath: url.appendingPathComponent("space.json").path)
            if !isSpace, ModelFolder.isModel(url) || Self.isPart(url) || url.fileKind == .file {
                model = try ModelFolder(url)
                space = try Space(model: model)
            } else {
                space = try Space(url)
                model = try ModelFolder(space.baseFolder)
            }
            adapters = []
        case .adapted(let inner, let files):
            let opened = try OpenedSpace(inner)
            (space, model) = (opened.space, opened.model)
            adapters =
                try opened.adapters
                + files.map {
                    (try LoRAFile(URL(fileURLWithPath: ($0.path as NSString).expandingTildeInPath)), $0.multiplier)
                }
        }
        // Codes show other faces on a changed base model.
        space.baseChanges = adapters.map { "adapter \($0.file.digest) \($0.multiplier)" }
    }

    /// A folder of diffusers that holds one part: opening it as a model says so.
    private static func isPart(_ url: URL) -> Bool {
        FileManager.default.fileExists(atPath: url.appendingPathComponent("config.json").path)
    }

    /// Chooses the model whose coordinates count.
    /// - Throws: `SpaceError` when the space has none of the kind.
    public func use(_ model: WeightModel) throws { try space.use(model.kind) }

    /// What the commands know of the space, without the directions that a person keeps.
    /// - Throws: `CheckpointError` when a part cannot be read for the fingerprint.
    public func description() throws -> SpaceDescription { try SpaceDescription(space, shelf: DirectionShelf(directory: "")) }

    /// The LoRA vector of a subject.
    /// - Returns: [1, n]
    /// - Throws: `SpaceError` for the base model, which has none, and for somebody of another space.
    public func vector(of subject: Subject) throws -> Tensor { try space.vector(of: subject) }

    /// A loader for the networks, its files checked.
    /// - Throws: what `PipelineLoader` says of the files, and `StateDictionaryMismatch` for a layout of another model.
    public func loader() throws -> PipelineLoader {
        let loader = try PipelineLoader(model, adapters: adapters)
        try space.check(loader.unet)
        return loader
    }
}
