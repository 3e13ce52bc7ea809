import Checkpoints
import NeuralNetworks
import TensorKit

/// `text_encoder/config.json` of a `CLIPTextModel`.
public struct CLIPTextConfiguration: Sendable, Equatable {
    public var vocabSize: Int
    public var hiddenSize: Int
    public var intermediateSize: Int
    public var numHiddenLayers: Int
    public var numAttentionHeads: Int
    public var maxPositionEmbeddings: Int
    public var layerNormEps: Float
    /// "quick_gelu" (OpenAI's models) or "gelu" (OpenCLIP's, Stable Diffusion 2.x).
    public var hiddenAct: Activation

    /// Reads the file, with transformers' defaults.
    /// - Throws: `CheckpointError` that names the key at fault.
    public init(_ file: JSONConfiguration) throws {
        vocabSize = try file.count("vocab_size", default: 49408, limit: 1 << 24)
        hiddenSize = try file.count("hidden_size", default: 512)
        intermediateSize = try file.count("intermediate_size", default: 2048)
        numHiddenLayers = try file.count("num_hidden_layers", default: 12, limit: 256)
        numAttentionHeads = try file.count("num_attention_heads", default: 8)
        maxPositionEmbeddings = try file.count("max_position_embeddings", default: 77, limit: 1 << 16)
        layerNormEps = try file.finite("layer_norm_eps", default: 1e-5, from: 0)
        switch try file.value("hidden_act", default: "quick_gelu") {
        case "quick_gelu": hiddenAct = .quickGELU
        case "gelu": hiddenAct = .gelu
        default: throw file.wrong("hidden_act", expected: "quick_gelu or gelu")
        }
        guard hiddenSize % numAttentionHeads == 0 else {
            throw file.wrong("num_attention_heads", expected: "a divisor of hidden_size \(hiddenSize)")
        }
        try file.refuse("use_attention_mask", because: "prompts are padded as Stable Diffusion 1.x and 2.x do")
    }
}

/// The transformer that turns token ids into text states (transformers `CLIPTextModel`).
public final class CLIPTextModel: Module {
    public let configuration: CLIPTextConfiguration
    private let tokenEmbedding, positionEmbedding: Embedding
    private let layers: [CLIPEncoderLayer]
    private let finalLayerNorm: LayerNorm

    /// A network whose weights are still to be loaded.
    public init(_ configuration: CLIPTextConfiguration) {
        self.configuration = configuration
        tokenEmbedding = Embedding(count: configuration.vocabSize, features: configuration.hiddenSize)
        positionEmbedding = Embedding(count: configuration.maxPositionEmbeddings, features: configuration.hiddenSize)
        layers = (0..<configuration.numHiddenLayers).map { _ in CLIPEncoderLayer(configuration) }
        finalLayerNorm = LayerNorm(features: configuration.hiddenSize, epsilon: configuration.layerNormEps)
    }

    public var children: [(name: String, module: any Module)] {
        [("embeddings.token_embedding", tokenEmbedding), ("embeddings.position_embedding", positionEmbedding)]
            + numbered("encoder.layers", layers) + [("final_layer_norm", finalLayerNorm)]
    }

    /// What may lie beside the weights: the list 0, 1, 2, ... that older versions of transformers stored, and what the whole of CLIP compares texts
    /// with pictures by.
    static let ignored = ["embeddings.position_ids", "text_projection.weight", "logit_scale"]

    /// Names as in the files of Stable Diffusion: without the prefix "text_model.", and without those of `ignored`.
    /// - Throws: `CheckpointError` when two tensors get one name.
    public static func stateDictionary(_ state: StateDictionary) throws -> StateDictionary {
        try state.renamed { name in
            let name = name.hasPrefix("text_model.") ? String(name.dropFirst("text_model.".count)) : name
            return ignored.contains(name) ? nil : name
        }
    }

    /// The last layer's states, normalised (`last_hidden_state`).
    /// - Parameters:
    ///   - tokens: N lists of T ids, T at most `maxPositionEmbeddings`.
    ///   - tape: records the backward pass.
    /// - Returns: [N, T, hiddenSize]
    public func callAsFunction(_ tokens: [[Int]], tape: Tape? = nil) -> Tensor {
        let positions = tokens.map { Array($0.indices) }
        var hidden = add(tokenEmbedding(tokens, tape: tape), positionEmbedding(positions, tape: tape), tape: tape)
        for layer in layers { hidden = layer(hidden, tape: tape) }
        return finalLayerNorm(hidden, tape: tape)
    }
}

/// Causal self-attention and two linear layers, each on normalised states with a residual around it (transformers `CLIPEncoderLayer`).
private final class CLIPEncoderLayer: Module {
    private let heads: Int
    private let activation: Activation
    private let layerNorm1, layerNorm2: LayerNorm
    private let qProj, kProj, vProj, outProj, fc1, fc2: Linear

    init(_ configuration: CLIPTextConfiguration) {
        let (width, inner) = (configuration.hiddenSize, configuration.intermediateSize)
        heads = configuration.numAttentionHeads
        activation = configuration.hiddenAct
        layerNorm1 = LayerNorm(features: width, epsilon: configuration.layerNormEps)
        layerNorm2 = LayerNorm(features: width, epsilon: configuration.layerNormEps)
        qProj = Linear(inFeatures: width, outFeatures: width)
        kProj = Linear(inFeatures: width, outFeatures: width)
        vProj = Linear(inFeatures: width, outFeatures: width)
        outProj = Linear(inFeatures: width, outFeatures: width)
        fc1 = Linear(inFeatures: width, outFeatures: inner)
        fc2 = Linear(inFeatures: inner, outFeatures: width)
    }

    var children: [(name: String, module: any Module)] {
        [
            ("self_attn.k_proj", kProj), ("self_attn.v_proj", vProj), ("self_attn.q_proj", qProj),
            ("self_attn.out_proj", outProj), ("layer_norm1", layerNorm1), ("mlp.fc1", fc1), ("mlp.fc2", fc2),
            ("layer_norm2", layerNorm2),
        ]
    }

    /// [N, T, features] -> [N, T, features]
    func callAsFunction(_ x: Tensor, tape: Tape?) -> Tensor {
        let normed = layerNorm1(x, tape: tape)
        let attended = scaledDotProductAttention(
            query: qProj(normed, tape: tape), key: kProj(normed, tape: tape), value: vProj(normed, tape: tape), heads: heads,
            causal: true, tape: tape)
        let hidden = outProj(attended, adding: x, tape: tape)
        return fc2(fc1(layerNorm2(hidden, tape: tape), activation: activation, tape: tape), adding: hidden, tape: tape)
    }
}
