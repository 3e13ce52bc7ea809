import NumericalTesting
import Testing

@testable import TensorKit

/// Winograd's convolutions against the plain loops, on every processor.
@Suite struct WinogradTests {
    static let sizes = [
        ConvolutionAlgorithm.winograd, .winograd2, .halfWinograd, .halfWinograd2, .brainWinograd, .brainWinograd2, .turning,
        .turning2, .turningInRegisters, .brainTurning, .brainTurning2,
    ]

    /// Rounding shows up to four times as much as in direct products of sixteen-bit numbers. A tap or channel that is left out shows more.
    static func tolerance(_ algorithm: ConvolutionAlgorithm) -> Float {
        switch algorithm {
        case .winograd, .turning, .turningInRegisters: 1e-5
        case .winograd2, .turning2: 5e-6
        case .halfWinograd: 1.5e-2
        case .brainWinograd, .brainTurning: 2.5e-2
        case .brainWinograd2, .brainTurning2: 8e-3
        default: 5e-3
        }
    }

    static func convolution(_ inputs: Int, _ outputs: Int, _ algorithm: ConvolutionAlgorithm) -> ConvolutionKernel {
        let geometry = ConvolutionGeometry(
            inChannels: inputs, outChannels: outputs, kernelHeight: 3, kernelWidth: 3, padding: Padding(1))
        let kernel = ConvolutionKernel(geometry)
        kernel.algorithm = algorithm
        return kernel
    }

    /// Outputs of a panel, which has a factor of its own.
    static func width(_ algorithm: ConvolutionAlgorithm) -> Int {
        algorithm == .turningInRegisters ? 16 : WeightPanels.width
    }

    /// Whole and partial tiles, one and several blocks of them, tiles split over threads (many) and panels split (few), channels in one and
    /// in two pieces.
    @Test(
        arguments: [
            ([1, 4, 4, 64], 64), ([2, 5, 7, 32], 128), ([1, 1, 1, 16], 64), ([1, 33, 29, 48], 64), ([3, 40, 44, 16], 64),
            ([2, 9, 6, 320], 192), ([1, 30, 34, 32], 320), ([1, 2, 53, 528], 64), ([2, 4, 3, 48], 64), ([1, 3, 10, 80], 128),
        ] as [([Int], Int)], sizes)
    func agreesWithTheLoops(_ shape: ([Int], Int), _ algorithm: ConvolutionAlgorithm) {
        let (input, outputs) = shape
        let kernel = Self.convolution(input[3], outputs, algorithm)
        let x = randomTensor(input, seed: 1)
        let weight = randomTensor(kernel.geometry.weightShape, seed: 2, scale: 0.2)
        let bias = randomTensor([outputs], seed: 3)
        let plain = PlainKernels.convolution(x, weight: weight, bias: bias, geometry: kernel.geometry)
        let residual = randomTensor(plain.shape, seed: 4)
        expectClose(
            kernel.forward(x, weight: weight, version: 0, bias: bias), plain, tolerance: Self.tolerance(algorithm),
            "\(input) to \(outputs)")
        expectClose(
            kernel.forward(x, weight: weight, version: 0, bias: bias, adding: residual, activation: .silu),
            PlainKernels.apply(.silu, Kernels.add(plain, residual)), tolerance: Self.tolerance(algorithm),
            "\(input), residual and SiLU")
        expectClose(
            kernel.forward(x, weight: weight, version: 0),
            PlainKernels.convolution(
                x, weight: weight, bias: nil, geometry: kernel.geometry), tolerance: Self.tolerance(algorithm),
            "\(input) without bias")
        let perKernel = algorithm.turnsKernels ? 9 * 4 : algorithm.winograd.map { $0.number.bytes * $0.turns.places } ?? 0
        #expect(kernel.layoutBytes == perKernel * input[3] * outputs + 4 * outputs / Self.width(algorithm))
    }

    static let turning = [ConvolutionAlgorithm.turning, .turning2, .turningInRegisters, .brainTurning, .brainTurning2]

    /// Kept in half precision, half-precision weights of all sizes give bit for bit what they give in float32.
    @Test(arguments: [Float(1e-6), 1, 3e4], turning) func halfWeightsAreKeptWithoutLoss(
        _ size: Float, _ algorithm: ConvolutionAlgorithm
    ) {
        let (kernel, other) = (Self.convolution(48, 128, algorithm), Self.convolution(48, 128, algorithm))
        let x = randomTensor([2, 7, 9, 48], seed: 1)
        let weight = randomTensor(kernel.geometry.weightShape, seed: 2, scale: size)
        let found = kernel.forward(x, weight: halfSource(weight))
        let expected = other.forward(x, weight: weight, version: 0)
        #expect((0..<found.count).allSatisfy { found.pointer[$0] == expected.pointer[$0] })
        #expect(kernel.layoutBytes < other.layoutBytes * 6 / 10)
    }

    /// In fast mode any weights are kept in half precision, also those that it could not hold as they are.
    @Test(arguments: [Float(1e-9), 1, 1e6], turning) func fastKeepsAllWeightsInHalf(
        _ size: Float, _ algorithm: ConvolutionAlgorithm
    ) {
        let kernel = Self.convolution(64, 64, algorithm)
        kernel.precision = .fast
        let x = randomTensor([1, 8, 9, 64], seed: 1)
        let weight = randomTensor(kernel.geometry.weightShape, seed: 2, scale: size)
        expectClose(
            kernel.forward(x, weight: weight, version: 0),
            PlainKernels.convolution(x, weight: weight, bias: nil, geometry: kernel.geometry),
            tolerance: max(1e-3, Self.tolerance(algorithm)), "\(size)")
        #expect(kernel.layoutBytes == 9 * 2 * 64 * 64 + 4 * 64 / Self.width(algorithm))
    }

