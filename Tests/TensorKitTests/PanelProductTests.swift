import NumericalTesting
import Testing

@testable import TensorKit

/// Products of sixteen-bit numbers against the plain loops. They are right on every processor, so these tests run on every one.
@Suite struct PanelProductTests {
    /// Of binary16 numbers operands are rounded to eleven bits, short sums too: 1.3e-3 of the result's size on average. Of bfloat16 numbers operands
    /// are rounded to eight bits: 2.1e-3. A single input that is left out shows.
    static let tolerance: Float = 4e-3
    static let ways = ["half", "brain"]

    @Test(arguments: [1, 3, 6, 8, 12, 13, 77, 300], ways) func linearLayers(_ rows: Int, _ way: String) {
        for (inputs, outputs) in [(1, 64), (64, 64), (323, 128), (1024, 192)] {
            let x = randomTensor([rows, inputs], seed: 1)
            let weight = randomTensor([outputs, inputs], seed: 2, scale: 0.3)
            let (bias, residual) = (randomTensor([outputs], seed: 3), randomTensor([rows, outputs], seed: 4))
            let kernel = LinearKernel(inFeatures: inputs, outFeatures: outputs)
            kernel.arithmetic = way
            let plain = PlainKernels.linear(x, weight: weight, bias: bias)
            let shape = "\(rows) x \(inputs) to \(outputs)"
            expectClose(kernel.forward(x, weight: weight, version: 0, bias: bias), plain, tolerance: Self.tolerance, shape)
            expectClose(
                kernel.forward(x, weight: weight, version: 0, bias: bias, adding: residual, activation: .silu),
                PlainKernels.apply(.silu, Kernels.add(plain, residual)), tolerance: Self.tolerance, shape + ", residual and SiLU")
            // Pairs of bfloat16 numbers need an even number of inputs; else float32 takes over.
            if way == "brain" && inputs % 2 == 1 { continue }
            let bytes = 2 * inputs * outputs + 4 * outputs / WeightPanels.width
            #expect(kernel.layoutBytes == bytes, "\(kernel.layoutBytes) bytes for \(shape)")
        }
    }

