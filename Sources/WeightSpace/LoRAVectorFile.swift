import Checkpoints
import Foundation
import TensorKit

/// A LoRA vector in a safetensors file: one tensor of n numbers, [n] or [1, n], called `weights` when w2w writes it.
public enum LoRAVectorFile {
    /// Whether a file holds a vector rather than the factors of an adapter.
    /// - Parameter url: a safetensors file.
    /// - Returns: true for one tensor in all, or one called `weights` or `vector`.
    /// - Throws: `CheckpointError` when it is no safetensors file.
    public static func isVector(_ url: URL) throws -> Bool { entry(try StateDictionary(safetensors: url)) != nil }

    private static func entry(_ state: StateDictionary) -> TensorEntry? {
        state["weights"] ?? state["vector"] ?? (state.entries.count == 1 ? state.entries.first : nil)
    }

    /// Reads a vector of a layout.
    /// - Parameters:
    ///   - url: a safetensors file.
    ///   - layout: of the space that it is to belong to.
    ///   - row: which vector of a list [N, n]; nil where there is only one.
    /// - Returns: [1, n]
    /// - Throws: `CheckpointError` or `SpaceError`: another length, several vectors, numbers that are not finite.
    public static func read(_ url: URL, layout: LoRALayout, row: Int? = nil) throws -> Tensor {
        let state = try StateDictionary(safetensors: url)
        guard let entry = entry(state) else {
            throw SpaceError(
                "\(url.path): holds \(state.entries.count) tensors, none of them called weights",
                advice: "A LoRA vector is one tensor of \(layout.vectorLength) numbers.")
        }
        let n = layout.vectorLength
        guard entry.shape.last == n, entry.shape.count <= 2 else {
            throw SpaceError(
                "\(url.path): `\(entry.name)` is \(entry.shape); LoRA vectors of this space have \(n) numbers",
                advice: "It belongs to another base model or to another rank.")
        }
        let count = entry.count / n
        guard count == 1 || row != nil else {
            throw SpaceError("\(url.path): holds \(count) vectors", advice: "Say which one with --row 0 to \(count - 1).")
        }
        guard (0..<count).contains(row ?? 0) else {
            throw SpaceError("\(url.path): has no row \(row ?? 0), it holds \(count) vectors", advice: "Rows are counted from 0.")
        }
        if let digest = state.metadata["w2w:layout"], digest != layout.digest {
            throw SpaceError(
                "\(url.path): was written for another layout; its numbers stand in another order",
                advice: "Name the space that it was written with.")
        }
        let matrix = try entry.reshaped([count, n])
        let vector = try matrix.tensor(rows: (row ?? 0)..<((row ?? 0) + 1))
        guard Kernels.sumOfSquares(vector).isFinite else {
            throw SpaceError("\(url.path): holds weights that are not finite", advice: "Make it again; this one draws nothing.")
        }
        return vector
    }

    /// Writes a vector, whole or not at all.
    /// - Parameters:
    ///   - vector: [1, n]
    ///   - layout: of the vector; its digest goes into the header.
    ///   - metadata: travels in the header.
    ///   - url: what stands there is replaced.
    /// - Throws: `CheckpointError` when it cannot be written.
    public static func write(_ vector: Tensor, layout: LoRALayout, metadata: [String: String] = [:], to url: URL) throws {
        try SafetensorsWriter.write(
            [StoredTensor("weights", vector.reshaped([1, layout.vectorLength]))],
            metadata: metadata.merging(["w2w:layout": layout.digest]) { $1 }, to: url)
    }
}
