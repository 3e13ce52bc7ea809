import Checkpoints
import Foundation
import StableDiffusion
import TensorKit

/// LoRA weights in a file or folder, read as a vector of a layout: a vector itself (one tensor of n numbers, [n] or [1, n] or a row of [N, n]),
/// a folder of PEFT, or a LoRA file of PEFT, diffusers or kohya.
public enum LoRAVectorFile {
    /// Endings of files that may hold LoRA weights.
    public static let kinds = ["safetensors", "pt", "pth", "bin", "ckpt"]

    /// Whether something is there whose name says that it may hold LoRA weights.
    /// - Parameter path: of a file or folder.
    /// - Returns: true for a folder and for the endings in `kinds`.
    public static func mayBe(_ path: String) -> Bool {
        let url = URL(fileURLWithPath: path)
        guard let kind = url.fileKind else { return false }
        return kind == .folder || kinds.contains(url.pathExtension.lowercased())
    }

    /// Reads the weights as a vector of a layout. An adapter whose scale (alpha / r) differs from the layout's gets the difference into its factors B.
    /// - Parameters:
    ///   - url: a file of safetensors or torch, or a folder of PEFT.
    ///   - layout: of the space that it is to belong to.
    ///   - row: which vector of a list [N, n]; nil where there is only one.
    /// - Returns: [1, n]
    /// - Throws: `CheckpointError`, `StableDiffusionError` or `SpaceError`: another length, other layers, several vectors, numbers that are not
    ///   finite.
    public static func read(_ url: URL, layout: LoRALayout, row: Int? = nil) throws -> Tensor {
        let vector: Tensor
        if let (entry, digest) = try entry(url) {
            vector = try read(entry, digest: digest, layout: layout, row: row)
        } else {
            guard row ?? 0 == 0 else {
                throw SpaceError("\(url.path): has no row \(row ?? 0), it holds one adapter", advice: "Leave --row out.")
            }
            vector = Tensor(uninitialized: [1, layout.vectorLength])
            do {
                try layout.write(LoRAFile(url), into: vector.pointer)
            } catch let mismatch as StateDictionaryMismatch {
                throw refusal(mismatch)
            }
        }
        guard Kernels.sumOfSquares(vector).isFinite else {
            throw SpaceError("\(url.path): holds weights that are not finite", advice: "Make it again; this one draws nothing.")
        }
        return vector
    }

    /// An adapter of other layers in two lines.
    private static func refusal(_ mismatch: StateDictionaryMismatch) -> SpaceError {
        var example = mismatch.unexpected.first.map { "\($0.key) is not adapted in it" } ?? ""
        if let missing = mismatch.missing.first { example = "\(missing.key) \(missing.shape) is missing" }
        if let wrong = mismatch.wrongShape.first { example = "\(wrong.key) is \(wrong.found), expected \(wrong.expected)" }
        let counts =
            "\(mismatch.missing.count) missing, \(mismatch.unexpected.count) unexpected, \(mismatch.wrongShape.count) of another shape"
        return SpaceError(
            "\(mismatch.file): does not have the layers of this space (\(counts)): \(example)",
            advice: "It belongs to another base model, or adapts other layers; draw it with `w2w render --adapter`.")
    }

    /// The tensor of a file that holds vectors, with the digest of the layout it was written for; nil for an adapter.
    private static func entry(_ url: URL) throws -> (TensorEntry, digest: String?)? {
        guard url.fileKind != .folder else { return nil }
        let state: StateDictionary
        let mapped = try MappedFile(url)
        if withExtendedLifetime(mapped, { TorchFile.begins(mapped.bytes) }) {
            let torch = try TorchFile(url)
            if let entry = try torch.tensor(torch.root, name: "weights") { return (entry, nil) }
            state = try StateDictionary(torch)
        } else {
            state = try StateDictionary(opening: url)
        }
        let entry = state["weights"] ?? state["vector"] ?? (state.entries.count == 1 ? state.entries.first : nil)
        return entry.map { ($0, state.metadata["w2w:layout"]) }
    }

    private static func read(_ entry: TensorEntry, digest: String?, layout: LoRALayout, row: Int?) throws -> Tensor {
        let n = layout.vectorLength
        guard entry.shape.last == n, entry.shape.count <= 2 else {
            throw SpaceError(
                "\(entry.path): `\(entry.name)` is \(entry.shape); LoRA vectors of this space have \(n) numbers",
                advice: "It belongs to another base model or to another rank.")
        }
        let count = entry.count / n
        guard count == 1 || row != nil else {
            throw SpaceError("\(entry.path): holds \(count) vectors", advice: "Say which one with --row 0 to \(count - 1).")
        }
        guard (0..<count).contains(row ?? 0) else {
            throw SpaceError(
                "\(entry.path): has no row \(row ?? 0), it holds \(count) vectors", advice: "Rows are counted from 0.")
        }
        if let digest, digest != layout.digest {
            throw SpaceError(
                "\(entry.path): was written for another layout; its numbers stand in another order",
                advice: "Name the space that it was written with.")
        }
        return try entry.reshaped([count, n]).tensor(rows: (row ?? 0)..<((row ?? 0) + 1))
    }
}