    /// A result of more numbers than stay in the caches.
    @Test(arguments: sizes) func largeImages(_ algorithm: ConvolutionAlgorithm) {
        let kernel = Self.convolution(16, 64, algorithm)
        let x = randomTensor([1, 258, 256, 16], seed: 1)
        let weight = randomTensor(kernel.geometry.weightShape, seed: 2, scale: 0.2)
        let residual = randomTensor([1, 258, 256, 64], seed: 3)
        let found = kernel.forward(x, weight: weight, version: 0, adding: residual)
        kernel.algorithm = .direct
        expectClose(
            found, kernel.forward(x, weight: weight, version: 0, adding: residual), tolerance: Self.tolerance(algorithm),
            "a large image")
    }

    /// Small whole numbers: what is wrong by one tap, channel or pixel is wrong by more than rounding.
    @Test(arguments: sizes) func everyTapCounts(_ algorithm: ConvolutionAlgorithm) {
        let kernel = Self.convolution(16, 64, algorithm)
        for tap in 0..<9 {
            let (x, weight) = (randomTensor([1, 11, 10, 16], seed: 1), Tensor(zeros: [64, 16, 3, 3]))
            for output in 0..<64 { weight.pointer[(output * 16 + output % 16) * 9 + tap] = Float(output + 1) }
            kernel.releaseLayouts()
            // Alone a tap is known less well than in a sum of many.
            expectClose(
                kernel.forward(x, weight: weight, version: tap),
                PlainKernels.convolution(x, weight: weight, bias: nil, geometry: kernel.geometry),
                tolerance: 4 * Self.tolerance(algorithm), "tap \(tap)")
        }
    }

    /// Half precision ends at 65504 and loses bits below 6e-5; scaling keeps all sizes inside.
    @Test(arguments: [(1e6, 1), (1, 1e6), (1e12, 1e9), (1e-9, 1e-8), (1e20, 1e-15)] as [(Float, Float)], sizes)
    func numbersOfAllSizes(_ factors: (Float, Float), _ algorithm: ConvolutionAlgorithm) {
        let (size, weightSize) = factors
        let kernel = Self.convolution(64, 64, algorithm)
        let x = randomTensor([1, 8, 9, 64], seed: 1, scale: size)
        let weight = randomTensor(kernel.geometry.weightShape, seed: 2, scale: weightSize)
        expectClose(
            kernel.forward(x, weight: weight, version: 0),
            PlainKernels.convolution(x, weight: weight, bias: nil, geometry: kernel.geometry),
            tolerance: Self.tolerance(algorithm),
            "\(size) times \(weightSize)")
    }

    /// The largest numbers that the turns can make, all of one sign where sums are longest.
    @Test(arguments: sizes) func largestSumsStayFinite(_ algorithm: ConvolutionAlgorithm) {
        let kernel = Self.convolution(512, 64, algorithm)
        let (x, weight) = (Tensor(uninitialized: [1, 8, 8, 512]), Tensor(uninitialized: [64, 512, 3, 3]))
        for signs in 0..<16 {
            for i in 0..<x.count {
                let (row, column) = (i / 512 / 8, i / 512 % 8)
                x.pointer[i] = (signs & 1 != 0 && row % 2 == 1) != (signs & 2 != 0 && column % 2 == 1) ? -1.999 : 1.999
            }
            for i in 0..<weight.count {
                weight.pointer[i] = (signs & 4 != 0 && i / 3 % 3 == 1) != (signs & 8 != 0 && i % 3 == 1) ? -1.999 : 1.999
            }
            expectClose(
                kernel.forward(x, weight: weight, version: signs),
                PlainKernels.convolution(x, weight: weight, bias: nil, geometry: kernel.geometry), tolerance: 5e-2,
                "signs \(signs)")
        }
    }

    /// What is not finite in float32 is not made finite.
    @Test(arguments: [Float.infinity, .nan], sizes) func whatIsNotFiniteStaysSo(_ value: Float, _ algorithm: ConvolutionAlgorithm)
    {
        let kernel = Self.convolution(16, 64, algorithm)
        let (x, weight) = (randomTensor([1, 8, 8, 16], seed: 1), randomTensor([64, 16, 3, 3], seed: 2))
        x.pointer[(3 * 8 + 2) * 16 + 5] = value
        let y = kernel.forward(x, weight: weight, version: 0)
        for output in 0..<64 { #expect(!y.pointer[(3 * 8 + 2) * 64 + output].isFinite) }
    }

    @Test(arguments: sizes) func otherConvolutionsAreLeftToOthers(_ algorithm: ConvolutionAlgorithm) {
        for geometry in [
            ConvolutionGeometry(inChannels: 24, outChannels: 64, kernelHeight: 3, kernelWidth: 3, padding: Padding(1)),
            ConvolutionGeometry(inChannels: 32, outChannels: 64, kernelHeight: 3, kernelWidth: 3, stride: 2, padding: Padding(1)),
            ConvolutionGeometry(inChannels: 32, outChannels: 96, kernelHeight: 3, kernelWidth: 3, padding: Padding(1)),
        ] {
            let kernel = ConvolutionKernel(geometry)
            kernel.algorithm = algorithm
            let x = randomTensor([1, 6, 7, geometry.inChannels], seed: 1)
            let weight = randomTensor(geometry.weightShape, seed: 2)
            expectClose(
                kernel.forward(x, weight: weight, version: 0),
                PlainKernels.convolution(x, weight: weight, bias: nil, geometry: geometry), "\(geometry)")
        }
    }
}
