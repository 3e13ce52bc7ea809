import Checkpoints
import ImageCore
import NeuralNetworks
import TensorKit

/// FaceNet for photographs: the Inception-ResNet-v1 of facenet-pytorch (class `InceptionResnetV1`), for weights that the user has, as
/// `20180402-114759-vggface2.pt`. Its batch norms are folded into the convolutions before them; a classifier (`logits`) is left out.
///
/// Pictures are taken as faces that fill them: the middle square at 160 pixels, (value - 127.5) / 128 (`fixed_image_standardization`).
public final class InceptionResnetV1: FaceEmbedding {
    private let stem, tail: [FoldedConvolution]
    private let repeat1, repeat2, repeat3: [ResidualBlock]
    private let block8: ResidualBlock
    private let mixed6a, mixed7a: ReductionBlock
    /// `last_linear` and `last_bn` and the mean over the last pixels together.
    private let embedding: Linear
    public let record: FaceEmbedderRecord?

    public var imageSize: Int { 160 }
    public var embeddingDimension: Int { 512 }
    public var title: String { "FaceNet (InceptionResnetV1)" }

    /// Side of the last pixels for pictures of 160.
    private static let lastSide = 3
    /// Of the batch norms.
    static let epsilon = 1e-3

    /// Takes the weights under facenet-pytorch's keys (`conv2d_1a.conv.weight`, … `last_bn.running_var`).
    /// - Parameters:
    ///   - state: of a file; tensors under `logits.` and counters of batches are not needed.
    ///   - record: what is known of how well it tells people apart.
    /// - Throws: `SpaceError` for another network and for numbers that are not finite, `StateDictionaryMismatch` with everything that is missing or
    ///   of another shape.
    public init(_ state: StateDictionary, record: FaceEmbedderRecord? = nil) throws {
        guard state["conv2d_1a.conv.weight"] != nil || state["last_linear.weight"] != nil else {
            throw SpaceError(
                "\(state.file): holds no face embedder",
                advice:
                    "An embedder.json of `w2w train --embedder` is one, or InceptionResnetV1's state dictionary of facenet-pytorch."
            )
        }
        var layers = FoldedLayers()
        stem = [
            layers.convolution("conv2d_1a", 3, 32, kernel: (3, 3), stride: 2),
            layers.convolution("conv2d_2a", 32, 32, kernel: (3, 3)),
            layers.convolution("conv2d_2b", 32, 64, kernel: (3, 3), padding: 1),
        ]
        tail = [
            layers.convolution("conv2d_3b", 64, 80), layers.convolution("conv2d_4a", 80, 192, kernel: (3, 3)),
            layers.convolution("conv2d_4b", 192, 256, kernel: (3, 3), stride: 2),
        ]
        repeat1 = (0..<5).map { i in
            let name = "repeat_1.\(i)"
            return ResidualBlock(
                branches: [
                    [layers.convolution("\(name).branch0", 256, 32)],
                    [
                        layers.convolution("\(name).branch1.0", 256, 32),
                        layers.convolution("\(name).branch1.1", 32, 32, kernel: (3, 3), padding: 1),
                    ],
                    [
                        layers.convolution("\(name).branch2.0", 256, 32),
                        layers.convolution("\(name).branch2.1", 32, 32, kernel: (3, 3), padding: 1),
                        layers.convolution("\(name).branch2.2", 32, 32, kernel: (3, 3), padding: 1),
                    ],
                ], projection: layers.projection("\(name).conv2d", 96, 256, factor: 0.17))
        }
        mixed6a = ReductionBlock(branches: [
            [layers.convolution("mixed_6a.branch0", 256, 384, kernel: (3, 3), stride: 2)],
            [
                layers.convolution("mixed_6a.branch1.0", 256, 192),
                layers.convolution("mixed_6a.branch1.1", 192, 192, kernel: (3, 3), padding: 1),
                layers.convolution("mixed_6a.branch1.2", 192, 256, kernel: (3, 3), stride: 2),
            ],
        ])
        repeat2 = (0..<10).map { i in
            let name = "repeat_2.\(i)"
            return ResidualBlock(
                branches: [
                    [layers.convolution("\(name).branch0", 896, 128)],
                    [
                        layers.convolution("\(name).branch1.0", 896, 128),
                        layers.convolution("\(name).branch1.1", 128, 128, kernel: (1, 7), padding: 3),
                        layers.convolution("\(name).branch1.2", 128, 128, kernel: (7, 1), padding: 3),
                    ],
                ], projection: layers.projection("\(name).conv2d", 256, 896, factor: 0.1))
        }
        mixed7a = ReductionBlock(branches: [
            [
                layers.convolution("mixed_7a.branch0.0", 896, 256),
                layers.convolution("mixed_7a.branch0.1", 256, 384, kernel: (3, 3), stride: 2),
            ],
            [
                layers.convolution("mixed_7a.branch1.0", 896, 256),
                layers.convolution("mixed_7a.branch1.1", 256, 256, kernel: (3, 3), stride: 2),
            ],
            [
                layers.convolution("mixed_7a.branch2.0", 896, 256),
                layers.convolution("mixed_7a.branch2.1", 256, 256, kernel: (3, 3), padding: 1),
                layers.convolution("mixed_7a.branch2.2", 256, 256, kernel: (3, 3), stride: 2),
            ],
        ])
        func block8(_ name: String, factor: Double, activation: Activation) -> ResidualBlock {
            ResidualBlock(
                branches: [
                    [layers.convolution("\(name).branch0", 1792, 192)],
                    [
                        layers.convolution("\(name).branch1.0", 1792, 192),
                        layers.convolution("\(name).branch1.1", 192, 192, kernel: (1, 3), padding: 1),
                        layers.convolution("\(name).branch1.2", 192, 192, kernel: (3, 1), padding: 1),
                    ],
                ], projection: layers.projection("\(name).conv2d", 384, 1792, factor: factor), activation: activation)
        }
        repeat3 = (0..<5).map { block8("repeat_3.\($0)", factor: 0.2, activation: .relu) }
        self.block8 = block8("block8", factor: 1, activation: .identity)
        embedding = Linear(inFeatures: 1792, outFeatures: 512)
        self.record = record
        try layers.load(state, embedding: embedding, pixels: Self.lastSide * Self.lastSide)
    }

