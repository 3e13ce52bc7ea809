import Foundation
import NumericalTesting
import Testing

@testable import TensorKit

/// Attention with products of bfloat16 numbers against the plain loops, on every processor.
@Suite struct BrainAttentionTests {
    @Test(arguments: HalfAttentionTests.cases) func agreesWithTheLoops(_ test: HalfAttentionTests.Case) {
        let all = test.heads * test.width
        let query = randomTensor([test.samples, test.queries, all], seed: 1, scale: test.size)
        let key = randomTensor([test.samples, test.keys, all], seed: 2, scale: test.size)
        let value = randomTensor([test.samples, test.keys, all], seed: 3)
        expectClose(
            Kernels.brainAttention(query: query, key: key, value: value, heads: test.heads),
            PlainKernels.attention(query: query, key: key, value: value, heads: test.heads, causal: false),
            tolerance: test.tolerance, "attention")
    }

    @Test(arguments: [(1e5, 1e-5, 1e6), (1e-7, 1e7, 1e-9), (1e-20, 1e20, 1e20)] as [(Float, Float, Float)])
    func numbersOfAllSizes(_ queries: Float, _ keys: Float, _ values: Float) {
        let query = randomTensor([1, 80, 80], seed: 1, scale: queries)
        let key = randomTensor([1, 90, 80], seed: 2, scale: keys)
        let value = randomTensor([1, 90, 80], seed: 3, scale: values)
        expectClose(
            Kernels.brainAttention(query: query, key: key, value: value, heads: 2),
            PlainKernels.attention(query: query, key: key, value: value, heads: 2, causal: false), tolerance: 1e-2, "attention")
    }

    /// What is added to all keys changes no weight, however large it is beside the keys' differences.
    @Test func whatKeysHaveInCommonDoesNotCount() {
        let (query, key) = (randomTensor([1, 80, 80], seed: 1), randomTensor([1, 90, 80], seed: 2))
        let value = randomTensor([1, 90, 80], seed: 3)
        let plain = PlainKernels.attention(query: query, key: key, value: value, heads: 2, causal: false)
        for i in 0..<key.count { key.pointer[i] += Float(100 + i % 80) }
        expectClose(
            Kernels.brainAttention(query: query, key: key, value: value, heads: 2), plain, tolerance: 1e-2, "attention")
    }

    /// The largest score comes last: all sums before it have to be scaled down, to nothing here.
    @Test func laterKeysMayTakeAllTheWeight() {
        let (width, keys) = (40, 300)
        let query = Tensor(zeros: [1, 64, width])
        for i in 0..<query.count { query.pointer[i] = 1 }
        let key = Tensor(zeros: [1, keys, width])
        for j in [130, 299] {
            for c in 0..<width { key.pointer[j * width + c] = j == 299 ? 200 : 100 }
        }
        let value = randomTensor([1, keys, width], seed: 3)
        let found = Kernels.brainAttention(query: query, key: key, value: value, heads: 1)
        for row in 0..<64 {
            expectClose(
                found.reshaped([64, width]).rows(row..<row + 1), value.reshaped([keys, width]).rows(299..<300), tolerance: 4e-3,
                "row \(row)")
        }
    }

    /// A number that is none shows in all results of its head, as in float32.
    @Test(arguments: [true, false]) func notANumberIsNotHidden(_ isKey: Bool) {
        let (query, key) = (randomTensor([1, 64, 40], seed: 1), randomTensor([1, 64, 40], seed: 2))
        (isKey ? key : query).pointer[5 * 40 + 7] = .nan
        let found = Kernels.brainAttention(query: query, key: key, value: randomTensor([1, 64, 40], seed: 3), heads: 1)
        for row in isKey ? 0..<64 : 5..<6 { #expect(!found.pointer[row * 40 + 7].isFinite) }
    }

    @Test func infiniteValuesAreNotHidden() {
        let (query, key) = (randomTensor([1, 64, 40], seed: 1), randomTensor([1, 64, 40], seed: 2))
        let value = randomTensor([1, 64, 40], seed: 3)
        value.pointer[5 * 40 + 7] = .infinity
        let found = Kernels.brainAttention(query: query, key: key, value: value, heads: 1)
        for row in 0..<64 { #expect(!found.pointer[row * 40 + 7].isFinite) }
    }

    @Test func powersOfTwo() {
        for step in 0...20_000 {
            let x = -Float(step) * 0.0063
            let (found, exact) = (BrainMath.exp2(Lanes(repeating: x))[0], exp2(max(-126, x)))
            #expect(abs(found - exact) <= 2e-4 * exact, "2^\(x): \(found), not \(exact)")
        }
    }
}
