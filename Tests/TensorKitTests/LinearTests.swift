import TensorKit
import Testing

@Suite struct LinearTests {
    static let cases = [[1, 3, 5], [2, 16, 16], [77, 40, 33], [154, 128, 128], [3, 257, 1], [33, 17, 129]]

    @Test(arguments: cases) func forwardAgreesWithTheLoops(_ size: [Int]) {
        let (rows, inputs, outputs) = (size[0], size[1], size[2])
        let x = randomTensor([rows, inputs], seed: 1)
        let weight = randomTensor([outputs, inputs], seed: 2, scale: 0.3)
        let bias = randomTensor([outputs], seed: 3)
        let residual = randomTensor([rows, outputs], seed: 4)
        let kernel = LinearKernel(inFeatures: inputs, outFeatures: outputs)
        let plain = PlainKernels.linear(x, weight: weight, bias: bias)
        for changes in [false, true] {
            expectClose(
                kernel.forward(x, weight: weight, version: 0, weightChanges: changes),
                PlainKernels.linear(x, weight: weight, bias: nil), "without bias")
            expectClose(kernel.forward(x, weight: weight, version: 0, bias: bias, weightChanges: changes), plain, "with bias")
            for activation in [Activation.identity, .silu, .leakyReLU(slope: 0.01), .tanh, .gelu, .quickGELU] {
                expectClose(
                    kernel.forward(
                        x, weight: weight, version: 0, bias: bias, adding: residual, activation: activation,
                        weightChanges: changes),
                    PlainKernels.apply(activation, Kernels.add(plain, residual)), "residual and \(activation)")
            }
        }
    }

    @Test(arguments: cases) func gradientsAgreeWithTheLoops(_ size: [Int]) {
        let (rows, inputs, outputs) = (size[0], size[1], size[2])
        let x = randomTensor([rows, inputs], seed: 1)
        let weight = randomTensor([outputs, inputs], seed: 2)
        let gradient = randomTensor([rows, outputs], seed: 3)
        let kernel = LinearKernel(inFeatures: inputs, outFeatures: outputs)
        expectClose(
            kernel.inputGradient(gradient, weight: weight, version: 0), PlainKernels.product(gradient, weight), "input")
        let expected = PlainKernels.product(gradient, x, transposeA: true)
        expectClose(kernel.weightGradient(gradient, x: x), expected, "weight")
        let total = expected.copy()
        kernel.addWeightGradient(gradient, x: x, to: total)
        expectClose(total, Kernels.scale(expected, by: 2), "added weight gradient")
    }

    @Test func productsOfTransposedOperands() {
        let (a, b) = (randomTensor([6, 9], seed: 1), randomTensor([9, 21], seed: 2))
        let (at, bt) = (transposed(a), transposed(b))
        let expected = PlainKernels.product(a, b)
        expectClose(Kernels.product(a, b), expected, "a b")
        expectClose(Kernels.product(at, b, transposeA: true), expected, "aT b")
        expectClose(Kernels.product(a, bt, transposeB: true), expected, "a bT")
        expectClose(Kernels.product(at, bt, transposeA: true, transposeB: true), expected, "aT bT")
    }

    private func transposed(_ x: Tensor) -> Tensor {
        let y = Tensor(uninitialized: [x.shape[1], x.shape[0]])
        for i in 0..<x.shape[0] {
            for j in 0..<x.shape[1] { y.pointer[j * x.shape[0] + i] = x.pointer[i * x.shape[1] + j] }
        }
        return y
    }

    @Test(arguments: [1, 2, 5]) func lowRankUpdatesAreTheirSamples(_ rank: Int) {
        let x = randomTensor([3, 7, 20], seed: 1)
        let (a, b) = (randomTensor([3, rank, 20], seed: 2), randomTensor([3, 19, rank], seed: 3))
        let y = randomTensor([3, 7, 19], seed: 4)
        let expected = y.copy()
        for n in 0..<3 {
            let change = PlainKernels.product(
                PlainKernels.product(
                    x.rows(n..<n + 1).reshaped([7, 20]), a.rows(n..<n + 1).reshaped([rank, 20]), transposeB: true),
                b.rows(n..<n + 1).reshaped([19, rank]), transposeB: true)
            Kernels.accumulate(change.reshaped([1, 7, 19]), into: expected.rows(n..<n + 1), factor: 0.7)
        }
        Kernels.addLowRank(x, a: a, b: b, scale: 0.7, into: y)
        expectClose(y, expected, "low-rank update")
    }
}
