import ArgumentParser
import Checkpoints
import EngineAPI
import Foundation

extension WeightModel: ExpressibleByArgument {}

/// `--space PATH`, `--model` and `--adapter`, for every command that opens a space.
struct SpaceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What to open: a space, a diffusers folder, or a checkpoint (.safetensors, .ckpt); without it the built-in space.",
            valueName: "path"))
    var space: String?

    @Option(
        help: ArgumentHelp(
            "A LoRA file or PEFT folder that is added to the base model's weights; may be given several times.", valueName: "file"
        ))
    var adapter: [String] = []

    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("How much of each adapter, in their order; without it 1.", valueName: "x"))
    var multiplier: [Float] = []

    @Option(help: "The model whose coordinates count; without it the weight VAE, or the PCA of a space that has no VAE.")
    var model: WeightModel?

    var source: SpaceSource {
        let inner = space.map { SpaceSource.folder(($0 as NSString).expandingTildeInPath) } ?? .builtIn
        guard !adapter.isEmpty else { return inner }
        let files = adapter.enumerated().map { index, path in
            AdapterFile(
                path: (path as NSString).expandingTildeInPath, multiplier: index < multiplier.count ? multiplier[index] : 1)
        }
        return .adapted(inner, files)
    }

    func validate() throws {
        guard multiplier.count <= adapter.count else {
            throw ValidationError(
                "There are \(multiplier.count) --multiplier for \(adapter.count) --adapter. Give one for each, or none.")
        }
        for value in multiplier where !value.isFinite { throw ValidationError("'--multiplier \(value)' is no number.") }
        for path in adapter where !FileManager.default.fileExists(atPath: (path as NSString).expandingTildeInPath) {
            throw ValidationError("There is no file '\(path)'. '--adapter' takes a LoRA file or a folder of PEFT.")
        }
        guard let space else { return }
        let folder = (space as NSString).expandingTildeInPath
        guard let kind = URL(fileURLWithPath: folder).fileKind else {
            throw ValidationError(
                "There is no file or folder '\(space)'. '--space' takes a space, a diffusers folder or a checkpoint.")
        }
        func holds(_ file: String) -> Bool { FileManager.default.fileExists(atPath: "\(folder)/\(file)") }
        if kind == .folder, !holds("model_index.json"), holds("adapter_config.json") || holds("unet/adapter_config.json") {
            throw ValidationError("'\(space)' is a LoRA adapter. Give it with --adapter, and a whole model with --space.")
        }
        let known = ["space.json", "model_index.json", "config.json"]
        guard kind == .file || known.contains(where: holds) else {
            throw ValidationError("'\(space)' is neither a space nor a model: it holds no space.json and no model_index.json.")
        }
    }
}
