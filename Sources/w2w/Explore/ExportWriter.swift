import Explorer
import Foundation
import ImageCore

/// Writes what a person exports. A file that exists is never replaced.
enum ExportWriter {
    /// Writes one export.
    /// - Parameter request: content and wished path; `~` is the home folder, missing folders are made.
    /// - Returns: the path that was taken: a number is added where the wished one exists.
    /// - Throws: `ImageFileError`, `CocoaError` when the file cannot be written; nothing is left half done.
    static func write(_ request: ExportRequest) throws -> String {
        let wished = (request.path as NSString).expandingTildeInPath
        let folder = (wished as NSString).deletingLastPathComponent
        if !folder.isEmpty {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        let path = freePath(wished)
        switch request.content {
        case .picture(let image):
            try image.writePNG(to: path, text: request.metadata)
        case .strip(let images):
            try RGBImage.strip(images, gap: 2).writePNG(to: path, text: request.metadata)
        case .animation(let images, let seconds):
            try Animation(frames: images, secondsPerFrame: seconds, text: request.metadata).write(to: path)
        }
        return path
    }

    /// `walk.png`, or `walk-2.png` where that exists, and so on.
    private static func freePath(_ wished: String) -> String {
        guard FileManager.default.fileExists(atPath: wished) else { return wished }
        let ending = (wished as NSString).pathExtension
        let stem = (wished as NSString).deletingPathExtension
        var number = 2
        while true {
            let path = ending.isEmpty ? "\(stem)-\(number)" : "\(stem)-\(number).\(ending)"
            if !FileManager.default.fileExists(atPath: path) { return path }
            number += 1
        }
    }
}
