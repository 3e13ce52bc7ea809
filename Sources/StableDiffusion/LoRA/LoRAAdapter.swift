import NeuralNetworks
import TensorKit

/// The low-rank changes that make a model draw one identity: for each adapted linear layer W + scale · B A.
public struct LoRAAdapter {
    /// The two factors of one layer.
    public struct Factors {
        /// [r, in]
        public let a: Tensor
        /// [out, r]
        public let b: Tensor

        /// - Precondition: `a` is [r, in] and `b` is [out, r].
        public init(a: Tensor, b: Tensor) {
            precondition(
                a.shape.count == 2 && b.shape.count == 2 && a.shape[0] == b.shape[1], "LoRA factors \(a.shape), \(b.shape)")
            self.a = a
            self.b = b
        }
    }

    /// Factors by the path of their layer in the U-Net ("mid_block.attentions.0.transformer_blocks.0.attn1.to_q").
    public var factors: [String: Factors]
    /// `lora_alpha / r` in PEFT's words.
    public var scale: Float

    public init(factors: [String: Factors], scale: Float) {
        self.factors = factors
        self.scale = scale
    }
}

/// The adapters of a batch: each sample has its own identity, or none.
public struct LoRABatch {
    /// One entry for each sample.
    public let adapters: [LoRAAdapter?]
    private let updates: [String: LowRankUpdate]

    /// Gathers the factors of each layer over the samples. Smaller ranks and missing layers are filled with zeros.
    /// - Returns: nil when no sample has an adapter.
    public init?(_ adapters: [LoRAAdapter?]) {
        let present = adapters.compactMap { $0 }
        guard let first = present.first else { return nil }
        self.adapters = adapters
        let sharedScale = present.allSatisfy { $0.scale == first.scale }
        var updates = [String: LowRankUpdate]()
        for path in Set(present.flatMap(\.factors.keys)) {
            let factors = present.compactMap { $0.factors[path] }
            let rank = factors.map { $0.a.shape[0] }.max() ?? 0
            guard let (inputs, outputs) = factors.first.map({ ($0.a.shape[1], $0.b.shape[0]) }), rank > 0 else { continue }
            let a = Tensor(zeros: [adapters.count, rank, inputs])
            let b = Tensor(zeros: [adapters.count, outputs, rank])
            for (index, adapter) in adapters.enumerated() {
                guard let adapter, let factors = adapter.factors[path] else { continue }
                let own = factors.a.shape[0]
                let scale = sharedScale ? 1 : adapter.scale
                (a.pointer + index * rank * inputs).update(from: factors.a.pointer, count: own * inputs)
                let target = b.pointer + index * outputs * rank
                for o in 0..<outputs {
                    for r in 0..<own { target[o * rank + r] = scale * factors.b.pointer[o * own + r] }
                }
            }
            updates[path] = LowRankUpdate(a: a, b: b, scale: sharedScale ? first.scale : 1)
        }
        self.updates = updates
    }

    /// Adapters that are being trained: updates given whole.
    /// - Parameters:
    ///   - updates: by layer; `a` is [samples, r, in].
    ///   - samples: size of the batch.
    public init(updates: [String: LowRankUpdate], samples: Int) {
        adapters = [LoRAAdapter?](repeating: nil, count: samples)
        self.updates = updates
    }

    /// Samples `range` of the batch, sharing memory.
    func rows(_ range: Range<Int>) -> LoRABatch {
        LoRABatch(
            adapters: Array(adapters[range]),
            updates: updates.mapValues {
                LowRankUpdate(a: $0.a.rows(range), b: $0.b.rows(range), scale: $0.scale)
            })
    }

    private init(adapters: [LoRAAdapter?], updates: [String: LowRankUpdate]) {
        self.adapters = adapters
        self.updates = updates
    }

    /// The change of one layer, or nil.
    public subscript(path: String) -> LowRankUpdate? { updates[path] }
}
