import Checkpoints
import TensorKit

/// How much of people that a model never saw survives encoding and decoding.
struct Reconstruction {
    /// R2 = 1 - sum |vector - decoded|² / sum |vector - mean of the training vectors|², over raw LoRA vectors.
    struct Result {
        /// Of all vectors together.
        let r2: Double
        /// Of each vector.
        let byPerson: [Double]
    }

    /// - Parameters:
    ///   - model: encodes and decodes.
    ///   - vectors: raw, [N, n].
    ///   - mean: of the training vectors, [n].
    /// - Returns: R2 over the vectors.
    static func measure(_ model: any WeightCodeModel, vectors: Tensor, mean: [Float]) -> Result {
        let decoded = model.decode(model.codes(of: vectors))
        let n = vectors.shape[1]
        var (errors, distances, byPerson) = (0.0, 0.0, [Double]())
        for row in 0..<vectors.shape[0] {
            let (own, other) = (vectors.pointer + row * n, decoded.pointer + row * n)
            var (error, distance) = (0.0, 0.0)
            for i in 0..<n {
                let (difference, spread) = (Double(own[i]) - Double(other[i]), Double(own[i]) - Double(mean[i]))
                error += difference * difference
                distance += spread * spread
            }
            errors += error
            distances += distance
            byPerson.append(1 - error / max(distance, .leastNonzeroMagnitude))
        }
        return Result(r2: 1 - errors / max(distances, .leastNonzeroMagnitude), byPerson: byPerson)
    }

    /// A PCA of training vectors.
    /// - Parameters:
    ///   - vectors: raw training vectors, [N, n].
    ///   - count: number of components; fewer when the vectors span less.
    ///   - standardized: divides every number by its deviation first, as weights2weights does; otherwise the vectors are only centred, which
    ///     reconstructs raw vectors best.
    /// - Returns: the PCA.
    /// - Throws: `LinearAlgebraError` or `SpaceError` when the vectors have no spectrum.
    static func pca(of vectors: Tensor, components count: Int, standardized: Bool) throws -> WeightPCA {
        let (rows, n) = (vectors.shape[0], vectors.shape[1])
        var (sums, squares) = ([Double](repeating: 0, count: n), [Double](repeating: 0, count: n))
        for row in 0..<rows {
            for i in 0..<n { sums[i] += Double(vectors.pointer[row * n + i]) }
        }
        let mean = sums.map { $0 / Double(rows) }
        for row in 0..<rows {
            for i in 0..<n {
                let difference = Double(vectors.pointer[row * n + i]) - mean[i]
                squares[i] += difference * difference
            }
        }
        let deviations = squares.map { ($0 / Double(max(1, rows - 1))).squareRoot() }
        let std = Tensor([n], deviations.map { standardized && $0 > 0 ? Float($0) : 1 })
        let means = Tensor([n], mean.map { Float($0) })
        let scaled = vectors.copy()
        Standardization.apply(mean: means, std: std, to: scaled)
        let spectrum = try Spectrum(of: scaled, components: count)
        let kept = spectrum.components.shape[0]
        let components = Tensor(uninitialized: [n, kept])
        for i in 0..<kept {
            for j in 0..<n { components.pointer[j * kept + i] = spectrum.components.pointer[i * n + j] }
        }
        return try WeightPCA(
            mean: means, std: std, components: components,
            singularValues: spectrum.eigenvalues.prefix(kept).map { Float(($0 * Double(rows)).squareRoot()) }, rows: rows,
            origin: "\(rows) identities of the training split")
    }
}
