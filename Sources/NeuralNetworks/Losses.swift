import TensorKit

/// The average squared difference of prediction and target, as a tensor [1] (`torch.nn.functional.mse_loss`).
/// - Parameters:
///   - prediction: any shape.
///   - target: the same shape; no gradient flows to it.
///   - tape: records the backward pass.
/// - Returns: [1]
public func meanSquaredError(_ prediction: Tensor, target: Tensor, tape: Tape? = nil) -> Tensor {
    precondition(prediction.count == target.count, "a loss between \(prediction.shape) and \(target.shape)")
    let loss = Tensor([1], [Float(Kernels.meanSquaredError(prediction, target))])
    if let tape, tape.tracks(prediction) {
        tape.record(loss) { [unowned tape] gradient in
            let factor = 2 * gradient.pointer[0] / Float(prediction.count)
            tape.accumulate(Kernels.scaledDifference(prediction, target, factor: factor), for: prediction)
        }
    }
    return loss
}

/// -1/2 average(1 + logvar - mean² - exp(logvar)): the divergence of a diagonal Gaussian from the standard normal distribution, averaged
/// over all elements, as a tensor [1] (the published weight VAE's `kl_loss`).
/// - Parameters:
///   - mean: [N, latent]
///   - logVariance: [N, latent]
///   - tape: records the backward pass.
/// - Returns: [1]
public func gaussianKL(mean: Tensor, logVariance: Tensor, tape: Tape? = nil) -> Tensor {
    precondition(mean.count == logVariance.count, "a divergence of \(mean.shape) and \(logVariance.shape)")
    let loss = Tensor([1], [Float(Kernels.gaussianKL(mean: mean, logVariance: logVariance))])
    if let tape, tape.tracks(mean) || tape.tracks(logVariance) {
        tape.record(loss) { [unowned tape] gradient in
            let gradients = Kernels.gaussianKLGradient(mean: mean, logVariance: logVariance, factor: gradient.pointer[0])
            tape.accumulate(gradients.mean, for: mean)
            tape.accumulate(gradients.logVariance, for: logVariance)
        }
    }
    return loss
}

/// mean + exp(logVariance / 2) * noise: a draw from a diagonal Gaussian through which gradients flow (Kingma and Welling 2014).
/// - Parameters:
///   - mean: [N, latent]
///   - logVariance: [N, latent]
///   - noise: standard normal numbers, [N, latent].
///   - tape: records the backward pass.
/// - Returns: [N, latent]
public func reparameterize(mean: Tensor, logVariance: Tensor, noise: Tensor, tape: Tape? = nil) -> Tensor {
    precondition(
        mean.count == logVariance.count && mean.count == noise.count,
        "a draw from \(mean.shape) and \(logVariance.shape) with noise \(noise.shape)")
    let z = Kernels.reparameterize(mean: mean, logVariance: logVariance, noise: noise)
    if let tape, tape.tracks(mean) || tape.tracks(logVariance) {
        tape.record(z) { [unowned tape] gradient in
            tape.accumulate(gradient, for: mean)
            tape.accumulate(
                Kernels.reparameterizeGradient(gradient, logVariance: logVariance, noise: noise), for: logVariance)
        }
    }
    return z
}
