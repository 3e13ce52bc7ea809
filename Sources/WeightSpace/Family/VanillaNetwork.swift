import NeuralNetworks
import TensorKit

/// One stage of the published stack: a linear layer, batch norm if it is wanted, LeakyReLU.
final class VanillaStage: Module {
    let linear: Linear
    let norm: BatchNorm1d?
    private let activation: Activation

    init(_ inFeatures: Int, _ outFeatures: Int, batchNorm: Bool, slope: Float) {
        linear = Linear(inFeatures: inFeatures, outFeatures: outFeatures)
        norm = batchNorm ? BatchNorm1d(features: outFeatures) : nil
        activation = .leakyReLU(slope: slope)
    }

    var children: [(name: String, module: any Module)] { [("0", linear)] + (norm.map { [("1", $0)] } ?? []) }

    func callAsFunction(_ x: Tensor, tape: Tape?) -> Tensor {
        guard let norm else { return linear(x, activation: activation, tape: tape) }
        return activate(norm(linear(x, tape: tape), tape: tape), activation, tape: tape)
    }
}

/// The mirrored half of the published stack: `decoder_input` (no activation after it), stages, `final_layer` with its activation.
final class VanillaDecoder {
    let input: Linear
    let stages: [VanillaStage]
    let final: Linear
    private let output: Activation

    init(_ configuration: WeightVAEConfiguration) {
        let widths = Array(configuration.hiddenDims.reversed())
        input = Linear(inFeatures: configuration.latentDim, outFeatures: widths[0])
        stages = zip(widths, widths.dropFirst()).map {
            VanillaStage($0, $1, batchNorm: configuration.batchNorm, slope: configuration.negativeSlope)
        }
        final = Linear(inFeatures: widths[widths.count - 1], outFeatures: configuration.vectorLength)
        output = configuration.outputActivation
    }

    var children: [(name: String, module: any Module)] {
        [("decoder_input", input)] + stages.enumerated().map { ("decoder.\($0.offset)", $0.element) } + [("final_layer.0", final)]
    }

    func callAsFunction(_ z: Tensor, tape: Tape?) -> Tensor { final(hidden(z, tape: tape), activation: output, tape: tape) }

    /// What the final layer sees, [N, first width].
    func hidden(_ z: Tensor, tape: Tape?) -> Tensor { stages.reduce(input(z, tape: tape)) { $1($0, tape: tape) } }
}

/// The "vanilla" weight VAE of weights2weights++: linear layers with LeakyReLU down to the code, their mirror back.
///
/// Keys of the published checkpoints: `encoder.<i>.0.*` (with batch norm also `encoder.<i>.1.*`), `fc_mu.*`, `fc_var.*` (the logarithm of the
/// variance), `decoder_input.*`, `decoder.<i>.0.*`, `final_layer.0.*`.
final class VanillaNetwork: WeightVAENetwork {
    let encoder: [VanillaStage]
    let meanHead, logVarianceHead: Linear
    let decoder: VanillaDecoder

    /// - Precondition: `hiddenDims` is not empty.
    init(_ configuration: WeightVAEConfiguration) {
        let hidden = configuration.hiddenDims
        precondition(!hidden.isEmpty, "a weight VAE needs a hidden layer")
        encoder = zip([configuration.vectorLength] + hidden, hidden).map {
            VanillaStage($0, $1, batchNorm: configuration.batchNorm, slope: configuration.negativeSlope)
        }
        meanHead = Linear(inFeatures: hidden[hidden.count - 1], outFeatures: configuration.latentDim)
        logVarianceHead = Linear(inFeatures: hidden[hidden.count - 1], outFeatures: configuration.latentDim)
        decoder = VanillaDecoder(configuration)
    }

    var children: [(name: String, module: any Module)] {
        encoder.enumerated().map { ("encoder.\($0.offset)", $0.element) } + [("fc_mu", meanHead), ("fc_var", logVarianceHead)]
            + decoder.children
    }

    var codeLayers: (mean: Linear, logVariance: Linear, decoderInput: Linear) { (meanHead, logVarianceHead, decoder.input) }
    var outputLayers: [Linear] { [decoder.final] }
    var batchNorms: [BatchNorm1d] { encoder.compactMap(\.norm) + decoder.stages.compactMap(\.norm) }

    func encode(_ x: Tensor, tape: Tape?) -> (mean: Tensor, logVariance: Tensor) {
        let hidden = encoder.reduce(x) { $1($0, tape: tape) }
        return (meanHead(hidden, tape: tape), logVarianceHead(hidden, tape: tape))
    }

    func decode(_ z: Tensor, tape: Tape?) -> Tensor { decoder(z, tape: tape) }

    func outputInputs(_ z: Tensor, tape: Tape?) -> [Tensor] { [decoder.hidden(z, tape: tape)] }
}
