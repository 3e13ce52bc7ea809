import ArgumentParser
import Checkpoints
import Foundation
import ImageCore

/// Checks on files to be written, before minutes of work go into what cannot be kept.
enum OutputFile {
    /// Refuses a name of an unknown kind and a folder that is not there.
    /// - Parameters:
    ///   - path: The file.
    ///   - kinds: Endings that can be written, without the dot.
    /// - Throws: `ValidationError`.
    static func validate(_ path: String, kinds: [String]) throws {
        let kind = (path as NSString).pathExtension.lowercased()
        guard kinds.contains(kind) else {
            let known = kinds.map { ".\($0)" }.joined(separator: ", ")
            throw ValidationError(
                kind.isEmpty
                    ? "'\(path)' does not say what kind of file it is. Let its name end in \(known)."
                    : "'\(path)': .\(kind) is no kind of file that can be written here. Let its name end in \(known).")
        }
        let parent = (path as NSString).deletingLastPathComponent
        guard parent.isEmpty || URL(fileURLWithPath: parent).fileKind == .folder else {
            throw ValidationError("There is no folder '\(parent)' to write '\(path)' into. Make it first.")
        }
        guard access(parent.isEmpty ? "." : parent, W_OK) == 0 else {
            throw ValidationError("The folder of '\(path)' cannot be written.")
        }
    }

    /// Refuses a folder into which nothing can be written; of one that is not there yet, the one that it would lie in counts.
    /// - Parameters:
    ///   - folder: Where the results shall go.
    ///   - advice: What to do instead.
    /// - Throws: `CommandFailure`.
    static func checkFolder(_ folder: URL, advice: String = "Give --out a folder that can be written.") throws {
        var place = folder.standardizedFileURL
        while access(place.path, F_OK) != 0, errno == ENOENT, place.path != "/" { place.deleteLastPathComponent() }
        guard access(place.path, W_OK) == 0 else {
            throw CommandFailure("\(place.path): cannot be written (\(String(cString: strerror(errno)))).", advice: advice)
        }
    }

    /// Refuses a folder for results that holds something already.
    /// - Parameters:
    ///   - path: A folder that is empty or not there yet.
    ///   - known: Names of files that may lie there.
    ///   - undone: What has not happened, for the message.
    /// - Throws: `CommandFailure`.
    static func checkEmptyFolder(
        _ path: String, besides known: Set<String> = [], undone: String = "nothing was written"
    ) throws {
        let place = (path as NSString).expandingTildeInPath
        let names = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
        let others = names.count { !known.contains($0) }
        guard others > 0 else { return }
        throw CommandFailure(
            "the folder '\(path)' holds \(others) files already; \(undone).",
            advice: "Give --out another folder, or empty this one.")
    }

    /// Makes a folder for results.
    /// - Parameter path: A folder that is empty or not there yet.
    /// - Throws: `CommandFailure` when it holds something already or cannot be made.
    static func makeEmptyFolder(_ path: String) throws {
        try checkEmptyFolder(path)
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw CommandFailure(
                "the folder '\(path)' cannot be made: \(String(cString: strerror(errno))).", advice: "Give --out another.")
        }
    }
}
