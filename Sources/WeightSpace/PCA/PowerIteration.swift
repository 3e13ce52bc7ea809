import TensorKit

/// Block power iteration for the largest singular values of a matrix X that comes in blocks of rows.
///
/// One pass computes, with an orthonormal basis Q of l rows, Z = (Xᵀ X Qᵀ)ᵀ and T = Q Xᵀ X Qᵀ together. The eigenvectors of T turn Q into Ritz
/// vectors; the next basis is orth(Z - α Q), where the shift α is half the smallest Ritz value so far: it damps what lies below the block and
/// is never large enough to turn the order around (dashSVD, Feng, Yu and Xie 2022, algorithm 3).
final class PowerIteration {
    /// l
    let width: Int
    /// n
    let length: Int
    /// Q, [l, n], orthonormal rows.
    private(set) var basis: Tensor
    /// Z as far as the pass has come, [l, n].
    private(set) var image: Tensor
    /// T as far as the pass has come, [l, l].
    private(set) var projected: [Double]
    private(set) var shift: Double
    /// Eigenvectors of T after a pass, [l, l], one in each row.
    private var rotation = [Double]()

    /// A random start.
    init(width: Int, length: Int, seed: UInt64) {
        self.width = width
        self.length = length
        basis = TorchRandomSource(seed: seed).normal(shape: [width, length])
        image = Tensor(zeros: [width, length])
        projected = [Double](repeating: 0, count: width * width)
        shift = 0
        // A Gaussian matrix has independent rows, so this cannot fail; if it did, the next turn would fail as well and say so.
        try? LinearAlgebra.orthonormalizeRows(basis)
    }

    /// Goes on from a checkpoint.
    init(basis: Tensor, image: Tensor, projected: [Double], shift: Double) {
        precondition(basis.shape == image.shape && projected.count == basis.shape[0] * basis.shape[0], "parts of two iterations")
        width = basis.shape[0]
        length = basis.shape[1]
        (self.basis, self.image, self.projected, self.shift) = (basis, image, projected, shift)
    }

    /// Takes a block of rows of X in.
    /// - Parameter rows: [N, n]
    func add(_ rows: Tensor) {
        let coordinates = Kernels.product(rows, basis, transposeB: true)
        Kernels.product(coordinates, rows, transposeA: true, addingTo: image)
        let square = Kernels.product(coordinates, coordinates, transposeA: true)
        for i in 0..<(width * width) { projected[i] += Double(square.pointer[i]) }
    }

    /// Singular values of X as far as the basis sees them, falling, [l]; to be asked for after a pass.
    func ritzValues() throws -> [Double] {
        var matrix = projected
        let eigen = try LinearAlgebra.largestEigen(&matrix, n: width, count: width)
        rotation = eigen.vectors
        if let smallest = eigen.values.last, smallest / 2 > shift { shift = smallest / 2 }
        return eigen.values.map { max(0, $0).squareRoot() }
    }

    /// Begins the next pass with the basis that the last one found.
    func turn() throws {
        Kernels.accumulate(basis, into: image, factor: Float(-shift))
        basis = image
        try LinearAlgebra.orthonormalizeRows(basis)
        image = Tensor(zeros: [width, length])
        projected = [Double](repeating: 0, count: width * width)
    }

    /// The first Ritz vectors of the last pass.
    /// - Parameter count: at most l.
    /// - Returns: [n, count], orthonormal columns.
    func components(_ count: Int) -> Tensor {
        let turn = Tensor([count, width], rotation[0..<(count * width)].map { Float($0) })
        return Kernels.product(basis, turn, transposeA: true, transposeB: true)
    }
}
