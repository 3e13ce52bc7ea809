import Checkpoints
import Foundation
import TensorKit

/// Made-up LoRA vectors for measurements of full size: near a plane of some dimensions, as real ones lie, with falling variances and noise.
public enum SyntheticVectors {
    /// Makes vectors.
    /// - Parameters:
    ///   - count: number of vectors.
    ///   - length: n
    ///   - rank: dimensions of the plane.
    ///   - seed: equal seeds give equal vectors.
    /// - Returns: [count, length], deviations of some hundredths.
    public static func make(count: Int, length: Int, rank: Int = 32, seed: UInt64 = 0) -> Tensor {
        let random = TorchRandomSource(seed: seed)
        let basis = random.normal(shape: [rank, length])
        let codes = random.normal(shape: [count, rank])
        for row in 0..<count {
            for axis in 0..<rank { codes.pointer[row * rank + axis] *= 0.02 / Float(axis + 1).squareRoot() }
        }
        let vectors = Kernels.product(codes, basis)
        // Noise of a period that no vector's length shares: cheap, and different from row to row.
        let noise = random.normal(65_521)
        for i in 0..<vectors.count { vectors.pointer[i] += 0.005 * noise[i % noise.count] }
        return vectors
    }

    /// Writes vectors as a `weights.safetensors` of float16.
    /// - Throws: `CheckpointError` when the file cannot be written.
    public static func write(count: Int, length: Int, to url: URL) throws {
        try SafetensorsWriter.write([StoredTensor("weights", make(count: count, length: length), as: .float16)], to: url)
    }
}
