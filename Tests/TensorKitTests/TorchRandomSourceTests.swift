import Foundation
import TensorKit
import Testing

@Suite struct TorchRandomSourceTests {
    struct Case: Decodable {
        struct Call: Decodable {
            var kind: String
            var values: [Float]
        }
        var seed: UInt64
        var calls: [Call]
    }

    @Test func agreesWithTorch() throws {
        let file = try #require(Bundle.module.url(forResource: "Fixtures/torch_random", withExtension: "json"))
        let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: file))
        #expect(cases.count == 7)
        for entry in cases {
            let source = TorchRandomSource(seed: entry.seed)
            for call in entry.calls {
                let values = call.kind == "rand" ? source.uniform(call.values.count) : source.normal(call.values.count)
                for (i, (ours, theirs)) in zip(values, call.values).enumerated() {
                    #expect(abs(ours - theirs) <= 1e-6, "seed \(entry.seed), \(call.kind) of \(values.count), number \(i)")
                }
            }
        }
    }

    @Test func resumesFromAState() throws {
        let source = TorchRandomSource(seed: 3)
        _ = source.normal(5)
        let state = try JSONDecoder().decode(TorchRandomSource.State.self, from: JSONEncoder().encode(source.state))
        #expect(TorchRandomSource(state: state).normal(40) == source.normal(40))
    }

    @Test func permutationHoldsEveryNumberOnce() {
        let order = TorchRandomSource(seed: 9).permutation(100)
        #expect(order.sorted() == Array(0..<100))
        #expect(order != Array(0..<100))
        #expect(order == TorchRandomSource(seed: 9).permutation(100))
    }
}
