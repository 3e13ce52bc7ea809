import Checkpoints
import Foundation

/// Begins a space around vectors, or exchanges parts of one that is there. `space.json` is written last, so that a space is whole or not there.
public struct SpaceWriter {
    /// How a large part comes into the space.
    public enum Placement: String, Sendable, CaseIterable {
        /// The file is copied.
        case copy
        /// `space.json` names the place where it lies.
        case refer
    }

    public let folder: URL
    public internal(set) var manifest: SpaceManifest
    /// Is told which sums are taken.
    private var progress: ProgressHandler?

    /// A space that is there already.
    /// - Throws: `CheckpointError` when its `space.json` cannot be read.
    init(existing folder: URL) throws {
        self.folder = folder
        manifest = try SpaceManifest(contentsOf: folder.appendingPathComponent("space.json"))
    }

    /// A new space around the vectors of a source: layout, labels, vectors and base model, and what a space that they come from has of its
    /// people and its base model.
    /// - Parameters:
    ///   - folder: made if it is not there.
    ///   - source: where the parts come from.
    ///   - name: of the new space.
    ///   - base: how base model and photographs come in.
    ///   - weights: how the vectors come in.
    ///   - progress: is told about what takes long.
    /// - Throws: `SpaceError` without a base model, `CheckpointError` or `CocoaError` when a file cannot be written, what `progress` throws.
    public init(
        new folder: URL, around source: TrainingSource, name: String, base: Placement, weights: Placement,
        progress: ProgressHandler? = nil
    ) throws {
        guard let baseURL = source.baseURL else {
            throw SpaceError(
                "\(source.weightsURL.path): there is no base model beside the weights",
                advice: "Put its diffusers folder there as base/, or name a space folder.")
        }
        self.folder = folder
        self.progress = progress
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        manifest = SpaceManifest(name: name, paths: [:], defaults: source.defaults)
        try place(source.layoutURL, as: "layout.json", .layout, .copy)
        try place(source.weightsURL, as: "weights.safetensors", .weights, weights)
        if let identities = source.identitiesURL {
            try place(identities, as: "identities.csv", .identities, .copy)
        } else {
            let url = folder.appendingPathComponent("identities.csv")
            try AtomicFile.write(to: url) { file in
                try file.append("identity\n" + source.labels.names.map { $0 + "\n" }.joined())
            }
            try add("identities.csv", as: .identities)
        }
        try placeBase(baseURL, base)
        try carry(from: source, base)
    }

    /// A new space whose parts are still to come.
    /// - Parameters:
    ///   - folder: there already.
    ///   - name: of the new space.
    ///   - defaults: prompt, sampler and size.
    init(draft folder: URL, name: String, defaults: SpaceManifest.Defaults) {
        self.folder = folder
        manifest = SpaceManifest(name: name, paths: [:], defaults: defaults)
    }

    /// Records the SHA-256 of a file that belongs to a part.
    /// - Throws: `CheckpointError` when it cannot be read.
    mutating func note(_ path: String) throws {
        let progress = progress
        manifest.digests[path] = try SHA256.hexDigest(of: Space.url(path, folder: folder)) { done, total in
            try progress?("checking \(path)", done >> 20, total >> 20)
        }
    }

    /// Names a part that lies in the folder, and records its SHA-256.
    /// - Parameters:
    ///   - path: within the folder.
    ///   - part: what it is.
    /// - Throws: `CheckpointError` when it cannot be read.
    public mutating func add(_ path: String, as part: SpaceManifest.Part) throws {
        manifest.paths[part] = path
        try note(path)
    }

    /// Writes `space.json`.
    /// - Throws: `CheckpointError` when it cannot be written; the old one stays.
    public func finish() throws {
        let text = manifest.json
        try AtomicFile.write(to: folder.appendingPathComponent("space.json")) { try $0.append(text) }
    }

    mutating func place(
        _ from: URL, as name: String, _ part: SpaceManifest.Part, _ placement: Placement
    ) throws {
        let to = folder.appendingPathComponent(name)
        if from.resolvingSymlinksInPath() == to.resolvingSymlinksInPath() {
            try add(name, as: part)
        } else if placement == .refer {
            // What lies elsewhere is not hashed: it may be tens of gigabytes, and it is not this space's own.
            manifest.paths[part] = from.resolvingSymlinksInPath().path
        } else {
            try Self.copy(from, to: to)
            try add(name, as: part)
        }
    }

    /// Brings the base model in.
    mutating func placeBase(_ from: URL, _ placement: Placement) throws {
        let path = try Self.placeBase(from, in: folder, placement, copy: Self.copy)
        manifest.paths[.base] = path
        guard path == "base" else { return }
        let base = folder.appendingPathComponent(path)
        for file in try FileManager.default.subpathsOfDirectory(atPath: base.path) where file.hasSuffix(".safetensors") {
            try note("base/" + file)
        }
    }

    /// Brings a base model into a space's folder; a checkpoint in one file is only named, since its tokenizer lies beside it.
    /// - Parameters:
    ///   - from: the model.
    ///   - folder: of the space.
    ///   - placement: of a model in a folder.
    ///   - copy: copies one file, from and to.
    /// - Returns: its path for `space.json`.
    /// - Throws: what reading the folder and copying throw.
    static func placeBase(
        _ from: URL, in folder: URL, _ placement: Placement, copy: (URL, URL) throws -> Void
    ) throws -> String {
        let to = folder.appendingPathComponent("base")
        if from.resolvingSymlinksInPath() == to.resolvingSymlinksInPath() { return "base" }
        guard placement == .copy, from.fileKind == .folder else { return from.resolvingSymlinksInPath().path }
        for path in try FileManager.default.subpathsOfDirectory(atPath: from.path) {
            let file = from.appendingPathComponent(path)
            guard file.fileKind == .file else { continue }
            let target = to.appendingPathComponent(path)
            try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
            try copy(file, target)
        }
        return "base"
    }

    /// From this size on a file gets a second name instead of a copy, where both lie on one file system.
    static let linkedSize = 1 << 30

    /// Copies a file; a large data set is not doubled where the file system can give it a second name.
    /// - Throws: `CheckpointError` when the copy cannot be written; what stood there stays then.
    static func copy(_ from: URL, to: URL) throws {
        if let size = from.byteCount, size >= linkedSize {
            let name = to.path + ".\(getpid())-\(UInt32.random(in: 0 ... .max)).part"
            if link(from.resolvingSymlinksInPath().path, name) == 0 {
                defer { unlink(name) }  // rename leaves both names when they are one file already
                if rename(name, to.path) == 0 { return }
            }
        }
        let file = try MappedFile(from)
        try AtomicFile.write(to: to) { try $0.append(file.bytes) }
    }
}
