import Checkpoints
import Foundation

/// Digests of a base model that the manifest does not record, cheap enough for a model of several gigabytes to be told from another at every
/// start.
///
/// A file of weights stands for the names, types, shapes and numbers of its tensors: SHA-256 over all of the first three and over
/// samples of the numbers, at most 4 KB of each tensor, spread evenly over it with both ends (of a small tensor everything). A fine-tune
/// changes whole tensors, so models of equal layout and other weights differ; a single number that was changed in a large tensor goes unseen.
/// A file that is no file of tensors stands for its size, its first megabyte and its last 64 KB. Other files count whole.
enum BaseDigest {
    /// Samples of one tensor, and the bytes of each.
    private static let samples = (count: 4, bytes: 1024)

    /// Folders of parts that no picture depends on.
    private static let withoutInfluence: Set<String> = ["safety_checker", "feature_extractor"]

    /// - Parameters:
    ///   - folder: a diffusers folder, or a checkpoint in one file.
    ///   - prefix: what the names of the files begin with.
    /// - Returns: a digest for each file of weights or configuration, by name.
    /// - Throws: `CheckpointError` when a file cannot be read.
    static func digests(_ folder: URL, prefix: String) throws -> [String: String] {
        if folder.fileKind == .file { return [prefix: try weights(folder)] }
        var result = [String: String]()
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        while let url = files?.nextObject() as? URL {
            let name = String(url.path.dropFirst(folder.path.count).drop { $0 == "/" })
            if let top = name.split(separator: "/").first, withoutInfluence.contains(String(top)) { continue }
            switch url.pathExtension {
            case "safetensors", "bin": result[prefix + "/" + name] = try weights(url)
            case "json", "txt": result[prefix + "/" + name] = try SHA256.hexDigest(of: url)
            default: break
            }
        }
        return result
    }

    private static func weights(_ url: URL) throws -> String {
        guard let state = try? StateDictionary(opening: url) else { return try ends(url) }
        state.expectScatteredReads()
        var bytes = [UInt8]()
        for entry in state.entries.sorted(by: { $0.name < $1.name }) {
            bytes += Array("\(entry.name) \(entry.elementType.rawValue) \(entry.shape)\n".utf8)
            entry.withBytes { content in
                let length = samples.bytes
                guard content.count > samples.count * length else { return bytes += content }
                for index in 0..<samples.count {
                    let start = (content.count - length) * index / (samples.count - 1)
                    bytes += content[start..<(start + length)]
                }
            }
        }
        return bytes.withUnsafeBytes { SHA256.hexDigest(of: $0) }
    }

    private static func ends(_ url: URL) throws -> String {
        let file = try MappedFile(url)
        let parts = [file.bytes.prefix(1 << 20), file.bytes.suffix(1 << 16)].map {
            SHA256.hexDigest(of: UnsafeRawBufferPointer(rebasing: $0))
        }
        return SHA256.hexDigest(ofText: "\(file.bytes.count) \(parts[0]) \(parts[1])")
    }
}
