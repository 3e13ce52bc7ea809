import Foundation

extension SpaceWriter {
    /// What belongs to the people and the base model of a space, so that it is as true in a new space around the same vectors.
    static let carriedParts: [SpaceManifest.Part] = [.embedder, .photos, .pca, .latentPreview, .tinyDecoder]

    /// Brings in the parts that another space around the same vectors has already. Small files are copied; what lies in folders, and weights
    /// that are no part of a space's format (FaceNet's, a tiny decoder's), go the way of the base model. Parts that this space has stay.
    /// - Parameters:
    ///   - source: where the vectors come from; carries nothing unless they are a space's own.
    ///   - placement: copied into the space, or named where they lie.
    /// - Throws: `CheckpointError` or `CocoaError` when a file cannot be read or written.
    mutating func carry(from source: TrainingSource, _ placement: Placement) throws {
        guard let origin = source.space else { return }
        for part in Self.carriedParts where manifest.paths[part] == nil {
            guard let path = origin.manifest.paths[part] else { continue }
            let from = Space.url(path, folder: origin.folder)
            let isOwn = !path.hasPrefix("/") && from.fileKind == .file
            switch from.fileKind {
            case nil: continue
            case .file where isOwn && [.embedder, .pca, .latentPreview].contains(part):
                try carryFile(from, path, as: part)
            case .folder where placement == .copy && part == .photos:
                try carryPhotos(from)
            default:
                manifest.paths[part] = from.resolvingSymlinksInPath().path
            }
        }
    }

    /// A file, and the weights beside a description (embedder.json, embedder.safetensors).
    private mutating func carryFile(_ from: URL, _ path: String, as part: SpaceManifest.Part) throws {
        let weights = from.deletingPathExtension().appendingPathExtension("safetensors")
        if from.pathExtension == "json", weights.fileKind == .file {
            try place(weights, as: weights.lastPathComponent, part, .copy)
        }
        try place(from, as: from.lastPathComponent, part, .copy)
    }

    /// The photographs, and the table of their captions beside the folder.
    private mutating func carryPhotos(_ from: URL) throws {
        let to = folder.appendingPathComponent("photos")
        if from.resolvingSymlinksInPath() != to.resolvingSymlinksInPath() {
            try FileManager.default.createDirectory(at: to, withIntermediateDirectories: true)
            for name in try FileManager.default.contentsOfDirectory(atPath: from.path) {
                let file = from.appendingPathComponent(name)
                if file.fileKind == .file { try Self.copy(file, to: to.appendingPathComponent(name)) }
            }
            let captions = from.appendingPathExtension("tsv")
            if captions.fileKind == .file { try Self.copy(captions, to: to.appendingPathExtension("tsv")) }
        }
        manifest.paths[.photos] = "photos"
    }
}
