import NeuralNetworks
import TensorKit

/// A transformer over the structure of the weights: one token for each LoRA module, so that the network knows which numbers belong together.
///
/// Each token has an embedding of its own, [width, length of the module's numbers], whose bias takes the place of a position. The tokens
/// see each other in pre-norm blocks; all of them together give the code. The decoder mirrors this.
///
/// Keys: `embed.<t>.*`; `encoder.<b>.{norm1, to_q, to_k, to_v, to_out, norm2, ff.0, ff.2}.*`; `encoder_norm.*`; `fc_mu.*`, `fc_var.*`
/// [latent, tokens * width]; `decoder_input.*` [tokens * width, latent]; `decoder.<b>.*`; `decoder_norm.*`; `unembed.<t>.*`.
final class TransformerNetwork: WeightVAENetwork {
    private let lengths: [Int]
    private let width: Int
    private let embeddings, unembeddings: [Linear]
    private let encoder, decoder: [TransformerBlock]
    private let encoderNorm, decoderNorm: LayerNorm
    private let meanHead, logVarianceHead, decoderInput: Linear
    private let output: Activation

    /// - Precondition: the token lengths make a vector, and the heads divide the width (`hiddenDims[0]`).
    init(_ configuration: WeightVAEConfiguration) {
        lengths = configuration.tokenLengths
        width = configuration.hiddenDims.first ?? 0
        let (width, all) = (width, lengths.count * width)
        precondition(lengths.reduce(0, +) == configuration.vectorLength && width > 0, "tokens \(lengths) make no vector")
        embeddings = lengths.map { Linear(inFeatures: $0, outFeatures: width) }
        unembeddings = lengths.map { Linear(inFeatures: width, outFeatures: $0) }
        encoder = (0..<configuration.blocks).map { _ in TransformerBlock(width: width, heads: configuration.heads) }
        decoder = (0..<configuration.blocks).map { _ in TransformerBlock(width: width, heads: configuration.heads) }
        encoderNorm = LayerNorm(features: width)
        decoderNorm = LayerNorm(features: width)
        meanHead = Linear(inFeatures: all, outFeatures: configuration.latentDim)
        logVarianceHead = Linear(inFeatures: all, outFeatures: configuration.latentDim)
        decoderInput = Linear(inFeatures: configuration.latentDim, outFeatures: all)
        output = configuration.outputActivation
    }

    var children: [(name: String, module: any Module)] {
        let numbered = { (name: String, modules: [any Module]) in
            modules.enumerated().map { (name: "\(name).\($0.offset)", module: $0.element) }
        }
        return numbered("embed", embeddings) + numbered("encoder", encoder)
            + [("encoder_norm", encoderNorm), ("fc_mu", meanHead), ("fc_var", logVarianceHead), ("decoder_input", decoderInput)]
            + numbered("decoder", decoder) + [("decoder_norm", decoderNorm)] + numbered("unembed", unembeddings)
    }

    var codeLayers: (mean: Linear, logVariance: Linear, decoderInput: Linear) { (meanHead, logVarianceHead, decoderInput) }
    var outputLayers: [Linear] { unembeddings }

    func encode(_ x: Tensor, tape: Tape?) -> (mean: Tensor, logVariance: Tensor) {
        let count = x.shape[0]
        var start = 0
        let tokens = zip(lengths, embeddings).map { length, embedding in
            defer { start += length }
            return embedding(features(start..<(start + length), of: x, tape: tape), tape: tape)
        }
        let sequence = reshape(joinFeatures(tokens, tape: tape), to: [count, lengths.count, width], tape: tape)
        let seen = encoderNorm(encoder.reduce(sequence) { $1($0, tape: tape) }, tape: tape)
        let all = reshape(seen, to: [count, lengths.count * width], tape: tape)
        return (meanHead(all, tape: tape), logVarianceHead(all, tape: tape))
    }

    func decode(_ z: Tensor, tape: Tape?) -> Tensor {
        let parts = zip(unembeddings, outputInputs(z, tape: tape)).map { layer, input in layer(input, tape: tape) }
        let y = joinFeatures(parts, tape: tape)
        return output == .identity ? y : activate(y, output, tape: tape)
    }

    func outputInputs(_ z: Tensor, tape: Tape?) -> [Tensor] {
        let count = z.shape[0]
        let sequence = reshape(decoderInput(z, tape: tape), to: [count, lengths.count, width], tape: tape)
        let seen = decoderNorm(decoder.reduce(sequence) { $1($0, tape: tape) }, tape: tape)
        let all = reshape(seen, to: [count, lengths.count * width], tape: tape)
        return lengths.indices.map { features($0 * width..<($0 + 1) * width, of: all, tape: tape) }
    }
}

/// x + attention(LayerNorm(x)), then x + feed-forward(LayerNorm(x)), GELU inside, four times as wide.
final class TransformerBlock: Module {
    private let heads: Int
    private let norm1, norm2: LayerNorm
    private let query, key, value, out, widen, narrow: Linear

    init(width: Int, heads: Int) {
        self.heads = heads
        norm1 = LayerNorm(features: width)
        norm2 = LayerNorm(features: width)
        let square = { Linear(inFeatures: width, outFeatures: width) }
        (query, key, value, out) = (square(), square(), square(), square())
        widen = Linear(inFeatures: width, outFeatures: 4 * width)
        narrow = Linear(inFeatures: 4 * width, outFeatures: width)
    }

    var children: [(name: String, module: any Module)] {
        [
            ("norm1", norm1), ("to_q", query), ("to_k", key), ("to_v", value), ("to_out", out), ("norm2", norm2),
            ("ff", Sequence([(0, widen), (2, narrow)])),
        ]
    }

    /// - Parameters:
    ///   - x: [N, T, width]
    ///   - tape: records the backward pass.
    /// - Returns: the shape of `x`.
    func callAsFunction(_ x: Tensor, tape: Tape?) -> Tensor {
        let normed = norm1(x, tape: tape)
        let seen = scaledDotProductAttention(
            query: query(normed, tape: tape), key: key(normed, tape: tape), value: value(normed, tape: tape), heads: heads,
            tape: tape)
        let y = add(x, out(seen, tape: tape), tape: tape)
        return add(y, narrow(widen(norm2(y, tape: tape), activation: .gelu, tape: tape), tape: tape), tape: tape)
    }
}
