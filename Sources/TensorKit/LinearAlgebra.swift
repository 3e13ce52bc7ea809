import COpenBLAS

/// A decomposition that LAPACK could not finish.
public struct LinearAlgebraError: Error, Equatable, CustomStringConvertible {
    /// LAPACK's routine.
    public let routine: String
    /// What it returned: positive when it did not converge, negative when an argument was wrong.
    public let info: Int

    public var description: String {
        "\(routine) did not converge (info \(info)); the matrix may hold infinities or values that are not numbers"
    }
}

/// Decompositions of matrices, in double precision inside.
public enum LinearAlgebra {
    /// a = u diag(s) vt, with r = min(m, n) singular values in falling order.
    /// - Parameter a: [m, n]
    /// - Returns: `u` [m, r], `values` [r], `vt` [r, n]
    /// - Throws: `LinearAlgebraError` when the iteration does not converge.
    public static func singularValueDecomposition(_ a: Tensor) throws -> (u: Tensor, values: Tensor, vt: Tensor) {
        require(a.shape.count == 2, "a singular value decomposition of \(a.shape)")
        let (rows, columns) = (a.shape[0], a.shape[1])
        let rank = min(rows, columns)
        guard rank > 0 else { return (Tensor(zeros: [rows, 0]), Tensor(zeros: [0]), Tensor(zeros: [0, columns])) }
        // Fortran reads our rows as columns: it decomposes aᵀ = v diag(s) uᵀ.
        var matrix = doubles(a)
        var (m, n, r) = (Int32(columns), Int32(rows), Int32(rank))
        var values = [Double](repeating: 0, count: rank)
        var v = [Double](repeating: 0, count: columns * rank)
        var ut = [Double](repeating: 0, count: rank * rows)
        var integers = [Int32](repeating: 0, count: 8 * rank)
        var info: Int32 = 0
        var size = Int32(-1)
        var best = [Double](repeating: 0, count: 1)
        dgesdd_("S", &m, &n, &matrix, &m, &values, &v, &m, &ut, &r, &best, &size, &integers, &info)
        size = Int32(best[0])
        var work = [Double](repeating: 0, count: max(1, Int(size)))
        dgesdd_("S", &m, &n, &matrix, &m, &values, &v, &m, &ut, &r, &work, &size, &integers, &info)
        guard info == 0 else { throw LinearAlgebraError(routine: "dgesdd", info: Int(info)) }
        // v is [columns, rank] by columns, which is vt by rows; ut is [rank, rows] by columns, which is u by rows.
        return (tensor([rows, rank], ut), tensor([rank], values), tensor([rank, columns], v))
    }

    /// Eigenvalues in rising order, and an eigenvector of length 1 for each.
    /// - Parameter a: [n, n], symmetric; the lower triangle is read.
    /// - Returns: `values` [n]; `vectors` [n, n], one in each row.
    /// - Throws: `LinearAlgebraError` when the iteration does not converge.
    public static func symmetricEigen(_ a: Tensor) throws -> (values: Tensor, vectors: Tensor) {
        require(a.shape.count == 2 && a.shape[0] == a.shape[1], "eigenvalues of \(a.shape)")
        let count = a.shape[0]
        guard count > 0 else { return (Tensor(zeros: [0]), Tensor(zeros: [0, 0])) }
        var matrix = doubles(a)
        var n = Int32(count)
        var values = [Double](repeating: 0, count: count)
        var info: Int32 = 0
        var (size, integerSize) = (Int32(-1), Int32(-1))
        var best = [Double](repeating: 0, count: 1)
        var bestIntegers = [Int32](repeating: 0, count: 1)
        // Our lower triangle is Fortran's upper one.
        dsyevd_("V", "U", &n, &matrix, &n, &values, &best, &size, &bestIntegers, &integerSize, &info)
        (size, integerSize) = (Int32(best[0]), bestIntegers[0])
        var work = [Double](repeating: 0, count: max(1, Int(size)))
        var integers = [Int32](repeating: 0, count: max(1, Int(integerSize)))
        dsyevd_("V", "U", &n, &matrix, &n, &values, &work, &size, &integers, &integerSize, &info)
        guard info == 0 else { throw LinearAlgebraError(routine: "dsyevd", info: Int(info)) }
        return (tensor([count], values), tensor([count, count], matrix))
    }

    /// The x of least Euclidean norm that minimises |a x - b| for every column of b.
    /// - Parameters:
    ///   - a: [m, n]
    ///   - b: [m, k]
    ///   - cutoff: singular values below this share of the largest count as zero.
    /// - Returns: `x` [n, k] and the rank of `a`.
    /// - Throws: `LinearAlgebraError` when the iteration does not converge.
    public static func leastSquares(_ a: Tensor, _ b: Tensor, cutoff: Double = 1e-7) throws -> (x: Tensor, rank: Int) {
        require(
            a.shape.count == 2 && b.shape.count == 2 && a.shape[0] == b.shape[0],
            "least squares of \(a.shape) and \(b.shape)")
        let (rows, columns, sides) = (a.shape[0], a.shape[1], b.shape[1])
        guard min(rows, columns, sides) > 0 else { return (Tensor(zeros: [columns, sides]), 0) }
        let height = max(rows, columns)
        var matrix = [Double](repeating: 0, count: rows * columns)
        for i in 0..<rows {
            for j in 0..<columns { matrix[j * rows + i] = Double(a.pointer[i * columns + j]) }
        }
        var right = [Double](repeating: 0, count: height * sides)
        for i in 0..<rows {
            for j in 0..<sides { right[j * height + i] = Double(b.pointer[i * sides + j]) }
        }
        var (m, n, k, ldb) = (Int32(rows), Int32(columns), Int32(sides), Int32(height))
        var values = [Double](repeating: 0, count: min(rows, columns))
        var (cutoff, rank, info, size) = (cutoff, Int32(0), Int32(0), Int32(-1))
        var best = [Double](repeating: 0, count: 1)
        var bestIntegers = [Int32](repeating: 0, count: 1)
        dgelsd_(&m, &n, &k, &matrix, &m, &right, &ldb, &values, &cutoff, &rank, &best, &size, &bestIntegers, &info)
        size = Int32(best[0])
        var work = [Double](repeating: 0, count: max(1, Int(size)))
        var integers = [Int32](repeating: 0, count: max(1, Int(bestIntegers[0])))
        dgelsd_(&m, &n, &k, &matrix, &m, &right, &ldb, &values, &cutoff, &rank, &work, &size, &integers, &info)
        guard info == 0 else { throw LinearAlgebraError(routine: "dgelsd", info: Int(info)) }
        let x = Tensor(uninitialized: [columns, sides])
        for i in 0..<columns {
            for j in 0..<sides { x.pointer[i * sides + j] = Float(right[j * height + i]) }
        }
        return (x, Int(rank))
    }

    private static func doubles(_ a: Tensor) -> [Double] {
        let source = a.pointer
        return (0..<a.count).map { Double(source[$0]) }
    }

    private static func tensor(_ shape: [Int], _ values: [Double]) -> Tensor { Tensor(shape, values.map { Float($0) }) }
}
