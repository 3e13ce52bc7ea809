import Checkpoints
import Foundation
import TensorKit

/// What `vae.json` says of a weight VAE: everything besides its numbers.
public struct WeightVAEConfiguration: Sendable, Equatable {
    /// The families of weight VAEs; raw values are those of `vae.json` and the command line.
    public enum Variant: String, Sendable, CaseIterable, Codable {
        /// Linear layers with LeakyReLU, a hyperbolic tangent at the end; published.
        case vanilla
        /// Residual blocks with LayerNorm, heads of two layers; published.
        case residual
        /// Attention over one token for each LoRA module.
        case transformer
        /// Strided convolutions along the vector, the vanilla decoder.
        case convolutional
    }

    /// How the vectors were scaled before they met the network.
    public enum Scaling: Sendable, Equatable {
        /// raw * factor; the published vanilla model has 10.
        case factor(Float)
        /// 2 (raw - minimum) / range - 1; the published residual model has -0.094693 and 0.186591.
        case range(minimum: Float, range: Float)
        /// (raw - offset) / scale, both in the weights' file.
        case affine
    }

    public var variant: Variant
    /// n, the length of a LoRA vector.
    public var vectorLength: Int
    /// h1...hk, from the vector inwards; residual: h; transformer: the width of a token; convolutional: of the decoder.
    public var hiddenDims: [Int]
    public var latentDim: Int
    /// LeakyReLU's slope below zero.
    public var negativeSlope: Float
    /// Vanilla (and the decoder of convolutional): batch norm after each hidden linear layer.
    public var batchNorm: Bool
    /// A hyperbolic tangent at the end, or nothing.
    public var endsInTanh: Bool
    /// A linear path from the vector to the code and back beside the network.
    public var hasLinearPath: Bool
    /// Residual and transformer: blocks in the encoder, and as many in the decoder.
    public var blocks: Int
    /// Transformer: heads of the attention; they divide the width.
    public var heads: Int
    /// Transformer: how many numbers each token takes, in the order of the vector.
    public var tokenLengths: [Int]
    /// Convolutional: channels of the layers, from the vector inwards.
    public var channels: [Int]
    /// Convolutional: width of the kernels and distance of their places.
    public var kernelSize, stride: Int
    public var scaling: Scaling
    /// `LoRALayout.digest` of the layout that the vectors have, if it is recorded.
    public var layoutDigest: String?

    /// What follows the last layer.
    var outputActivation: Activation { endsInTanh ? .tanh : .identity }

    /// - Parameters:
    ///   - variant: the family.
    ///   - vectorLength: n
    ///   - hiddenDims: widths, from the vector inwards.
    ///   - latentDim: numbers in a code.
    ///   - negativeSlope: LeakyReLU's slope below zero.
    ///   - batchNorm: after each hidden linear layer (vanilla).
    ///   - endsInTanh: nil takes what the published model does: vanilla and convolutional do, the others do not.
    ///   - hasLinearPath: a linear path beside the network.
    ///   - blocks: of the residual and the transformer network.
    ///   - heads: of the transformer.
    ///   - tokenLengths: of the transformer.
    ///   - channels: of the convolutions.
    ///   - kernelSize: of the convolutions.
    ///   - stride: of the convolutions.
    ///   - scaling: how vectors are scaled.
    ///   - layoutDigest: of the layout, if it is known.
    public init(
        variant: Variant = .vanilla, vectorLength: Int, hiddenDims: [Int], latentDim: Int, negativeSlope: Float = 0.01,
        batchNorm: Bool = false, endsInTanh: Bool? = nil, hasLinearPath: Bool = false, blocks: Int = 4, heads: Int = 4,
        tokenLengths: [Int] = [], channels: [Int] = [16, 32, 64], kernelSize: Int = 8, stride: Int = 4,
        scaling: Scaling = .affine, layoutDigest: String? = nil
    ) {
        self.variant = variant
        self.vectorLength = vectorLength
        self.hiddenDims = hiddenDims
        self.latentDim = latentDim
        self.negativeSlope = negativeSlope
        self.batchNorm = batchNorm
        self.endsInTanh = endsInTanh ?? (variant == .vanilla || variant == .convolutional)
        self.hasLinearPath = hasLinearPath
        self.blocks = blocks
        self.heads = heads
        self.tokenLengths = tokenLengths
        self.channels = channels
        self.kernelSize = kernelSize
        self.stride = stride
        self.scaling = scaling
        self.layoutDigest = layoutDigest
    }

    /// Checks that the numbers make a network.
    /// - Throws: `SpaceError` that names the first that does not.
    public func validate() throws {
        func refuse(_ what: String, _ advice: String) -> SpaceError {
            SpaceError("\(variant.rawValue) weight VAE: \(what)", advice: advice)
        }
        guard vectorLength > 0, (1...(1 << 14)).contains(latentDim) else {
            throw refuse("a latent dimension of \(latentDim) makes no space", "Give one from 1 on, such as 64.")
        }
        guard !hiddenDims.isEmpty, hiddenDims.allSatisfy({ (1...(1 << 16)).contains($0) }) else {
            throw refuse("hidden widths \(hiddenDims) make no network", "Give widths from 1 on, such as 512,256.")
        }
        switch variant {
        case .vanilla: break
        case .residual:
            guard hiddenDims.count == 1, hiddenDims[0] >= 2, (0...64).contains(blocks) else {
                throw refuse(
                    "hidden widths \(hiddenDims) and \(blocks) blocks", "It has one width, such as 1024, and 0 to 64 blocks.")
            }
        case .transformer:
            guard hiddenDims.count == 1, heads > 0, hiddenDims[0] % heads == 0, (0...64).contains(blocks) else {
                throw refuse(
                    "a width of \(hiddenDims) for \(heads) heads in \(blocks) blocks",
                    "Give one width that the heads divide, and 0 to 64 blocks.")
            }
            guard tokenLengths.allSatisfy({ $0 > 0 }), tokenLengths.reduce(0, +) == vectorLength else {
                throw refuse(
                    "tokens of \(tokenLengths.reduce(0, +)) numbers for vectors of \(vectorLength)",
                    "The layout says which numbers belong to which module.")
            }
        case .convolutional:
            let length = channels.reduce(vectorLength) { length, _ in
                length < kernelSize ? 0 : (length - kernelSize) / max(1, stride) + 1
            }
            guard !channels.isEmpty, channels.allSatisfy({ (1...4096).contains($0) }), kernelSize > 0, stride > 0, length > 0
            else {
                throw refuse(
                    "channels \(channels) with kernels of \(kernelSize) at every \(stride) for vectors of \(vectorLength)",
                    "Give fewer or narrower layers.")
            }
        }
    }
}
