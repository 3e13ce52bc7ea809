import TensorKit

/// The models that a space may have over the same LoRA vectors; raw values are those of the command line.
public enum WeightModelKind: String, Sendable, CaseIterable, Codable {
    case vae, pca
}

/// Gives LoRA vectors coordinates and takes them back: all that sampling, sliders, morphs and edits need of a model.
///
/// Codes are in the model's own units: those of the prior for a weight VAE, plain coefficients for a PCA. `priorScale` says how wide the prior
/// is along each axis; divided by it, the codes of every model are comparable.
public protocol WeightCodeModel: AnyObject {
    var kind: WeightModelKind { get }
    /// The model in two words: "vanilla VAE", "PCA".
    var title: String { get }
    /// n, the length of a LoRA vector.
    var vectorLength: Int { get }
    /// d, the length of a code.
    var latentDimension: Int { get }
    /// Deviation of the prior along each axis, [d], all above 0.
    var priorScale: [Float] { get }
    /// The linear map that codes meet first on their way to a vector, [h, d], for SeFa; nil when the decoder does not begin with one.
    var firstDecoderLayer: Tensor? { get }

    /// The codes of vectors: posterior means of a weight VAE, coefficients of a PCA.
    /// - Parameter vectors: raw LoRA vectors, [N, n].
    /// - Returns: [N, d]
    func codes(of vectors: Tensor) -> Tensor

    /// The vectors of codes.
    /// - Parameter codes: [N, d]
    /// - Returns: raw LoRA vectors, [N, n].
    func decode(_ codes: Tensor) -> Tensor
}

extension WeightVAE: WeightCodeModel {
    public var kind: WeightModelKind { .vae }
    public var title: String { "\(configuration.variant.rawValue) VAE" }
    public var vectorLength: Int { configuration.vectorLength }
    public var latentDimension: Int { configuration.latentDim }
    /// The prior of a weight VAE is N(0, I).
    public var priorScale: [Float] { Array(repeating: 1, count: configuration.latentDim) }
    /// `decoder_input`, [h, d]; with a linear path, which carries the most, `linear_decoder`, [n, d].
    public var firstDecoderLayer: Tensor? { (linearPath?.decoder ?? network.codeLayers.decoderInput).weight.value }

    public func codes(of vectors: Tensor) -> Tensor { encode(vectors).mean }
}

/// A model of a space with what is known of the space's identities in its coordinates.
public struct WeightCoordinates {
    public let model: any WeightCodeModel
    /// Codes [N, d] of the identities, row-major; empty when the space does not carry them.
    public let codes: [Float]
    /// Logarithms of the posterior variances [N, d], row-major; empty without codes. Minus infinity along the axes of a PCA, whose codes are certain.
    public let codeLogVariances: [Float]
    /// One per coordinate.
    public let axes: [LatentAxis]

    init(model: any WeightCodeModel, codes: [Float], codeLogVariances: [Float], axes: [LatentAxis]) {
        self.model = model
        self.codes = codes
        self.codeLogVariances = codeLogVariances
        self.axes = axes
    }
}
