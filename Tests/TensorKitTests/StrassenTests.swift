import NumericalTesting
import Testing

@testable import TensorKit

/// Seven products for eight, against the plain loops and the plain kernel.
@Suite struct StrassenTests {
    private func kernel(_ inputs: Int, _ outputs: Int, _ way: String = "strassen") -> LinearKernel {
        let kernel = LinearKernel(inFeatures: inputs, outFeatures: outputs)
        kernel.arithmetic = way
        return kernel
    }

    /// One tile and less, tiles that are not full, several blocks of rows; inputs in one piece, in two, in two of which one is short.
    @Test(arguments: [2, 10, 62, 300, 1100]) func agreesWithThePlainLoops(_ rows: Int) {
        for (inputs, outputs) in [(32, 128), (672, 256), (1280, 384)] {
            let (x, weight) = (randomTensor([rows, inputs], seed: 1), randomTensor([outputs, inputs], seed: 2, scale: 0.1))
            let (bias, residual) = (randomTensor([outputs], seed: 3), randomTensor([rows, outputs], seed: 4))
            let (kernel, shape) = (kernel(inputs, outputs), "\(rows) x \(inputs) to \(outputs)")
            let plain = PlainKernels.linear(x, weight: weight, bias: bias)
            expectClose(kernel.forward(x, weight: weight, version: 0, bias: bias), plain, shape)
            expectClose(
                kernel.forward(x, weight: weight, version: 0, adding: residual),
                Kernels.add(PlainKernels.linear(x, weight: weight, bias: nil), residual), shape + ", residual, no bias")
            expectClose(
                kernel.forwardGated(x, weight: WeightSource(weight, version: 0), bias: bias), Kernels.geglu(plain),
                shape + ", gated")
            // Seven quarters of the weight: that way was taken, and no other.
            #expect(kernel.layoutBytes == 7 * inputs * outputs, "\(kernel.layoutBytes) bytes for \(shape)")
        }
    }

    /// Results of more numbers than stay in the caches.
    @Test func manyRows() {
        let (rows, inputs, outputs) = (8200, 64, 512)
        let (x, weight) = (randomTensor([rows, inputs], seed: 1), randomTensor([outputs, inputs], seed: 2, scale: 0.1))
        let residual = randomTensor([rows, outputs], seed: 4)
        expectClose(
            kernel(inputs, outputs).forward(x, weight: weight, version: 0, adding: residual),
            kernel(inputs, outputs, "float32").forward(x, weight: weight, version: 0, adding: residual), "many rows")
    }

    /// A sample that is not a number, or large, leaves the others as they are, bit by bit.
    @Test func samplesDoNotMeet() {
        let (inputs, outputs) = (320, 512)
        let (x, weight) = (randomTensor([2, 128, inputs], seed: 1), randomTensor([outputs, inputs], seed: 2))
        let kernel = kernel(inputs, outputs)
        let before = kernel.forward(x, weight: weight, version: 0)
        for wrong in [Float.nan, .infinity, 1e30] {
            for i in 0..<128 * inputs { x.pointer[i] = wrong }
            let after = kernel.forward(x, weight: weight, version: 0)
            #expect((128 * outputs..<256 * outputs).allSatisfy { after.pointer[$0] == before.pointer[$0] }, "\(wrong)")
        }
    }

    @Test func whatCannotBeHalvedIsCalculatedOtherwise() {
        for (rows, inputs, outputs) in [(7, 64, 128), (8, 48, 128), (8, 64, 192)] {
            let (x, weight) = (randomTensor([rows, inputs], seed: 1), randomTensor([outputs, inputs], seed: 2))
            expectClose(
                kernel(inputs, outputs).forward(x, weight: weight, version: 0), PlainKernels.linear(x, weight: weight, bias: nil),
                "\(rows) x \(inputs) to \(outputs)")
        }
    }

    /// Taken where it pays, on processors that have the registers for it, and never where its memory would be gigabytes.
    @Test func takenForManyRows() {
        let has = Precision.hasWideVectors
        #expect(StrassenProduct.isFaster(rows: 1024, inputs: 320, outputs: 2560, isGated: true) == has)
        #expect(StrassenProduct.isFaster(rows: 256, inputs: 2560, outputs: 640, isGated: false) == has)
        for (rows, inputs, outputs) in [(64, 1280, 10240), (1023, 320, 2560), (256, 99_648, 4096)] {
            #expect(!StrassenProduct.isFaster(rows: rows, inputs: inputs, outputs: outputs, isGated: true))
        }
        let (x, weight) = (randomTensor([256, 320], seed: 1), randomTensor([1024, 320], seed: 2))
        let kernel = LinearKernel(inFeatures: 320, outFeatures: 1024)
        _ = kernel.forwardGated(x, weight: WeightSource(weight, version: 0))
        #expect((kernel.layoutBytes == 7 * 320 * 1024) == has, "\(kernel.layoutBytes) bytes")
    }
}
