import Checkpoints
import Foundation
import StableDiffusion
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
    /// The weight VAE, or nil when the space has none.
    public let vae: WeightVAE?
    /// The PCA, or nil when the space has none.
    public let pca: WeightPCA?
    /// What the training of the weight VAE recorded, or nil.
    public let record: TrainingRecord?
    /// The models that the space has, each with the identities in its coordinates.
    public let coordinates: [WeightModelKind: WeightCoordinates]
    /// Directions that the space names, of any model; `directions(including:)` says which count.
    public let namedDirections: [Direction]
    /// The model whose coordinates `codes`, `axes` and the rest speak of; nil when the space has none. The weight VAE, if there is one,
    /// until `use` chooses another.
    public private(set) var kind: WeightModelKind?

    /// What is added to the weights of the base model, a line for each addition; part of the fingerprint.
    public var baseChanges: [String] = []

    /// The sampler's class that a model without a space asks for, where there is no counterpart here and the usual sampler draws instead.
    public let unknownSampler: String?

    /// Opens a space strictly: what it is made of must be there, whole, and fit together. Embedder, learned prior, photographs and preview are
    /// opened, as strictly, when they are asked for.
    /// - Parameters:
    ///   - folder: holds `space.json`.
    ///   - verifying: also compares the parts with their recorded SHA-256, which reads all of them.
    /// - Throws: `SpaceError`, `CheckpointError` or `StateDictionaryMismatch`: what is wrong, in which file, what to do.
    public init(_ folder: URL, verifying: Bool = false) throws {
        self.folder = folder
        unknownSampler = nil
        let manifestURL = folder.appendingPathComponent("space.json")
        guard FileManager.default.fileExists(atPath: manifestURL.path) else {
            throw SpaceError(
                "\(folder.path): is not a space, it holds no space.json",
                advice: "Name a folder that `w2w train` or `w2w import` has written.")
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
        var coordinates = [WeightModelKind: WeightCoordinates]()
        if let configurationURL = try locate(.vae) {
            let json = try JSONConfiguration(contentsOf: configurationURL)
            let configuration = try WeightVAEConfiguration(json)
            try Self.check(configuration, fits: layout, file: configurationURL.path)
            let weightsURL = configurationURL.deletingPathExtension().appendingPathExtension("safetensors")
            let vae = try WeightVAE(weights: weightsURL, configuration: configuration)
            self.vae = vae
            record = try TrainingRecord(json)
            let dimension = configuration.latentDim
            let stored = try locate(.codes).map { try Self.codes($0, rows: labels?.count, dimension: dimension) }
            let axes = try locate(.axes).map { try Self.axes($0, dimension: dimension) } ?? []
            if axes.isEmpty || (labels != nil && stored == nil) {
                throw SpaceError(
                    "\(manifestURL.path): has a weight VAE but not both axes.json and codes.safetensors",
                    advice: "Make the space again with `w2w train`.")
            }
            coordinates[.vae] = WeightCoordinates(
                model: vae, codes: stored?.mean ?? [], codeLogVariances: stored?.logVariance ?? [], axes: axes)
        } else {
            (vae, record) = (nil, nil)
        }
        if let url = try locate(.pca) {
            let pca = try Self.pca(url, layout: layout, weights: weights, rows: labels?.count)
            self.pca = pca
            coordinates[.pca] = pca.coordinates(labels: identities)
        } else {
            pca = nil
        }
        self.coordinates = coordinates
        namedDirections = try locate(.directions).map(DirectionsFile.read) ?? []
        kind = WeightModelKind.allCases.first { coordinates[$0] != nil }
    }

    /// A model alone as a space: nobody is in it, and it has no coordinates.
    /// - Parameter model: an opened diffusers folder or checkpoint.
    /// - Throws: `CheckpointError` when its U-Net has no attention to adapt.
    public init(model: ModelFolder) throws {
        folder = model.url
        let size = min(1024, max(64, (model.unetConfiguration.sampleSize ?? 64) * model.vaeConfiguration.downscale / 64 * 64))
        let sampler = try SchedulerKind(configuration: model.schedulerConfiguration)
        manifest = SpaceManifest(
            name: model.url.deletingPathExtension().lastPathComponent, paths: [.base: model.url.path],
            defaults: SpaceManifest.Defaults(
                prompt: "portrait photo of a person",
                scheduler: sampler ?? .dpmpp2M, guidance: 7, width: size, height: size, seed: 0))
        unknownSampler = sampler == nil ? try model.schedulerConfiguration.optional("_class_name") : nil
        layout = try LoRALayout(publishedFor: model)
        identities = IdentityLabels(names: [], attributeNames: [], values: [])
        (weights, vae, pca, record, coordinates, kind, namedDirections) = (nil, nil, nil, nil, [:], nil, [])
    }

    /// Chooses the model whose coordinates the space speaks of.
    /// - Throws: `SpaceError` when the space has no such model.
    public func use(_ kind: WeightModelKind) throws {
        guard coordinates[kind] != nil else { throw missing(kind) }
        self.kind = kind
    }

    /// The error for a model that the space does not have.
    public func missing(_ kind: WeightModelKind) -> SpaceError {
        switch kind {
        case .vae: SpaceError("\(folder.path): has no weight VAE", advice: "Train one with `w2w train`.")
        case .pca: SpaceError("\(folder.path): has no PCA", advice: "Make one with `w2w pca`.")
        }
    }

    /// The model in use, or nil when the space has none.
    public var model: (any WeightCodeModel)? { current?.model }
    private var current: WeightCoordinates? { kind.flatMap { coordinates[$0] } }
    /// Codes [N, latentDim] of the identities, row-major; empty without a model.
    public var codes: [Float] { current?.codes ?? [] }
    /// Posterior log variances [N, latentDim], row-major; empty without a model.
    public var codeLogVariances: [Float] { current?.codeLogVariances ?? [] }
    /// One per coordinate of a code; empty without a model.
    public var axes: [LatentAxis] { current?.axes ?? [] }

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

    /// Length of a code, 0 without a model.
    public var latentDimension: Int { model?.latentDimension ?? 0 }

    /// Row of an identity, or nil when there is none of this name.
    public func row(of name: String) -> Int? { identities.names.firstIndex(of: name) }

    /// The code of an identity: the mean of its posterior, or its coefficients.
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
    /// - Throws: `SpaceError` when the space has no model or the codes have another length.
    public func decode(_ codes: Tensor) throws -> Tensor {
        guard let model else {
            throw SpaceError(
                "\(folder.path): has neither a weight VAE nor a PCA", advice: "Train one with `w2w train`, or run `w2w pca`.")
        }
        guard codes.shape.count == 2, codes.shape[1] == latentDimension else {
            throw SpaceError(
                "a code of \(codes.shape.last ?? 0) numbers does not belong to this space (\(latentDimension))",
                advice: "Use a code that was made with this space.")
        }
        return model.decode(codes)
    }

    /// The codes of vectors.
    /// - Parameters:
    ///   - vectors: raw LoRA vectors, [N, n].
    ///   - name: what the vectors are called in messages, a file or a person.
    /// - Returns: [N, latentDim]
    /// - Throws: `SpaceError` when the space has no model, the vectors have another length or hold numbers that are not finite.
    public func encode(_ vectors: Tensor, name: String) throws -> Tensor {
        guard let model else {
            throw SpaceError(
                "\(folder.path): has neither a weight VAE nor a PCA", advice: "Train one with `w2w train`, or run `w2w pca`.")
        }
        guard vectors.shape.count == 2, vectors.shape[1] == layout.vectorLength else {
            throw SpaceError(
                "\(name): \(vectors.shape.last ?? 0) numbers; LoRA vectors of this space have \(layout.vectorLength)",
                advice: "It belongs to another base model or to another rank.")
        }
        guard Kernels.sumOfSquares(vectors).isFinite else {
            throw SpaceError(
                "\(name): holds weights that are not finite", advice: "Make the adapter again; this one draws nothing.")
        }
        return model.codes(of: vectors)
    }

    /// SHA-256 over what decides the picture of a code: base model, layout and the model in use. Recorded sums are used where there are any.
    /// - Throws: `CheckpointError` when a part cannot be read.
    public func fingerprint() throws -> String {
        var lines = ["layout \(layout.digest)"] + baseChanges
        let base = manifest.paths[.base] ?? "base"
        let recorded = manifest.digests.filter { $0.key.hasPrefix(base + "/") }
        lines += try (recorded.isEmpty ? BaseDigest.digests(baseFolder, prefix: base) : recorded).map { "\($0.key) \($0.value)" }
            .sorted()
        if kind == .pca, let path = manifest.paths[.pca] {
            let digest = try manifest.digests[path] ?? SHA256.hexDigest(of: Self.url(path, folder: folder))
            lines.append("\(path) \(digest)")
        } else if let path = manifest.paths[.vae] {
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

    /// Opens the PCA. Where its file does not carry the identities' coefficients, they are computed from the vectors of a space that is small
    /// enough for that.
    fileprivate static func pca(_ url: URL, layout: LoRALayout, weights: TensorEntry?, rows: Int?) throws -> WeightPCA {
        let pca = try WeightPCA(contentsOf: url)
        guard pca.vectorLength == layout.vectorLength else {
            throw SpaceError(
                "\(url.path): the PCA is for vectors of \(pca.vectorLength) numbers, the layout has \(layout.vectorLength)",
                advice: "It belongs to another space; make one for this layout with `w2w pca`.")
        }
        let count = pca.coefficients.count / pca.latentDimension
        if count > 0 {
            guard rows == nil || rows == count else {
                throw SpaceError(
                    "\(url.path): has coefficients of \(count) identities, the space has \(rows ?? 0)",
                    advice: "Make it again with `w2w pca`.")
            }
            return pca
        }
        guard let weights, weights.byteCount <= 256 << 20 else { return pca }
        return try pca.replacingCoefficients(pca.codes(of: weights.tensor()))
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
