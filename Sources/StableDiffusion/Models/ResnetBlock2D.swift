import NeuralNetworks
import TensorKit

/// Two convolutions with group norms, the time embedding added between them, and a residual around (diffusers `ResnetBlock2D`).
final class ResnetBlock2D: Module {
    /// Projects the time embedding to this block's channels; nil in the AutoencoderKL.
    let timeEmbProj: Linear?
    private let norm1, norm2: GroupNorm
    private let conv1, conv2: Conv2d
    private let convShortcut: Conv2d?

    /// - Parameters:
    ///   - inChannels: channels of the input.
    ///   - outChannels: channels of the result.
    ///   - timeChannels: width of the time embedding, nil without one.
    ///   - groups: of both group norms.
    ///   - epsilon: of both group norms.
    init(inChannels: Int, outChannels: Int, timeChannels: Int?, groups: Int, epsilon: Float) {
        norm1 = GroupNorm(groups: groups, channels: inChannels, epsilon: epsilon)
        conv1 = Conv2d(inChannels: inChannels, outChannels: outChannels, kernelSize: 3, padding: 1)
        timeEmbProj = timeChannels.map { Linear(inFeatures: $0, outFeatures: outChannels) }
        norm2 = GroupNorm(groups: groups, channels: outChannels, epsilon: epsilon)
        conv2 = Conv2d(inChannels: outChannels, outChannels: outChannels, kernelSize: 3, padding: 1)
        convShortcut = inChannels == outChannels ? nil : Conv2d(inChannels: inChannels, outChannels: outChannels, kernelSize: 1)
    }

    var children: [(name: String, module: any Module)] {
        var list: [(name: String, module: any Module)] = [("norm1", norm1), ("conv1", conv1)]
        if let timeEmbProj { list.append(("time_emb_proj", timeEmbProj)) }
        list += [("norm2", norm2), ("conv2", conv2)]
        if let convShortcut { list.append(("conv_shortcut", convShortcut)) }
        return list
    }

    /// `ConvolutionKernel.winogradFrom` of both convolutions.
    func setWinograd(from positions: Int) {
        conv1.winogradFrom = positions
        conv2.winogradFrom = positions
    }

    /// - Parameters:
    ///   - x: [N, H, W, in]
    ///   - time: the projected time embedding, [N, out].
    ///   - tape: records the backward pass.
    /// - Returns: [N, H, W, out]
    func callAsFunction(_ x: consuming Tensor, time: Tensor?, tape: Tape?) -> Tensor {
        let normed = norm1(x, activation: .silu, tape: tape)
        let residual: Tensor
        if let convShortcut { residual = convShortcut(x, tape: tape) } else { residual = copy x }
        _ = consume x
        let hidden = conv1(consume normed, addingPerSample: time, tape: tape)
        return conv2(norm2(consume hidden, activation: .silu, tape: tape), adding: residual, tape: tape)
    }
}

/// Halves an image by a strided convolution (diffusers `Downsample2D` with `use_conv`).
final class Downsample2D: Module {
    private let conv: Conv2d

    /// - Parameters:
    ///   - channels: of input and result.
    ///   - padding: 1 all around, or 0, which pads one row and column at the end only (the AutoencoderKL's encoder).
    init(channels: Int, padding: Int) {
        let padding = padding == 0 ? Padding(top: 0, bottom: 1, left: 0, right: 1) : Padding(padding)
        conv = Conv2d(inChannels: channels, outChannels: channels, kernelSize: 3, stride: 2, padding: padding)
    }

    var children: [(name: String, module: any Module)] { [("conv", conv)] }

    /// [N, H, W, C] -> [N, (H + 1) / 2, (W + 1) / 2, C]; without the one of odd sides when padded at the end only.
    func callAsFunction(_ x: Tensor, tape: Tape?) -> Tensor { conv(x, tape: tape) }
}

/// Doubles an image by repeating pixels, then a convolution (diffusers `Upsample2D` with `use_conv`).
final class Upsample2D: Module {
    private let conv: Conv2d

    init(channels: Int) {
        conv = Conv2d(inChannels: channels, outChannels: channels, kernelSize: 3, padding: 1)
    }

    var children: [(name: String, module: any Module)] { [("conv", conv)] }

    /// - Parameters:
    ///   - x: [N, H, W, C]
    ///   - size: height and width wanted: double those of `x`, or one less.
    ///   - tape: records the backward pass.
    /// - Returns: [N, H', W', C]
    func callAsFunction(_ x: consuming Tensor, size: (height: Int, width: Int)? = nil, tape: Tape?) -> Tensor {
        var large = upsampleNearest2x(x, tape: tape)
        _ = consume x
        if let size, large.shape[1] != size.height || large.shape[2] != size.width {
            large = cropped(large, height: size.height, width: size.width, tape: tape)
        }
        return conv(large, tape: tape)
    }
}

/// The upper left part of images: [N, H, W, C] -> [N, height, width, C].
func cropped(_ x: Tensor, height: Int, width: Int, tape: Tape?) -> Tensor {
    let (samples, fullHeight, fullWidth, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    precondition(height <= fullHeight && width <= fullWidth, "cannot crop \(x.shape) to \(height) x \(width)")
    let result = Tensor(uninitialized: [samples, height, width, channels])
    /// Copies every kept row between the two layouts.
    func copyRows(_ body: (_ small: Int, _ large: Int) -> Void) {
        for n in 0..<samples {
            for row in 0..<height { body((n * height + row) * width * channels, (n * fullHeight + row) * fullWidth * channels) }
        }
    }
    copyRows { (result.pointer + $0).update(from: x.pointer + $1, count: width * channels) }
    if let tape, tape.tracks(x) {
        tape.record(result) { [unowned tape] gradient in
            let full = Tensor(zeros: x.shape)
            copyRows { (full.pointer + $1).update(from: gradient.pointer + $0, count: width * channels) }
            tape.accumulate(full, for: x)
        }
    }
    return result
}
