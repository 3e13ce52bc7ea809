import Foundation
import Testing

@testable import TensorKit

@Suite struct ElementwiseTests {
    static let activations: [Activation] = [.identity, .relu, .leakyReLU(slope: 0.1), .tanh, .sigmoid, .silu, .gelu, .quickGELU]

    /// Values from -30 to 30, dense around zero, of an odd count.
    static var values: Tensor {
        let coarse = (0..<1203).map { Float($0) * 0.05 - 30 }
        let fine = (0..<500).map { Float($0) * 0.001 - 0.25 }
        return Tensor([coarse.count + fine.count], coarse + fine)
    }

    @Test(arguments: activations) func activationsAgreeWithDoublePrecision(_ activation: Activation) {
        let x = Self.values
        let (fast, plain) = (Kernels.apply(activation, x), PlainKernels.apply(activation, x))
        for i in 0..<x.count {
            let (ours, theirs) = (fast.pointer[i], plain.pointer[i])
            #expect(abs(ours - theirs) <= 5e-7 * max(1, abs(theirs)), "\(activation) of \(x.pointer[i]): \(ours), not \(theirs)")
        }
        let gradient = randomTensor([x.count], seed: 1)
        expectClose(
            Kernels.activationGradient(activation, x: x, gradient: gradient),
            PlainKernels.activationGradient(activation, x: x, gradient: gradient), tolerance: 1e-6, "gradient of \(activation)")
    }

    /// Far from zero exactly one, so that a GELU is nothing there and not a rounding error of a large number; nothing else in between is beyond it.
    @Test func errorFunction() {
        for i in stride(from: -6000, through: 6000, by: 16) {
            let x = Lanes((0..<16).map { Float(i + $0) / 1000 })
            let found = VectorMath.erf(x)
            for j in 0..<16 {
                #expect(abs(Double(found[j]) - erf(Double(x[j]))) <= 2e-7, "of \(x[j])")
                #expect(abs(found[j]) <= 1, "of \(x[j])")
            }
        }
        for large in [Float(4), 1e4, .greatestFiniteMagnitude, .infinity] {
            #expect(VectorMath.erf(Lanes(repeating: large))[0] == 1)
            #expect(VectorMath.erf(Lanes(repeating: -large))[0] == -1)
        }
        #expect(VectorMath.gelu(Lanes(repeating: -1e4))[0] == 0)
        #expect(VectorMath.erf(Lanes(repeating: .nan))[0].isNaN)
    }

    @Test func geluHalvesAreGated() {
        let x = randomTensor([2, 5, 38], seed: 3)
        let y = Kernels.geglu(x)
        #expect(y.shape == [2, 5, 19])
        for i in 0..<y.count {
            let row = i / 19
            let expected = x.pointer[row * 38 + i % 19] * PlainKernels.apply(.gelu, x.pointer[row * 38 + 19 + i % 19])
            #expect(abs(y.pointer[i] - expected) < 1e-6)
        }
    }

    @Test func anActivationMayWorkInPlace() {
        let x = randomTensor([37], seed: 3)
        let expected = Kernels.apply(.silu, x)
        Kernels.apply(.silu, x, into: x)
        #expect(x.array == expected.array)
    }

    @Test func sumsAreThoseOfDoublePrecision() {
        let x = randomTensor([100_003], seed: 5)
        let expected = x.array.reduce(0.0) { $0 + Double($1) }
        #expect(abs(Kernels.sum(x) - expected) < 1e-8)
        let squares = x.array.reduce(0.0) { $0 + Double($1) * Double($1) }
        #expect(abs(Kernels.sumOfSquares(x) - squares) < 1e-7 * squares)
    }

    @Test func largeTensorsAreSplitWithoutGaps() {
        let (x, y) = (randomTensor([200_007], seed: 1), randomTensor([200_007], seed: 2))
        let sum = Kernels.add(x, y)
        for i in 0..<x.count where sum.pointer[i] != x.pointer[i] + y.pointer[i] {
            Issue.record("element \(i)")
            break
        }
    }
}
