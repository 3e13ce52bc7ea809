import Checkpoints
import Foundation
import TensorKit

/// An opened space: a folder with a base model, LoRA vectors of identities, and a weight VAE that gives them coordinates.
///
/// Large tensors stay mapped and are read when they are asked for. A space holds a network and therefore belongs to one queue.
public final class Space {
    public let folder: URL
    public let manifest: SpaceManifest
    public let layout: LoRALayout
    /// Names and labels; empty when the space has no `identities.csv`.
    public let identities: IdentityLabels
    /// The LoRA vectors [N, n], or nil when the space does not carry them.
    public let weights: TensorEntry?
    /// The decoder of codes, or nil when the space has none yet.
    public let vae: WeightVAE?
    /// What the training recorded, or nil.
    public let record: TrainingRecord?
    /// Posterior means [N, latentDim] of the identities, row-major; empty without a VAE.
    public let codes: [Float]
    /// Posterior log variances [N, latentDim], row-major; empty without a VAE.
    public let codeLogVariances: [Float]
    /// One per coordinate of a code; empty without a VAE.
    public let axes: [LatentAxis]

    /// Opens a space strictly: every part that `space.json` names must be there, whole, and fit the others.
    /// - Parameters:
    ///   - folder: holds `space.json`.
    ///   - verifying: also compares the parts with their recorded SHA-256, which reads all of them.
    /// - Throws: `SpaceError`, `CheckpointError` or `StateDictionaryMismatch`: what is wrong, in which file, what to do.
    public init(_ folder: URL, verifying: Bool = false) throws {
        self.folder = folder
        let manifestURL = folder.appendingPathComponent("space.json")
        guard FileManager.default.fileExists(atPath: manifestURL.path) else {
            throw SpaceError(
                "\(folder.path): is not a space, it holds no space.json", advice: "Name a folder that `w2w train` has written.")
        }
        let manifest = try SpaceManifest(contentsOf: manifestURL)
        self.manifest = manifest
        let locate = { (part: SpaceManifest.Part) throws -> URL? in try Self.locate(part, manifest: manifest, folder: folder) }
        guard try locate(.base) != nil, let layoutURL = try locate(.layout) else {
            throw SpaceError("\(manifestURL.path): names no base model or no layout")
        }
        if verifying { try Self.verify(manifest, folder: folder) }
        let layout = try LoRALayout(contentsOf: layoutURL)
        self.layout = layout
        let labels = try locate(.identities).map(IdentityLabels.init(contentsOf:))
        weights = try locate(.weights).map { try Self.weights($0, layout: layout, labels: labels) }
        identities = labels ?? IdentityLabels(names: [], attributeNames: [], values: [])
        if let configurationURL = try locate(.vae) {
            let json = try JSONConfiguration(contentsOf: configurationURL)
            let configuration = try WeightVAEConfiguration(json)
            try Self.check(configuration, fits: layout, file: configurationURL.path)
            let weightsURL = configurationURL.deletingPathExtension().appendingPathExtension("safetensors")
            vae = try WeightVAE(weights: weightsURL, configuration: configuration)
            record = try TrainingRecord(json)
            let dimension = configuration.latentDim
            let stored = try locate(.codes).map { try Self.codes($0, rows: labels?.count, dimension: dimension) }
            (codes, codeLogVariances) = stored ?? ([], [])
            axes = try locate(.axes).map { try Self.axes($0, dimension: dimension) } ?? []
            if axes.isEmpty || (labels != nil && stored == nil) {
                throw SpaceError(
                    "\(manifestURL.path): has a weight VAE but not both axes.json and codes.safetensors",
                    advice: "Make the space again with `w2w train`.")
            }
        } else {
            (vae, record, codes, codeLogVariances, axes) = (nil, nil, [], [], [])
        }
    }

    /// The space that comes with w2w.
    /// - Throws: `SpaceError` when its files are not where the build put them, or what opening it throws.
    public static func builtIn() throws -> Space {
        guard let folder = BuiltInSpace.folder else {
            throw SpaceError(
                "the built-in space is missing: no \(BuiltInSpace.bundleName) beside the executable",
                advice: "Keep that folder beside the program, or name a space with --space.")
        }
        return try Space(folder)
    }

    /// The diffusers folder of the base model.
    public var baseFolder: URL { Self.url(manifest.paths[.base] ?? "base", folder: folder) }

    /// Length of a code, 0 without a VAE.
    public var latentDimension: Int { vae?.configuration.latentDim ?? 0 }

    /// Row of an identity, or nil when there is none of this name.
    public func row(of name: String) -> Int? { identities.names.firstIndex(of: name) }

    /// The code of an identity: the mean of its posterior.
    public func code(at row: Int) -> [Float] {
        Array(codes[(row * latentDimension)..<((row + 1) * latentDimension)])
    }

    /// The own LoRA vector of an identity.
    /// - Returns: [1, n]
    /// - Throws: `SpaceError` when the space does not carry vectors or has no such row.
    public func vector(at row: Int) throws -> Tensor {
        guard let weights else {
            throw SpaceError(
                "\(folder.path): carries no LoRA vectors of its identities", advice: "Draw the identity from its code instead.")
        }
        return try weights.tensor(rows: row..<(row + 1))
    }

