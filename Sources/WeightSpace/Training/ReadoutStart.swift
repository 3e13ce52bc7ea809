import Foundation
import NeuralNetworks
import TensorKit

/// A start of the network beside a linear path: its inner layers stay as they were drawn, and its output layers are solved by ridge regression, so
/// that they add to the linear path what they can say about the rest of the training vectors.
///
/// A wide layer of random units with a ridge readout is a kernel regression on the codes (random features, Rahimi and Recht 2007); with a few hundred
/// identities it finds what is not linear in a space better than steps of an optimiser do. The penalty is the one under which the validation
/// identities are reconstructed best.
public struct ReadoutStart: Sendable, Equatable {
    /// The chosen penalty, as a share of the mean eigenvalue of the features' Gram matrix.
    public let penalty: Double
    /// Reconstruction of the validation identities without and with the network, R2.
    public let before, after: Double

    /// Penalties that are tried.
    private static let penalties = [3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1]
    /// Rows that the regression is fitted to at most, noisy copies included.
    private static let rows = 2048
    /// Copies of a code with noise of the posterior, besides the code itself.
    private static let copies = 3

    /// Solves the output layers.
    /// - Parameters:
    ///   - vae: with a linear path that was started from the spectrum; changed in place.
    ///   - training: scaled vectors, [N, n].
    ///   - validation: scaled vectors that choose the penalty, [M, n].
    ///   - random: of the noise.
    /// - Throws: `LinearAlgebraError` when an eigenvalue problem does not converge.
    init(of vae: WeightVAE, training: Tensor, validation: Tensor, random: TorchRandomSource) throws {
        let codes = Self.noisyCodes(vae, training, random)
        let known = vae.encodeScaled(validation).mean
        let rest = Self.rest(vae, codes.codes, codes.vectors)
        let restKnown = Self.rest(vae, known, validation)
        let parts = zip(vae.network.outputInputs(codes.codes, tape: nil), vae.network.outputInputs(known, tape: nil))
        var start = 0
        let ridges = try zip(vae.network.outputLayers, parts).map { layer, inputs -> (Linear, Ridge) in
            let width = layer.weight.shape[0]
            defer { start += width }
            let columns = { (x: Tensor) in features(start..<(start + width), of: x, tape: nil) }
            return (
                layer,
                try Ridge(
                    inputs: inputs.0, targets: columns(rest), knownInputs: inputs.1, knownTargets: columns(restKnown))
            )
        }
        let total = max(Kernels.sumOfSquares(validation), .leastNonzeroMagnitude)
        func quality() -> Double {
            1 - Kernels.sumOfSquares(Kernels.scaledDifference(vae.decodeScaled(known), validation, factor: 1)) / total
        }
        let before = quality()
        let errors = Self.penalties.map { penalty in (penalty, ridges.reduce(0) { $0 + $1.1.error(penalty) }) }
        let best = errors.min { $0.1 < $1.1 }?.0 ?? .infinity
        for (layer, ridge) in ridges { ridge.write(best, to: layer) }
        let after = quality()
        if after < before {
            // Nothing to add: the network starts at nothing, as beside any linear path.
            for (layer, _) in ridges {
                layer.weight.value = Tensor(zeros: layer.weight.shape)
                if let bias = layer.bias { bias.value = Tensor(zeros: bias.shape) }
            }
        }
        (self.before, self.after, penalty) = (before, max(before, after), after < before ? .infinity : best)
    }

    /// Codes of vectors: their posterior means, and copies with its noise.
    private static func noisyCodes(
        _ vae: WeightVAE, _ vectors: Tensor, _ random: TorchRandomSource
    ) -> (codes: Tensor, vectors: Tensor) {
        let count = vectors.shape[0]
        let repeats = max(1, min(copies + 1, rows / max(1, count)))
        let order = (0..<repeats).flatMap { _ in 0..<min(count, rows) }
        let (mean, logVariance) = vae.encodeScaled(vectors)
        let codes = mean.gathering(order)
        let variances = logVariance.gathering(order)
        let clean = min(count, rows) * mean.shape[1]
        let noise = random.normal(codes.count - clean)
        for (place, value) in noise.enumerated() {
            codes.pointer[clean + place] += exp(variances.pointer[clean + place] / 2) * value
        }
        return (codes, vectors.gathering(order))
    }

