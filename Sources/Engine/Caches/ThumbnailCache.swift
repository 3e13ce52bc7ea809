import Foundation
import ImageCore

/// Small finished pictures on disk: PNG files `thumbnails/ab/abcd….png`, written whole, bounded in size. A damaged file counts as missing;
/// a folder that cannot be written means that nothing is kept.
final class ThumbnailCache {
    /// The longest side of a picture that is kept, in pixels.
    static let longestSide = 128

    private let folder: String
    private let limit: Int
    /// Bytes on disk as far as known; nil before the folder was looked at.
    private var size: Int?

    /// - Parameters:
    ///   - directory: The cache folder of the program.
    ///   - limit: The most that all files together may take, in bytes.
    init(directory: String, limit: Int = 128 << 20) {
        folder = directory + "/thumbnails"
        self.limit = limit
    }

    /// The picture kept under a name.
    /// - Parameter key: 64 hexadecimal digits.
    /// - Returns: nil when there is none that can be read.
    func image(for key: String) -> RGBImage? {
        let file = path(of: key)
        guard let bytes = try? WholeFile.read(file, limit: 1 << 22) else { return nil }
        guard let image = try? RGBImage(pngData: bytes), max(image.width, image.height) <= Self.longestSide else {
            // Damaged: out of the way, so that it is made anew.
            unlink(file)
            return nil
        }
        // The time of the last use decides what goes first.
        utimes(file, nil)
        return image
    }

    /// Keeps a picture; not being able to is no error.
    func insert(_ image: RGBImage, for key: String) {
        guard let bytes = try? image.pngData(fast: true) else { return }
        let file = path(of: key)
        let parent = (file as NSString).deletingLastPathComponent
        var isWritten = (try? WholeFile.write(bytes, to: file)) != nil
        if !isWritten {
            try? FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
            isWritten = (try? WholeFile.write(bytes, to: file)) != nil
        }
        guard isWritten else { return }
        let known = size.map { $0 + bytes.count } ?? measured()
        size = known > limit ? prune() : known
    }

    private func path(of key: String) -> String { "\(folder)/\(key.prefix(2))/\(key).png" }

    private struct File {
        var path: String
        var bytes: Int
        var used: Int
    }

    private func files() -> [File] {
        let manager = FileManager.default
        let groups = (try? manager.contentsOfDirectory(atPath: folder)) ?? []
        return groups.flatMap { group -> [File] in
            let parent = "\(folder)/\(group)"
            return ((try? manager.contentsOfDirectory(atPath: parent)) ?? []).compactMap { name in
                var status = stat()
                guard stat("\(parent)/\(name)", &status) == 0 else { return nil }
                return File(path: "\(parent)/\(name)", bytes: Int(status.st_size), used: status.st_mtim.tv_sec)
            }
        }
    }

    private func measured() -> Int { files().reduce(0) { $0 + $1.bytes } }

    /// Removes the files unused for longest until four fifths of the limit are left.
    private func prune() -> Int {
        let all = files().sorted { $0.used < $1.used }
        var total = all.reduce(0) { $0 + $1.bytes }
        for file in all {
            if total <= limit / 5 * 4 { break }
            if unlink(file.path) == 0 { total -= file.bytes }
        }
        return total
    }
}
