/// The lower triangular L with L Lᵀ = matrix, for draws from a Gaussian.
enum Cholesky {
    /// - Parameters:
    ///   - matrix: symmetric and positive definite, [n, n] row-major.
    ///   - n: number of rows.
    /// - Returns: [n, n] row-major, zero above the diagonal.
    /// - Throws: `SpaceError` when the matrix is not positive definite.
    static func factor(_ matrix: [Double], n: Int) throws -> [Double] {
        precondition(matrix.count == n * n, "\(matrix.count) values for a matrix of \(n) rows")
        var l = [Double](repeating: 0, count: n * n)
        for i in 0..<n {
            for j in 0...i {
                var sum = matrix[i * n + j]
                for k in 0..<j { sum -= l[i * n + k] * l[j * n + k] }
                if i == j {
                    guard sum > 0, sum.isFinite else {
                        throw SpaceError(
                            "the covariance of the codes is not positive definite (axis \(i))",
                            advice: "Sample from the prior instead.")
                    }
                    l[i * n + i] = sum.squareRoot()
                } else {
                    l[i * n + j] = sum / l[j * n + j]
                }
            }
        }
        return l
    }
}
