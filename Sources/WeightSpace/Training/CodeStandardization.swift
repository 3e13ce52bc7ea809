import Foundation
import NeuralNetworks
import TensorKit

/// Gives every axis of a trained weight VAE the mean 0 and the deviation 1 over the identities.
///
/// A change of coordinates z' = (z - mean) / deviation that the two heads and `decoder_input` (no activation follows it) absorb exactly:
/// every vector is reconstructed as before, and each axis' KL to the prior can only fall. N(0, I) then lies where the identities lie.
enum CodeStandardization {
    /// Moves and stretches the axes along which the identities differ; collapsed ones stay.
    /// - Parameters:
    ///   - vae: changed in place.
    ///   - moments: of the aggregated posterior.
    static func apply(to vae: WeightVAE, moments: CodeMoments) {
        let layers = vae.layers
        let d = vae.configuration.latentDim
        for axis in 0..<d where moments.variance[axis] > Double(LatentAxis.activeVariance) {
            let mean = moments.mean[axis]
            let deviation = moments.covariance[axis * d + axis].squareRoot()
            let hidden = layers.mean.weight.shape[1]
            for j in 0..<hidden { layers.mean.weight.value.pointer[axis * hidden + j] /= Float(deviation) }
            if let bias = layers.mean.bias?.value.pointer { bias[axis] = Float((Double(bias[axis]) - mean) / deviation) }
            if let bias = layers.logVariance.bias?.value.pointer { bias[axis] -= Float(2 * log(deviation)) }
            let outputs = layers.decoderInput.weight.shape[0]
            let weight = layers.decoderInput.weight.value.pointer
            for i in 0..<outputs {
                layers.decoderInput.bias?.value.pointer[i] += weight[i * d + axis] * Float(mean)
                weight[i * d + axis] *= Float(deviation)
            }
        }
        for layer in [layers.mean, layers.logVariance, layers.decoderInput] {
            layer.weight.markChanged()
            layer.bias?.markChanged()
        }
    }
}
