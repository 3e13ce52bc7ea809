import Checkpoints
import Foundation
import ImageCore
import NeuralNetworks
import TensorKit

/// A small decoder of image latents for looks in between, in the shape of TAESD (diffusers `AutoencoderTiny`, its decoder alone): 3x3
/// convolutions, ReLU and nearest-neighbour upsampling, no norms.
///
/// What the layers are is read off the tensors: number and width of the blocks may differ from TAESD's 3, 3, 3, 1 blocks of 64 channels.
public final class AutoencoderTiny: Module {
    /// Channels of the latents it decodes.
    public let latentChannels: Int
    /// Pixels per latent, each way.
    public let downscale: Int
    private let layers: [(name: String, layer: Layer)]

    private enum Layer {
        case convolution(Conv2d)
        case block(Block)
        case relu
        case upsample
    }

    /// relu(conv(relu(conv(relu(conv(x))))) + x) (diffusers `AutoencoderTinyBlock`).
    private final class Block: Module {
        private let convolutions: [Conv2d]

        init(channels: Int) {
            convolutions = (0..<3).map { _ in Conv2d(inChannels: channels, outChannels: channels, padding: 1) }
        }

        var children: [(name: String, module: any Module)] {
            convolutions.enumerated().map { ("conv.\(2 * $0.offset)", $0.element) }
        }

        func callAsFunction(_ x: Tensor) -> Tensor {
            let hidden = convolutions[1](convolutions[0](x, activation: .relu), activation: .relu)
            return convolutions[2](hidden, adding: x, activation: .relu)
        }
    }

    public var children: [(name: String, module: any Module)] {
        layers.compactMap { item -> (name: String, module: any Module)? in
            switch item.layer {
            case .convolution(let module): (item.name, module)
            case .block(let module): (item.name, module)
            case .relu, .upsample: nil
            }
        }
    }

    /// Opens a decoder.
    /// - Parameter url: `taesd_decoder.safetensors` as its authors publish it, a file with diffusers' names, or a diffusers folder of an
    ///   `AutoencoderTiny`.
    /// - Throws: `CheckpointError`, `StateDictionaryMismatch` or `StableDiffusionError` for what is no such decoder.
    public convenience init(contentsOf url: URL) throws {
        guard let kind = url.fileKind else {
            throw StableDiffusionError.missingFile(path: url.path, role: "the tiny decoder")
        }
        guard kind == .folder else {
            try self.init(StateDictionary(safetensors: url))
            return
        }
        let file = try JSONConfiguration(contentsOf: url.appendingPathComponent("config.json"))
        let name = try file.value("_class_name", default: "AutoencoderTiny")
        guard name == "AutoencoderTiny" else {
            throw StableDiffusionError.unsupportedClass(file: file.file, found: name, expected: "AutoencoderTiny")
        }
        for (key, expected) in [("act_fn", "relu"), ("upsample_fn", "nearest")] {
            guard try file.value(key, default: expected) == expected else { throw file.wrong(key, expected: expected) }
        }
        for (key, expected) in [("upsampling_scaling_factor", 2.0), ("scaling_factor", 1), ("shift_factor", 0)] {
            guard try file.value(key, default: expected) == expected else { throw file.wrong(key, expected: "\(expected)") }
        }
        try self.init(StateDictionary(safetensors: url.appendingPathComponent("diffusion_pytorch_model.safetensors")))
    }

    /// A decoder of the tensors of a file.
    /// - Parameter state: under diffusers' names (`decoder.layers.0.weight`) or those of the authors (`1.weight`).
    /// - Throws: `CheckpointError` or `StateDictionaryMismatch` for what is no such decoder.
    public init(_ state: StateDictionary) throws {
        let state = try state.renamed(Self.name)
        guard let last = state.names.compactMap({ Int($0.prefix { $0 != "." }) }).max(), last < 256 else {
            throw CheckpointError(file: state.file, problem: .missingTensor(tensor: "decoder.layers.0.weight"))
        }
        var layers: [(name: String, layer: Layer)] = []
        var (channels, upsamples) = (try Self.shape(of: "0.weight", in: state)[1], 0)
        latentChannels = channels
        for index in 0...last {
            let layer: Layer
            if state["\(index).conv.0.weight"] != nil {
                layer = .block(Block(channels: channels))
            } else if state["\(index).weight"] != nil {
                let shape = try Self.shape(of: "\(index).weight", in: state)
                layer = .convolution(
                    Conv2d(inChannels: channels, outChannels: shape[0], padding: 1, bias: state["\(index).bias"] != nil))
                channels = shape[0]
            } else {
                layer = index == 1 ? .relu : .upsample
                if index != 1 { upsamples += 1 }
            }
            layers.append(("\(index)", layer))
        }
        guard channels == 3, upsamples < 6 else {
            throw CheckpointError(
                file: state.file,
                problem: .wrongShape(
                    tensor: "\(last).weight", expected: "[3, channels, 3, 3], pictures in RGB",
                    found: state["\(last).weight"]?.shape ?? []))
        }
        self.layers = layers
        downscale = 1 << upsamples
        try load(state)
    }

    /// A 3x3 kernel's shape.
    private static func shape(of name: String, in state: StateDictionary) throws -> [Int] {
        let entry = try state.entry(name)
        guard entry.shape.count == 4, entry.shape[2] == 3, entry.shape[3] == 3,
            entry.shape.allSatisfy({ (1...4096).contains($0) })
        else {
            throw CheckpointError(
                file: state.file, problem: .wrongShape(tensor: name, expected: "[out, in, 3, 3]", found: entry.shape))
        }
        return entry.shape
    }

    /// `decoder.layers.4.conv.0.weight`, or `5.conv.0.weight` of the authors, whose first layer is the clamp, becomes `4.conv.0.weight`; an
    /// encoder is left out.
    private static func name(_ name: String) -> String? {
        if name.hasPrefix("encoder.") { return nil }
        if name.hasPrefix("decoder.layers.") { return String(name.dropFirst("decoder.layers.".count)) }
        let parts = name.split(separator: ".", maxSplits: 1)
        guard parts.count == 2, let index = Int(parts[0]), index > 0 else { return name }
        return "\(index - 1).\(parts[1])"
    }

    /// Pictures of image latents.
    /// - Parameter imageLatents: as the U-Net sees them, channels last, [N, H, W, latentChannels].
    /// - Returns: values around -1...1, [N, downscale * H, downscale * W, 3].
    public func decode(_ imageLatents: Tensor) -> Tensor {
        precondition(imageLatents.shape[3] == latentChannels, "latents \(imageLatents.shape) for \(latentChannels) channels")
        var x = Kernels.apply(.tanh, Kernels.scale(imageLatents, by: 1 / 3))
        x = Kernels.scale(x, by: 3)
        for (_, layer) in layers {
            switch layer {
            case .convolution(let convolution): x = convolution(x)
            case .block(let block): x = block(x)
            case .relu: x = Kernels.apply(.relu, x)
            case .upsample: x = Kernels.upsampleNearest2x(x)
            }
        }
        for i in 0..<x.count { x.pointer[i] = 2 * x.pointer[i] - 1 }
        return x
    }

    /// One picture.
    /// - Parameter imageLatents: [1, H, W, latentChannels]
    /// - Returns: downscale * W by downscale * H pixels.
    public func image(of imageLatents: Tensor) -> RGBImage? { rgbImages(decode(imageLatents)).first }
}
