import Engine
import EngineAPI
import Foundation
import WeightSpace

extension SpaceOptions {
    /// The space for commands that need no base model, with the model that was asked for.
    /// - Throws: `SpaceError`, `CheckpointError` when it cannot be opened or has no such model.
    func openedSpace() throws -> Space {
        let opened = try OpenedSpace(source).space
        switch model {
        case .vae: try opened.use(.vae)
        case .pca: try opened.use(.pca)
        case nil: break
        }
        return opened
    }
}
