import Checkpoints
import Foundation

/// A folder that appears whole or not at all: it comes into being beside its place under a hidden name and moves there at the end. What killed
/// processes left of such folders is cleared by the next one of the same name.
public enum DraftFolder {
    /// Fills a folder.
    /// - Parameters:
    ///   - folder: not there yet, or empty when it is moved.
    ///   - write: writes everything into the folder it is given.
    /// - Returns: what `write` returns.
    /// - Throws: what `write` throws, `CheckpointError` when the folder cannot be made or moved; nothing is left then.
    public static func fill<Result>(_ folder: URL, write: (URL) throws -> Result) throws -> Result {
        // A final slash would make the parent's name of it.
        let place = URL(fileURLWithPath: folder.standardizedFileURL.resolvingSymlinksInPath().path)
        let parent = place.deletingLastPathComponent()
        try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
        guard let draft = make(in: parent, mark: ".\(place.lastPathComponent).w2w-") else { throw failure(place) }
        do {
            let result = try write(draft)
            // Takes the place of an empty folder, too.
            guard rename(draft.path, place.path) == 0 else { throw failure(place) }
            return result
        } catch {
            try? FileManager.default.removeItem(at: draft)
            throw error
        }
    }

    private static func failure(_ place: URL) -> CheckpointError {
        CheckpointError(file: place.path, problem: .unwritable(reason: String(cString: strerror(errno))))
    }

    /// A new hidden folder, after those that killed processes left there are cleared.
    /// - Parameters:
    ///   - parent: where it lies.
    ///   - mark: what its name begins with; a dot first.
    /// - Returns: nil where it cannot be made; `errno` says why.
    static func make(in parent: URL, mark: String) -> URL? {
        sweep(parent, mark: mark)
        let draft = parent.appendingPathComponent("\(mark)\(getpid())-\(UInt32.random(in: 0 ... .max)).part")
        return mkdir(draft.path, 0o755) == 0 ? draft : nil
    }

    private static func sweep(_ parent: URL, mark: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? [] {
            guard name.hasPrefix(mark), name.hasSuffix(".part"),
                let owner = name.dropFirst(mark.count).split(separator: "-").first.flatMap({ pid_t($0) }),
                kill(owner, 0) != 0, errno == ESRCH
            else { continue }
            try? FileManager.default.removeItem(at: parent.appendingPathComponent(name))
        }
    }
}
