import Checkpoints
import Foundation
import TensorKit

/// Where the vectors of a training run come from: a space folder, or a `weights.safetensors` with its layout and labels beside it.
public struct TrainingSource {
    public let weightsURL: URL
    public let layoutURL: URL
    /// Nil when there are no labels; identities are then called by their row.
    public let identitiesURL: URL?
    /// The base model, or nil when none lies beside the weights.
    public let baseURL: URL?
    public let layout: LoRALayout
    public let labels: IdentityLabels
    /// [N, n]
    public let weights: TensorEntry
    public let name: String
    public let defaults: SpaceManifest.Defaults
    /// The space that the vectors are the own ones of, or nil.
    let space: (folder: URL, manifest: SpaceManifest)?

    /// Opens a source.
    /// - Parameter path: a space folder or a safetensors file.
    /// - Throws: `SpaceError`, `CheckpointError`: what is missing or does not fit.
    public init(_ path: URL) throws {
        guard let kind = path.fileKind else {
            throw SpaceError(
                "\(path.path): there is no such file or folder", advice: "Name a weights.safetensors or a space folder.")
        }
        let folder = kind == .folder ? path : path.deletingLastPathComponent()
        let manifestURL = folder.appendingPathComponent("space.json")
        let exists = { (url: URL) in FileManager.default.fileExists(atPath: url.path) }
        let manifest = exists(manifestURL) ? try SpaceManifest(contentsOf: manifestURL) : nil
        if kind == .folder, manifest == nil {
            throw SpaceError(
                "\(path.path): holds no space.json",
                advice: "Name a weights.safetensors or a space folder; `w2w import` makes one of torch files and adapters.")
        }
        func part(_ part: SpaceManifest.Part, _ usual: String) -> URL? {
            let url = Space.url(manifest?.paths[part] ?? usual, folder: folder)
            return exists(url) ? url : nil
        }
        weightsURL = kind == .folder ? part(.weights, "weights.safetensors") ?? path : path
        guard kind == .file || weightsURL != path else {
            throw SpaceError(
                "\(path.path): this space carries no LoRA vectors to train on", advice: "Name a weights.safetensors instead.")
        }
        guard let layoutURL = part(.layout, "layout.json") else {
            throw SpaceError(
                "\(folder.path): there is no layout.json beside the weights",
                advice:
                    "It says which layer each number belongs to; put it there, or make a space of torch files by `w2w import`.")
        }
        self.layoutURL = layoutURL
        let isOwn = part(.weights, "weights.safetensors")?.resolvingSymlinksInPath() == weightsURL.resolvingSymlinksInPath()
        space = isOwn ? manifest.map { (folder, $0) } : nil
        layout = try LoRALayout(contentsOf: layoutURL)
        identitiesURL = part(.identities, "identities.csv")
        baseURL = part(.base, "base")
        weights = try StateDictionary(safetensors: weightsURL).entry("weights")
        let read = try identitiesURL.map(IdentityLabels.init(contentsOf:))
        let rows = read?.count ?? weights.shape.first ?? 0
        guard weights.shape == [rows, layout.vectorLength] else {
            throw CheckpointError(
                file: weightsURL.path,
                problem: .wrongShape(
                    tensor: "weights", expected: "[\(rows) identities, \(layout.vectorLength) numbers of the layout]",
                    found: weights.shape))
        }
        labels =
            read ?? IdentityLabels(names: (0..<rows).map { String(format: "p%05d", $0 + 1) }, attributeNames: [], values: [])
        name = manifest?.name ?? folder.lastPathComponent
        defaults = manifest?.defaults ?? SpaceManifest.Defaults()
    }
}
