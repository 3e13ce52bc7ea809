import NeuralNetworks
import TensorKit

extension WeightVAETrainer {
    /// The losses of one step, averaged over elements.
    public struct Losses: Sendable, Equatable {
        public let total: Float
        public let reconstruction: Float
        /// As it enters the total: averaged over axes, with free bits.
        public let kl: Float
        /// Cross entropy of the reconstructions before the adversary, 0 without one.
        public var adversarial: Float = 0
        /// The adversary's own loss, 0 without one.
        public var discriminator: Float = 0
    }

    /// The loss of a batch; gradients are added to those of the parameters.
    /// - Parameters:
    ///   - vae: the network.
    ///   - x: scaled vectors, [N, n].
    ///   - noise: standard normal numbers, [N, latentDim].
    ///   - beta: weight of the KL term.
    ///   - freeBits: nats that each axis carries for free.
    ///   - adversary: a discriminator that the reconstructions should pass as data, and the weight of that; its own parameters get no gradient.
    ///   - receivesReconstruction: is given the reconstruction, [N, n].
    /// - Returns: the losses.
    static func losses(
        _ vae: WeightVAE, x: Tensor, noise: Tensor, beta: Float, freeBits: Float = 0,
        adversary: (discriminator: WeightDiscriminator, weight: Float)? = nil, receivesReconstruction: (Tensor) -> Void = { _ in }
    ) -> Losses {
        let tape = Tape()
        let (mean, logVariance) = vae.encodeScaled(x, tape: tape)
        let z = reparameterize(mean: mean, logVariance: logVariance, noise: noise, tape: tape)
        let decoded = vae.decodeScaled(z, tape: tape)
        let reconstruction = meanSquaredError(decoded, target: x, tape: tape)
        let kl =
            freeBits > 0
            ? gaussianKL(mean: mean, logVariance: logVariance, freeBits: freeBits, tape: tape)
            : gaussianKL(mean: mean, logVariance: logVariance, tape: tape)
        var total = add(reconstruction, scale(kl, by: beta, tape: tape), tape: tape)
        var passed: Float = 0
        if let adversary {
            adversary.discriminator.setTrainable(false)
            let entropy = binaryCrossEntropy(logits: adversary.discriminator(decoded, tape: tape), target: 1, tape: tape)
            total = add(total, scale(entropy, by: adversary.weight, tape: tape), tape: tape)
            passed = entropy.pointer[0]
        }
        tape.backward(from: total, seed: Tensor([1], [1]))
        adversary?.discriminator.setTrainable(true)
        receivesReconstruction(decoded)
        return Losses(
            total: total.pointer[0], reconstruction: reconstruction.pointer[0], kl: kl.pointer[0], adversarial: passed)
    }

    /// Half the cross entropy of a discriminator on data and half that on reconstructions; gradients are added to those of its parameters.
    /// - Parameters:
    ///   - discriminator: the adversary.
    ///   - real: scaled vectors of the data, [N, n].
    ///   - fake: reconstructions, [N, n].
    /// - Returns: the loss.
    static func discriminatorLoss(_ discriminator: WeightDiscriminator, real: Tensor, fake: Tensor) -> Float {
        let tape = Tape()
        let onReal = binaryCrossEntropy(logits: discriminator(real, tape: tape), target: 1, tape: tape)
        let onFake = binaryCrossEntropy(logits: discriminator(fake, tape: tape), target: 0, tape: tape)
        let total = scale(add(onReal, onFake, tape: tape), by: 0.5, tape: tape)
        tape.backward(from: total, seed: Tensor([1], [1]))
        return total.pointer[0]
    }

    /// One step of a discriminator.
    static func discriminatorStep(_ discriminator: WeightDiscriminator, _ optimizer: Adam, real: Tensor, fake: Tensor) -> Float {
        optimizer.begin()
        let loss = discriminatorLoss(discriminator, real: real, fake: fake)
        optimizer.step()
        return loss
    }
}
