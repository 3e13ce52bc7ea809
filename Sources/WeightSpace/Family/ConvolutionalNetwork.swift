import NeuralNetworks
import TensorKit

/// A convolutional encoder (one of the originals' trials, a baseline here): the vector as a signal of one channel, strided convolutions with
/// LeakyReLU, then the two heads; the decoder is the vanilla one.
///
/// Keys: `encoder.<i>.0.weight` [channels, channels before, kernel] (`torch.nn.Conv1d`), `fc_mu.*`, `fc_var.*` [latent, length * channels] (the
/// channels of a place lie together), then those of the vanilla decoder.
final class ConvolutionalNetwork: WeightVAENetwork {
    private let encoder: [Conv1d]
    private let activation: Activation
    private let meanHead, logVarianceHead: Linear
    private let decoder: VanillaDecoder

    init(_ configuration: WeightVAEConfiguration) {
        let channels = [1] + configuration.channels
        encoder = zip(channels, channels.dropFirst()).map {
            Conv1d(inChannels: $0, outChannels: $1, kernelSize: configuration.kernelSize, stride: configuration.stride)
        }
        let length = encoder.reduce(configuration.vectorLength) { $1.outputLength(of: $0) }
        precondition(
            length > 0 && !encoder.isEmpty, "a vector of \(configuration.vectorLength) is too short for these convolutions")
        let features = length * (configuration.channels.last ?? 1)
        activation = .leakyReLU(slope: configuration.negativeSlope)
        meanHead = Linear(inFeatures: features, outFeatures: configuration.latentDim)
        logVarianceHead = Linear(inFeatures: features, outFeatures: configuration.latentDim)
        decoder = VanillaDecoder(configuration)
    }

    var children: [(name: String, module: any Module)] {
        encoder.enumerated().map { ("encoder.\($0.offset).0", $0.element) }
            + [("fc_mu", meanHead), ("fc_var", logVarianceHead)] + decoder.children
    }

    var codeLayers: (mean: Linear, logVariance: Linear, decoderInput: Linear) { (meanHead, logVarianceHead, decoder.input) }
    var outputLayers: [Linear] { [decoder.final] }
    var batchNorms: [BatchNorm1d] { decoder.stages.compactMap(\.norm) }

    func encode(_ x: Tensor, tape: Tape?) -> (mean: Tensor, logVariance: Tensor) {
        let signal = reshape(x, to: [x.shape[0], x.shape[1], 1], tape: tape)
        let hidden = encoder.reduce(signal) { activate($1($0, tape: tape), activation, tape: tape) }
        let all = reshape(hidden, to: [x.shape[0], hidden.shape[1] * hidden.shape[2]], tape: tape)
        return (meanHead(all, tape: tape), logVarianceHead(all, tape: tape))
    }

    func decode(_ z: Tensor, tape: Tape?) -> Tensor { decoder(z, tape: tape) }

    func outputInputs(_ z: Tensor, tape: Tape?) -> [Tensor] { [decoder.hidden(z, tape: tape)] }
}
