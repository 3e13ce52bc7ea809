import TensorKit
import Testing

@Suite struct NormalizationTests {
    /// Shape and number of groups.
    static let groupCases: [([Int], Int)] = [
        ([1, 1, 3, 6], 2), ([2, 5, 3, 64], 32), ([3, 7, 12], 4), ([1, 9, 9, 96], 32), ([2, 4, 4, 192], 32), ([2, 33, 50], 5),
        ([1, 40, 40, 320], 32), ([1, 3, 3, 48], 48),
    ]

    @Test(arguments: groupCases) func groupNormAgreesWithTheLoops(_ shape: [Int], _ groups: Int) {
        let channels = shape[shape.count - 1]
        let x = randomTensor(shape, seed: 1)
        let (weight, bias) = (randomTensor([channels], seed: 2), randomTensor([channels], seed: 3))
        let plain = PlainKernels.groupNorm(x, weight: weight, bias: bias, groups: groups, epsilon: 1e-5)
        for activation in [Activation.identity, .silu, .gelu] {
            expectClose(
                Kernels.groupNorm(x, weight: weight, bias: bias, groups: groups, epsilon: 1e-5, activation: activation),
                PlainKernels.apply(activation, plain), "group norm, \(activation)")
        }
        let gradient = randomTensor(shape, seed: 4)
        let fast = Kernels.groupNormGradient(gradient, x: x, weight: weight, groups: groups, epsilon: 1e-5)
        let slow = PlainKernels.groupNormGradient(gradient, x: x, weight: weight, groups: groups, epsilon: 1e-5)
        expectClose(fast.input, slow.input, "gradient of the input")
        expectClose(fast.weight, slow.weight, "gradient of the weight")
        expectClose(fast.bias, slow.bias, "gradient of the bias")
    }

    /// A result of more numbers than stay in the caches.
    @Test func groupNormOfALargeImage() {
        let x = randomTensor([1, 264, 256, 64], seed: 1)
        let (weight, bias) = (randomTensor([64], seed: 2), randomTensor([64], seed: 3))
        expectClose(
            Kernels.groupNorm(x, weight: weight, bias: bias, groups: 32, epsilon: 1e-5),
            PlainKernels.groupNorm(x, weight: weight, bias: bias, groups: 32, epsilon: 1e-5), "group norm")
    }

    @Test func groupNormStandsALargeMean() {
        let x = randomTensor([2, 8, 8, 64], seed: 1)
        for i in 0..<x.count { x.pointer[i] += 1000 }
        let ones = Tensor([64], [Float](repeating: 1, count: 64))
        let zeros = Tensor(zeros: [64])
        expectClose(
            Kernels.groupNorm(x, weight: ones, bias: zeros, groups: 32, epsilon: 1e-5),
            PlainKernels.groupNorm(x, weight: ones, bias: zeros, groups: 32, epsilon: 1e-5), tolerance: 1e-4, "large mean")
    }

    @Test(arguments: [[1, 5], [3, 16], [2, 77, 128], [9, 33], [40, 320]]) func layerNormAgreesWithTheLoops(_ shape: [Int]) {
        let width = shape[shape.count - 1]
        let x = randomTensor(shape, seed: 1)
        let (weight, bias) = (randomTensor([width], seed: 2), randomTensor([width], seed: 3))
        let rows = [x.count / width, width]
        expectClose(
            Kernels.layerNorm(x, weight: weight, bias: bias, epsilon: 1e-5),
            PlainKernels.groupNorm(x.reshaped(rows), weight: weight, bias: bias, groups: 1, epsilon: 1e-5).reshaped(shape),
            "layer norm")
        let gradient = randomTensor(shape, seed: 4)
        let fast = Kernels.layerNormGradient(gradient, x: x, weight: weight, epsilon: 1e-5)
        let slow = PlainKernels.groupNormGradient(
            gradient.reshaped(rows), x: x.reshaped(rows), weight: weight, groups: 1, epsilon: 1e-5)
        expectClose(fast.input, slow.input.reshaped(shape), "gradient of the input")
        expectClose(fast.weight, slow.weight, "gradient of the weight")
        expectClose(fast.bias, slow.bias, "gradient of the bias")
    }

    @Test func sumsOfRowsAndPositions() {
        let x = randomTensor([3, 5, 7, 41], seed: 1)
        let (rows, positions) = (Tensor(zeros: [41]), Tensor(zeros: [3, 41]))
        for i in 0..<x.count {
            rows.pointer[i % 41] += x.pointer[i]
            positions.pointer[i / (35 * 41) * 41 + i % 41] += x.pointer[i]
        }
        expectClose(Kernels.sumRows(x), rows, "rows")
        expectClose(Kernels.sumPositions(x), positions, "positions")
    }
}
