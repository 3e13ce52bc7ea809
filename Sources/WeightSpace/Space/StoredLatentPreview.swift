import Checkpoints
import Foundation
import StableDiffusion

/// A fitted `LatentPreview` in a file: with a space as its part `latent_preview`, or in the cache folder under the digest of its model.
public struct StoredLatentPreview: Sendable, Equatable {
    public var preview: LatentPreview
    /// `Space.baseDigest` of the model that it was fitted to.
    public var model: String
    /// Share of the variance of decoded colours (at an eighth of the size) that the map explains on pictures left out of the fit.
    public var r2: Double
    /// Number of pictures that it was fitted to.
    public var pictures: Int

    public init(preview: LatentPreview, model: String, r2: Double, pictures: Int) {
        self.preview = preview
        self.model = model
        self.r2 = r2
        self.pictures = pictures
    }

    /// Reads a file.
    /// - Throws: `CheckpointError` that names the key at fault.
    public init(contentsOf url: URL) throws {
        let json = try JSONConfiguration(contentsOf: url)
        guard try json.require("format", as: Int.self) == 1 else { throw json.wrong("format", expected: "1") }
        try json.refuseKeys(besides: ["format", "model", "coefficients", "r2", "pictures"])
        let coefficients = try json.require("coefficients", as: [[Float]].self)
        guard let preview = LatentPreview(coefficients: coefficients), coefficients.allSatisfy({ $0.allSatisfy(\.isFinite) })
        else { throw json.wrong("coefficients", expected: "three lists of one length, for red, green and blue") }
        self.preview = preview
        model = try json.require("model")
        r2 = try json.value("r2", default: 0)
        pictures = try json.value("pictures", default: 0)
    }

    /// Writes the file whole.
    /// - Throws: what writing says of the folder.
    public func write(to url: URL) throws {
        let rows = preview.coefficients.map { JSONValue.array($0.map(JSONValue.float)) }
        let json = JSONValue.object([
            .init("format", .integer(1)), .init("model", .string(model)), .init("coefficients", .array(rows)),
            .init("r2", .number((r2 * 1e4).rounded() / 1e4)), .init("pictures", .integer(pictures)),
        ])
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data((json.text() + "\n").utf8).write(to: url, options: .atomic)
    }

    /// Where the preview of a model lies that belongs to no space.
    public static func cacheURL(model: String, cacheDirectory: String) -> URL {
        URL(fileURLWithPath: cacheDirectory).appendingPathComponent("latent-previews/\(model).json")
    }
}

extension Space {
    /// SHA-256 that stands for the base model: over the recorded sums of its files, or over what `BaseDigest` takes of them.
    /// - Throws: `CheckpointError` when a part cannot be read.
    public func baseDigest() throws -> String {
        let base = manifest.paths[.base] ?? "base"
        let recorded = manifest.digests.filter { $0.key.hasPrefix(base + "/") }
        let digests = try recorded.isEmpty ? BaseDigest.digests(baseFolder, prefix: base) : recorded
        let lines = digests.map { "\($0.key.dropFirst(base.count)) \($0.value)" }.sorted()
        return SHA256.hexDigest(ofText: lines.joined(separator: "\n"))
    }

    /// The linear preview that was fitted to this base model: the space's own, or the one in the cache folder.
    /// - Parameter cacheDirectory: the cache folder of the program.
    /// - Returns: nil when none was fitted yet.
    /// - Throws: `CheckpointError` for a damaged part of the space, `SpaceError` for one of another model.
    public func latentPreview(cacheDirectory: String) throws -> StoredLatentPreview? {
        let model = try baseDigest()
        if let path = manifest.paths[.latentPreview] {
            let url = Self.url(path, folder: folder)
            let stored = try StoredLatentPreview(contentsOf: url)
            guard stored.model == model else {
                throw SpaceError(
                    "\(url.path): was fitted to another base model",
                    advice: "Fit it anew with `w2w fit-preview --space \(folder.path)`.")
            }
            return stored
        }
        let cached = StoredLatentPreview.cacheURL(model: model, cacheDirectory: cacheDirectory)
        // What was cached can be made again: a damaged file counts as none.
        return (try? StoredLatentPreview(contentsOf: cached)).flatMap { $0.model == model ? $0 : nil }
    }

    /// Keeps a preview with the space, listed in `space.json` with its hash.
    /// - Returns: the file.
    /// - Throws: what writing says of the folder.
    @discardableResult
    public func keep(_ stored: StoredLatentPreview) throws -> URL {
        let path = manifest.paths[.latentPreview] ?? "latent_preview.json"
        let url = Self.url(path, folder: folder)
        try SpaceWriter.replace([(path, .latentPreview)], in: folder) {
            try stored.write(to: $0.appendingPathComponent(url.lastPathComponent))
        }
        return url
    }

    /// A tiny decoder for looks in between, where the user has one: the part `tiny_decoder` of the space, or beside the base model
    /// `taesd_decoder.safetensors` or a diffusers folder `tiny_decoder` or `taesd`.
    public var tinyDecoderURL: URL? {
        if let path = manifest.paths[.tinyDecoder] { return Self.url(path, folder: folder) }
        let candidates = ["taesd_decoder.safetensors", "tiny_decoder", "taesd"].map(baseFolder.appendingPathComponent)
        return candidates.first { FileManager.default.fileExists(atPath: $0.path) }
    }
}
