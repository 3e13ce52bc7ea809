import Checkpoints
import Foundation
import NeuralNetworks
import TensorKit

/// `vae/config.json` of an `AutoencoderKL`.
public struct AutoencoderKLConfiguration: Sendable, Equatable {
    public var inChannels: Int
    public var outChannels: Int
    public var blockOutChannels: [Int]
    public var layersPerBlock: Int
    public var latentChannels: Int
    public var normNumGroups: Int
    public var midBlockAddAttention: Bool
    public var useQuantConv: Bool
    public var usePostQuantConv: Bool
    /// Image latents are the encoder's, less `shiftFactor`, times this.
    public var scalingFactor: Float
    public var shiftFactor: Float

    /// Pixels per latent, each way.
    public var downscale: Int { 1 << (blockOutChannels.count - 1) }

    /// Reads the file, with diffusers' defaults.
    /// - Throws: `CheckpointError` that names the key at fault.
    public init(_ file: JSONConfiguration) throws {
        blockOutChannels = try file.counts("block_out_channels", limit: 1 << 16)
        guard blockOutChannels.count <= 8 else { throw file.wrong("block_out_channels", expected: "at most 8 levels") }
        for (key, type) in [("down_block_types", "DownEncoderBlock2D"), ("up_block_types", "UpDecoderBlock2D")] {
            let types = try file.value(key, default: [String](repeating: type, count: blockOutChannels.count))
            guard types == [String](repeating: type, count: blockOutChannels.count) else {
                throw file.wrong(key, expected: "\(blockOutChannels.count) times \(type)")
            }
        }
        inChannels = try file.count("in_channels", default: 3, limit: 1 << 10)
        outChannels = try file.count("out_channels", default: 3, limit: 1 << 10)
        layersPerBlock = try file.count("layers_per_block", default: 1, limit: 64)
        latentChannels = try file.count("latent_channels", default: 4, limit: 1 << 10)
        normNumGroups = try file.count("norm_num_groups", default: 32)
        midBlockAddAttention = try file.value("mid_block_add_attention", default: true)
        useQuantConv = try file.value("use_quant_conv", default: true)
        usePostQuantConv = try file.value("use_post_quant_conv", default: true)
        scalingFactor = try file.value("scaling_factor", default: 0.18215)
        shiftFactor = try file.finite("shift_factor", default: 0)
        guard scalingFactor != 0, scalingFactor.isFinite else { throw file.wrong("scaling_factor", expected: "a number, not 0") }
        guard ["silu", "swish"].contains(try file.value("act_fn", default: "silu")) else {
            throw file.wrong("act_fn", expected: "silu")
        }
        for key in ["latents_mean", "latents_std"] where file[key] ?? .null != .null { throw file.wrong(key, expected: "null") }
        guard blockOutChannels.allSatisfy({ $0 % normNumGroups == 0 }) else {
            throw file.wrong("norm_num_groups", expected: "a divisor of block_out_channels \(blockOutChannels)")
        }
    }
}

/// Turns pictures into image latents and back (diffusers `AutoencoderKL`).
public final class AutoencoderKL: Module {
    public let configuration: AutoencoderKLConfiguration
    private let encoder: Encoder
    private let decoder: Decoder
    private let quantConv, postQuantConv: Conv2d?

    /// A network whose weights are still to be loaded.
    public init(_ configuration: AutoencoderKLConfiguration) {
        self.configuration = configuration
        let latent = configuration.latentChannels
        encoder = Encoder(configuration)
        decoder = Decoder(configuration)
        quantConv = configuration.useQuantConv ? Conv2d(inChannels: 2 * latent, outChannels: 2 * latent, kernelSize: 1) : nil
        postQuantConv = configuration.usePostQuantConv ? Conv2d(inChannels: latent, outChannels: latent, kernelSize: 1) : nil
    }

    public var children: [(name: String, module: any Module)] {
        var list: [(name: String, module: any Module)] = [("encoder", encoder), ("decoder", decoder)]
        if let quantConv { list.append(("quant_conv", quantConv)) }
        if let postQuantConv { list.append(("post_quant_conv", postQuantConv)) }
        return list
    }

