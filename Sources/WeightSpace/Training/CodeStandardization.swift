import Foundation
import NeuralNetworks
import TensorKit

/// Gives every axis of a trained weight VAE the mean 0 and the deviation 1 over the identities.
///
/// A change of coordinates z' = (z - mean) / deviation that the linear layers next to the code absorb exactly:
/// every vector is reconstructed as before, and each axis' KL to the prior can only fall. N(0, I) then lies where the identities lie.
enum CodeStandardization {
    /// Moves and stretches the axes along which the identities differ; collapsed ones stay.
    /// - Parameters:
    ///   - vae: changed in place.
    ///   - moments: of the aggregated posterior.
    static func apply(to vae: WeightVAE, moments: CodeMoments) {
        let layers = vae.network.codeLayers
        let d = vae.configuration.latentDim
        let encoders = [layers.mean] + (vae.linearPath.map { [$0.encoder] } ?? [])
        let decoders = [layers.decoderInput] + (vae.linearPath.map { [$0.decoder] } ?? [])
        for axis in 0..<d where moments.variance[axis] > Double(LatentAxis.activeVariance) {
            let mean = moments.mean[axis]
            let deviation = moments.covariance[axis * d + axis].squareRoot()
            for (index, layer) in encoders.enumerated() {
                let inputs = layer.weight.shape[1]
                for j in 0..<inputs { layer.weight.value.pointer[axis * inputs + j] /= Float(deviation) }
                // The mean is taken off once, however many paths lead to the code.
                let shift = index == 0 ? mean : 0
                if let bias = layer.bias?.value.pointer { bias[axis] = Float((Double(bias[axis]) - shift) / deviation) }
            }
            if let bias = layers.logVariance.bias?.value.pointer { bias[axis] -= Float(2 * log(deviation)) }
            for layer in decoders {
                let weight = layer.weight.value.pointer
                for i in 0..<layer.weight.shape[0] {
                    layer.bias?.value.pointer[i] += weight[i * d + axis] * Float(mean)
                    weight[i * d + axis] *= Float(deviation)
                }
            }
        }
        for layer in encoders + decoders + [layers.logVariance] {
            layer.weight.markChanged()
            layer.bias?.markChanged()
        }
    }
}
