import TensorKit

/// (x - mean) / std for every column of a block of vectors, and back.
enum Standardization {
    /// In place.
    /// - Parameters:
    ///   - mean: [n]
    ///   - std: [n]
    ///   - vectors: [N, n]
    static func apply(mean: Tensor, std: Tensor, to vectors: Tensor) {
        let n = mean.count
        let inverse = Tensor([n], std.array.map { 1 / $0 })
        let (m, s) = (mean.pointer, inverse.pointer)
        rows(of: vectors, length: n) { row in
            for i in 0..<n { row[i] = (row[i] - m[i]) * s[i] }
        }
    }

    /// In place.
    static func undo(mean: Tensor, std: Tensor, on vectors: Tensor) {
        let n = mean.count
        let (m, s) = (mean.pointer, std.pointer)
        rows(of: vectors, length: n) { row in
            for i in 0..<n { row[i] = row[i] * s[i] + m[i] }
        }
    }

    private static func rows(of vectors: Tensor, length n: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) {
        precondition(vectors.shape.last == n, "vectors \(vectors.shape) for \(n) numbers")
        let start = vectors.pointer
        Parallel.ranges(vectors.count / max(1, n), grain: max(1, (1 << 15) / max(1, n))) { range in
            for row in range { body(start + row * n) }
        }
    }
}
