import Checkpoints
import Foundation
import NeuralNetworks
import TensorKit

/// Everything that decides the training of a learned prior besides the codes.
public struct CodeFlowPlan: Sendable, Equatable {
    public var steps: Int
    /// Points in a step.
    public var batch: Int
    /// Adam's, at its highest; falls along half a cosine.
    public var learningRate: Float
    /// Of the initial weights and the batches.
    public var seed: UInt64

    public init(steps: Int = 6000, batch: Int = 256, learningRate: Float = 1e-3, seed: UInt64 = 0) {
        self.steps = steps
        self.batch = batch
        self.learningRate = learningRate
        self.seed = seed
    }

    /// - Throws: `SpaceError` with the first number that cannot be.
    func validate() throws {
        guard steps >= 1, (1...65_536).contains(batch) else {
            throw SpaceError("\(steps) steps of \(batch) points make no run", advice: "Both should be at least 1.")
        }
        guard learningRate > 0, learningRate < 1 else {
            throw SpaceError("a learning rate of \(learningRate) cannot be", advice: "Try 0.001.")
        }
    }
}

/// Fits the learned prior of a space to blends of neighbouring training identities (`NeighbourBlends`), which fill the gaps between a few
/// hundred people. The loss is that of flow matching: the mean of |v((1 - t) x0 + t x1, t) - (x1 - x0)|² over noise x0, blends x1
/// and times t, all drawn independently.
public final class CodeFlowTrainer {
    public let plan: CodeFlowPlan
    public let flow: CodeFlow
    /// Steps taken.
    public private(set) var step = 0
    /// Identities whose codes are learned from.
    public let identities: Int
    private let blends: NeighbourBlends
    private let optimizer: Adam
    private let schedule: LearningRateSchedule
    private let random: TorchRandomSource

    /// - Parameters:
    ///   - plan: the settings.
    ///   - configuration: the shape of the network; nil means the usual one.
    ///   - space: with a weight VAE in use and codes. People whom its VAE kept aside are kept aside here too.
    /// - Throws: `SpaceError` when the plan cannot be, or when the codes are too few.
    public convenience init(_ plan: CodeFlowPlan, configuration: CodeFlowConfiguration? = nil, space: Space) throws {
        guard let vae = space.coordinates[.vae], !vae.codes.isEmpty else {
            throw SpaceError(
                "\(space.folder.path): has no weight VAE with codes of identities, so there is nothing to learn a prior from",
                advice: "Train one with `w2w train`.")
        }
        let d = vae.model.latentDimension
        let kept = Set(["validation", "test"].flatMap { space.record?.heldOut($0) ?? [] })
        let rows = (0..<(vae.codes.count / d)).filter { !kept.contains(space.identities.names[$0]) }
        try self.init(
            plan, configuration: configuration, codes: rows.flatMap { vae.codes[($0 * d)..<(($0 + 1) * d)] }, dimension: d)
    }

    /// - Parameters:
    ///   - plan: the settings.
    ///   - configuration: the shape of the network; nil means the usual one.
    ///   - codes: [N, d] row-major.
    ///   - dimension: d.
    /// - Throws: `SpaceError` when the plan cannot be, or for fewer than two codes.
    init(_ plan: CodeFlowPlan, configuration: CodeFlowConfiguration? = nil, codes: [Float], dimension: Int) throws {
        try plan.validate()
        let configuration = configuration ?? CodeFlowConfiguration(latentDim: dimension)
        try configuration.validate()
        guard codes.count >= 2 * dimension else {
            throw SpaceError("a prior cannot be learned from fewer than two identities", advice: "Collect more of them.")
        }
        self.plan = plan
        identities = codes.count / dimension
        blends = NeighbourBlends(codes: codes, dimension: dimension, shares: 0...1)
        random = TorchRandomSource(seed: plan.seed)
        flow = CodeFlow(configuration)
        flow.start(random)
        optimizer = Adam(flow.namedParameters(), learningRate: plan.learningRate)
        schedule = .cosine(warmup: min(100, plan.steps / 10), total: plan.steps, final: 0.02)
    }

    public var isFinished: Bool { step >= plan.steps }

    /// Takes one step of the optimiser.
    /// - Returns: the loss before it; of a field that is 0 everywhere about 2.
    @discardableResult
    public func advance() -> Float {
        let d = flow.configuration.latentDim
        let ends = blends.draw(plan.batch, random)
        let noise = random.normal(shape: [plan.batch, d])
        let times = random.uniform(plan.batch)
        let (points, target) = (Tensor(uninitialized: [plan.batch, d]), Tensor(uninitialized: [plan.batch, d]))
        for i in 0..<points.count {
            let time = times[i / d]
            points.pointer[i] = (1 - time) * noise.pointer[i] + time * ends.pointer[i]
            target.pointer[i] = ends.pointer[i] - noise.pointer[i]
        }
        let tape = Tape()
        optimizer.clearGradients()
        let loss = meanSquaredError(flow.velocity(points, at: times, tape: tape), target: target, tape: tape)
        tape.backward(from: loss, seed: Tensor([1], [1]))
        optimizer.learningRate = plan.learningRate * schedule.factor(at: step)
        optimizer.step()
        step += 1
        return loss.pointer[0]
    }

    /// Writes `flow.safetensors` (float16) and `flow.json` into a space and names them there; when that fails, the space is as it was.
    /// - Parameter folder: of the space.
    /// - Throws: `CheckpointError` when a file cannot be read or written.
    public func write(to folder: URL) throws {
        let training: [JSONValue.Member] = [
            .init("steps", .integer(plan.steps)), .init("batch", .integer(plan.batch)),
            .init("learning_rate", .float(plan.learningRate)), .init("seed", .integer(Int(truncatingIfNeeded: plan.seed))),
            .init("identities", .integer(identities)),
        ]
        let members = flow.configuration.jsonMembers + [.init("training", .object(training))]
        try SpaceWriter.replace([("flow.safetensors", .flow), ("flow.json", .flow)], in: folder) { draft in
            try SafetensorsWriter.write(
                flow.storedTensors(as: .float16), to: draft.appendingPathComponent("flow.safetensors"))
            try AtomicFile.write(to: draft.appendingPathComponent("flow.json")) {
                try $0.append(JSONValue.object(members).text() + "\n")
            }
        }
    }
}
