import Checkpoints
import Foundation
import NeuralNetworks
import TensorKit

/// The weight VAE of weights2weights++, "vanilla" variant: a stack of linear layers with LeakyReLU down to the code, its mirror back.
///
/// State-dictionary keys are those of the published checkpoints: `encoder.<i>.0.*`, `fc_mu.*`, `fc_var.*` (the logarithm of the variance),
/// `decoder_input.*` (no activation after it), `decoder.<i>.0.*`, `final_layer.0.*` (a hyperbolic tangent after it).
public final class WeightVAE: Module {
    public let configuration: WeightVAEConfiguration
    /// Between raw vectors and the network's range.
    public let scaling: DataScaling
    private let encoder: [Linear]
    private let meanHead: Linear
    private let logVarianceHead: Linear
    private let decoderInput: Linear
    private let decoder: [Linear]
    private let finalLayer: Linear

    /// A network without weights yet.
    /// - Precondition: `hiddenDims` is not empty.
    public init(_ configuration: WeightVAEConfiguration, scaling: DataScaling) {
        let hidden = configuration.hiddenDims
        precondition(!hidden.isEmpty, "a weight VAE needs a hidden layer")
        self.configuration = configuration
        self.scaling = scaling
        let widths = [configuration.vectorLength] + hidden
        encoder = zip(widths, hidden).map { Linear(inFeatures: $0, outFeatures: $1) }
        let innermost = hidden[hidden.count - 1]
        meanHead = Linear(inFeatures: innermost, outFeatures: configuration.latentDim)
        logVarianceHead = Linear(inFeatures: innermost, outFeatures: configuration.latentDim)
        decoderInput = Linear(inFeatures: configuration.latentDim, outFeatures: innermost)
        decoder = zip(hidden.reversed(), hidden.reversed().dropFirst()).map { Linear(inFeatures: $0, outFeatures: $1) }
        finalLayer = Linear(inFeatures: hidden[0], outFeatures: configuration.vectorLength)
    }

    /// Opens `vae.safetensors` and the `vae.json` beside it.
    /// - Parameters:
    ///   - weights: the safetensors file, float16 or float32.
    ///   - configuration: what `vae.json` says.
    /// - Throws: `CheckpointError` or `StateDictionaryMismatch` with everything that does not fit.
    public convenience init(weights: URL, configuration: WeightVAEConfiguration) throws {
        try self.init(StateDictionary(safetensors: weights), configuration: configuration)
    }

    /// Builds the network from a state dictionary.
    /// - Throws: `CheckpointError` or `StateDictionaryMismatch` with everything that does not fit.
    public convenience init(_ state: StateDictionary, configuration: WeightVAEConfiguration) throws {
        let scaling: DataScaling
        switch configuration.scaling {
        case .factor(let factor): scaling = .factor(factor)
        case .affine:
            let offset = try state.entry(DataScaling.offsetKey, shape: [configuration.vectorLength]).tensor()
            let scale = try state.entry(DataScaling.scaleKey, shape: [configuration.vectorLength])
            guard scale.floats().allSatisfy({ $0.isFinite && $0 > 0 }) else {
                throw CheckpointError(
                    file: scale.path, problem: .invalidEntry(tensor: scale.name, reason: "a scale is not above 0"))
            }
            scaling = .affine(offset: offset, scale: scale.tensor())
        }
        self.init(configuration, scaling: scaling)
        let own: Set = [DataScaling.offsetKey, DataScaling.scaleKey]
        try load(configuration.scaling == .affine ? state.renamed { own.contains($0) ? nil : $0 } : state)
    }

    public var children: [(name: String, module: any Module)] {
        let stages = { (name: String, layers: [Linear]) in
            layers.enumerated().map { (name: "\(name).\($0.offset).0", module: $0.element as any Module) }
        }
        return stages("encoder", encoder)
            + [("fc_mu", meanHead), ("fc_var", logVarianceHead), ("decoder_input", decoderInput)]
            + stages("decoder", decoder) + [("final_layer.0", finalLayer)]
    }

    /// The layers in the order of a pass, for initialisation.
    var layers: (encoder: [Linear], mean: Linear, logVariance: Linear, decoderInput: Linear, decoder: [Linear], final: Linear) {
        (encoder, meanHead, logVarianceHead, decoderInput, decoder, finalLayer)
    }

    /// The posterior of scaled vectors.
    /// - Parameters:
    ///   - x: scaled vectors, [N, n].
    ///   - tape: records the backward pass.
    /// - Returns: mean and logarithm of the variance, [N, latentDim] each.
    public func encodeScaled(_ x: Tensor, tape: Tape? = nil) -> (mean: Tensor, logVariance: Tensor) {
        let hidden = encoder.reduce(x) { $1($0, activation: .leakyReLU(slope: configuration.negativeSlope), tape: tape) }
        return (meanHead(hidden, tape: tape), logVarianceHead(hidden, tape: tape))
    }

    /// The scaled vectors of codes.
    /// - Parameters:
    ///   - z: codes, [N, latentDim].
    ///   - tape: records the backward pass.
    /// - Returns: [N, n], each number between -1 and 1.
    public func decodeScaled(_ z: Tensor, tape: Tape? = nil) -> Tensor {
        let hidden = decoder.reduce(decoderInput(z, tape: tape)) {
            $1($0, activation: .leakyReLU(slope: configuration.negativeSlope), tape: tape)
        }
        return finalLayer(hidden, activation: .tanh, tape: tape)
    }

    /// The posterior of LoRA vectors.
    /// - Parameter vectors: raw LoRA vectors, [N, n].
    /// - Returns: mean and logarithm of the variance of their codes, [N, latentDim] each.
    public func encode(_ vectors: Tensor) -> (mean: Tensor, logVariance: Tensor) { encodeScaled(scaling.scaled(vectors)) }

    /// The LoRA vectors of codes.
    /// - Parameter codes: [N, latentDim]
    /// - Returns: raw LoRA vectors, [N, n].
    public func decode(_ codes: Tensor) -> Tensor { scaling.raw(decodeScaled(codes)) }

    /// Everything that `vae.safetensors` holds.
    /// - Parameter type: of the weights; offset and scale stay float32.
    /// - Returns: published keys, then the scaling.
    public func stored(as type: ElementType) -> [StoredTensor] {
        var tensors = storedTensors(as: type)
        if case .affine(let offset, let scale) = scaling {
            tensors += [StoredTensor(DataScaling.offsetKey, offset), StoredTensor(DataScaling.scaleKey, scale)]
        }
        return tensors
    }
}
