import Checkpoints
import Foundation

/// Everything that decides a training run besides the vectors. Equal plans and equal vectors give equal weights on one machine.
public struct TrainingPlan: Sendable, Equatable, Codable {
    /// The level of the KL term.
    public enum Beta: Sendable, Equatable, Codable {
        /// From the spectrum of the scaled training vectors: the decoder variance s² becomes this share of the smallest eigenvalue that
        /// an axis is wanted for, so that (by the theory of the linear VAE) every axis stays active.
        case automatic(share: Double)
        case level(Double)
    }

    /// How the running averages of Adam are kept.
    public enum Moments: String, Sendable, CaseIterable, Codable {
        case f32
        /// Half the memory, rounded by chance so that small steps are not lost.
        case bf16
    }

    public var variant: WeightVAEConfiguration.Variant
    /// From the vector inwards; one width for the residual network and for the transformer.
    public var hiddenDims: [Int]
    public var latentDim: Int
    /// Vanilla: batch norm after each hidden linear layer.
    public var batchNorm: Bool
    /// A linear path beside the network.
    public var linearPath: Bool
    /// Learning rate of the linear path as a share of the network's: a path that a PCA started is nearly right, and large steps would blur it.
    public var linearRate: Double
    /// Learning rate of the network's encoder as a share of the decoder's: with few identities an encoder of many weights learns them by heart.
    public var encoderRate: Double
    /// Of the residual network and the transformer.
    public var blocks: Int
    /// Of the transformer.
    public var heads: Int
    public var beta: Beta
    /// Nats that each axis carries for free.
    public var freeBits: Double
    /// Weight of the adversarial loss; 0 trains no discriminator.
    public var adversarialWeight: Double
    /// Raw value of a `KLSchedule`.
    var scheduleName: String
    /// Raw value of an `Initialization`.
    var initializationName: String
    public var steps: Int
    public var batch: Int
    /// Adam's; falls along half a cosine to `finalLearningRate` after `warmup` steps.
    public var learningRate: Double
    /// As a fraction of `learningRate`.
    public var finalLearningRate: Double
    public var warmup: Int
    /// Share of a batch's rows that are blends of two identities, cos θ a + sin θ b around the mean: as wide as the identities
    /// themselves, and the reason why a few hundred vectors suffice.
    public var mixing: Double
    /// Of the split, the initial weights, the batches and the noise.
    public var seed: UInt64
    /// Steps between two lines of the log.
    public var logInterval: Int

    /// AdamW's pull towards zero.
    public var weightDecay: Double
    public var moments: Moments

    /// Settings; every argument is the property of its name.
    public init(
        variant: WeightVAEConfiguration.Variant = .vanilla, hiddenDims: [Int] = [512, 256], latentDim: Int = 64,
        batchNorm: Bool = false, linearPath: Bool = false, linearRate: Double = 0.01, encoderRate: Double = 1, blocks: Int = 4,
        heads: Int = 4,
        beta: Beta = .automatic(share: 0.2), freeBits: Double = 0, adversarialWeight: Double = 0,
        schedule: KLSchedule = .annealed, initialization: Initialization? = nil, steps: Int = 3000, batch: Int = 64,
        learningRate: Double = 2e-5, finalLearningRate: Double = 0.02, warmup: Int = 100, weightDecay: Double = 0,
        moments: Moments = .f32, mixing: Double = 1, seed: UInt64 = 0, logInterval: Int = 50
    ) {
        self.variant = variant
        self.hiddenDims = hiddenDims
        self.latentDim = latentDim
        self.batchNorm = batchNorm
        self.linearPath = linearPath
        self.linearRate = linearRate
        self.encoderRate = encoderRate
        self.blocks = blocks
        self.heads = heads
        self.beta = beta
        self.freeBits = freeBits
        self.adversarialWeight = adversarialWeight
        scheduleName = schedule.rawValue
        let spectralFits = linearPath || (variant == .vanilla && !batchNorm)
        initializationName = (initialization ?? (spectralFits ? .spectral : .torch)).rawValue
        self.steps = steps
        self.batch = batch
        self.learningRate = learningRate
        self.finalLearningRate = finalLearningRate
        self.warmup = warmup
        self.weightDecay = weightDecay
        self.moments = moments
        self.mixing = mixing
        self.seed = seed
        self.logInterval = logInterval
    }

