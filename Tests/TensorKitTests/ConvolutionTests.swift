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

    @Test(arguments: [Case(input: [1, 12, 10, 64], outChannels: 48), Case(input: [2, 17, 16, 32], outChannels: 32)])
    func winogradAgreesWithTheLoops(_ test: Case) {
        let x = randomTensor(test.input, seed: 1)
        let weight = randomTensor(test.geometry.weightShape, seed: 2, scale: 0.1)
        let bias = randomTensor([test.outChannels], seed: 3)
        let kernel = ConvolutionKernel(test.geometry)
        kernel.algorithm = .winograd
        let plain = PlainKernels.convolution(x, weight: weight, bias: bias, geometry: test.geometry)
        let residual = randomTensor(plain.shape, seed: 4)
        expectClose(kernel.forward(x, weight: weight, version: 0, bias: bias), plain, tolerance: 2e-4, "Winograd")
        expectClose(
            kernel.forward(x, weight: weight, version: 0, bias: bias, adding: residual, activation: .silu),
            PlainKernels.apply(.silu, Kernels.add(plain, residual)), tolerance: 2e-4, "Winograd with residual and SiLU")
    }

    /// Bands of eight rows: a first, some between, and a last that may be lower.
    @Test(arguments: [[1, 29, 10, 64], [1, 32, 10, 64], [2, 16, 12, 32], [1, 9, 8, 16], [2, 5, 8, 16]])
    func winogradInBandsAgreesWithTheLoops(_ input: [Int]) throws {
        let test = Case(input: input, outChannels: 32)
        let x = randomTensor(input, seed: 1)
        let weight = randomTensor(test.geometry.weightShape, seed: 2, scale: 0.1)
        let bias = randomTensor([test.outChannels], seed: 3)
        let key = ConvolutionPlan.Key(
            input: input, hasBias: true, hasResidual: false, activation: .identity, algorithm: .winograd)
        // Where the processor has no Winograd kernels there are no bands of it either.
        guard let whole = ConvolutionPlan(test.geometry, key) else { return }
        let bands = try #require(ConvolutionPlan(test.geometry, key, bandRows: 8))
        #expect(bands.implementation.hasSuffix(" bands") && whole.isFused == bands.isFused)
        let expected = PlainKernels.convolution(x, weight: weight, bias: bias, geometry: test.geometry)
        let found = Tensor(zeros: expected.shape)
        bands.run(x, PackedWeights(), WeightSource(weight, version: 0), bias: bias, residual: nil, into: found)
        expectClose(found, expected, tolerance: 2e-4, "\(whole.implementation) in bands")
    }

    @Test func onlyWhatIsLargeInsideIsCutIntoBands() throws {
        func rows(_ input: [Int]) -> Int? {
            WinogradBands.rows(
                ConvolutionGeometry(
                    inChannels: input[3], outChannels: 128, kernelHeight: 3, kernelWidth: 3, padding: Padding(1)), input)
        }
        #expect(rows([1, 64, 64, 512]) == nil)
        for input in [[1, 512, 512, 128], [1, 1000, 333, 256], [2, 512, 512, 256]] {
            let found = try #require(rows(input))
            #expect(found % 4 == 0 && found >= 8 && found < input[1])
            #expect(found * input[2] / 16 * 36 * (input[3] + 128) * 4 <= WinogradBands.insideLimit * 5 / 4, "\(input)")
        }
    }
}
