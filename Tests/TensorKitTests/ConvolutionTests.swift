import Testing

@testable import TensorKit

@Suite struct ConvolutionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var input: [Int]
        var outChannels: Int
        var kernel = 3
        var stride = 1
        var padding = Padding(1)
        var testDescription: String { "\(input) -> \(outChannels), \(kernel)x\(kernel), stride \(stride), \(padding)" }

        var geometry: ConvolutionGeometry {
            ConvolutionGeometry(
                inChannels: input[3], outChannels: outChannels, kernelHeight: kernel, kernelWidth: kernel, stride: stride,
                padding: padding)
        }
    }

    static let cases = [
        Case(input: [1, 5, 7, 3], outChannels: 5),
        Case(input: [2, 8, 8, 16], outChannels: 32),
        Case(input: [3, 6, 9, 20], outChannels: 7),
        Case(input: [2, 4, 5, 33], outChannels: 17, kernel: 1, padding: Padding(0)),
        Case(input: [1, 9, 8, 16], outChannels: 16, stride: 2),
        Case(input: [2, 7, 8, 12], outChannels: 9, stride: 2, padding: Padding(top: 0, bottom: 1, left: 0, right: 1)),
        Case(input: [1, 1, 1, 4], outChannels: 4),
        Case(input: [2, 16, 16, 4], outChannels: 64),
        Case(input: [1, 8, 8, 64], outChannels: 4),
    ]

    @Test(arguments: cases) func forwardAgreesWithTheLoops(_ test: Case) {
        let geometry = test.geometry
        let x = randomTensor(test.input, seed: 1)
        let weight = randomTensor(geometry.weightShape, seed: 2, scale: 0.2)
        let bias = randomTensor([test.outChannels], seed: 3)
        let kernel = ConvolutionKernel(geometry)
        let plain = PlainKernels.convolution(x, weight: weight, bias: bias, geometry: geometry)
        expectClose(kernel.forward(x, weight: weight, version: 0, bias: bias), plain, "with bias")
        expectClose(
            kernel.forward(x, weight: weight, version: 0),
            PlainKernels.convolution(x, weight: weight, bias: nil, geometry: geometry), "without bias")

        let residual = randomTensor(plain.shape, seed: 4)
        let sum = Kernels.add(plain, residual)
        for activation in [Activation.identity, .silu, .relu, .leakyReLU(slope: 0.2), .tanh, .gelu, .quickGELU, .sigmoid] {
            expectClose(
                kernel.forward(x, weight: weight, version: 0, bias: bias, adding: residual, activation: activation),
                PlainKernels.apply(activation, sum), "residual and \(activation)")
        }
    }

    @Test(arguments: cases) func channelVectorsAreAddedToTheirSample(_ test: Case) {
        let geometry = test.geometry
        let x = randomTensor(test.input, seed: 1)
        let weight = randomTensor(geometry.weightShape, seed: 2, scale: 0.2)
        let bias = randomTensor([test.outChannels], seed: 3)
        let kernel = ConvolutionKernel(geometry)
        let one = randomTensor([test.outChannels], seed: 5)
        let same = Tensor([test.input[0], test.outChannels], (0..<test.input[0]).flatMap { _ in one.array })
        let residual = randomTensor(geometry.outputShape(of: test.input), seed: 4)
        for vector in [randomTensor([test.input[0], test.outChannels], seed: 6), same] {
            let expected = PlainKernels.convolution(x, weight: weight, bias: bias, geometry: geometry)
            let positions = expected.shape[1] * expected.shape[2]
            for i in 0..<expected.count {
                let (n, c) = (i / (positions * test.outChannels), i % test.outChannels)
                expected.pointer[i] += vector.pointer[n * test.outChannels + c] + residual.pointer[i]
            }
            expectClose(
                kernel.forward(
                    x, weight: weight, version: 0, bias: bias, addingPerSample: vector, adding: residual, activation: .silu),
                PlainKernels.apply(.silu, expected), "channel vector")
        }
    }

    @Test(arguments: cases) func gradientsAgreeWithTheLoops(_ test: Case) {
        let geometry = test.geometry
        let x = randomTensor(test.input, seed: 1)
        let weight = randomTensor(geometry.weightShape, seed: 2, scale: 0.2)
        let gradient = randomTensor(geometry.outputShape(of: test.input), seed: 3)
        let kernel = ConvolutionKernel(geometry)
        expectClose(
            kernel.inputGradient(gradient, weight: weight, version: 0, inputShape: test.input),
            PlainKernels.convolutionInputGradient(gradient, weight: weight, inputShape: test.input, geometry: geometry),
            "gradient of the input")
        expectClose(
            kernel.weightGradient(gradient, x: x),
            PlainKernels.convolutionWeightGradient(gradient, x: x, geometry: geometry), "gradient of the weight")
    }

    @Test func aNewVersionOfTheWeightIsUsed() {
        let test = Self.cases[1]
        let kernel = ConvolutionKernel(test.geometry)
        let x = randomTensor(test.input, seed: 1)
        let weight = randomTensor(test.geometry.weightShape, seed: 2)
        _ = kernel.forward(x, weight: weight, version: 0)
        weight.pointer[0] += 3
        expectClose(
            kernel.forward(x, weight: weight, version: 1),
            PlainKernels.convolution(x, weight: weight, bias: nil, geometry: test.geometry), "changed weight")
    }
}