    /// - Parameter x: pictures, (value - 127.5) / 128, [N, 160, 160, 3].
    /// - Returns: [N, 512], rows of length 1.
    /// - Precondition: the shape.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        precondition(Array(x.shape.dropFirst()) == [imageSize, imageSize, 3], "pictures of shape \(x.shape)")
        let early = tail.run(Kernels.maxPool(stem.run(x), kernel: 3, stride: 2))
        let middle = mixed6a(repeat1.reduce(early) { $1($0) })
        let late = mixed7a(repeat2.reduce(middle) { $1($0) })
        let last = block8(repeat3.reduce(late) { $1($0) })
        return normalizeRows(embedding(Kernels.sumPositions(last)))
    }

    public func embeddings(of images: [RGBImage]) -> Tensor {
        let result = Tensor(uninitialized: [images.count, embeddingDimension])
        // One picture for each lane, so that a picture's numbers do not depend on its neighbours.
        for start in stride(from: 0, to: images.count, by: Parallel.threads) {
            let some = Array(images[start..<min(images.count, start + Parallel.threads)])
            let part = Parallel.inLanes(squares(of: some) { ($0 - 127.5) / 128 }) { self($0) }
            (result.pointer + start * embeddingDimension).update(from: part.pointer, count: part.count)
        }
        return result
    }

    /// Branches side by side, brought back to the input's channels and added to it (`Block35`, `Block17`, `Block8`).
    private struct ResidualBlock {
        let branches: [[FoldedConvolution]]
        let projection: FoldedConvolution
        var activation = Activation.relu

        func callAsFunction(_ x: Tensor) -> Tensor {
            projection.layer(Kernels.joined(branches.map { $0.run(x) }), adding: x, activation: activation)
        }
    }

    /// Branches that halve the sides, and the largest of each window beside them (`Mixed_6a`, `Mixed_7a`).
    private struct ReductionBlock {
        let branches: [[FoldedConvolution]]

        func callAsFunction(_ x: Tensor) -> Tensor {
            Kernels.joined(branches.map { $0.run(x) } + [Kernels.maxPool(x, kernel: 3, stride: 2)])
        }
    }
}

extension [FoldedConvolution] {
    /// One after another, a ReLU behind each.
    fileprivate func run(_ x: Tensor) -> Tensor { reduce(x) { $1.layer($0, activation: .relu) } }
}

extension Kernels {
    /// All along the last dimension.
    fileprivate static func joined(_ parts: [Tensor]) -> Tensor {
        parts.dropFirst().reduce(parts[0]) { concatenateChannels($0, $1) }
    }
}
