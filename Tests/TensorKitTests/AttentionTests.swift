import TensorKit
import Testing

@Suite struct AttentionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var samples = 1
        var queries: Int
        var keys: Int
        var heads: Int
        var width: Int
        var causal = false
        var testDescription: String { "N \(samples), T \(queries), S \(keys), \(heads) heads of \(width), causal \(causal)" }
    }

    static let cases = [
        Case(queries: 1, keys: 1, heads: 1, width: 1), Case(samples: 3, queries: 9, keys: 5, heads: 2, width: 7),
        Case(samples: 2, queries: 64, keys: 77, heads: 4, width: 16),
        Case(queries: 77, keys: 77, heads: 2, width: 32, causal: true),
        Case(queries: 31, keys: 31, heads: 3, width: 40, causal: true),
        Case(samples: 2, queries: 256, keys: 256, heads: 4, width: 16),
        Case(queries: 100, keys: 100, heads: 1, width: 64), Case(queries: 20, keys: 77, heads: 8, width: 80),
        // More than a block of keys, and enough queries for keys to be gathered first.
        Case(samples: 2, queries: 393, keys: 300, heads: 2, width: 40),
        Case(queries: 200, keys: 200, heads: 2, width: 24, causal: true),
    ]

    @Test(arguments: cases) func agreesWithTheLoops(_ test: Case) {
        let all = test.heads * test.width
        let query = randomTensor([test.samples, test.queries, all], seed: 1, scale: 1.5)
        let key = randomTensor([test.samples, test.keys, all], seed: 2, scale: 1.5)
        let value = randomTensor([test.samples, test.keys, all], seed: 3)
        expectClose(
            Kernels.attention(query: query, key: key, value: value, heads: test.heads, causal: test.causal),
            PlainKernels.attention(query: query, key: key, value: value, heads: test.heads, causal: test.causal), "attention")
        let gradient = randomTensor(query.shape, seed: 4)
        let fast = Kernels.attentionGradient(
            gradient, query: query, key: key, value: value, heads: test.heads, causal: test.causal)
        let slow = PlainKernels.attentionGradient(
            gradient, query: query, key: key, value: value, heads: test.heads, causal: test.causal)
        expectClose(fast.value, slow.value, "gradient of the values")
        // A single key has weight 1 whatever the query: these gradients are zero up to rounding.
        if test.keys > 1 {
            expectClose(fast.query, slow.query, "gradient of the queries")
            expectClose(fast.key, slow.key, "gradient of the keys")
        }
    }

    @Test func softmaxOfExtremeRows() {
        let x = Tensor([3, 19], (0..<57).map { [Float(0), 900, -900][$0 / 19] + Float($0 % 19) * 3 })
        expectClose(Kernels.softmax(x), PlainKernels.softmax(x), "softmax")
    }
}
