import Foundation
import NumericalTesting
import Testing

@testable import TensorKit

/// Attention of many queries against the plain loops, with both kinds of numbers on every processor.
@Suite struct WideAttentionTests {
    enum Number: CaseIterable {
        case float, brain

        /// `tolerance` is bfloat16's.
        func tolerance(_ tolerance: Float) -> Float { self == .brain ? tolerance : 2e-5 }

        func attention(query: Tensor, key: Tensor, value: Tensor, heads: Int) -> Tensor {
            self == .brain
                ? Kernels.wideAttention(BrainNumber.self, query: query, key: key, value: value, heads: heads)
                : Kernels.wideAttention(FloatNumber.self, query: query, key: key, value: value, heads: heads)
        }
    }

    @Test(arguments: HalfAttentionTests.cases, Number.allCases)
    func agreesWithTheLoops(_ test: HalfAttentionTests.Case, _ number: Number) {
        let all = test.heads * test.width
        let query = randomTensor([test.samples, test.queries, all], seed: 1, scale: test.size)
        let key = randomTensor([test.samples, test.keys, all], seed: 2, scale: test.size)
        let value = randomTensor([test.samples, test.keys, all], seed: 3)
        expectClose(
            number.attention(query: query, key: key, value: value, heads: test.heads),
            PlainKernels.attention(query: query, key: key, value: value, heads: test.heads, causal: false),
            tolerance: number.tolerance(test.tolerance), "attention")
    }

    @Test(arguments: [(1e5, 1e-5, 1e6), (1e-7, 1e7, 1e-9), (1e-20, 1e20, 1e20)] as [(Float, Float, Float)], Number.allCases)
    func numbersOfAllSizes(_ sizes: (queries: Float, keys: Float, values: Float), _ number: Number) {
        let query = randomTensor([1, 80, 80], seed: 1, scale: sizes.queries)
        let key = randomTensor([1, 90, 80], seed: 2, scale: sizes.keys)
        let value = randomTensor([1, 90, 80], seed: 3, scale: sizes.values)
        expectClose(
            number.attention(query: query, key: key, value: value, heads: 2),
            PlainKernels.attention(query: query, key: key, value: value, heads: 2, causal: false),
            tolerance: number.tolerance(1e-2), "attention")
    }

    /// What is added to all keys changes no weight, however large it is beside the keys' differences.
    @Test(arguments: Number.allCases) func whatKeysHaveInCommonDoesNotCount(_ number: Number) {
        let (query, key) = (randomTensor([1, 80, 80], seed: 1), randomTensor([1, 90, 80], seed: 2))
        let value = randomTensor([1, 90, 80], seed: 3)
        let plain = PlainKernels.attention(query: query, key: key, value: value, heads: 2, causal: false)
        for i in 0..<key.count { key.pointer[i] += Float(100 + i % 80) }
        expectClose(
            number.attention(query: query, key: key, value: value, heads: 2), plain, tolerance: number.tolerance(1e-2),
            "attention")
    }

    /// The largest score comes last: all sums before it have to be scaled down, to nothing here.
    @Test(arguments: Number.allCases) func laterKeysMayTakeAllTheWeight(_ number: Number) {
        let (width, keys) = (40, 300)
        let query = Tensor(zeros: [1, 64, width])
        for i in 0..<query.count { query.pointer[i] = 1 }
        let key = Tensor(zeros: [1, keys, width])
        for j in [130, 299] {
            for c in 0..<width { key.pointer[j * width + c] = j == 299 ? 200 : 100 }
        }
        let value = randomTensor([1, keys, width], seed: 3)
        let found = number.attention(query: query, key: key, value: value, heads: 1)
        for row in 0..<64 {
            expectClose(
                found.reshaped([64, width]).rows(row..<row + 1), value.reshaped([keys, width]).rows(299..<300),
                tolerance: number.tolerance(4e-3), "row \(row)")
        }
    }

