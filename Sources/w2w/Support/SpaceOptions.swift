import ArgumentParser
import EngineAPI
import Foundation
import WeightSpace

extension WeightModel: ExpressibleByArgument {}

/// `--space DIR` and `--model`, for every command that opens a space.
struct SpaceOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The space to open, a folder with space.json; without it the built-in one.", valueName: "dir"))
    var space: String?

    @Option(help: "The model whose coordinates count; without it the weight VAE, or the PCA of a space that has no VAE.")
    var model: WeightModel?

    var source: SpaceSource {
        space.map { SpaceSource.folder(($0 as NSString).expandingTildeInPath) } ?? .builtIn
    }

    func validate() throws {
        guard let space else { return }
        let folder = (space as NSString).expandingTildeInPath
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder) else {
            throw ValidationError("There is no folder '\(space)'. '--space' takes a folder that holds a space.json.")
        }
        let known = ["space.json", "model_index.json"].contains { FileManager.default.fileExists(atPath: folder + "/" + $0) }
        guard isFolder.boolValue, known else {
            throw ValidationError("'\(space)' is not a space: it holds no space.json.")
        }
    }
}

extension SpaceOptions {
    /// The space itself, for commands that need no engine.
    /// - Throws: what opening it throws.
    func open() throws -> Space {
        switch source {
        case .builtIn: try Space.builtIn()
        case .folder(let path): try Space(URL(fileURLWithPath: path))
        }
    }
}
