import NeuralNetworks
import TensorKit

/// Self-attention, attention to the prompt and a feed-forward part, each on normalised features with a residual around it (diffusers
/// `BasicTransformerBlock` with `activation_fn="geglu"`).
final class BasicTransformerBlock: Module {
    let attn1, attn2: Attention
    private let norm1, norm2, norm3: LayerNorm
    private let feedForwardIn, feedForwardOut: Linear
    private let feedForwardInPath, feedForwardOutPath: String

    init(path: String, features: Int, heads: Int, crossAttentionDim: Int) {
        norm1 = LayerNorm(features: features)
        attn1 = Attention(path: path + ".attn1", features: features, contextFeatures: features, heads: heads)
        norm2 = LayerNorm(features: features)
        attn2 = Attention(path: path + ".attn2", features: features, contextFeatures: crossAttentionDim, heads: heads)
        norm3 = LayerNorm(features: features)
        feedForwardIn = Linear(inFeatures: features, outFeatures: 8 * features)
        feedForwardOut = Linear(inFeatures: 4 * features, outFeatures: features)
        feedForwardInPath = path + ".ff.net.0.proj"
        feedForwardOutPath = path + ".ff.net.2"
    }

    var children: [(name: String, module: any Module)] {
        [
            ("norm1", norm1), ("attn1", attn1), ("norm2", norm2), ("attn2", attn2), ("norm3", norm3),
            ("ff.net.0.proj", feedForwardIn), ("ff.net.2", feedForwardOut),
        ]
    }

    /// The linear layers that adapters may change.
    var adaptable: [(path: String, layer: Linear)] {
        attn1.adaptable + attn2.adaptable + [(feedForwardInPath, feedForwardIn), (feedForwardOutPath, feedForwardOut)]
    }

    /// [N, T, features] -> [N, T, features]
    func callAsFunction(_ x: Tensor, prompt: KeysValues, adapters: LoRABatch?, tape: Tape?) -> Tensor {
        let seen = attn1(norm1(x, tape: tape), adding: x, adapters: adapters, tape: tape)
        let told = attn2(norm2(seen, tape: tape), keysValues: prompt, adding: seen, adapters: adapters, tape: tape)
        let wide = feedForwardIn.gated(norm3(told, tape: tape), lowRank: adapters?[feedForwardInPath], tape: tape)
        return feedForwardOut(wide, adding: told, lowRank: adapters?[feedForwardOutPath], tape: tape)
    }
}

/// Transformer blocks over the positions of an image (diffusers `Transformer2DModel` with continuous input).
final class Transformer2DModel: Module {
    let transformerBlocks: [BasicTransformerBlock]
    private let norm: GroupNorm
    private let projIn, projOut: Projection

    /// A 1x1 convolution, or a linear layer where the configuration says `use_linear_projection`; on channels-last data both do the same.
    private enum Projection {
        case convolution(Conv2d)
        case linear(Linear)

        init(_ features: Int, isLinear: Bool) {
            self =
                isLinear
                ? .linear(Linear(inFeatures: features, outFeatures: features))
                : .convolution(Conv2d(inChannels: features, outChannels: features, kernelSize: 1))
        }

        var module: any Module {
            switch self {
            case .convolution(let layer): layer
            case .linear(let layer): layer
            }
        }

        func callAsFunction(_ x: Tensor, adding residual: Tensor? = nil, tape: Tape?) -> Tensor {
            switch self {
            case .convolution(let layer): layer(x, adding: residual, tape: tape)
            case .linear(let layer): layer(x, adding: residual, tape: tape)
            }
        }
    }

    /// - Parameters:
    ///   - path: name of this module in the whole network.
    ///   - channels: of the image.
    ///   - heads: divides `channels`.
    ///   - layers: number of transformer blocks.
    ///   - crossAttentionDim: width of the text states.
    ///   - groups: of the group norm.
    ///   - useLinearProjection: kind of `proj_in` and `proj_out`.
    init(path: String, channels: Int, heads: Int, layers: Int, crossAttentionDim: Int, groups: Int, useLinearProjection: Bool) {
        norm = GroupNorm(groups: groups, channels: channels, epsilon: 1e-6)
        projIn = Projection(channels, isLinear: useLinearProjection)
        transformerBlocks = (0..<layers).map {
            BasicTransformerBlock(
                path: "\(path).transformer_blocks.\($0)", features: channels, heads: heads, crossAttentionDim: crossAttentionDim)
        }
        projOut = Projection(channels, isLinear: useLinearProjection)
    }

    var children: [(name: String, module: any Module)] {
        [("norm", norm), ("proj_in", projIn.module)] + numbered("transformer_blocks", transformerBlocks)
            + [("proj_out", projOut.module)]
    }

    /// [N, H, W, C] -> [N, H, W, C]
    func callAsFunction(_ x: Tensor, context: UNetContext) -> Tensor {
        let tape = context.tape
        let tokens = [x.shape[0], x.shape[1] * x.shape[2], x.shape[3]]
        var hidden = reshape(projIn(norm(x, tape: tape), tape: tape), to: tokens, tape: tape)
        for block in transformerBlocks {
            hidden = block(hidden, prompt: context.prompt(of: block.attn2), adapters: context.adapters, tape: tape)
        }
        return projOut(reshape(hidden, to: x.shape, tape: tape), adding: x, tape: tape)
    }
}