    /// Kept in half precision and widened in registers, half-precision weights give bit for bit what they give in float32.
    @Test(arguments: [1, 5, 6, 12, 16, 23, 131]) func halfWeightsAreKeptWithoutLoss(_ rows: Int) {
        let equal = { (a: Tensor, b: Tensor) in (0..<a.count).allSatisfy { a.pointer[$0] == b.pointer[$0] } }
        for (inputs, outputs, size) in [(323, 128, 1), (1024, 256, 1e-6), (64, 64, 2e4)] as [(Int, Int, Float)] {
            let (x, bias) = (randomTensor([rows, inputs], seed: 1), randomTensor([outputs], seed: 2))
            let weight = randomTensor([outputs, inputs], seed: 3, scale: size)
            let half = halfSource(weight)
            let kernels = (0..<2).map { _ in LinearKernel(inFeatures: inputs, outFeatures: outputs) }
            for kernel in kernels { kernel.arithmetic = "panels" }
            #expect(
                equal(
                    kernels[0].forward(x, weight: half, bias: bias),
                    kernels[1].forward(x, weight: weight, version: 0, bias: bias)), "\(inputs) to \(outputs)")
            #expect(kernels[0].layoutBytes == 2 * inputs * outputs + 4 * outputs / WeightPanels.width)
            #expect(
                equal(
                    kernels[0].forwardGated(x, weight: half),
                    kernels[1].forwardGated(x, weight: WeightSource(weight, version: 0))), "gated, \(inputs) to \(outputs)")
        }
        let geometry = ConvolutionGeometry(inChannels: 48, outChannels: 64, kernelHeight: 3, kernelWidth: 3, padding: Padding(1))
        let (x, weight) = (randomTensor([1, 3, rows, 48], seed: 4), randomTensor(geometry.weightShape, seed: 5))
        let half = halfSource(weight)
        let kernels = (0..<2).map { _ in ConvolutionKernel(geometry) }
        for kernel in kernels { kernel.algorithm = .panels }
        #expect(equal(kernels[0].forward(x, weight: half), kernels[1].forward(x, weight: weight, version: 0)), "a convolution")
    }

    @Test(
        arguments: [[1, 4, 4, 64], [2, 5, 7, 33], [3, 8, 12, 64], [1, 9, 3, 320], [1, 17, 15, 16], [1, 3, 5, 1090]],
        [ConvolutionAlgorithm.half, .brain])
    func convolutions(_ input: [Int], _ algorithm: ConvolutionAlgorithm) {
        let paddings = [Padding(1), Padding(top: 0, bottom: 1, left: 0, right: 1)]
        for (stride, padding, height) in [(1, paddings[0], 3), (2, paddings[0], 3), (2, paddings[1], 3), (1, paddings[0], 1)] {
            let geometry = ConvolutionGeometry(
                inChannels: input[3], outChannels: 128, kernelHeight: height, kernelWidth: 3, stride: stride, padding: padding)
            let x = randomTensor(input, seed: 1)
            let weight = randomTensor(geometry.weightShape, seed: 2, scale: 0.2)
            let bias = randomTensor([128], seed: 3)
            let kernel = ConvolutionKernel(geometry)
            kernel.algorithm = algorithm
            let plain = PlainKernels.convolution(x, weight: weight, bias: bias, geometry: geometry)
            let residual = randomTensor(plain.shape, seed: 4)
            let shape = "\(input), \(height)x3/\(stride)"
            expectClose(kernel.forward(x, weight: weight, version: 0, bias: bias), plain, tolerance: Self.tolerance, shape)
            expectClose(
                kernel.forward(x, weight: weight, version: 0, bias: bias, adding: residual), Kernels.add(plain, residual),
                tolerance: Self.tolerance, shape + ", residual")
        }
    }

    /// Gated inside as in two passes, and as the loops have it.
    @Test(arguments: [5, 400, 1000], ways + ["panels"]) func gatedLayers(_ rows: Int, _ way: String) {
        let (inputs, outputs) = (300, 384)
        let (x, weight) = (randomTensor([rows, inputs], seed: 1), randomTensor([outputs, inputs], seed: 2, scale: 0.1))
        let bias = randomTensor([outputs], seed: 3)
        let kernel = LinearKernel(inFeatures: inputs, outFeatures: outputs)
        kernel.arithmetic = way
        let found = kernel.forwardGated(x, weight: WeightSource(weight, version: 0), bias: bias)
        #expect(found.shape == [rows, outputs / 2])
        expectClose(
            found, Kernels.geglu(PlainKernels.linear(x, weight: weight, bias: bias)), tolerance: Self.tolerance, "\(rows) rows")
        // With bfloat16 numbers the GELU inside is nearer than they are, not exact.
        expectClose(
            found, Kernels.geglu(kernel.forward(x, weight: weight, version: 0, bias: bias)),
            tolerance: way == "brain" ? 3e-4 : 1e-5,
            "\(rows) rows in two passes")
    }

    /// Results of more numbers than stay in the caches, of inputs in several pieces.
    @Test(arguments: ways + ["panels"]) func manyRows(_ way: String) {
        let (rows, inputs, outputs) = (8200, 600, 512)
        let (x, weight) = (randomTensor([rows, inputs], seed: 1), randomTensor([outputs, inputs], seed: 2, scale: 0.1))
        let (bias, residual) = (randomTensor([outputs], seed: 3), randomTensor([rows, outputs], seed: 4))
        let (kernel, plain) = (
            LinearKernel(inFeatures: inputs, outFeatures: outputs), LinearKernel(inFeatures: inputs, outFeatures: outputs)
        )
        (kernel.arithmetic, plain.arithmetic) = (way, "float32")
        expectClose(
            kernel.forward(x, weight: weight, version: 0, bias: bias, adding: residual),
            plain.forward(x, weight: weight, version: 0, bias: bias, adding: residual), tolerance: Self.tolerance, "many rows")
        expectClose(
            kernel.forwardGated(x, weight: WeightSource(weight, version: 0), bias: bias),
            Kernels.geglu(plain.forward(x, weight: weight, version: 0, bias: bias)), tolerance: Self.tolerance, "many rows, gated"
        )
    }

    /// Panels of float32 numbers: few rows (panels split over threads) and many.
    @Test(arguments: [1, 7, 200, 450]) func panelsOfFloat32(_ rows: Int) throws {
        let (inputs, outputs) = (700, 128)
        let panels = try #require(WeightPanels(.float32, outputs: outputs, channels: inputs))
        let (x, weight) = (randomTensor([rows, inputs], seed: 1), randomTensor([outputs, inputs], seed: 2))
        let bias = randomTensor([outputs], seed: 3)
        let stored = Tensor(uninitialized: [(panels.bytes + 3) / 4])
        let from = SharedPointer(pointer: weight.pointer)
        panels.fill(UnsafeMutableRawPointer(stored.pointer)) {
            $1.update(from: from.pointer + $0.lowerBound, count: $0.count)
        }
        let y = Tensor(uninitialized: [rows, outputs])
        PanelProduct(panels: panels).multiply(
            .matrix(x.pointer), rows: rows, weights: UnsafeMutableRawPointer(stored.pointer), bias: bias.pointer,
            into: .rows(y.pointer, adding: nil))
        expectClose(y, PlainKernels.linear(x, weight: weight, bias: bias), tolerance: 1e-5, "\(rows) rows")
    }

    private struct SharedPointer: @unchecked Sendable {  // for reading
        let pointer: UnsafeMutablePointer<Float>
    }

    /// Half precision ends at 65504 and loses bits below 6e-5; scaling keeps all sizes inside.
    @Test(
        arguments: [(1, 1), (1e6, 1), (1, 1e6), (1e12, 1e9), (1e-9, 1e-8), (1e20, 1e-15), (65504, 65504)] as [(Float, Float)],
        ways)
    func numbersOfAllSizes(_ sizes: (Float, Float), _ way: String) {
        let (size, weightSize) = sizes
        let (x, weight) = (randomTensor([30, 400], seed: 1, scale: size), randomTensor([64, 400], seed: 2, scale: weightSize))
        let kernel = LinearKernel(inFeatures: 400, outFeatures: 64)
        kernel.arithmetic = way
        let plain = PlainKernels.linear(x, weight: weight, bias: nil)
        expectClose(
            kernel.forward(x, weight: weight, version: 0), plain, tolerance: Self.tolerance, "\(size) times \(weightSize)")
    }

    /// The largest sums there can be: all products of one sign and of the largest size.
    @Test(arguments: [1.99, 1, 65504] as [Float], ways) func sumsOfOneSignStayFinite(_ size: Float, _ way: String) {
        let (rows, inputs, outputs) = (14, 2048, 64)
        let (x, weight) = (Tensor(uninitialized: [rows, inputs]), Tensor(uninitialized: [outputs, inputs]))
        x.pointer.update(repeating: size, count: x.count)
        weight.pointer.update(repeating: -size, count: weight.count)
        let kernel = LinearKernel(inFeatures: inputs, outFeatures: outputs)
        kernel.arithmetic = way
        let plain = PlainKernels.linear(x, weight: weight, bias: nil)
        expectClose(kernel.forward(x, weight: weight, version: 0), plain, tolerance: 1e-2, "sums of \(size)")
    }

    /// Rows far apart in size in one block, which has one scale: the small ones keep their digits.
    @Test(arguments: ways) func smallRowsBesideLargeOnes(_ way: String) {
        let x = randomTensor([40, 256], seed: 1)
        for row in 0..<40 where row % 2 == 0 {
            for i in 0..<256 { x.pointer[row * 256 + i] *= 1e-3 }
        }
        let weight = randomTensor([64, 256], seed: 2)
        let kernel = LinearKernel(inFeatures: 256, outFeatures: 64)
        kernel.arithmetic = way
        let (found, plain) = (
            kernel.forward(x, weight: weight, version: 0), PlainKernels.linear(x, weight: weight, bias: nil)
        )
        for row in 0..<40 {
            expectClose(
                found.rows(row..<row + 1), plain.rows(row..<row + 1), tolerance: 1.5 * Self.tolerance, "row \(row)")
        }
    }

    /// What is not finite in float32 is not made finite.
    @Test(arguments: [Float.infinity, .nan], ways) func whatIsNotFiniteStaysSo(_ value: Float, _ way: String) {
        let (x, weight) = (randomTensor([3, 128], seed: 1), randomTensor([64, 128], seed: 2))
        x.pointer[130] = value
        let kernel = LinearKernel(inFeatures: 128, outFeatures: 64)
        kernel.arithmetic = way
        let found = kernel.forward(x, weight: weight, version: 0)
        for i in 64..<128 { #expect(!found.pointer[i].isFinite) }
    }

    @Test(arguments: ways) func outputsThatFillNoPanelAreLeftToOthers(_ way: String) {
        let (x, weight) = (randomTensor([20, 64], seed: 1), randomTensor([96, 64], seed: 2))
        let kernel = LinearKernel(inFeatures: 64, outFeatures: 96)
        kernel.arithmetic = way
        expectClose(
            kernel.forward(x, weight: weight, version: 0), PlainKernels.linear(x, weight: weight, bias: nil), "96 outputs")
    }

    @Test func vectorsKeepEveryNumber() {
        // All 65,536 half-precision numbers survive widening and narrowing; doubled words hold them twice.
        for first in Swift.stride(from: 0, to: 1 << 16, by: 16) {
            var half = SIMD16<UInt16>()
            for i in 0..<16 { half[i] = UInt16(first + i) }
            let wide = HalfMath.widen(unsafeBitCast(half, to: SIMD16<Float16>.self))
            let back = HalfMath.narrow(wide)
            let words = HalfMath.doubled(back)
            for i in 0..<16 {
                let expected = Float(Float16(bitPattern: half[i]))
                #expect(wide[i] == expected || (wide[i].isNaN && expected.isNaN))
                #expect(back[i].bitPattern == half[i] || back[i].isNaN)
                #expect(words[i] == UInt32(back[i].bitPattern) * 0x1_0001)
            }
        }
    }

    /// Every bfloat16 number survives; what lies between two goes to the nearer, of two equally near ones to the even.
    @Test func narrowingRoundsToTheNearest() {
        for high in stride(from: 0, to: 1 << 16, by: 7) {
            let bits = UInt32(high) << 16
            guard Float(bitPattern: bits).isFinite, abs(Float(bitPattern: bits)) >= .leastNormalMagnitude else { continue }
            for low in [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF] as [UInt32] {
                let up = low > 0x8000 || (low == 0x8000 && high % 2 == 1)
                let found = BrainMath.narrow(Lanes(repeating: Float(bitPattern: bits | low)))[3]
                #expect(found == UInt16(truncatingIfNeeded: high + (up ? 1 : 0)), "\(high), \(low)")
            }
        }
        #expect(BrainMath.narrow(Lanes(repeating: .nan))[0] & 0x7FFF > 0x7F80)
        #expect(BrainMath.narrow(Lanes(repeating: -.infinity))[0] == 0xFF80)
    }
}
