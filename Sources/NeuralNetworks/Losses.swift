import Foundation
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

/// The divergence of `gaussianKL` with free bits (Kingma et al. 2016): each axis counts with the average of its divergence over the batch,
/// but at least with `floor`, so that an axis that carries little is not pressed to nothing. Averaged over axes, as a tensor [1].
/// - Parameters:
///   - mean: [N, latent]
///   - logVariance: [N, latent]
///   - floor: nats that each axis may carry for free.
///   - tape: records the backward pass.
/// - Returns: [1]
public func gaussianKL(mean: Tensor, logVariance: Tensor, freeBits floor: Float, tape: Tape? = nil) -> Tensor {
    precondition(
        mean.shape.count == 2 && mean.count == logVariance.count, "a divergence of \(mean.shape) and \(logVariance.shape)")
    let (rows, width) = (mean.shape[0], mean.shape[1])
    let divergences = axisDivergences(mean: mean, logVariance: logVariance)
    let loss = Tensor([1], [Float(divergences.reduce(0) { $0 + max(Double(floor), $1) } / Double(max(1, width)))])
    if let tape, tape.tracks(mean) || tape.tracks(logVariance) {
        tape.record(loss) { [unowned tape] gradient in
            let gradients = Kernels.gaussianKLGradient(mean: mean, logVariance: logVariance, factor: gradient.pointer[0])
            for axis in 0..<width where divergences[axis] <= Double(floor) {
                for row in 0..<rows {
                    gradients.mean.pointer[row * width + axis] = 0
                    gradients.logVariance.pointer[row * width + axis] = 0
                }
            }
            tape.accumulate(gradients.mean, for: mean)
            tape.accumulate(gradients.logVariance, for: logVariance)
        }
    }
    return loss
}

/// The divergence of each axis from the standard normal distribution in nats, averaged over the rows.
/// - Parameters:
///   - mean: [N, latent]
///   - logVariance: [N, latent]
/// - Returns: [latent]
public func axisDivergences(mean: Tensor, logVariance: Tensor) -> [Double] {
    let (rows, width) = (mean.shape[0], mean.shape[1])
    var sums = [Double](repeating: 0, count: width)
    for row in 0..<rows {
        for axis in 0..<width {
            let (m, l) = (Double(mean.pointer[row * width + axis]), Double(logVariance.pointer[row * width + axis]))
            sums[axis] += 0.5 * (m * m + exp(l) - 1 - l)
        }
    }
    return sums.map { $0 / Double(max(1, rows)) }
}

/// The cross entropy of logits with one answer for all of them, averaged, as a tensor [1]
/// (`torch.nn.functional.binary_cross_entropy_with_logits`).
/// - Parameters:
///   - logits: any shape.
///   - target: 0 or 1, or between.
///   - tape: records the backward pass.
/// - Returns: [1]
public func binaryCrossEntropy(logits: Tensor, target: Float, tape: Tape? = nil) -> Tensor {
    var sum = 0.0
    for i in 0..<logits.count {
        let x = Double(logits.pointer[i])
        sum += max(x, 0) - x * Double(target) + log1p(exp(-abs(x)))
    }
    let loss = Tensor([1], [Float(sum / Double(max(1, logits.count)))])
    if let tape, tape.tracks(logits) {
        tape.record(loss) { [unowned tape] gradient in
            let factor = gradient.pointer[0] / Float(max(1, logits.count))
            let back = Tensor(uninitialized: logits.shape)
            for i in 0..<logits.count { back.pointer[i] = factor * (1 / (1 + exp(-logits.pointer[i])) - target) }
            tape.accumulate(back, for: logits)
        }
    }
    return loss
}
