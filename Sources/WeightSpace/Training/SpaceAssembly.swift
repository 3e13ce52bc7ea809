import Checkpoints
import Foundation
import NeuralNetworks
import TensorKit

/// Turns a finished training run into a space on disk: a new one around the vectors, or a new weight VAE for one that is there.
public struct SpaceAssembly {
    public let source: TrainingSource
    public let folder: URL
    /// Nil leaves the name that the space or its source has.
    public let name: String?
    /// How the base model comes into a new space.
    public let base: SpaceWriter.Placement
    /// Whether the folder holds a space of the same vectors already. It keeps all that is not the weight VAE's.
    public let isThere: Bool

    /// - Throws: `SpaceError` when the folder holds a space of other vectors, or when a new space would have no base model; `CheckpointError` when
    ///   what is there cannot be read.
    public init(source: TrainingSource, folder: URL, name: String?, base: SpaceWriter.Placement) throws {
        self.source = source
        self.folder = folder
        self.name = name
        self.base = base
        let manifestURL = folder.appendingPathComponent("space.json")
        isThere = manifestURL.fileKind != nil
        guard isThere else {
            guard source.baseURL != nil else {
                throw SpaceError(
                    "\(source.weightsURL.path): there is no base model beside the weights",
                    advice: "Put its diffusers folder there as base/, or name a space folder.")
            }
            return
        }
        let manifest = try SpaceManifest(contentsOf: manifestURL)
        let layout = try LoRALayout(contentsOf: Space.url(manifest.paths[.layout] ?? "layout.json", folder: folder))
        let names = try manifest.paths[.identities].map { try IdentityLabels(contentsOf: Space.url($0, folder: folder)).names }
        guard layout.digest == source.layout.digest, names ?? source.labels.names == source.labels.names else {
            throw SpaceError(
                "\(folder.path): is a space of other vectors (layout or identities differ)",
                advice: "Give --out a new folder, or the space that WEIGHTS belong to.")
        }
    }

    /// What the run came to.
    public struct Report: Sendable {
        /// Share of the variance that survives encoding and decoding, by split; from the weights as stored.
        public let trainR2, validationR2, testR2: Double
        /// Of a PCA of the training vectors with as many components as the code has numbers, on the same test vectors.
        public let pcaTestR2: Double
        public let activeAxes: Int
        /// KL in nats for each identity, summed over the axes.
        public let kl: Double
        /// Variance of decoded N(0, I) codes as a share of the training vectors' variance.
        public let sampleVariance: Double
    }

    /// Refuses a run whose checkpoints and space would not fit on the disk: a checkpoint is written beside the one before it.
    /// - Parameters:
    ///   - plan: the settings.
    ///   - free: bytes; nil asks the system.
    /// - Throws: `SpaceError` with what is needed and what there is.
    public func checkRoom(for plan: TrainingPlan, free: Int? = nil) throws {
        guard let free = free ?? DiskSpace.free(at: folder) else { return }
        let checkpoint = try TrainingCheckpoint.bytes(plan, for: source)
        let codes = source.labels.count * plan.latentDim * 8
        let space = checkpoint.finished / 2 + codes + (isThere ? 0 : copiedBytes)
        let old = folder.appendingPathComponent(TrainingCheckpoint.fileName).byteCount ?? 0
        let needed = max(2 * checkpoint.running, checkpoint.finished + space) - old
        guard free < needed else { return }
        throw SpaceError(
            "\(folder.path): this run needs \(DiskSpace.text(needed)) there (a checkpoint takes \(DiskSpace.text(checkpoint.running)) and is "
                + "written beside the one before it, the space \(DiskSpace.text(space))), but \(DiskSpace.text(free)) are free",
            advice: "Make room, or give --out a folder on another disk"
                + (plan.moments == .f32 ? "; --moments bf16 makes checkpoints smaller by a third." : "."))
    }

    /// Bytes that a new space copies from elsewhere.
    private var copiedBytes: Int {
        func device(_ url: URL) -> Int? {
            var (place, status) = (url.resolvingSymlinksInPath(), stat())
            while stat(place.path, &status) != 0 {
                guard place.path != "/" else { return nil }
                place.deleteLastPathComponent()
            }
            return Int(bitPattern: UInt(status.st_dev))
        }
        let own = folder.appendingPathComponent("weights.safetensors")
        let size = source.weightsURL.byteCount ?? 0
        let isFree =
            source.weightsURL.resolvingSymlinksInPath() == own.resolvingSymlinksInPath()
            || (size >= SpaceWriter.linkedSize && device(source.weightsURL) == device(folder))
        let baseBytes = base == .copy && source.baseURL?.fileKind == .folder ? source.baseURL?.byteCount ?? 0 : 0
        return (isFree ? 0 : size) + baseBytes
    }

    /// The parts that a run brings.
    private static let parts: [(path: String, part: SpaceManifest.Part)] = [
        ("vae.safetensors", .vae), ("vae.json", .vae), ("codes.safetensors", .codes), ("axes.json", .axes),
    ]

    /// Writes the space; weights are stored as float16. A new one appears with its `space.json`, which is written last. In one that is there the
    /// parts are written in a folder beside the old ones, which they replace at the end; a learned prior of the old weight VAE is let go.
    /// - Parameters:
    ///   - trainer: a finished run; its weights become what the space holds, and the optimiser's memory is given back.
    ///   - progress: is told what is done; when it throws, a space that is there stays as it was.
    /// - Returns: the measures, which are also recorded.
    /// - Throws: `CheckpointError` when a file cannot be written, what `progress` throws.
    public func write(_ trainer: WeightVAETrainer, progress: ProgressHandler = { _, _, _ in }) throws -> Report {
        trainer.forgetMoments()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let report: Report
        if isThere {
            var measured: Report?
            try SpaceWriter.replace(
                Self.parts, in: folder,
                adjust: { manifest in
                    if let name { manifest.name = name }
                    manifest.paths[.flow] = nil
                    for file in ["flow.json", "flow.safetensors"] { manifest.digests[file] = nil }
                }, write: { measured = try writeModel(trainer, to: $0, progress) })
            guard let measured else { preconditionFailure("a space was written without its model") }
            report = measured
        } else {
            report = try writeModel(trainer, to: folder, progress)
            try withoutActuallyEscaping(progress) { progress in
                var writer = try SpaceWriter(
                    new: folder, around: source, name: name ?? source.name, base: base, weights: .copy, progress: progress)
                for (path, part) in Self.parts { try writer.add(path, as: part) }
                try writer.finish()
            }
        }
        try TrainingLog(trainer).write(to: folder)
        return report
    }
}
