import Checkpoints
import Foundation
import NeuralNetworks
import TensorKit

/// A weight VAE: LoRA vectors to weight codes and back. One interface for the whole family; `configuration.variant` says which network is inside.
///
/// State-dictionary keys are those of the published checkpoints where there are any; see the networks of the family. With a linear path there
/// are `linear_encoder.*` and `linear_decoder.*` beside them.
public final class WeightVAE: Module {
    public let configuration: WeightVAEConfiguration
    /// Between raw vectors and the network's range.
    public let scaling: DataScaling
    let network: any WeightVAENetwork
    /// The path that a PCA starts, beside the network.
    let linearPath: LinearPath?

    /// A network without weights yet.
    /// - Precondition: the configuration is one that `WeightVAEConfiguration.validate` lets pass.
    public init(_ configuration: WeightVAEConfiguration, scaling: DataScaling) {
        self.configuration = configuration
        self.scaling = scaling
        switch configuration.variant {
        case .vanilla: network = VanillaNetwork(configuration)
        case .residual: network = ResidualNetwork(configuration)
        case .transformer: network = TransformerNetwork(configuration)
        case .convolutional: network = ConvolutionalNetwork(configuration)
        }
        linearPath =
            configuration.hasLinearPath
            ? LinearPath(vectorLength: configuration.vectorLength, latentDim: configuration.latentDim) : nil
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
    /// - Throws: `SpaceError` when the configuration makes no network, `CheckpointError` or `StateDictionaryMismatch` with everything that
    ///   does not fit.
    public convenience init(_ state: StateDictionary, configuration: WeightVAEConfiguration) throws {
        try configuration.validate()
        let scaling: DataScaling
        switch configuration.scaling {
        case .factor(let factor): scaling = .factor(factor)
        case .range(let minimum, let range): scaling = .range(minimum: minimum, range: range)
        case .affine: scaling = try DataScaling(affineOf: state, length: configuration.vectorLength)
        }
        self.init(configuration, scaling: scaling)
        let own: Set = [DataScaling.offsetKey, DataScaling.scaleKey]
        try load(configuration.scaling == .affine ? state.renamed { own.contains($0) ? nil : $0 } : state)
    }

    public var children: [(name: String, module: any Module)] {
        network.children
            + (linearPath.map { [("linear_encoder", $0.encoder), ("linear_decoder", $0.decoder)] } ?? [])
    }

    /// Whether batch norms take the moments of the batch (and remember them) instead of the remembered ones.
    public var isTraining: Bool {
        get { network.batchNorms.first?.isTraining ?? false }
        set { for norm in network.batchNorms { norm.isTraining = newValue } }
    }

    /// The posterior of scaled vectors.
    /// - Parameters:
    ///   - x: scaled vectors, [N, n].
    ///   - tape: records the backward pass.
    /// - Returns: mean and logarithm of the variance, [N, latentDim] each.
    public func encodeScaled(_ x: Tensor, tape: Tape? = nil) -> (mean: Tensor, logVariance: Tensor) {
        let (mean, logVariance) = network.encode(x, tape: tape)
        guard let linearPath else { return (mean, logVariance) }
        return (linearPath.encoder(x, adding: mean, tape: tape), logVariance)
    }

    /// The scaled vectors of codes.
    /// - Parameters:
    ///   - z: codes, [N, latentDim].
    ///   - tape: records the backward pass.
    /// - Returns: [N, n]; each number between -1 and 1 where the network ends in a hyperbolic tangent and has no linear path.
    public func decodeScaled(_ z: Tensor, tape: Tape? = nil) -> Tensor {
        let y = network.decode(z, tape: tape)
        guard let linearPath else { return y }
        return linearPath.decoder(z, adding: y, tape: tape)
    }

    /// The posterior of LoRA vectors.
    /// - Parameter vectors: raw LoRA vectors, [N, n].
    /// - Returns: mean and logarithm of the variance of their codes, [N, latentDim] each.
    public func encode(_ vectors: Tensor) -> (mean: Tensor, logVariance: Tensor) { encodeScaled(scaling.scaled(vectors)) }

    /// The LoRA vectors of codes.
    /// - Parameter codes: [N, latentDim]
    /// - Returns: raw LoRA vectors, [N, n].
    public func decode(_ codes: Tensor) -> Tensor { scaling.raw(decodeScaled(codes)) }

    /// Writes `vae.safetensors`. Its tensors are those of the published state dictionaries and no others, so that PyTorch loads them strictly;
    /// offset and scale of the data travel in the header.
    /// - Parameters:
    ///   - url: what stands there is replaced.
    ///   - type: of the weights; offset and scale stay float32.
    /// - Throws: `CheckpointError` when it cannot be written.
    public func write(to url: URL, as type: ElementType) throws {
        try SafetensorsWriter.write(storedTensors(as: type), metadata: scaling.metadata, to: url)
    }
}

/// A linear encoder and a linear decoder that lead past the network: mean += E x + e, vector += D z + d. Started from a PCA, it leaves to the
/// network only what is not linear.
final class LinearPath {
    /// E [latentDim, n], e [latentDim]
    let encoder: Linear
    /// D [n, latentDim], d [n]
    let decoder: Linear

    init(vectorLength: Int, latentDim: Int) {
        encoder = Linear(inFeatures: vectorLength, outFeatures: latentDim)
        decoder = Linear(inFeatures: latentDim, outFeatures: vectorLength)
    }
}
