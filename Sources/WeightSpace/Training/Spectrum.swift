import TensorKit

/// The principal components of vectors: eigenvalues of their covariance, and the directions.
public struct Spectrum {
    /// Mean of the vectors, [n].
    public let mean: [Float]
    /// Variances along the components in the vectors' units (summed over the vector, not averaged), largest first.
    public let eigenvalues: [Double]
    /// Unit vectors, [k, n].
    public private(set) var components: Tensor
    /// Sum of all eigenvalues.
    public let total: Double

    /// Measures the spectrum of vectors through their Gram matrix, since there are fewer vectors than numbers in one.
    /// - Parameters:
    ///   - vectors: [N, n]
    ///   - count: at most so many components; fewer when the vectors span less.
    /// - Throws: `LinearAlgebraError` when the vectors are not finite.
    public init(of vectors: Tensor, components count: Int) throws {
        let (rows, n) = (vectors.shape[0], vectors.shape[1])
        var sums = [Double](repeating: 0, count: n)
        for row in 0..<rows {
            for i in 0..<n { sums[i] += Double(vectors.pointer[row * n + i]) }
        }
        mean = sums.map { Float($0 / Double(max(1, rows))) }
        let centred = vectors.copy()
        for row in 0..<rows {
            for i in 0..<n { centred.pointer[row * n + i] -= mean[i] }
        }
        let gram = LinearKernel(inFeatures: n, outFeatures: rows).forward(centred, weight: centred, version: 0)
        // Rising order: the last ones come first here.
        let eigen = try LinearAlgebra.symmetricEigen(gram)
        eigenvalues = eigen.values.array.reversed().map { max(0, Double($0) / Double(rows)) }
        total = eigenvalues.reduce(0, +)
        // Directions of vanishing variance are rounding errors.
        let floor = (eigenvalues.first ?? 0) * 1e-7
        let kept = min(count, eigenvalues.prefix { $0 > floor && $0 > 0 }.count)
        // Component i = sum over the vectors of u_i[row] * vector[row] / sqrt(rows * eigenvalue).
        let mixing = Tensor(uninitialized: [kept, rows])
        for i in 0..<kept {
            let length = (Double(rows) * eigenvalues[i]).squareRoot()
            for row in 0..<rows {
                mixing.pointer[i * rows + row] = eigen.vectors.pointer[(rows - 1 - i) * rows + row] / Float(length)
            }
        }
        components = LinearKernel(inFeatures: n, outFeatures: rows).inputGradient(mixing, weight: centred, version: 0)
    }

    /// Gives the memory of the directions back; they explain nothing any more.
    mutating func forgetComponents() { components = Tensor(zeros: [0, mean.count]) }

    /// Sum of the squared distances of vectors from the mean.
    func squaredDistance(of vectors: Tensor) -> Double { Kernels.sumOfSquares(centred(vectors)) }

    private func centred(_ vectors: Tensor) -> Tensor {
        let n = mean.count
        let result = vectors.copy()
        for row in 0..<vectors.shape[0] {
            for i in 0..<n { result.pointer[row * n + i] -= mean[i] }
        }
        return result
    }

    /// Share of the variance of other vectors around this mean that the first components explain (R2).
    /// - Parameters:
    ///   - vectors: [N, n]
    ///   - count: number of components.
    /// - Returns: at most 1.
    public func explained(of vectors: Tensor, components count: Int) -> Double {
        let centred = centred(vectors)
        let kept = min(count, components.shape[0])
        guard kept > 0 else { return 0 }
        let coefficients = LinearKernel(inFeatures: mean.count, outFeatures: kept).forward(
            centred, weight: components.rows(0..<kept), version: 0)
        // The components are orthonormal: the squared length of the projection is that of its coefficients.
        return Kernels.sumOfSquares(coefficients) / max(Kernels.sumOfSquares(centred), .leastNonzeroMagnitude)
    }
}