    /// A number that is none shows in all results of its head, as in float32.
    @Test(arguments: [true, false], Number.allCases) func notANumberIsNotHidden(_ isKey: Bool, _ number: Number) {
        let (query, key) = (randomTensor([1, 64, 40], seed: 1), randomTensor([1, 64, 40], seed: 2))
        (isKey ? key : query).pointer[5 * 40 + 7] = .nan
        let found = number.attention(query: query, key: key, value: randomTensor([1, 64, 40], seed: 3), heads: 1)
        for row in isKey ? 0..<64 : 5..<6 { #expect(!found.pointer[row * 40 + 7].isFinite) }
    }

    @Test(arguments: Number.allCases) func infiniteValuesAreNotHidden(_ number: Number) {
        let (query, key) = (randomTensor([1, 64, 40], seed: 1), randomTensor([1, 64, 40], seed: 2))
        let value = randomTensor([1, 64, 40], seed: 3)
        value.pointer[5 * 40 + 7] = .infinity
        let found = number.attention(query: query, key: key, value: value, heads: 1)
        for row in 0..<64 { #expect(!found.pointer[row * 40 + 7].isFinite) }
    }

    /// From where exponentials begin to vanish to where sums of them would not fit.
    @Test func powersOfTwo() {
        for step in -10_000...20_000 {
            let x = -Float(step) * 0.0062
            let exact = exp2(Double(x))
            let float = FloatNumber.exp2(Lanes(repeating: x))[0]
            #expect(abs(Double(float) - exact) <= 3e-7 * exact, "2^\(x): \(float), not \(exact)")
        }
        #expect(FloatNumber.exp2(Lanes(repeating: -1e30))[0] == 0)
    }

    /// All powers that pairs of bfloat16 numbers can hold, with another one beside each.
    @Test func powersOfTwoAsBits() {
        func numbers(_ even: Float, _ odd: Float) -> (Double, Double) {
            let word = BrainMath.powers(Lanes(repeating: even), Lanes(repeating: odd))[7]
            return (Double(Float(bitPattern: word << 16)), Double(Float(bitPattern: word & 0xFFFF_0000)))
        }
        for x in stride(from: Float(128.5), to: 32639, by: 0.37) {
            let other = 32768 - x
            let found = numbers(x, other)
            // Half a step of the exponent, for what is cut off, and half a step of the mantissa.
            for (found, x) in [(found.0, x), (found.1, other)] {
                let exact = exp2((Double(x) - 0.5) / 128 - 127)
                #expect(abs(found - exact) <= 0.007 * exact, "2^(\(x) / 128 - 127): \(found), not \(exact)")
            }
        }
        #expect(numbers(0, 0) == (0, 0))
        // With and without a table the same: another machine draws the same picture.
        for f in 0..<128 {
            let mantissa = Double((f * (729138 + f * (1857 + f * 5)) + (1 << 19)) >> 20)
            #expect(numbers(Float(127 * 128 + f), 0).0 == 1 + mantissa / 128, "fraction \(f)")
        }
        #expect(numbers(BrainNumber.unit, BrainNumber.nothing) == (1, 0))
    }

    /// The function itself, and its product with a number, at both ends and between.
    @Test func gelu() {
        for step in -8_000...8_000 {
            let x = Float(step) * 0.001
            let exact = Double(x) * 0.5 * (1 + erf(Double(x) / 2.0.squareRoot()))
            let found = BrainMath.gelu(Lanes(repeating: x))[0]
            #expect(abs(Double(found) - exact) <= 3e-4, "GELU of \(x): \(found), not \(exact)")
        }
        #expect(abs(BrainMath.gelu(Lanes(repeating: -1e4))[0]) < 0.01)
    }

    /// Keys so alike and so different that both ways to the weights are gone: the first is left where exponentials could grow too large.
    @Test(arguments: [0.1, 1, 3, 10, 100] as [Float], Number.allCases) func scoresOfAllSizes(_ scale: Float, _ number: Number) {
        let query = randomTensor([1, 70, 48], seed: 1, scale: scale)
        let (key, value) = (randomTensor([1, 131, 48], seed: 2), randomTensor([1, 131, 48], seed: 3))
        expectClose(
            number.attention(query: query, key: key, value: value, heads: 2),
            PlainKernels.attention(query: query, key: key, value: value, heads: 2, causal: false),
            tolerance: number.tolerance(max(0.01, 0.003 * scale)), "attention")
    }
}