    /// What the linear path leaves for the network, before the network's last activation.
    private static func rest(_ vae: WeightVAE, _ codes: Tensor, _ vectors: Tensor) -> Tensor {
        let rest = Kernels.scaledDifference(vectors, vae.decodeScaled(codes), factor: 1)
        if vae.configuration.endsInTanh {
            for i in 0..<rest.count { rest.pointer[i] = atanh(max(-0.9, min(0.9, rest.pointer[i]))) }
        }
        return rest
    }
}

/// A ridge regression of many targets, solved for any penalty through the Gram matrix of the rows.
private struct Ridge {
    /// Means over the rows, which the bias takes.
    private let inputMean, targetMean: [Float]
    /// Centred inputs, [N, p].
    private let inputs: Tensor
    /// Eigenvalues of the Gram matrix, rising, and eigenvectors, one in each row.
    private let values, vectors: Tensor
    /// Targets along the eigenvectors, [N, k].
    private let projected: Tensor
    /// The Gram matrix of other rows with these, along the eigenvectors, [M, N].
    private let knownProducts: Tensor
    /// Centred targets of the other rows, [M, k].
    private let knownTargets: Tensor

    init(inputs: Tensor, targets: Tensor, knownInputs: Tensor, knownTargets: Tensor) throws {
        inputMean = Self.mean(inputs)
        targetMean = Self.mean(targets)
        self.inputs = Self.centred(inputs, inputMean)
        let gram = Kernels.product(self.inputs, self.inputs, transposeB: true)
        (values, vectors) = try LinearAlgebra.symmetricEigen(gram)
        projected = Kernels.product(vectors, Self.centred(targets, targetMean))
        knownProducts = Kernels.product(
            Kernels.product(Self.centred(knownInputs, inputMean), self.inputs, transposeB: true), vectors, transposeB: true)
        self.knownTargets = Self.centred(knownTargets, targetMean)
    }

    /// Sum of the squared errors on the other rows.
    func error(_ penalty: Double) -> Double {
        let predicted = Kernels.product(knownProducts, solved(penalty))
        return Kernels.sumOfSquares(Kernels.scaledDifference(predicted, knownTargets, factor: 1))
    }

    /// Sets weight [k, p] and bias [k].
    func write(_ penalty: Double, to layer: Linear) {
        let dual = Kernels.product(vectors, solved(penalty), transposeA: true)
        let weight = Kernels.product(dual, inputs, transposeA: true)
        layer.weight.value = weight
        let (k, p) = (weight.shape[0], weight.shape[1])
        layer.bias?.value = Tensor(
            [k],
            (0..<k).map { row in
                targetMean[row] - (0..<p).reduce(Float(0)) { $0 + weight.pointer[row * p + $1] * inputMean[$1] }
            })
    }

    /// (values + penalty * their mean)^-1 times the projected targets, [N, k].
    private func solved(_ penalty: Double) -> Tensor {
        let (count, k) = (projected.shape[0], projected.shape[1])
        let mean = values.array.reduce(0.0) { $0 + Double($1) } / Double(max(1, count))
        let result = projected.copy()
        for row in 0..<count {
            let factor = Float(1 / max(Double(values.pointer[row]) + penalty * mean, .leastNonzeroMagnitude))
            for i in 0..<k { result.pointer[row * k + i] *= factor }
        }
        return result
    }

    private static func mean(_ x: Tensor) -> [Float] {
        let (rows, columns) = (x.shape[0], x.shape[1])
        var sums = [Double](repeating: 0, count: columns)
        for row in 0..<rows {
            for i in 0..<columns { sums[i] += Double(x.pointer[row * columns + i]) }
        }
        return sums.map { Float($0 / Double(max(1, rows))) }
    }

    private static func centred(_ x: Tensor, _ mean: [Float]) -> Tensor {
        let result = x.copy()
        for row in 0..<x.shape[0] {
            for i in mean.indices { result.pointer[row * mean.count + i] -= mean[i] }
        }
        return result
    }
}
