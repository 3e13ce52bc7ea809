import Checkpoints
import Foundation
import ImageCore
import NeuralNetworks
import TensorKit

/// A small convolutional network that tells the people of a space apart.
///
/// Each stage halves the sides: a convolution of stride 2 and one beside a short cut, both with group norm and LeakyReLU; the last stage's
/// pixels become the embedding, scaled to length 1. Keys: `stages.<i>.down`, `.down_norm`, `.same`, `.same_norm`, `embedding`.
public final class FaceEmbedder: Module, FaceEmbedding {
    public let configuration: FaceEmbedderConfiguration
    /// What its training recorded, or nil.
    public let record: FaceEmbedderRecord?
    private let stages: [Stage]
    private let embedding: Linear
    /// Pictures that pass through the network together.
    private static let batch = 32

    /// A network without weights yet.
    /// - Precondition: the configuration is one that `validate` lets pass.
    init(_ configuration: FaceEmbedderConfiguration, record: FaceEmbedderRecord? = nil) {
        self.configuration = configuration
        self.record = record
        let inputs = [3] + configuration.channels.dropLast()
        stages = zip(inputs, configuration.channels).map { Stage($0, $1, groups: configuration.groups) }
        embedding = Linear(inFeatures: configuration.features, outFeatures: configuration.embeddingDim)
    }

    /// Opens an `embedder.json` and the `embedder.safetensors` beside it.
    /// - Parameter url: the JSON file.
    /// - Throws: `CheckpointError`, `SpaceError` or `StateDictionaryMismatch`: what does not fit.
    public convenience init(contentsOf url: URL) throws {
        let json = try JSONConfiguration(contentsOf: url)
        self.init(try FaceEmbedderConfiguration(json), record: try FaceEmbedderRecord(json))
        try load(StateDictionary(safetensors: url.deletingPathExtension().appendingPathExtension("safetensors")))
    }

    public var children: [(name: String, module: any Module)] {
        stages.enumerated().map { ("stages.\($0.offset)", $0.element) } + [("embedding", embedding)]
    }

    public var embeddingDimension: Int { configuration.embeddingDim }
    public var imageSize: Int { configuration.imageSize }
    public var title: String { "the space's embedder" }

    /// - Parameters:
    ///   - x: pictures from -1 to 1, [N, imageSize, imageSize, 3].
    ///   - tape: records the backward pass.
    /// - Returns: [N, d], rows of length 1.
    public func callAsFunction(_ x: Tensor, tape: Tape? = nil) -> Tensor {
        let pixels = stages.reduce(x) { $1($0, tape: tape) }
        let features = reshape(pixels, to: [x.shape[0], configuration.features], tape: tape)
        return normalizeRows(embedding(features, tape: tape), tape: tape)
    }

    public func embeddings(of images: [RGBImage]) -> Tensor {
        let result = Tensor(uninitialized: [images.count, embeddingDimension])
        for start in stride(from: 0, to: images.count, by: Self.batch) {
            let part = self(pixels(of: Array(images[start..<min(images.count, start + Self.batch)])))
            (result.pointer + start * embeddingDimension).update(from: part.pointer, count: part.count)
        }
        return result
    }

    /// What the network sees of pictures: the middle square at `imageSize`, from -1 to 1.
    /// - Returns: [N, imageSize, imageSize, 3]
    func pixels(of images: [RGBImage]) -> Tensor {
        squares(of: images) { $0 / 127.5 - 1 }
    }

    /// One halving of the sides.
    private final class Stage: Module {
        let down, same: Conv2d
        let downNorm, sameNorm: GroupNorm

        init(_ inputs: Int, _ outputs: Int, groups: Int) {
            down = Conv2d(inChannels: inputs, outChannels: outputs, stride: 2, padding: 1, bias: false)
            same = Conv2d(inChannels: outputs, outChannels: outputs, padding: 1, bias: false)
            downNorm = GroupNorm(groups: groups, channels: outputs)
            sameNorm = GroupNorm(groups: groups, channels: outputs)
        }

        var children: [(name: String, module: any Module)] {
            [("down", down), ("down_norm", downNorm), ("same", same), ("same_norm", sameNorm)]
        }

        func callAsFunction(_ x: Tensor, tape: Tape?) -> Tensor {
            let activation = Activation.leakyReLU(slope: 0.1)
            let small = downNorm(down(x, tape: tape), activation: activation, tape: tape)
            return add(small, sameNorm(same(small, tape: tape), activation: activation, tape: tape), tape: tape)
        }
    }
}

extension RGBImage {
    /// The largest square in the middle.
    var middleSquare: RGBImage {
        guard width != height else { return self }
        let side = min(width, height)
        return cropped(x: (width - side) / 2, y: (height - side) / 2, side: side)
    }

    /// A square part.
    /// - Precondition: it lies within the picture.
    func cropped(x: Int, y: Int, side: Int) -> RGBImage {
        precondition(x >= 0 && y >= 0 && x + side <= width && y + side <= height, "a part outside the picture")
        var part = [UInt8]()
        part.reserveCapacity(side * side * 3)
        for row in y..<(y + side) {
            let start = (row * width + x) * 3
            part += pixels[start..<(start + side * 3)]
        }
        return RGBImage(width: side, height: side, pixels: part)
    }
}
