import NeuralNetworks
import TensorKit

/// Multi-head attention (diffusers `Attention` with the default processor): `to_q`, `to_k`, `to_v`, `to_out.0`.
final class Attention: Module {
    let heads: Int
    private let path: Path
    private let toQ, toK, toV, toOut: Linear

    /// Full names of the projections, which adapters refer to.
    private struct Path {
        let q, k, v, out: String

        init(_ path: String) {
            q = path + ".to_q"
            k = path + ".to_k"
            v = path + ".to_v"
            out = path + ".to_out.0"
        }
    }

    /// - Parameters:
    ///   - path: name of this module in the whole network.
    ///   - features: width of queries and result.
    ///   - contextFeatures: width of what keys and values are made from.
    ///   - heads: divides `features`.
    ///   - bias: whether queries, keys and values have a bias.
    init(path: String, features: Int, contextFeatures: Int, heads: Int, bias: Bool = false) {
        self.path = Path(path)
        self.heads = heads
        toQ = Linear(inFeatures: features, outFeatures: features, bias: bias)
        toK = Linear(inFeatures: contextFeatures, outFeatures: features, bias: bias)
        toV = Linear(inFeatures: contextFeatures, outFeatures: features, bias: bias)
        toOut = Linear(inFeatures: features, outFeatures: features)
    }

    var children: [(name: String, module: any Module)] {
        [("to_q", toQ), ("to_k", toK), ("to_v", toV), ("to_out.0", toOut)]
    }

    /// The linear layers that adapters may change.
    var adaptable: [(path: String, layer: Linear)] {
        [(path.q, toQ), (path.k, toK), (path.v, toV), (path.out, toOut)]
    }

    /// Lets go of what keys and values of a context are calculated from.
    func releaseContextLayouts() {
        toK.releaseLayouts()
        toV.releaseLayouts()
    }

    /// Keys and values of a context.
    /// - Parameters:
    ///   - context: [N, S, contextFeatures]
    ///   - adapters: one for each sample.
    ///   - tape: records the backward pass.
    /// - Returns: both [N, S, features]
    func keysValues(_ context: Tensor, adapters: LoRABatch? = nil, tape: Tape? = nil) -> KeysValues {
        KeysValues(
            key: toK(context, lowRank: adapters?[path.k], tape: tape), value: toV(context, lowRank: adapters?[path.v], tape: tape)
        )
    }

    /// Keys and values of a batch from those of its prompts, which were projected without adapters: the change of W adds a thin product.
    /// - Parameters:
    ///   - base: keys and values of each sample's prompt, each [1, S, features].
    ///   - contexts: the prompts themselves, [N, S, contextFeatures].
    ///   - adapters: one for each sample.
    /// - Returns: both [N, S, features]
    func keysValues(stacking base: [KeysValues], contexts: Tensor, adapters: LoRABatch?) -> KeysValues {
        let key = stack(base.map(\.key))
        let value = stack(base.map(\.value))
        for (update, target) in [(adapters?[path.k], key), (adapters?[path.v], value)] {
            if let update { Kernels.addLowRank(contexts, a: update.a, b: update.b, scale: update.scale, into: target) }
        }
        return KeysValues(key: key, value: value)
    }

    /// residual + to_out(attention)
    /// - Parameters:
    ///   - x: [N, T, features]
    ///   - keysValues: of the context; nil attends to `x` itself.
    ///   - residual: [N, T, features]
    ///   - adapters: one for each sample.
    ///   - tape: records the backward pass.
    /// - Returns: [N, T, features]
    func callAsFunction(
        _ x: Tensor, keysValues: KeysValues? = nil, adding residual: Tensor, adapters: LoRABatch? = nil, tape: Tape? = nil
    ) -> Tensor {
        let query = toQ(x, lowRank: adapters?[path.q], tape: tape)
        let pair = keysValues ?? self.keysValues(x, adapters: adapters, tape: tape)
        let attended = scaledDotProductAttention(
            query: query, key: pair.key, value: pair.value, heads: heads, precision: toQ.precision, tape: tape)
        return toOut(attended, adding: residual, lowRank: adapters?[path.out], tape: tape)
    }
}

/// Projected context of an attention layer.
struct KeysValues {
    /// [N, S, features]
    let key, value: Tensor
}

/// Joins tensors of equal shapes [n, ...] along the first dimension.
func stack(_ tensors: [Tensor]) -> Tensor {
    let rest = Array(tensors[0].shape.dropFirst())
    let result = Tensor(uninitialized: [tensors.reduce(0) { $0 + $1.shape[0] }] + rest)
    var target = result.pointer
    for tensor in tensors {
        precondition(Array(tensor.shape.dropFirst()) == rest, "cannot stack \(tensor.shape) with \(tensors[0].shape)")
        target.update(from: tensor.pointer, count: tensor.count)
        target += tensor.count
    }
    return result
}

/// Numbered parts of a list as children: "resnets.0", "resnets.1", ...
func numbered(_ name: String, _ modules: [any Module]) -> [(name: String, module: any Module)] {
    modules.enumerated().map { ("\(name).\($0.offset)", $0.element) }
}