    /// Today's names and shapes for files of old: `query`, `key`, `value`, `proj_attn` of the attention, stored as 1x1 convolutions.
    /// - Throws: `CheckpointError` when two tensors get one name.
    public static func stateDictionary(_ state: StateDictionary) throws -> StateDictionary {
        let old = ["query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"]
        return try state.mapped { entry in
            var parts = entry.name.split(separator: ".").map(String.init)
            guard parts.contains("attentions"), parts.count > 2 else { return entry }
            let index = parts.count - 2
            if let name = old[parts[index]] { parts[index] = name }
            let shape = entry.shape.count == 4 ? Array(entry.shape.prefix(2)) : entry.shape
            let fits = shape.reduce(1, *) == entry.count
            return try (fits ? entry.reshaped(shape) : entry).renamed(parts.joined(separator: "."))
        }
    }

    /// Pictures of image latents.
    /// - Parameters:
    ///   - imageLatents: as the U-Net sees them (scaled), channels last, [N, H, W, latentChannels].
    ///   - tape: records the backward pass.
    /// - Returns: values around -1...1, [N, downscale * H, downscale * W, outChannels].
    public func decode(_ imageLatents: Tensor, tape: Tape? = nil) -> Tensor {
        tape == nil ? Parallel.inLanes(imageLatents) { decodeTogether($0, tape: nil) } : decodeTogether(imageLatents, tape: tape)
    }

    private func decodeTogether(_ imageLatents: Tensor, tape: Tape?) -> Tensor {
        var hidden = scale(imageLatents, by: 1 / configuration.scalingFactor, tape: tape)
        if configuration.shiftFactor != 0 { hidden = shifted(hidden, by: configuration.shiftFactor, tape: tape) }
        if let postQuantConv { hidden = postQuantConv(hidden, tape: tape) }
        return decoder(hidden, tape: tape)
    }

    /// The distribution of a picture's image latents.
    /// - Parameters:
    ///   - pictures: values in -1...1, [N, H, W, inChannels], sides divisible by `downscale`.
    ///   - tape: records the backward pass of the network, not of the distribution.
    /// - Returns: [N, H / downscale, W / downscale, latentChannels]
    public func encode(_ pictures: Tensor, tape: Tape? = nil) -> DiagonalGaussianDistribution {
        var moments = encoder(pictures, tape: tape)
        if let quantConv { moments = quantConv(moments, tape: tape) }
        return DiagonalGaussianDistribution(
            moments: moments, scalingFactor: configuration.scalingFactor, shiftFactor: configuration.shiftFactor)
    }
}

/// A normal distribution of image latents with a variance of its own for each (diffusers `DiagonalGaussianDistribution`).
public struct DiagonalGaussianDistribution {
    /// [N, H, W, latentChannels], in the encoder's units.
    public let mean: Tensor
    /// Logarithm of the variance, clipped to -30...20, same shape.
    public let logVariance: Tensor
    private let scalingFactor, shiftFactor: Float

    init(moments: Tensor, scalingFactor: Float, shiftFactor: Float) {
        let half = moments.shape[3] / 2
        mean = Kernels.channels(0..<half, of: moments)
        logVariance = Kernels.channels(half..<(2 * half), of: moments)
        for i in 0..<logVariance.count { logVariance.pointer[i] = min(max(logVariance.pointer[i], -30), 20) }
        self.scalingFactor = scalingFactor
        self.shiftFactor = shiftFactor
    }

    /// Image latents as the U-Net sees them, at the mean or drawn.
    /// - Parameter noise: standard normal, of the mean's shape; nil gives the mean (`mode()`).
    /// - Returns: (mean + standard deviation * noise - shift) * scale
    public func imageLatents(noise: Tensor? = nil) -> Tensor {
        let result = Tensor(uninitialized: mean.shape)
        for i in 0..<result.count {
            var value = mean.pointer[i]
            if let noise { value += expf(0.5 * logVariance.pointer[i]) * noise.pointer[i] }
            result.pointer[i] = (value - shiftFactor) * scalingFactor
        }
        return result
    }
}

/// x + offset
private func shifted(_ x: Tensor, by offset: Float, tape: Tape?) -> Tensor {
    let result = Tensor(uninitialized: x.shape)
    for i in 0..<x.count { result.pointer[i] = x.pointer[i] + offset }
    if let tape, tape.tracks(x) { tape.record(result) { [unowned tape] in tape.accumulate($0, for: x) } }
    return result
}
