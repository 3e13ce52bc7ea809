import Checkpoints
import Foundation
import NeuralNetworks
import TensorKit

/// Trains a weight VAE on LoRA vectors.
///
/// The loss is the published one, MSE(decoded, scaled vector) + beta * KL, both averaged over elements; so the decoder's variance is
/// s² = n beta / (2 latentDim) in scaled units, which is what beta is chosen by. With an adversarial weight the reconstructions are also to pass
/// a discriminator that is trained beside. Belongs to one queue.
public final class WeightVAETrainer {
    public let plan: TrainingPlan
    public let vae: WeightVAE
    public let split: DataSplit
    /// The level of the KL term and what it means.
    public let proposal: BetaProposal
    /// Of the scaled training vectors (of some of them and without the components, when the vectors are streamed).
    public let spectrum: Spectrum
    /// What a PCA of equal dimension makes of validation and test vectors (of some of them, when the vectors are streamed), R2.
    public let linearR2: (validation: Double, test: Double)
    /// What the readout start found, if the plan has one.
    public let readout: ReadoutStart?
    /// The adversary, if the plan has one.
    public let discriminator: WeightDiscriminator?
    /// Steps taken.
    public private(set) var step = 0
    public private(set) var log: [LogLine] = []
    let optimizer: Adam
    let discriminatorOptimizer: Adam?
    let random: TorchRandomSource
    let vectors: any TrainingVectors
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
        /// KL of each axis over the training vectors, in nats.
        public let axisKL: [Float]
        /// Losses of the adversary's game, 0 without one.
        public var adversarial: Float = 0
        public var discriminator: Float = 0
    }

    /// Of streamed vectors, how many training vectors spectrum, activity and KL are measured on, how many validation vectors the log's R2, and how
    /// many vectors of each split the final one.
    static let sampled = (spectrum: 1024, activity: 128, test: 512)
    /// Memory of a window of streamed vectors.
    static let windowBytes = 256 << 20

    /// Prepares a run on vectors in memory: scales them, measures their spectrum, chooses beta, sets the initial weights.
    /// - Parameters:
    ///   - plan: the settings.
    ///   - vectors: raw LoRA vectors, [N, n].
    ///   - layout: tells the transformer's tokens; its digest is recorded in `vae.json`.
    /// - Throws: `SpaceError` when plan or vectors cannot be; `LinearAlgebraError` when the vectors have no spectrum.
    public convenience init(_ plan: TrainingPlan, vectors: Tensor, layout: LoRALayout? = nil) throws {
        try plan.validate(count: vectors.shape[0])
        guard Kernels.sumOfSquares(vectors).isFinite else {
            throw SpaceError("the vectors hold numbers that are not finite", advice: "Leave the damaged identities out.")
        }
        let split = DataSplit(count: vectors.shape[0], seed: plan.seed)
        try self.init(plan, ResidentVectors(vectors, split: split), split, layout, sampling: nil)
    }

    /// Prepares a run on vectors that are streamed from their file; only a window of them is ever in memory.
    /// - Parameters:
    ///   - plan: the settings.
    ///   - entry: raw LoRA vectors, [N, n], float16 or float32 in a mapped file.
    ///   - layout: tells the transformer's tokens; its digest is recorded in `vae.json`.
    ///   - progress: is told about the preparation.
    /// - Throws: `SpaceError` when plan or vectors cannot be; `LinearAlgebraError` when the vectors have no spectrum; what `progress` throws.
    public convenience init(
        _ plan: TrainingPlan, streaming entry: TensorEntry, layout: LoRALayout? = nil,
        progress: ProgressHandler = { _, _, _ in }
    ) throws {
        try plan.validate(count: entry.shape[0])
        let split = DataSplit(count: entry.shape[0], seed: plan.seed)
        let vectors = try StreamedVectors(
            entry, split: split, windowBytes: Self.windowBytes, seed: plan.seed, progress: progress)
        try self.init(plan, vectors, split, layout, sampling: Self.sampled.spectrum, progress: progress)
    }

    private init(
        _ plan: TrainingPlan, _ vectors: any TrainingVectors, _ split: DataSplit, _ layout: LoRALayout?, sampling: Int?,
        progress: ProgressHandler = { _, _, _ in }
    ) throws {
        self.plan = plan
        self.vectors = vectors
        self.split = split
        // In the order of the file, which is read faster so.
        let rows = sampling.map { StreamedVectors.spread(split.train, $0).sorted() } ?? split.train
        measured = sampling.map { _ in StreamedVectors.spread(split.train, Self.sampled.activity) } ?? split.train
        validated = sampling.map { _ in StreamedVectors.spread(split.validation, Self.sampled.activity) } ?? split.validation
        var spectrum = try {
            let known = try vectors.scaled(rows, progress: progress)
            try progress("measuring their spectrum", 0, 1)
            return try Spectrum(of: known, components: plan.latentDim)
        }()
        guard spectrum.total > 0 else {
            throw SpaceError("all vectors are equal, there is nothing to learn", advice: "Train on different identities.")
        }
        func explained(_ rows: [Int]) throws -> Double {
            spectrum.explained(of: try vectors.scaled(rows, progress: progress), components: plan.latentDim)
        }
        linearR2 = (
            try explained(StreamedVectors.spread(split.validation, 256)),
            try explained(sampling == nil ? split.test : StreamedVectors.spread(split.test, Self.sampled.test))
        )
        // What the spectrum needed is given back before the network asks for its own.
        if sampling != nil { StorageAllocator.shared.releaseAll() }
        proposal = BetaProposal(plan.beta, spectrum: spectrum, length: vectors.length, latentDim: plan.latentDim)
        let configuration = plan.configuration(
            vectorLength: vectors.length, tokenLengths: layout?.moduleLengths ?? [], layoutDigest: layout?.digest)
        try configuration.validate()
        vae = WeightVAE(configuration, scaling: vectors.scaling)
        random = TorchRandomSource(seed: plan.seed)
        try progress("setting the first weights", 0, 1)
        plan.initialization.apply(to: vae, spectrum: spectrum, decoderVariance: proposal.decoderVariance, random: random)
        readout =
            plan.initialization == .readout
            ? try ReadoutStart(
                of: vae, training: vectors.scaled(rows), validation: vectors.scaled(validated), random: random) : nil
        // A fifth of a gigabyte at full size, of which nothing is asked any more.
        if sampling != nil { spectrum.forgetComponents() }
        self.spectrum = spectrum
        // The losses are averages over thousands of elements, so the gradients are far smaller than Adam's usual epsilon expects.
        optimizer = Adam(
            vae.namedParameters(), learningRate: Float(plan.learningRate),
            rates: Self.rates(plan, vae), epsilon: 1e-12, weightDecay: Float(plan.weightDecay),
            decoupledDecay: true, moments: plan.moments == .bf16 ? .bfloat16 : .float32, absorbsGradients: true)
        schedule = .cosine(warmup: plan.warmup, total: plan.steps, final: Float(plan.finalLearningRate))
        // Layouts of what the weights were before the first step.
        vae.releaseLayouts()
        if let adversary = Self.discriminator(plan, length: vectors.length) {
            Initialization.torch(adversary, random)
            discriminator = adversary
            discriminatorOptimizer = Adam(
                adversary.namedParameters(), learningRate: Float(plan.learningRate), epsilon: 1e-12, absorbsGradients: true)
        } else {
            (discriminator, discriminatorOptimizer) = (nil, nil)
        }
        if sampling != nil {
            StorageAllocator.shared.limit = Self.windowBytes
            StorageAllocator.shared.releaseAll()
        }
    }

    /// The adversary that a plan asks for, without weights yet.
    static func discriminator(_ plan: TrainingPlan, length: Int) -> WeightDiscriminator? {
        guard plan.adversarialWeight > 0 else { return nil }
        return WeightDiscriminator(
            vectorLength: length, hidden: max(2, plan.hiddenDims[plan.hiddenDims.count - 1]),
            blocks: plan.variant == .residual ? plan.blocks : 1)
    }

    /// Learning rates that differ from the plan's, by parameter, as shares of it.
    private static func rates(_ plan: TrainingPlan, _ vae: WeightVAE) -> [String: Float] {
        let encoder = ["encoder.", "encoder_norm.", "embed.", "first_layer.", "fc_mu.", "fc_var."]
        var rates = [String: Float]()
        for (name, _) in vae.namedParameters() {
            if name.hasPrefix("linear_") {
                rates[name] = Float(plan.linearRate)
            } else if plan.encoderRate != 1, encoder.contains(where: name.hasPrefix) {
                rates[name] = Float(plan.encoderRate)
            }
        }
        return rates
    }

    /// Rows on which activity and KL are measured, and on which the validation is.
    private let measured, validated: [Int]

    public var beta: Double { proposal.beta }

    public var isFinished: Bool { step >= plan.steps }

    /// Takes one step of the optimiser.
    /// - Returns: the losses before it.
    /// - Throws: `SpaceError` when streamed vectors turn out not to be numbers; the run stands where it stood.
    @discardableResult
    public func advance() throws -> Losses {
        let x = try batch()
        let noise = random.normal(shape: [x.shape[0], plan.latentDim])
        let share = plan.schedule.share(at: step, of: plan.steps)
        let rate = schedule.factor(at: step)
        optimizer.learningRate = Float(plan.learningRate) * rate
        optimizer.begin()
        vae.isTraining = true
        var reconstructed: Tensor?
        var losses = Self.losses(
            vae, x: x, noise: noise, beta: Float(beta) * share, freeBits: Float(plan.freeBits),
            adversary: discriminator.map { ($0, Float(plan.adversarialWeight)) }
        ) { reconstructed = $0 }
        vae.isTraining = false
        optimizer.step()
        if let discriminator, let discriminatorOptimizer, let reconstructed {
            discriminatorOptimizer.learningRate = Float(plan.learningRate) * rate
            losses.discriminator = Self.discriminatorStep(
                discriminator, discriminatorOptimizer, real: x, fake: reconstructed)
        }
        step += 1
        if step % plan.logInterval == 0 || step == plan.steps { log.append(try line(losses, beta: Float(beta) * share)) }
        return losses
    }

    private func line(_ losses: Losses, beta: Float) throws -> LogLine {
        let state = try measure()
        return LogLine(
            step: step, loss: losses.total, reconstruction: losses.reconstruction, kl: losses.kl, beta: beta,
            activeAxes: state.activeAxes, validationR2: state.validationR2, axisKL: state.axisKL,
            adversarial: losses.adversarial, discriminator: losses.discriminator)
    }

    /// Draws a batch: training vectors, some of them blended. The vectors are centred, so blends lie around the mean.
    private func batch() throws -> Tensor {
        let n = vectors.length
        try vectors.prepare(step: step, size: plan.batch)
        let x = Tensor(uninitialized: [plan.batch, n])
        for row in 0..<plan.batch {
            let (first, second) = vectors.pair(row, random: random)
            let draws = random.uniform(2)
            let angle = Double(draws[0]) < plan.mixing ? Double(draws[1]) * .pi / 2 : 0
            let (a, b) = (Float(cos(angle)), Float(sin(angle)))
            let target = x.pointer + row * n
            for i in 0..<n { target[i] = a * first[i] + b * second[i] }
        }
        return x
    }

    /// Validation R2, the number of active axes and the KL of each axis as they are now.
    public func measure() throws -> (validationR2: Float, activeAxes: Int, axisKL: [Float]) {
        let codes = vae.encodeScaled(try vectors.scaled(measured))
        let moments = CodeMoments(means: codes.mean.array, logVariances: codes.logVariance.array, dimension: plan.latentDim)
        let active = moments.variance.filter { $0 > Double(LatentAxis.activeVariance) }.count
        let kl = axisDivergences(mean: codes.mean, logVariance: codes.logVariance).map { Float($0) }
        return (Float(try reconstructionR2(rows: validated)), active, kl)
    }

    /// What the last line of the log says about collapse; nil before there is one.
    public var watch: CollapseWatch? {
        log.last.map {
            CollapseWatch(
                active: $0.activeAxes, latentDim: plan.latentDim, proposal: proposal, beta: Double($0.beta), loss: $0.loss)
        }
    }

    /// Share of the variance of vectors around the training mean that survives encoding (posterior mean) and decoding.
    /// - Throws: `SpaceError` when streamed vectors turn out not to be numbers.
    public func reconstructionR2(rows: [Int]) throws -> Double { try Self.reconstructionR2(of: vae, vectors, rows: rows) }

    static func reconstructionR2(of vae: WeightVAE, _ vectors: any TrainingVectors, rows: [Int]) throws -> Double {
        var (error, total) = (0.0, 0.0)
        for start in stride(from: 0, to: rows.count, by: 512) {
            let x = try vectors.scaled(Array(rows[start..<min(rows.count, start + 512)]))
            let decoded = vae.decodeScaled(vae.encodeScaled(x).mean)
            error += Kernels.sumOfSquares(Kernels.scaledDifference(decoded, x, factor: 1))
            total += Kernels.sumOfSquares(x)
        }
        return 1 - error / total
    }

    /// Gives the optimiser's memory back, which is most of a run's; for a finished run.
    public func forgetMoments() {
        optimizer.forgetMoments()
        discriminatorOptimizer?.forgetMoments()
        StorageAllocator.shared.releaseAll()
    }

    /// Goes on from a checkpoint's numbers.
    func resume(step: Int, log: [LogLine], random: TorchRandomSource.State) {
        self.step = step
        self.log = log
        self.random.state = random
    }
}
