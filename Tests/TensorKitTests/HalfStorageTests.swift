import TensorKit
import Testing

/// Ways of calculating that the plain loops do not have: weights in panels, in bfloat16, in a file. Where numbers are rounded to bfloat16 the
/// loops are given the rounded ones, so the tolerance stays that of float32.
@Suite struct HalfStorageTests {
    /// To the nearest bfloat16 number, ties to even.
    static func rounded(_ x: Tensor) -> Tensor {
        let y = x.copy()
        for i in 0..<y.count {
            let bits = y.pointer[i].bitPattern
            y.pointer[i] = Float(bitPattern: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) & 0xFFFF_0000)
        }
        return y
    }

    @Test(arguments: [1, 3, 12, 13, 24, 77, 300]) func linearLayersInPanels(_ rows: Int) {
        for (inputs, outputs) in [(64, 64), (320, 128), (1024, 192)] {
            let x = randomTensor([rows, inputs], seed: 1)
            let weight = randomTensor([outputs, inputs], seed: 2, scale: 0.3)
            let (bias, residual) = (randomTensor([outputs], seed: 3), randomTensor([rows, outputs], seed: 4))
            let halves = Precision.hasBrainFloat ? ["halfStored", "widened", "bfloat16"] : []
            for way in ["float32", "panels"] + halves {
                let isHalf = halves.contains(way)
                let kernel = LinearKernel(inFeatures: inputs, outFeatures: outputs)
                kernel.arithmetic = way
                let w = isHalf ? Self.rounded(weight) : weight
                let plain = PlainKernels.linear(way == "bfloat16" ? Self.rounded(x) : x, weight: w, bias: bias)
                expectClose(kernel.forward(x, weight: weight, version: 0, bias: bias), plain, "\(way) \(rows) x \(inputs)")
                expectClose(
                    kernel.forward(x, weight: weight, version: 0, bias: bias, adding: residual, activation: .silu),
                    PlainKernels.apply(.silu, Kernels.add(plain, residual)), "\(way) with residual and SiLU")
            }
        }
    }

    @Test(
        arguments: [ConvolutionAlgorithm.panels] + (Precision.hasBrainFloat ? [.halfStored, .bfloat16] : []),
        [[1, 4, 4, 64], [2, 5, 7, 32], [3, 8, 12, 64], [8, 3, 3, 128]])
    func convolutionsInPanels(_ algorithm: ConvolutionAlgorithm, _ input: [Int]) {
        for stride in [1, 2] {
            let geometry = ConvolutionGeometry(
                inChannels: input[3], outChannels: 64, kernelHeight: 3, kernelWidth: 3, stride: stride, padding: Padding(1))
            let x = randomTensor(input, seed: 1)
            let weight = randomTensor(geometry.weightShape, seed: 2, scale: 0.2)
            let bias = randomTensor([64], seed: 3)
            let kernel = ConvolutionKernel(geometry)
            kernel.algorithm = algorithm
            let plain = PlainKernels.convolution(
                algorithm == .bfloat16 ? Self.rounded(x) : x, weight: algorithm == .panels ? weight : Self.rounded(weight),
                bias: bias, geometry: geometry)
            let residual = randomTensor(plain.shape, seed: 4)
            expectClose(kernel.forward(x, weight: weight, version: 0, bias: bias), plain, "\(algorithm), stride \(stride)")
            expectClose(
                kernel.forward(x, weight: weight, version: 0, bias: bias, adding: residual), Kernels.add(plain, residual),
                "\(algorithm) with residual")
        }
    }

    /// Weights of many shapes, kept in bfloat16 and widened for float32 kernels: the numbers, and that half the memory is what is kept.
    @Test(.enabled(if: Precision.hasBrainFloat), arguments: [(128, 128, 1), (128, 192, 1), (320, 128, 2), (192, 320, 1)])
    func widenedConvolutions(_ inputs: Int, _ outputs: Int, _ stride: Int) {
        let geometry = ConvolutionGeometry(
            inChannels: inputs, outChannels: outputs, kernelHeight: 3, kernelWidth: 3, stride: stride, padding: Padding(1))
        let (x, bias) = (randomTensor([2, 16, 16, inputs], seed: 1), randomTensor([outputs], seed: 3))
        let weight = Self.rounded(randomTensor(geometry.weightShape, seed: 2, scale: 0.2))
        let kernel = ConvolutionKernel(geometry)
        kernel.algorithm = .widened
        let plain = PlainKernels.convolution(x, weight: weight, bias: bias, geometry: geometry)
        let residual = randomTensor(plain.shape, seed: 4)
        expectClose(
            kernel.forward(x, weight: weight, version: 0, bias: bias, adding: residual), Kernels.add(plain, residual), "widened")
        let half = ConvolutionKernel(geometry)
        half.algorithm = .halfStored
        expectClose(half.forward(x, weight: weight, version: 0, bias: bias), plain, "panels in half")
        // Where oneDNN's layouts are no panels, both keep what it wants in float32.
        let isInPanels = inputs == 128 && outputs == 128
        #expect(kernel.layoutBytes >= 2 * weight.count && (!isInPanels || kernel.layoutBytes == 2 * weight.count))
    }

    @Test func releasedLayoutsComeBack() {
        let (x, weight) = (randomTensor([40, 512], seed: 1), randomTensor([256, 512], seed: 2, scale: 0.2))
        let kernel = LinearKernel(inFeatures: 512, outFeatures: 256)
        let first = kernel.forward(x, weight: weight, version: 0)
        #expect(kernel.layoutBytes >= 4 * weight.count)
        kernel.releaseLayouts()
        #expect(kernel.layoutBytes == 0)
        #expect(kernel.forward(x, weight: weight, version: 0).array == first.array)
    }

    /// Larger layers choose between ways; what the others laid out is not kept.
    @Test(arguments: [Precision.f32, .fast]) func aTrialKeepsOneLayout(_ precision: Precision) {
        let geometry = ConvolutionGeometry(
            inChannels: 192, outChannels: 192, kernelHeight: 3, kernelWidth: 3, padding: Padding(1))
        let (x, weight) = (randomTensor([1, 32, 32, 192], seed: 1), randomTensor(geometry.weightShape, seed: 2, scale: 0.05))
        let kernel = ConvolutionKernel(geometry)
        kernel.precision = precision
        let plain = PlainKernels.convolution(x, weight: weight, bias: nil, geometry: geometry)
        expectClose(kernel.forward(x, weight: weight, version: 0), plain, tolerance: precision == .f32 ? 2e-4 : 2.5e-2, "conv")
        // Winograd takes 16 bytes a weight (and a factor for each panel), float32 4, bfloat16 2.
        #expect(
            (2 * weight.count...16 * weight.count + 64).contains(kernel.layoutBytes),
            "\(kernel.layoutBytes) bytes of \(weight.count) weights")
    }

    @Test func precisionChangesWhatALayerKeeps() {
        let (x, weight) = (randomTensor([40, 512], seed: 1), randomTensor([256, 512], seed: 2, scale: 0.2))
        let kernel = LinearKernel(inFeatures: 512, outFeatures: 256)
        let exact = PlainKernels.linear(x, weight: weight, bias: nil)
        expectClose(kernel.forward(x, weight: weight, version: 0), exact, "f32")
        kernel.precision = .fast
        let fast = kernel.forward(x, weight: weight, version: 0)
        // 2^-9 for each operand, and what 512 of them come to.
        expectClose(fast, exact, tolerance: 1e-2, "fast")
        kernel.precision = .f32
        expectClose(kernel.forward(x, weight: weight, version: 0), exact, "f32 again")
    }

    @Test func weightsComeFromWhereTheyLie() {
        let weight = randomTensor([96, 64], seed: 2)
        let values = weight.array
        let stored = WeightSource.Stored(
            read: { range, target in for i in range { target[i - range.lowerBound] = values[i] } }, release: {})
        let source = WeightSource(shape: [96, 64], version: 0, stored: stored)
        let x = randomTensor([7, 64], seed: 1)
        let kernel = LinearKernel(inFeatures: 64, outFeatures: 96)
        expectClose(kernel.forward(x, weight: source), PlainKernels.linear(x, weight: weight, bias: nil), "stored")
        #expect(source.tensor().array == values)
        #expect(source.rows([5, 0]).array == Array(values[5 * 64..<6 * 64]) + Array(values[0..<64]))
    }
}
