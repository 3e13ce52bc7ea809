import Foundation
import NeuralNetworks
import TensorKit

/// Epsilon of all norms of an AutoencoderKL.
private let epsilon: Float = 1e-6

/// Attention of all positions of an image to each other, one head (diffusers `Attention` with `residual_connection` and a group norm).
private final class SpatialAttention: Module {
    private let groupNorm: GroupNorm
    private let attention: Attention

    init(channels: Int, groups: Int) {
        groupNorm = GroupNorm(groups: groups, channels: channels, epsilon: epsilon)
        attention = Attention(path: "", features: channels, contextFeatures: channels, heads: 1, bias: true)
    }

    var children: [(name: String, module: any Module)] { [("group_norm", groupNorm)] + attention.children }

    /// [N, H, W, C] -> [N, H, W, C]
    func callAsFunction(_ x: Tensor, tape: Tape?) -> Tensor {
        let tokens = [x.shape[0], x.shape[1] * x.shape[2], x.shape[3]]
        let normed = reshape(groupNorm(x, tape: tape), to: tokens, tape: tape)
        return reshape(attention(normed, adding: reshape(x, to: tokens, tape: tape), tape: tape), to: x.shape, tape: tape)
    }
}

/// The lowest resolution (diffusers `UNetMidBlock2D`).
private final class UNetMidBlock2D: Module {
    private let resnets: [ResnetBlock2D]
    private let attention: SpatialAttention?

    init(channels: Int, groups: Int, hasAttention: Bool) {
        resnets = (0..<2).map { _ in
            ResnetBlock2D(inChannels: channels, outChannels: channels, timeChannels: nil, groups: groups, epsilon: epsilon)
        }
        attention = hasAttention ? SpatialAttention(channels: channels, groups: groups) : nil
    }

    var children: [(name: String, module: any Module)] {
        numbered("attentions", attention.map { [$0] } ?? []) + numbered("resnets", resnets)
    }

    /// [N, H, W, C] -> [N, H, W, C]
    func callAsFunction(_ x: Tensor, tape: Tape?) -> Tensor {
        var hidden = resnets[0](x, time: nil, tape: tape)
        if let attention { hidden = attention(hidden, tape: tape) }
        return resnets[1](hidden, time: nil, tape: tape)
    }
}

/// Residual blocks of one resolution, then half the size, or double (diffusers `DownEncoderBlock2D`, `UpDecoderBlock2D`).
private final class ResolutionBlock: Module {
    enum Step {
        case down(Downsample2D)
        case up(Upsample2D)
        case none
    }

    private let resnets: [ResnetBlock2D]
    private let step: Step

    init(inChannels: Int, outChannels: Int, layers: Int, groups: Int, step: Step) {
        resnets = (0..<layers).map {
            ResnetBlock2D(
                inChannels: $0 == 0 ? inChannels : outChannels, outChannels: outChannels, timeChannels: nil, groups: groups,
                epsilon: epsilon)
        }
        self.step = step
    }

    var children: [(name: String, module: any Module)] {
        switch step {
        case .down(let module): numbered("resnets", resnets) + [("downsamplers.0", module)]
        case .up(let module): numbered("resnets", resnets) + [("upsamplers.0", module)]
        case .none: numbered("resnets", resnets)
        }
    }

    /// [N, H, W, in] -> [N, H', W', out]; the input's memory is free as soon as the first layer has read it.
    func callAsFunction(_ x: consuming Tensor, tape: Tape?) -> Tensor {
        var hidden = x
        for resnet in resnets { hidden = resnet(consume hidden, time: nil, tape: tape) }
        switch step {
        case .down(let module): return module(hidden, tape: tape)
        case .up(let module): return module(consume hidden, tape: tape)
        case .none: return hidden
        }
    }
}

/// Pictures to the moments of image latents (diffusers `Encoder`).
final class Encoder: Module {
    private let convIn, convOut: Conv2d
    private let downBlocks: [ResolutionBlock]
    private let midBlock: UNetMidBlock2D
    private let convNormOut: GroupNorm

    init(_ configuration: AutoencoderKLConfiguration) {
        let channels = configuration.blockOutChannels
        let last = channels[channels.count - 1]
        let groups = configuration.normNumGroups
        convIn = Conv2d(inChannels: configuration.inChannels, outChannels: channels[0], kernelSize: 3, padding: 1)
        downBlocks = channels.enumerated().map { index, width in
            ResolutionBlock(
                inChannels: channels[max(0, index - 1)], outChannels: width, layers: configuration.layersPerBlock, groups: groups,
                step: index == channels.count - 1 ? .none : .down(Downsample2D(channels: width, padding: 0)))
        }
        midBlock = UNetMidBlock2D(channels: last, groups: groups, hasAttention: configuration.midBlockAddAttention)
        convNormOut = GroupNorm(groups: groups, channels: last, epsilon: epsilon)
        convOut = Conv2d(inChannels: last, outChannels: 2 * configuration.latentChannels, kernelSize: 3, padding: 1)
    }

    var children: [(name: String, module: any Module)] {
        [("conv_in", convIn)] + numbered("down_blocks", downBlocks)
            + [("mid_block", midBlock), ("conv_norm_out", convNormOut), ("conv_out", convOut)]
    }

    /// [N, H, W, inChannels] -> [N, H / downscale, W / downscale, 2 * latentChannels]
    func callAsFunction(_ x: Tensor, tape: Tape?) -> Tensor {
        var hidden = convIn(x, tape: tape)
        for block in downBlocks { hidden = block(hidden, tape: tape) }
        return convOut(convNormOut(midBlock(hidden, tape: tape), activation: .silu, tape: tape), tape: tape)
    }
}

/// Image latents to pictures (diffusers `Decoder`).
final class Decoder: Module {
    private let convIn, convOut: Conv2d
    private let midBlock: UNetMidBlock2D
    private let upBlocks: [ResolutionBlock]
    private let convNormOut: GroupNorm

    init(_ configuration: AutoencoderKLConfiguration) {
        let channels = Array(configuration.blockOutChannels.reversed())
        let groups = configuration.normNumGroups
        convIn = Conv2d(inChannels: configuration.latentChannels, outChannels: channels[0], kernelSize: 3, padding: 1)
        midBlock = UNetMidBlock2D(channels: channels[0], groups: groups, hasAttention: configuration.midBlockAddAttention)
        upBlocks = channels.enumerated().map { index, width in
            ResolutionBlock(
                inChannels: channels[max(0, index - 1)], outChannels: width, layers: configuration.layersPerBlock + 1,
                groups: groups, step: index == channels.count - 1 ? .none : .up(Upsample2D(channels: width)))
        }
        convNormOut = GroupNorm(groups: groups, channels: channels[channels.count - 1], epsilon: epsilon)
        convOut = Conv2d(
            inChannels: channels[channels.count - 1], outChannels: configuration.outChannels, kernelSize: 3, padding: 1)
    }

    var children: [(name: String, module: any Module)] {
        [("conv_in", convIn)] + numbered("up_blocks", upBlocks)
            + [("mid_block", midBlock), ("conv_norm_out", convNormOut), ("conv_out", convOut)]
    }

    /// [N, H, W, latentChannels] -> [N, downscale * H, downscale * W, outChannels]
    func callAsFunction(_ x: Tensor, tape: Tape?) -> Tensor {
        var hidden = midBlock(convIn(x, tape: tape), tape: tape)
        // The last levels are large pictures of many channels: each is given away with its last use.
        for block in upBlocks { hidden = block(consume hidden, tape: tape) }
        return convOut(convNormOut(hidden, activation: .silu, tape: tape), tape: tape)
    }
}
