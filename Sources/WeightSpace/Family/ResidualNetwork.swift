import NeuralNetworks
import TensorKit

/// x + LayerNorm(Linear(LayerNorm(ReLU(Linear(x))))), half as wide inside.
final class ResidualBlock: Module {
    private let down, up: Linear
    private let innerNorm, outerNorm: LayerNorm

    init(width: Int) {
        down = Linear(inFeatures: width, outFeatures: width / 2)
        innerNorm = LayerNorm(features: width / 2)
        up = Linear(inFeatures: width / 2, outFeatures: width)
        outerNorm = LayerNorm(features: width)
    }

    var children: [(name: String, module: any Module)] {
        [("block", Sequence([(0, down), (2, innerNorm), (3, up), (4, outerNorm)]))]
    }

    func callAsFunction(_ x: Tensor, tape: Tape?) -> Tensor {
        let inner = innerNorm(down(x, activation: .relu, tape: tape), tape: tape)
        return add(x, outerNorm(up(inner, tape: tape), tape: tape), tape: tape)
    }
}

/// The "residual" weight VAE of weights2weights++.
///
/// Keys of the published checkpoints, h hidden: `first_layer.0` [2h, n], `first_layer.2` [h, 2h]; `encoder.<b>.block.*`; `fc_mu.0`,
/// `fc_var.0` [h/2, h], `.2` [latent, h/2]; `decoder_input` [h, latent]; `decoder.<b>.block.*`; `final_layer.0` [2h, h], `final_layer.2` [n, 2h].
final class ResidualNetwork: WeightVAENetwork {
    private let firstLayer, meanHead, logVarianceHead, finalLayer: TwoLayers
    private let encoder, decoder: [ResidualBlock]
    private let decoderInput: Linear
    private let output: Activation

    /// - Precondition: one hidden width, at least 2.
    init(_ configuration: WeightVAEConfiguration) {
        let (n, latent) = (configuration.vectorLength, configuration.latentDim)
        let h = configuration.hiddenDims.first ?? 0
        precondition(h >= 2, "a residual weight VAE needs a hidden width")
        firstLayer = TwoLayers(n, 2 * h, h)
        encoder = (0..<configuration.blocks).map { _ in ResidualBlock(width: h) }
        meanHead = TwoLayers(h, h / 2, latent)
        logVarianceHead = TwoLayers(h, h / 2, latent)
        decoderInput = Linear(inFeatures: latent, outFeatures: h)
        decoder = (0..<configuration.blocks).map { _ in ResidualBlock(width: h) }
        finalLayer = TwoLayers(h, 2 * h, n)
        output = configuration.outputActivation
    }

    var children: [(name: String, module: any Module)] {
        [("first_layer", firstLayer)] + encoder.enumerated().map { ("encoder.\($0.offset)", $0.element) }
            + [("fc_mu", meanHead), ("fc_var", logVarianceHead), ("decoder_input", decoderInput)]
            + decoder.enumerated().map { ("decoder.\($0.offset)", $0.element) } + [("final_layer", finalLayer)]
    }

    var codeLayers: (mean: Linear, logVariance: Linear, decoderInput: Linear) {
        (meanHead.second, logVarianceHead.second, decoderInput)
    }
    var outputLayers: [Linear] { [finalLayer.second] }

    func encode(_ x: Tensor, tape: Tape?) -> (mean: Tensor, logVariance: Tensor) {
        let hidden = encoder.reduce(firstLayer(x, tape: tape)) { $1($0, tape: tape) }
        return (meanHead(hidden, tape: tape), logVarianceHead(hidden, tape: tape))
    }

    func decode(_ z: Tensor, tape: Tape?) -> Tensor {
        let y = finalLayer.second(outputInputs(z, tape: tape)[0], tape: tape)
        return output == .identity ? y : activate(y, output, tape: tape)
    }

    func outputInputs(_ z: Tensor, tape: Tape?) -> [Tensor] {
        let hidden = decoder.reduce(decoderInput(z, tape: tape)) { $1($0, tape: tape) }
        return [finalLayer.first(hidden, activation: .relu, tape: tape)]
    }
}

/// The optional adversary of the residual weight VAE: tells scaled vectors of the data from reconstructions.
///
/// Keys: `first_layer.0` [2h, n], `first_layer.2` [h, 2h], `blocks.<b>.block.*`, `final_layer.0` [2h, h], `final_layer.2` [1, 2h].
public final class WeightDiscriminator: Module {
    private let firstLayer, finalLayer: TwoLayers
    private let blocks: [ResidualBlock]

    /// - Parameters:
    ///   - vectorLength: n
    ///   - hidden: h, at least 2.
    ///   - blocks: number of residual blocks.
    public init(vectorLength: Int, hidden: Int, blocks: Int) {
        precondition(hidden >= 2, "a discriminator needs a hidden width")
        firstLayer = TwoLayers(vectorLength, 2 * hidden, hidden)
        self.blocks = (0..<blocks).map { _ in ResidualBlock(width: hidden) }
        finalLayer = TwoLayers(hidden, 2 * hidden, 1)
    }

    public var children: [(name: String, module: any Module)] {
        [("first_layer", firstLayer)] + blocks.enumerated().map { ("blocks.\($0.offset)", $0.element) }
            + [("final_layer", finalLayer)]
    }

    /// The logit that vectors are data.
    /// - Parameters:
    ///   - x: scaled vectors, [N, n].
    ///   - tape: records the backward pass.
    /// - Returns: [N, 1]
    public func callAsFunction(_ x: Tensor, tape: Tape? = nil) -> Tensor {
        finalLayer(blocks.reduce(firstLayer(x, tape: tape)) { $1($0, tape: tape) }, tape: tape)
    }
}
