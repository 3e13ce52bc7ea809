import Checkpoints
import Foundation
import NeuralNetworks
import TensorKit

/// Trains a weight VAE on LoRA vectors.
///
/// The loss is the published one, MSE(decoded, scaled vector) + beta * KL, both averaged over elements; so the decoder's variance is
/// s² = n beta / (2 latentDim) in scaled units, which is what beta is chosen by. Belongs to one queue.
public final class WeightVAETrainer {
    public let plan: TrainingPlan
    public let vae: WeightVAE
    public let split: DataSplit
    /// The level of the KL term.
    public let beta: Double
    /// Of the scaled training vectors.
    public let spectrum: Spectrum
    /// Steps taken.
    public private(set) var step = 0
    public private(set) var log: [LogLine] = []
    let optimizer: Adam
    let random: TorchRandomSource
    /// Scaled vectors of all identities, [N, n], and those trained on.
    let scaled: Tensor
    private let training: Tensor
    private let schedule: LearningRateSchedule

    /// A line of the log.
    public struct LogLine: Sendable, Equatable, Codable {
        /// Steps taken.
        public let step: Int
        public let loss: Float
        public let reconstruction: Float
        /// Averaged over axes, as in the loss; times `latentDim` it is nats for each vector.
        public let kl: Float
        /// beta times the schedule's share.
        public let beta: Float
        /// Axes along which the means of the training vectors vary by more than 0.01.
        public let activeAxes: Int
        public let validationR2: Float
    }

    /// Prepares a run: scales the vectors, measures their spectrum, chooses beta, sets the initial weights.
    /// - Parameters:
    ///   - plan: the settings.
    ///   - vectors: raw LoRA vectors, [N, n].
    ///   - layoutDigest: recorded in `vae.json`.
    /// - Throws: `SpaceError` when plan or vectors cannot be; `LinearAlgebraError` when the vectors have no spectrum.
    public init(_ plan: TrainingPlan, vectors: Tensor, layoutDigest: String? = nil) throws {
        let count = vectors.shape[0]
        try plan.validate(count: count)
        guard Kernels.sumOfSquares(vectors).isFinite else {
            throw SpaceError("the vectors hold numbers that are not finite", advice: "Leave the damaged identities out.")
        }
        self.plan = plan
        split = DataSplit(count: count, seed: plan.seed)
        let scaling = DataScaling.centred(on: vectors.gathering(split.train))
        scaled = scaling.scaled(vectors)
        training = scaled.gathering(split.train)
        spectrum = try Spectrum(of: training, components: plan.latentDim)
        guard spectrum.total > 0 else {
            throw SpaceError("all vectors are equal, there is nothing to learn", advice: "Train on different identities.")
        }
        beta = Self.beta(plan, spectrum: spectrum, length: vectors.shape[1])
        let configuration = WeightVAEConfiguration(
            vectorLength: vectors.shape[1], hiddenDims: plan.hiddenDims, latentDim: plan.latentDim, layoutDigest: layoutDigest)
        vae = WeightVAE(configuration, scaling: scaling)
        random = TorchRandomSource(seed: plan.seed)
        plan.initialization.apply(to: vae, spectrum: spectrum, decoderVariance: decoderVarianceOf(beta, vae), random: random)
        // The losses are averages over thousands of elements, so the gradients are far smaller than Adam's usual epsilon expects.
        optimizer = Adam(vae.namedParameters(), learningRate: Float(plan.learningRate), epsilon: 1e-12)
        schedule = .cosine(warmup: plan.warmup, total: plan.steps, final: Float(plan.finalLearningRate))
    }

    /// s², the variance that the decoder takes for noise, in scaled units: n beta / (2 latentDim).
    public var decoderVariance: Double { decoderVarianceOf(beta, vae) }

    /// Axes that should stay active: eigenvalues of the training vectors above s².
    public var expectedActiveAxes: Int { min(plan.latentDim, spectrum.eigenvalues.prefix { $0 > decoderVariance }.count) }

    public var isFinished: Bool { step >= plan.steps }

    private static func beta(_ plan: TrainingPlan, spectrum: Spectrum, length: Int) -> Double {
        switch plan.beta {
        case .level(let level): return level
        case .automatic(let share):
            let last = max(0, min(plan.latentDim, spectrum.components.shape[0]) - 1)
            return share * spectrum.eigenvalues[last] * 2 * Double(plan.latentDim) / Double(length)
        }
    }

    /// Takes one step of the optimiser.
    /// - Returns: the losses before it.
    @discardableResult
    public func advance() -> Losses {
        let x = batch()
        let noise = random.normal(shape: [x.shape[0], plan.latentDim])
        let share = plan.schedule.share(at: step, of: plan.steps)
        optimizer.clearGradients()
        let losses = Self.losses(vae, x: x, noise: noise, beta: Float(beta) * share)
        optimizer.learningRate = Float(plan.learningRate) * schedule.factor(at: step)
        optimizer.step()
        step += 1
        if step % plan.logInterval == 0 || step == plan.steps {
            let state = measure()
            log.append(
                LogLine(
                    step: step, loss: losses.total, reconstruction: losses.reconstruction, kl: losses.kl,
                    beta: Float(beta) * share, activeAxes: state.activeAxes, validationR2: state.validationR2))
        }
        return losses
    }

    /// Draws a batch: rows of the training vectors, some of them blended. The vectors are centred, so blends lie around the mean.
    private func batch() -> Tensor {
        let (rows, n) = (training.shape[0], training.shape[1])
        let x = Tensor(uninitialized: [plan.batch, n])
        for row in 0..<plan.batch {
            let first = training.pointer + random.integer(below: rows) * n
            let second = training.pointer + random.integer(below: rows) * n
            let draws = random.uniform(2)
            let angle = Double(draws[0]) < plan.mixing ? Double(draws[1]) * .pi / 2 : 0
            let (a, b) = (Float(cos(angle)), Float(sin(angle)))
            let target = x.pointer + row * n
            for i in 0..<n { target[i] = a * first[i] + b * second[i] }
        }
        return x
    }

    /// Validation R2 and the number of active axes as they are now.
    public func measure() -> (validationR2: Float, activeAxes: Int) {
        let codes = vae.encodeScaled(training)
        let moments = CodeMoments(means: codes.mean.array, logVariances: codes.logVariance.array, dimension: plan.latentDim)
        let active = moments.variance.filter { $0 > Double(LatentAxis.activeVariance) }.count
        return (Float(reconstructionR2(rows: split.validation)), active)
    }

    /// Share of the variance of vectors around the training mean that survives encoding (posterior mean) and decoding.
    public func reconstructionR2(rows: [Int]) -> Double {
        let x = scaled.gathering(rows)
        let decoded = vae.decodeScaled(vae.encodeScaled(x).mean)
        return 1 - Kernels.sumOfSquares(Kernels.scaledDifference(decoded, x, factor: 1)) / Kernels.sumOfSquares(x)
    }

    /// Goes on from a checkpoint's numbers.
    func resume(step: Int, log: [LogLine], random: TorchRandomSource.State) {
        self.step = step
        self.log = log
        self.random.state = random
    }
}

/// s² = n beta / (2 latentDim)
private func decoderVarianceOf(_ beta: Double, _ vae: WeightVAE) -> Double {
    Double(vae.configuration.vectorLength) * beta / (2 * Double(vae.configuration.latentDim))
}
