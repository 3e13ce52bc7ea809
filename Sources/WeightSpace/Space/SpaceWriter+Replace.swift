import Checkpoints
import Foundation

extension SpaceWriter {
    /// Exchanges parts of a space that is there already, or adds them. Whatever happens on the way, the space opens and no recorded SHA-256
    /// contradicts its file: the new files come into being in a folder beside the old ones, `space.json` forgets the sums of what is about to
    /// change, the files take their places, `space.json` records the new sums.
    /// - Parameters:
    ///   - parts: paths as `space.json` has them, all in one folder; of paths of one part the last is named.
    ///   - folder: of the space.
    ///   - adjust: changes what else `space.json` says, before the new files take their places.
    ///   - write: writes the files of these names into the folder it is given.
    /// - Throws: what `write` throws, `CheckpointError` when a file cannot be written; the space is as it was then, but that sums of its old
    ///   files may be missing.
    public static func replace(
        _ parts: [(path: String, part: SpaceManifest.Part)], in folder: URL,
        adjust: ((inout SpaceManifest) -> Void)? = nil, write: (URL) throws -> Void
    ) throws {
        guard let first = parts.first else { return }
        let place = Space.url(first.path, folder: folder).deletingLastPathComponent()
        guard let draft = DraftFolder.make(in: place, mark: ".w2w-") else {
            throw CheckpointError(
                file: Space.url(first.path, folder: folder).path, problem: .unwritable(reason: String(cString: strerror(errno))))
        }
        defer { try? FileManager.default.removeItem(at: draft) }
        try write(draft)
        let files = try parts.map { path, part in
            let url = Space.url(path, folder: folder)
            let new = draft.appendingPathComponent(url.lastPathComponent)
            return (path: path, part: part, new: new, url: url, digest: try SHA256.hexDigest(of: new))
        }
        // Read only now: another program may have added something while this one worked.
        var writer = try SpaceWriter(existing: folder)
        adjust?(&writer.manifest)
        if adjust != nil || files.contains(where: { writer.manifest.digests[$0.path] != nil }) {
            for file in files { writer.manifest.digests[file.path] = nil }
            try writer.finish()
        }
        for file in files {
            guard rename(file.new.path, file.url.path) == 0 else {
                throw CheckpointError(file: file.url.path, problem: .unwritable(reason: String(cString: strerror(errno))))
            }
            writer.manifest.paths[file.part] = file.path
            writer.manifest.digests[file.path] = file.digest
        }
        try writer.finish()
    }
}
