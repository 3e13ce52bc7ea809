import NeuralNetworks
import TensorKit

/// What all weight VAEs have in common: a posterior of scaled vectors and scaled vectors of codes.
protocol WeightVAENetwork: Module {
    /// - Parameters:
    ///   - x: scaled vectors, [N, n].
    ///   - tape: records the backward pass.
    /// - Returns: mean and logarithm of the variance, [N, latentDim] each.
    func encode(_ x: Tensor, tape: Tape?) -> (mean: Tensor, logVariance: Tensor)

    /// - Parameters:
    ///   - z: codes, [N, latentDim].
    ///   - tape: records the backward pass.
    /// - Returns: scaled vectors, [N, n].
    func decode(_ z: Tensor, tape: Tape?) -> Tensor

    /// The linear layers next to the code: the last ones of both heads and the first of the decoder. A change of coordinates goes into them.
    var codeLayers: (mean: Linear, logVariance: Linear, decoderInput: Linear) { get }

    /// The linear layers at the far end of the decoder.
    var outputLayers: [Linear] { get }

    /// What the output layers see of codes, in their order.
    /// - Parameters:
    ///   - z: codes, [N, latentDim].
    ///   - tape: records the backward pass.
    /// - Returns: [N, inputs] for each of them.
    func outputInputs(_ z: Tensor, tape: Tape?) -> [Tensor]

    /// Layers that behave differently while they are trained.
    var batchNorms: [BatchNorm1d] { get }
}

extension WeightVAENetwork {
    var batchNorms: [BatchNorm1d] { [] }
}

/// A row of layers under PyTorch's names for `torch.nn.Sequential`, whose activations have numbers but no parameters.
final class Sequence: Module {
    private let layers: [(name: String, module: any Module)]

    /// - Parameter layers: with their numbers in PyTorch's row.
    init(_ layers: [(Int, any Module)]) {
        self.layers = layers.map { ("\($0.0)", $0.1) }
    }

    var children: [(name: String, module: any Module)] { layers }
}

/// `Linear, ReLU, Linear`, under the numbers 0 and 2.
final class TwoLayers: Module {
    let first, second: Linear

    init(_ inFeatures: Int, _ inner: Int, _ outFeatures: Int) {
        first = Linear(inFeatures: inFeatures, outFeatures: inner)
        second = Linear(inFeatures: inner, outFeatures: outFeatures)
    }

    var children: [(name: String, module: any Module)] { [("0", first), ("2", second)] }

    func callAsFunction(_ x: Tensor, tape: Tape?) -> Tensor { second(first(x, activation: .relu, tape: tape), tape: tape) }
}
