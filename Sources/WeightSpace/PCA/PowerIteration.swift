import TensorKit

/// Chebyshev-filtered block iteration for the largest singular values of a matrix X that comes in blocks of rows.
///
/// One pass computes, with an orthonormal basis Q of l rows, Z = (Xᵀ X Qᵀ)ᵀ and T = Q Xᵀ X Qᵀ together. The eigenvectors of T turn Q into Ritz
/// vectors. The next basis follows the Chebyshev recurrence on 0...a (Zhou, Saad, Tiago and Chelikowsky 2006), where a is the smallest Ritz
/// value of the block: what lies below a stays small, what lies above grows as fast as with any polynomial of that degree. After each pass
/// the basis is made orthonormal, and its predecessor undergoes the same combination of rows, so that the recurrence goes on in single
/// precision. Where a has risen by more than a twentieth the recurrence begins anew; its first step is a power iteration shifted by a / 2.
final class PowerIteration {
    /// l
    let width: Int
    /// n
    let length: Int
    /// Q, [l, n], orthonormal rows.
    private(set) var basis: Tensor
    /// The basis of the pass before, combined like Q; nil where the recurrence begins.
    private(set) var previous: Tensor?
    /// Z as far as the pass has come, [l, n].
    private(set) var image: Tensor
    /// T as far as the pass has come, [l, l].
    private(set) var projected: [Double]
    /// a; 0 before the first turn.
    private(set) var cut: Double
    /// Eigenvectors of T after a pass, [l, l], one in each row, and the smallest eigenvalue.
    private var rotation = [Double]()
    private var smallest = 0.0

    /// A random start.
    /// - Throws: `LinearAlgebraError` when it has no orthonormal basis.
    init(width: Int, length: Int, seed: UInt64) throws {
        self.width = width
        self.length = length
        basis = TorchRandomSource(seed: seed).normal(shape: [width, length])
        image = Tensor(zeros: [width, length])
        projected = [Double](repeating: 0, count: width * width)
        cut = 0
        try LinearAlgebra.orthonormalizeRows(basis)
    }

    /// Goes on from a checkpoint.
    init(basis: Tensor, previous: Tensor?, image: Tensor, projected: [Double], cut: Double) {
        precondition(basis.shape == image.shape && projected.count == basis.shape[0] * basis.shape[0], "parts of two iterations")
        width = basis.shape[0]
        length = basis.shape[1]
        (self.basis, self.previous, self.image, self.projected, self.cut) = (basis, previous, image, projected, cut)
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
        smallest = max(0, eigen.values.last ?? 0)
        return eigen.values.map { max(0, $0).squareRoot() }
    }

    /// Begins the next pass with the basis that the last one found.
    func turn() throws {
        let next = image
        if smallest > 1.05 * cut || previous == nil {
            cut = smallest
            previous = nil
        }
        // 2 / a Xᵀ X - 1 maps 0...a to -1...1; the recurrence doubles it and takes the predecessor off.
        let slope = cut > 0 ? Float(2 / cut) : 1
        if let previous {
            combine(next, factor: 2 * slope, basis, -2, previous, -1)
        } else {
            combine(next, factor: slope, basis, -1, nil, 0)
        }
        previous = basis
        basis = next
        try LinearAlgebra.orthonormalizeRows(basis, and: previous)
        image = Tensor(zeros: [width, length])
        projected = [Double](repeating: 0, count: width * width)
    }

    /// target = factor target + a first + b second
    private func combine(_ target: Tensor, factor: Float, _ first: Tensor, _ a: Float, _ second: Tensor?, _ b: Float) {
        // Factors in the order that keeps the sums in place.
        Kernels.accumulate(first, into: target, factor: a / factor)
        if let second { Kernels.accumulate(second, into: target, factor: b / factor) }
        Kernels.accumulate(target, into: target, factor: factor - 1)
    }

    /// The first Ritz vectors of the last pass.
    /// - Parameter count: at most l.
    /// - Returns: [n, count], orthonormal columns.
    func components(_ count: Int) -> Tensor {
        let turn = Tensor([count, width], rotation[0..<(count * width)].map { Float($0) })
        return Kernels.product(basis, turn, transposeA: true, transposeB: true)
    }
}
