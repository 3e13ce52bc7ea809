import Foundation
import NumericalTesting
import Testing

@testable import TensorKit

/// Attention in half precision against the plain loops, on every processor.
@Suite struct HalfAttentionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var samples = 1
        var queries, keys, heads, width: Int
        /// Of queries and keys: the larger, the more a few keys get all the weight, and the more a rounded score matters.
        var size: Float = 1
        var tolerance: Float = 1e-2
        var testDescription: String { "N \(samples), T \(queries), S \(keys), \(heads) heads of \(width), size \(size)" }
    }

    static let cases = [
        Case(queries: 1, keys: 1, heads: 1, width: 1), Case(samples: 3, queries: 9, keys: 5, heads: 2, width: 7),
        Case(queries: 64, keys: 64, heads: 2, width: 40), Case(queries: 100, keys: 77, heads: 8, width: 40),
        Case(samples: 2, queries: 130, keys: 121, heads: 3, width: 33), Case(queries: 65, keys: 239, heads: 1, width: 160),
        Case(samples: 2, queries: 393, keys: 300, heads: 2, width: 40), Case(queries: 70, keys: 500, heads: 1, width: 192),
        Case(queries: 200, keys: 200, heads: 2, width: 80, size: 2, tolerance: 3e-2),
    ]

    @Test(arguments: cases) func agreesWithTheLoops(_ test: Case) {
        let all = test.heads * test.width
        let query = randomTensor([test.samples, test.queries, all], seed: 1, scale: test.size)
        let key = randomTensor([test.samples, test.keys, all], seed: 2, scale: test.size)
        let value = randomTensor([test.samples, test.keys, all], seed: 3)
        expectClose(
            Kernels.halfAttention(query: query, key: key, value: value, heads: test.heads),
            PlainKernels.attention(query: query, key: key, value: value, heads: test.heads, causal: false),
            tolerance: test.tolerance, "attention")
    }

    /// Keys and values of any size are scaled; what a score is does not change.
    @Test(arguments: [(1e5, 1e-5, 1e6), (1e-7, 1e7, 1e-9)] as [(Float, Float, Float)])
    func numbersOfAllSizes(_ queries: Float, _ keys: Float, _ values: Float) {
        let query = randomTensor([1, 80, 80], seed: 1, scale: queries)
        let key = randomTensor([1, 90, 80], seed: 2, scale: keys)
        let value = randomTensor([1, 90, 80], seed: 3, scale: values)
        expectClose(
            Kernels.halfAttention(query: query, key: key, value: value, heads: 2),
            PlainKernels.attention(query: query, key: key, value: value, heads: 2, causal: false), tolerance: 1e-2, "attention")
    }

    /// What is added to all keys changes no weight, however large it is beside the keys' differences.
    @Test func whatKeysHaveInCommonDoesNotCount() {
        let (query, key) = (randomTensor([1, 80, 80], seed: 1), randomTensor([1, 90, 80], seed: 2))
        let value = randomTensor([1, 90, 80], seed: 3)
        let plain = PlainKernels.attention(query: query, key: key, value: value, heads: 2, causal: false)
        for i in 0..<key.count { key.pointer[i] += Float(100 + i % 80) }
        expectClose(
            Kernels.halfAttention(query: query, key: key, value: value, heads: 2), plain, tolerance: 1e-2, "attention")
    }

    /// Where scores are too large for half precision the tile of float32 takes over, for the queries concerned: the second tile of three. Up to there
    /// half precision is within a few hundredths.
    @Test(arguments: [(5, 4e-2), (12, 2e-4), (40, 2e-4), (1000, 2e-4)] as [(Float, Float)])
    func largeScoresAreLeftToFloat32(_ size: Float, _ tolerance: Float) {
        let (query, key) = (randomTensor([1, 150, 80], seed: 1), randomTensor([1, 130, 80], seed: 2))
        for i in 64 * 80..<128 * 80 { query.pointer[i] *= size }
        let value = randomTensor([1, 130, 80], seed: 3)
        let plain = PlainKernels.attention(query: query, key: key, value: value, heads: 2, causal: false)
        let found = Kernels.halfAttention(query: query, key: key, value: value, heads: 2)
        func tile(_ x: Tensor, _ rows: Range<Int>) -> Tensor { x.reshaped([150, 80]).rows(rows) }
        expectClose(tile(found, 64..<128), tile(plain, 64..<128), tolerance: tolerance, "scores times \(size)")
        expectClose(tile(found, 0..<64), tile(plain, 0..<64), tolerance: 1e-2, "the others")
    }

    /// One query along one key, so that the score is known: just below the limit (where a build without fused multiply-add
    /// rounds products too), just above it, and where halves of the features cancel.
    @Test func scoresAtTheLimit() {
        let (width, keys) = (40, 130)
        let unit = 1.442695041 / Float(width).squareRoot()
        for (score, cancelled, tolerance) in [(30, 0, 7e-2), (34, 0, 2e-4), (500, 0, 2e-4), (5, 400, 2e-4)]
            as [(Float, Float, Float)]
        {
            let query = Tensor(zeros: [1, 64, width])
            let key = Tensor(zeros: [1, keys, width])
            // Keys in pairs of opposite signs: their average is nothing.
            for row in 0..<64 {
                for c in 0..<width { query.pointer[row * width + c] = 1 }
            }
            for j in 0..<keys {
                let share = (j % 2 == 0 ? 1 : -1) * Float(j / 2 + 1) / Float(keys / 2)
                for c in 0..<width {
                    let sign: Float = c < width / 2 ? 1 : -1
                    key.pointer[j * width + c] = share * (score + 2 * sign * cancelled) / (Float(width) * unit)
                }
            }
            let value = randomTensor([1, keys, width], seed: 3)
            expectClose(
                Kernels.halfAttention(query: query, key: key, value: value, heads: 1),
                PlainKernels.attention(query: query, key: key, value: value, heads: 1, causal: false), tolerance: tolerance,
                "score \(score) beside \(cancelled)")
        }
    }

    /// A number that is none shows in all results of its head, as in float32.
    @Test(arguments: [true, false]) func notANumberIsNotHidden(_ isKey: Bool) {
        let (query, key) = (randomTensor([1, 64, 40], seed: 1), randomTensor([1, 64, 40], seed: 2))
        (isKey ? key : query).pointer[5 * 40 + 7] = .nan
        let found = Kernels.halfAttention(query: query, key: key, value: randomTensor([1, 64, 40], seed: 3), heads: 1)
        for row in isKey ? 0..<64 : 5..<6 { #expect(!found.pointer[row * 40 + 7].isFinite) }
    }

    @Test func infiniteValuesAreNotHidden() {
        let (query, key) = (randomTensor([1, 64, 40], seed: 1), randomTensor([1, 64, 40], seed: 2))
        let value = randomTensor([1, 64, 40], seed: 3)
        value.pointer[5 * 40 + 7] = .infinity
        let found = Kernels.halfAttention(query: query, key: key, value: value, heads: 1)
        for row in 0..<64 { #expect(!found.pointer[row * 40 + 7].isFinite) }
    }

    /// Weights against the largest score: every number that half precision has between the clamp and zero.
    @Test func powersOfTwo() {
        var bits: UInt16 = 0x8000
        while bits <= 0xCD60 {
            var x = HalfLanes.zero
            for i in 0..<32 { x[i] = Float16(bitPattern: min(0xCD60, bits + UInt16(i))) }
            let found = HalfMath.exp2Times256(x)
            for i in 0..<32 {
                let exact = 256 * exp2(Float(x[i]))
                #expect(abs(Float(found[i]) - exact) <= max(1.2e-3 * exact, 6e-5), "2^\(x[i]): \(found[i]), not \(exact)")
            }
            bits += 32
        }
    }
}
