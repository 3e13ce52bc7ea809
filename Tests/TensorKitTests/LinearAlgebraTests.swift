import TensorKit
import Testing

@Suite struct LinearAlgebraTests {
    @Test(arguments: [[5, 9], [9, 5], [7, 7], [1, 4]]) func singularValuesRebuildTheMatrix(_ shape: [Int]) throws {
        let a = randomTensor(shape, seed: 1)
        let (u, values, vt) = try LinearAlgebra.singularValueDecomposition(a)
        let rank = min(shape[0], shape[1])
        #expect(u.shape == [shape[0], rank] && values.shape == [rank] && vt.shape == [rank, shape[1]])
        #expect(values.array == values.array.sorted(by: >))
        let scaled = u.copy()
        for i in 0..<scaled.count { scaled.pointer[i] *= values.pointer[i % rank] }
        expectClose(PlainKernels.product(scaled, vt), a, "u s vt")
        expectClose(PlainKernels.product(vt, vt, transposeB: true), identity(rank), "vt v")
    }

    @Test func eigenvectorsAreKeptByTheirMatrix() throws {
        let b = randomTensor([6, 6], seed: 2)
        let a = PlainKernels.product(b, b, transposeB: true)
        let (values, vectors) = try LinearAlgebra.symmetricEigen(a)
        #expect(values.array == values.array.sorted())
        let expected = vectors.copy()
        for i in 0..<36 { expected.pointer[i] *= values.pointer[i / 6] }
        expectClose(PlainKernels.product(vectors, a), expected, "v a = lambda v")
        expectClose(PlainKernels.product(vectors, vectors, transposeB: true), identity(6), "v vT")
    }

    @Test func leastSquaresLeaveAResidualAtRightAngles() throws {
        let (a, b) = (randomTensor([20, 4], seed: 3), randomTensor([20, 3], seed: 4))
        let (x, rank) = try LinearAlgebra.leastSquares(a, b)
        #expect(rank == 4 && x.shape == [4, 3])
        let residual = Kernels.scaledDifference(PlainKernels.product(a, x), b, factor: 1)
        let projection = PlainKernels.product(a, residual, transposeA: true)
        #expect(projection.array.allSatisfy { abs($0) < 1e-5 })
    }

    @Test func leastSquaresOfTooFewEquationsTakeTheShortest() throws {
        let a = Tensor([1, 2], [3, 4])
        let (x, rank) = try LinearAlgebra.leastSquares(a, Tensor([1, 1], [5]))
        #expect(rank == 1)
        expectClose(x, Tensor([2, 1], [0.6, 0.8]), "shortest solution")
    }

    private func identity(_ count: Int) -> Tensor {
        let result = Tensor(zeros: [count, count])
        for i in 0..<count { result.pointer[i * count + i] = 1 }
        return result
    }
}