    /// The LoRA vectors of codes.
    /// - Parameter codes: [N, latentDim]
    /// - Returns: [N, n]
    /// - Throws: `SpaceError` when the space has no VAE or the codes have another length.
    public func decode(_ codes: Tensor) throws -> Tensor {
        guard let vae else {
            throw SpaceError("\(folder.path): has no weight VAE", advice: "Train one with `w2w train`.")
        }
        guard codes.shape.count == 2, codes.shape[1] == latentDimension else {
            throw SpaceError(
                "a code of \(codes.shape.last ?? 0) numbers does not belong to this space (\(latentDimension))",
                advice: "Use a code that was made with this space.")
        }
        return vae.decode(codes)
    }

    /// SHA-256 over what decides the picture of a code: base model, layout and weight VAE. Recorded sums are used where there are any.
    /// - Throws: `CheckpointError` when a part cannot be read.
    public func fingerprint() throws -> String {
        var lines = ["layout \(layout.digest)"]
        let base = manifest.paths[.base] ?? "base"
        let recorded = manifest.digests.filter { $0.key.hasPrefix(base + "/") }
        lines += try (recorded.isEmpty ? BaseDigest.digests(baseFolder, prefix: base) : recorded).map { "\($0.key) \($0.value)" }
            .sorted()
        if let path = manifest.paths[.vae] {
            let weightsPath = (path as NSString).deletingPathExtension + ".safetensors"
            for part in [path, weightsPath] {
                let digest = try manifest.digests[part] ?? SHA256.hexDigest(of: Self.url(part, folder: folder))
                lines.append("\(part) \(digest)")
            }
        }
        return SHA256.hexDigest(ofText: lines.joined(separator: "\n"))
    }
}

extension Space {
    static func url(_ path: String, folder: URL) -> URL {
        path.hasPrefix("/") ? URL(fileURLWithPath: path) : folder.appendingPathComponent(path)
    }

    /// Where a part lies, or nil when the space does not name it.
    fileprivate static func locate(_ part: SpaceManifest.Part, manifest: SpaceManifest, folder: URL) throws -> URL? {
        guard let path = manifest.paths[part] else { return nil }
        let url = url(path, folder: folder)
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw SpaceError(
                "\(folder.path)/space.json: the part \"\(part.rawValue)\" is missing, there is no \(url.path)",
                advice: "Put it back, or take the line out of space.json if the space should do without it.")
        }
        return url
    }

    fileprivate static func verify(_ manifest: SpaceManifest, folder: URL) throws {
        for (path, expected) in manifest.digests.sorted(by: { $0.key < $1.key }) {
            guard try SHA256.hexDigest(of: url(path, folder: folder)) == expected else {
                throw SpaceError(
                    "\(url(path, folder: folder).path): differs from what space.json records of it (SHA-256)",
                    advice: "The file was damaged or exchanged; fetch or make the space again.")
            }
        }
    }

    fileprivate static func weights(_ url: URL, layout: LoRALayout, labels: IdentityLabels?) throws -> TensorEntry {
        let entry = try StateDictionary(safetensors: url).entry("weights")
        let rows = labels?.count ?? entry.shape.first ?? 0
        guard entry.shape == [rows, layout.vectorLength] else {
            throw CheckpointError(
                file: url.path,
                problem: .wrongShape(
                    tensor: "weights", expected: "[\(rows) identities, \(layout.vectorLength) numbers of the layout]",
                    found: entry.shape))
        }
        return entry
    }

    fileprivate static func check(_ configuration: WeightVAEConfiguration, fits layout: LoRALayout, file: String) throws {
        guard configuration.vectorLength == layout.vectorLength else {
            throw SpaceError(
                "\(file): the weight VAE is for vectors of \(configuration.vectorLength) numbers, the layout has "
                    + "\(layout.vectorLength)", advice: "It belongs to another space; train one for this layout.")
        }
        guard configuration.layoutDigest == nil || configuration.layoutDigest == layout.digest else {
            throw SpaceError(
                "\(file): the weight VAE was trained on vectors of another layout",
                advice: "It belongs to another space; train one for this layout.")
        }
    }

    fileprivate static func codes(_ url: URL, rows: Int?, dimension: Int) throws -> (mean: [Float], logVariance: [Float]) {
        let state = try StateDictionary(safetensors: url)
        let count = try rows ?? state.entry("mean").shape.first ?? 0
        let shape = [count, dimension]
        let entries = try state.matched(to: [("mean", shape), ("log_variance", shape)])
        return (entries[0].floats(), entries[1].floats())
    }

    fileprivate static func axes(_ url: URL, dimension: Int) throws -> [LatentAxis] {
        let axes = try LatentAxis.read(url)
        guard axes.count == dimension else {
            throw SpaceError(
                "\(url.path): describes \(axes.count) axes, the weight VAE has \(dimension)",
                advice: "Make the space again with `w2w train`.")
        }
        return axes
    }
}

/// Digests of a base model that the manifest does not record.
enum BaseDigest {
    /// SHA-256 of every configuration and of the head and size of every weight file below `folder`: hashing whole gigabytes would keep
    /// a person waiting, and the header with its offsets tells models apart together with their first numbers.
    static func digests(_ folder: URL, prefix: String) throws -> [String: String] {
        var result = [String: String]()
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        while let url = files?.nextObject() as? URL {
            guard ["safetensors", "json"].contains(url.pathExtension) else { continue }
            let file = try MappedFile(url)
            let head = UnsafeRawBufferPointer(rebasing: file.bytes.prefix(1 << 20))
            let name = prefix + "/" + url.path.dropFirst(folder.path.count).drop { $0 == "/" }
            result[name] = SHA256.hexDigest(ofText: "\(file.bytes.count) \(SHA256.hexDigest(of: head))")
        }
        return result
    }
}