    /// The network that the plan asks for.
    /// - Parameters:
    ///   - vectorLength: n
    ///   - tokenLengths: numbers of each LoRA module, for the transformer.
    ///   - layoutDigest: recorded.
    /// - Returns: its configuration, with the scaling that `DataScaling.centred` measures.
    public func configuration(vectorLength: Int, tokenLengths: [Int], layoutDigest: String?) -> WeightVAEConfiguration {
        WeightVAEConfiguration(
            variant: variant, vectorLength: vectorLength, hiddenDims: hiddenDims, latentDim: latentDim, batchNorm: batchNorm,
            hasLinearPath: linearPath, blocks: blocks, heads: heads, tokenLengths: variant == .transformer ? tokenLengths : [],
            layoutDigest: layoutDigest)
    }

    public var schedule: KLSchedule {
        get { KLSchedule(rawValue: scheduleName) ?? .annealed }
        set { scheduleName = newValue.rawValue }
    }

    public var initialization: Initialization {
        get { Initialization(rawValue: initializationName) ?? .spectral }
        set { initializationName = newValue.rawValue }
    }

    /// Checks the plan for `count` vectors.
    /// - Throws: `SpaceError` with the first number that cannot be.
    public func validate(count: Int) throws {
        func refuse(_ what: String, _ advice: String) -> SpaceError { SpaceError(what, advice: advice) }
        guard count >= 10 else {
            throw refuse("\(count) vectors are too few for a split into 80, 10 and 10 %", "Train on at least 10 identities.")
        }
        guard !hiddenDims.isEmpty, hiddenDims.allSatisfy({ (1...(1 << 16)).contains($0) }) else {
            throw refuse("hidden widths \(hiddenDims) make no network", "Give widths from 1 on, such as 512,256.")
        }
        guard (1...(1 << 14)).contains(latentDim) else {
            throw refuse("a latent dimension of \(latentDim) makes no space", "Give one from 1 on, such as 64.")
        }
        guard steps >= 1, batch >= 1, batch <= 1 << 16, logInterval >= 1, warmup >= 0 else {
            throw refuse("\(steps) steps of \(batch) vectors make no run", "Both should be at least 1.")
        }
        guard learningRate > 0, learningRate < 10, (0...1).contains(finalLearningRate) else {
            throw refuse(
                "learning rate \(learningRate), falling to \(finalLearningRate) of it, cannot be", "Try 0.00002 and 0.02.")
        }
        guard initialization != .readout || linearPath else {
            throw refuse("the readout start is for networks with a linear path", "Add --linear-path.")
        }
        guard initialization == .torch || linearPath || (variant == .vanilla && !batchNorm) else {
            throw refuse(
                "the spectral start is for the vanilla network without batch norm, or for one with a linear path",
                "Start with --initialization torch, or add --linear-path.")
        }
        guard !batchNorm || (variant == .vanilla && batch >= 2) else {
            throw refuse("batch norm is for the vanilla network and batches of 2 and more", "Leave --batch-norm out.")
        }
        guard (0...1).contains(linearRate), (0...1).contains(encoderRate) else {
            throw refuse("shares of \(linearRate) and \(encoderRate) of the learning rate cannot be", "Give 0 to 1.")
        }
        guard freeBits >= 0, freeBits.isFinite, adversarialWeight >= 0, adversarialWeight.isFinite, (0...1).contains(weightDecay)
        else {
            throw refuse(
                "free bits \(freeBits), adversarial weight \(adversarialWeight), weight decay \(weightDecay) cannot be",
                "Give numbers from 0 on; 0 leaves them out.")
        }
        guard (0...1).contains(mixing) else { throw refuse("a share of \(mixing) blends cannot be", "Give 0 to 1.") }
        switch beta {
        case .automatic(let share):
            guard share > 0, share < 1 else {
                throw refuse("a beta share of \(share) cannot be", "Give a number between 0 and 1.")
            }
        case .level(let level):
            guard level >= 0, level.isFinite else { throw refuse("beta \(level) cannot be", "Give a number from 0 on.") }
        }
    }
}

/// What a finished run says of itself in `vae.json`.
public struct TrainingRecord: Sendable, Equatable {
    /// The plan's settings and what came of them, as they stand in the file.
    public let members: [JSONValue.Member]

    init(members: [JSONValue.Member]) {
        self.members = members
    }

    /// The record in a `vae.json`, or nil when it has none.
    init?(_ json: JSONConfiguration) throws {
        guard json["training"] != nil else { return nil }
        members = try json.object("training").members
    }

    /// A number of the results, such as "test_r2", "validation_r2", "test_r2_pca", "active_axes".
    public func result(_ name: String) -> Double? {
        members.first { $0.key == "results" }?.value[name].flatMap { Double(json: $0) }
    }

    /// Names of the identities that were kept aside for "validation" or "test".
    public func heldOut(_ part: String) -> [String] {
        members.first { $0.key == "split" }?.value[part].flatMap { [String](json: $0) } ?? []
    }
}
