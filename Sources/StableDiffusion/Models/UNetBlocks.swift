import NeuralNetworks
import TensorKit

/// What every block of the U-Net is told in one evaluation.
struct UNetContext {
    /// The time embedding, projected for each residual block: [N, channels].
    let timeVectors: [ObjectIdentifier: Tensor]
    /// Keys and values of the prompts for each attention to them.
    let prompts: [ObjectIdentifier: KeysValues]
    let adapters: LoRABatch?
    let tape: Tape?
    /// Told after each layer how many weights took part in it.
    var progress: ((Int) -> Void)?

    /// Notes that a layer, and the attention behind it, is done.
    func passed(_ layer: any Module, _ attention: (any Module)?) {
        progress?(layer.parameterCount + (attention?.parameterCount ?? 0))
    }

    func prompt(of attention: Attention) -> KeysValues {
        guard let pair = prompts[ObjectIdentifier(attention)] else {
            preconditionFailure("this conditioning was prepared by another U-Net")
        }
        return pair
    }

    func time(for block: ResnetBlock2D) -> Tensor? { timeVectors[ObjectIdentifier(block)] }
}

/// Widths and depths of one resolution of the U-Net.
struct UNetBlockShape {
    /// Name of the block in the whole network.
    let path: String
    let outChannels: Int
    /// Number of residual blocks.
    let layers: Int
    /// Transformer blocks behind each residual block; 0 without attention.
    let transformerLayers: Int
    let heads: Int
    let timeChannels: Int
    let crossAttentionDim: Int
    let groups: Int
    let epsilon: Float
    let useLinearProjection: Bool

    func resnet(from inChannels: Int) -> ResnetBlock2D {
        ResnetBlock2D(
            inChannels: inChannels, outChannels: outChannels, timeChannels: timeChannels, groups: groups, epsilon: epsilon)
    }

    /// One transformer for each residual block, or none.
    func attentions(count: Int) -> [Transformer2DModel] {
        guard transformerLayers > 0 else { return [] }
        return (0..<count).map {
            Transformer2DModel(
                path: "\(path).attentions.\($0)", channels: outChannels, heads: heads, layers: transformerLayers,
                crossAttentionDim: crossAttentionDim, groups: groups, useLinearProjection: useLinearProjection)
        }
    }
}

/// The way down (diffusers `DownBlock2D`; with attentions `CrossAttnDownBlock2D`).
final class DownBlock2D: Module {
    let resnets: [ResnetBlock2D]
    let attentions: [Transformer2DModel]
    private let downsampler: Downsample2D?

    init(_ shape: UNetBlockShape, inChannels: Int, downsamplePadding: Int?) {
        resnets = (0..<shape.layers).map { shape.resnet(from: $0 == 0 ? inChannels : shape.outChannels) }
        attentions = shape.attentions(count: shape.layers)
        downsampler = downsamplePadding.map { Downsample2D(channels: shape.outChannels, padding: $0) }
    }

    var children: [(name: String, module: any Module)] {
        numbered("attentions", attentions) + numbered("resnets", resnets)
            + numbered("downsamplers", downsampler.map { [$0] } ?? [])
    }

    /// - Parameters:
    ///   - x: [N, H, W, in]
    ///   - skips: gets what the way up will need.
    ///   - context: of this evaluation.
    ///   - layers: only so many of the first layers, and nothing below them; nil for the whole block.
    /// - Returns: [N, H', W', out]
    func callAsFunction(_ x: Tensor, skips: inout [Tensor], context: UNetContext, layers: Int? = nil) -> Tensor {
        var hidden = x
        for (index, resnet) in resnets.prefix(layers ?? resnets.count).enumerated() {
            hidden = resnet(hidden, time: context.time(for: resnet), tape: context.tape)
            if !attentions.isEmpty { hidden = attentions[index](hidden, context: context) }
            context.passed(resnet, attentions.isEmpty ? nil : attentions[index])
            skips.append(hidden)
        }
        if let downsampler, layers == nil {
            hidden = downsampler(hidden, tape: context.tape)
            skips.append(hidden)
        }
        return hidden
    }
}

/// The lowest resolution (diffusers `UNetMidBlock2DCrossAttn`): residual block, transformer, residual block.
final class UNetMidBlock2DCrossAttn: Module {
    let resnets: [ResnetBlock2D]
    let attentions: [Transformer2DModel]

    init(_ shape: UNetBlockShape) {
        resnets = (0..<2).map { _ in shape.resnet(from: shape.outChannels) }
        attentions = shape.attentions(count: 1)
    }

    var children: [(name: String, module: any Module)] { numbered("attentions", attentions) + numbered("resnets", resnets) }

    /// [N, H, W, C] -> [N, H, W, C]
    func callAsFunction(_ x: Tensor, context: UNetContext) -> Tensor {
        var hidden = resnets[0](x, time: context.time(for: resnets[0]), tape: context.tape)
        for attention in attentions { hidden = attention(hidden, context: context) }
        context.passed(resnets[0], attentions.first)
        defer { context.passed(resnets[1], nil) }
        return resnets[1](hidden, time: context.time(for: resnets[1]), tape: context.tape)
    }
}

/// The way up (diffusers `UpBlock2D`; with attentions `CrossAttnUpBlock2D`): every residual block also reads what the way down left.
final class UpBlock2D: Module {
    let resnets: [ResnetBlock2D]
    let attentions: [Transformer2DModel]
    private let upsampler: Upsample2D?

    /// - Parameters:
    ///   - shape: of this block; `layers` counts its residual blocks, one more than on the way down.
    ///   - previousChannels: channels that come from below.
    ///   - skipChannels: channels of what was left on the way down, in the order in which it is read.
    ///   - isLast: the last block does not double the image.
    init(_ shape: UNetBlockShape, previousChannels: Int, skipChannels: [Int], isLast: Bool) {
        resnets = skipChannels.enumerated().map { index, skip in
            shape.resnet(from: (index == 0 ? previousChannels : shape.outChannels) + skip)
        }
        attentions = shape.attentions(count: skipChannels.count)
        upsampler = isLast ? nil : Upsample2D(channels: shape.outChannels)
    }

    var children: [(name: String, module: any Module)] {
        numbered("attentions", attentions) + numbered("resnets", resnets) + numbered("upsamplers", upsampler.map { [$0] } ?? [])
    }

    /// - Parameters:
    ///   - x: [N, H, W, previous]
    ///   - skips: loses what is read.
    ///   - context: of this evaluation.
    ///   - layers: only these layers, the first of which gets `x`; nil for all.
    /// - Returns: [N, H', W', out]
    func callAsFunction(_ x: Tensor, skips: inout [Tensor], context: UNetContext, layers: Range<Int>? = nil) -> Tensor {
        let layers = layers ?? resnets.indices
        var hidden = x
        for index in layers {
            let resnet = resnets[index]
            let joined = concatenateChannels(hidden, skips.removeLast(), tape: context.tape)
            hidden = resnet(joined, time: context.time(for: resnet), tape: context.tape)
            if !attentions.isEmpty { hidden = attentions[index](hidden, context: context) }
            context.passed(resnet, attentions.isEmpty ? nil : attentions[index])
        }
        guard let upsampler, layers.upperBound == resnets.count else { return hidden }
        // The size to come back to is that of the next skip: an odd side was rounded up on the way down.
        let size = skips.last.map { (height: $0.shape[1], width: $0.shape[2]) }
        return upsampler(hidden, size: size, tape: context.tape)
    }
}
