import COpenBLAS

/// Decompositions for the large matrices of a PCA, and solutions of the small systems of a regression; matrices of doubles stay doubles.
extension LinearAlgebra {
    /// The largest eigenvalues of a symmetric matrix, falling, and an eigenvector of length 1 for each.
    /// - Parameters:
    ///   - matrix: [n, n] row-major, symmetric; its contents are used up.
    ///   - n: number of rows.
    ///   - count: how many, at most n.
    /// - Returns: `values` [count]; `vectors` [count, n] row-major, one in each row.
    /// - Throws: `LinearAlgebraError` when the iteration does not converge.
    public static func largestEigen(
        _ matrix: inout [Double], n: Int, count: Int
    ) throws -> (values: [Double], vectors: [Double]) {
        require(matrix.count == n * n && count <= n, "\(count) eigenvalues of \(matrix.count) numbers as \(n) rows")
        guard count > 0 else { return ([], []) }
        var (size, order, low, high) = (Int32(n), Int32(n), Int32(n - count + 1), Int32(n))
        var (found, info) = (Int32(0), Int32(0))
        var (zero, tolerance) = (0.0, 0.0)
        var values = [Double](repeating: 0, count: n)
        var vectors = [Double](repeating: 0, count: n * count)
        var support = [Int32](repeating: 0, count: 2 * count)
        var (length, integerLength) = (Int32(-1), Int32(-1))
        var best = [Double](repeating: 0, count: 1)
        var bestIntegers = [Int32](repeating: 0, count: 1)
        dsyevr_(
            "V", "I", "U", &size, &matrix, &order, &zero, &zero, &low, &high, &tolerance, &found, &values, &vectors, &order,
            &support, &best, &length, &bestIntegers, &integerLength, &info)
        (length, integerLength) = (Int32(best[0]), bestIntegers[0])
        var work = [Double](repeating: 0, count: max(1, Int(length)))
        var integers = [Int32](repeating: 0, count: max(1, Int(integerLength)))
        dsyevr_(
            "V", "I", "U", &size, &matrix, &order, &zero, &zero, &low, &high, &tolerance, &found, &values, &vectors, &order,
            &support, &work, &length, &integers, &integerLength, &info)
        guard info == 0, Int(found) == count else { throw LinearAlgebraError(routine: "dsyevr", info: Int(info)) }
        // Rising order, one vector in each column of Fortran's matrix: a row of ours.
        var ordered = [Double](unsafeUninitializedCapacity: n * count) { _, initialized in initialized = 0 }
        for i in (0..<count).reversed() { ordered += vectors[(i * n)..<((i + 1) * n)] }
        return (values[0..<count].reversed(), ordered)
    }

    /// Makes the rows of a matrix orthonormal, in place: aᵀ = Q R (Householder), a becomes Qᵀ.
    /// - Parameters:
    ///   - a: [k, n], k at most n, rows linearly independent.
    ///   - other: [k, n], undergoes the same combination of rows: otherᵀ becomes otherᵀ R⁻¹.
    /// - Throws: `LinearAlgebraError` when LAPACK refuses.
    public static func orthonormalizeRows(_ a: Tensor, and other: Tensor? = nil) throws {
        require(other.map { $0.shape == a.shape } ?? true, "orthonormal rows of \(a.shape) and \(other?.shape ?? [])")
        require(a.shape.count == 2 && a.shape[0] <= a.shape[1], "orthonormal rows of \(a.shape)")
        guard a.count > 0 else { return }
        // Fortran reads our rows as columns.
        var (m, n, info, length) = (Int32(a.shape[1]), Int32(a.shape[0]), Int32(0), Int32(-1))
        var tau = [Float](repeating: 0, count: a.shape[0])
        var best = [Float](repeating: 0, count: 1)
        sgeqrf_(&m, &n, a.pointer, &m, &tau, &best, &length, &info)
        length = Int32(best[0])
        var work = [Float](repeating: 0, count: max(1, Int(length)))
        sgeqrf_(&m, &n, a.pointer, &m, &tau, &work, &length, &info)
        guard info == 0 else { throw LinearAlgebraError(routine: "sgeqrf", info: Int(info)) }
        if let other {
            cblas_strsm(
                CblasColMajor, CblasRight, CblasUpper, CblasNoTrans, CblasNonUnit, m, n, 1, a.pointer, m, other.pointer, m)
        }
        sorgqr_(&m, &n, &n, a.pointer, &m, &tau, &work, &length, &info)
        guard info == 0 else { throw LinearAlgebraError(routine: "sorgqr", info: Int(info)) }
    }

    /// Adds Σ weight[r] row_r row_rᵀ over the rows of a matrix to `total`; only the lower triangle is touched.
    /// - Parameters:
    ///   - rows: [N, d] row-major.
    ///   - weights: [N], none below 0.
    ///   - d: length of a row.
    ///   - total: [d, d] row-major.
    public static func addWeightedGram(_ rows: [Double], weights: [Double], dimension d: Int, to total: inout [Double]) {
        require(rows.count == weights.count * d && total.count == d * d, "a Gram matrix of \(rows.count) numbers in rows of \(d)")
        guard d > 0, !weights.isEmpty else { return }
        var scaled = rows
        for (r, weight) in weights.enumerated() {
            let root = weight.squareRoot()
            for i in 0..<d { scaled[r * d + i] *= root }
        }
        cblas_dsyrk(
            CblasRowMajor, CblasLower, CblasTrans, Int32(d), Int32(weights.count), 1, scaled, Int32(d), 1, &total, Int32(d))
    }

    /// The solution of a symmetric positive definite system, or nil when the matrix is none.
    /// - Parameters:
    ///   - matrix: [n, n] row-major; the lower triangle is read.
    ///   - right: [n]
    /// - Returns: [n]
    public static func solvePositive(_ matrix: [Double], _ right: [Double]) -> [Double]? {
        let count = right.count
        require(matrix.count == count * count, "\(matrix.count) numbers for \(count) equations")
        guard count > 0 else { return [] }
        var (a, b) = (matrix, right)
        var (n, one, info) = (Int32(count), Int32(1), Int32(0))
        // Our lower triangle is Fortran's upper one.
        dposv_("U", &n, &one, &a, &n, &b, &n, &info)
        return info == 0 ? b : nil
    }
}
