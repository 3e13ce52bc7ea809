import Checkpoints
import Foundation
import NeuralNetworks
import TensorKit

/// A run that can go on as if it had never stopped: weights, optimiser, random stream and log in one file that appears whole or not at all.
public enum TrainingCheckpoint {
    /// Name of the file in the folder of the space that is being made.
    public static let fileName = "checkpoint.safetensors"

    /// What the file's header carries.
    private struct State: Codable {
        var plan: TrainingPlan
        var step: Int
        var random: TorchRandomSource.State
        var log: [WeightVAETrainer.LogLine]
        /// SHA-256 of the scaled vectors: a run goes on with the data that it began with.
        var data: String
    }

    private static let key = "w2w_training"
    /// What stands before the names of all tensors but the network's own.
    private static let optimizer = "optimizer.", discriminator = "discriminator.",
        discriminatorOptimizer = "discriminator_optimizer."

    /// Bytes of the checkpoints of a run, its log aside: on the way, and when it is finished and has given the optimiser's memory back.
    /// - Parameters:
    ///   - plan: the settings.
    ///   - source: the vectors.
    /// - Returns: bytes.
    /// - Throws: `SpaceError` when the plan makes no network.
    static func bytes(_ plan: TrainingPlan, for source: TrainingSource) throws -> (running: Int, finished: Int) {
        let length = source.layout.vectorLength
        let configuration = plan.configuration(
            vectorLength: length, tokenLengths: source.layout.moduleLengths, layoutDigest: nil)
        try configuration.validate()
        // Without weights, which take memory only when they are set.
        let own = WeightVAE(configuration, scaling: .factor(1)).parameterCount
        let adversary = WeightVAETrainer.discriminator(plan, length: length)?.parameterCount ?? 0
        let finished = 4 * (own + adversary)
        return (finished + own * (plan.moments == .bf16 ? 4 : 8) + adversary * 8, finished)
    }

    /// Writes a checkpoint; the one before stays when that fails. Of a run that has given the optimiser's memory back it holds the weights alone.
    /// - Throws: `CheckpointError` when the file cannot be written, for instance on a full disk.
    public static func write(_ trainer: WeightVAETrainer, to url: URL) throws {
        let state = State(
            plan: trainer.plan, step: trainer.step, random: trainer.random.state, log: trainer.log, data: trainer.vectors.digest)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let text = String(decoding: try encoder.encode(state), as: UTF8.self)
        var tensors = trainer.vae.storedTensors() + trainer.optimizer.storedState(prefix: optimizer)
        if let adversary = trainer.discriminator, let adversaryOptimizer = trainer.discriminatorOptimizer {
            tensors += adversary.namedParameters().map { StoredTensor(discriminator + $0.name, $0.parameter.value) }
            tensors += adversaryOptimizer.storedState(prefix: discriminatorOptimizer)
        }
        try SafetensorsWriter.write(tensors, metadata: [key: text], to: url)
    }

    /// Puts a prepared run where the checkpoint left off.
    /// - Parameters:
    ///   - trainer: made with the same plan and vectors.
    ///   - url: the checkpoint.
    /// - Throws: `SpaceError` when the checkpoint is of another run, `CheckpointError` when it is damaged.
    public static func restore(_ trainer: WeightVAETrainer, from url: URL) throws {
        let file = try StateDictionary(safetensors: url)
        guard let text = file.metadata[key] else {
            throw SpaceError("\(url.path): is no checkpoint of a training run", advice: "Start without --resume.")
        }
        let state: State
        do {
            state = try JSONDecoder().decode(State.self, from: Data(text.utf8))
        } catch {
            throw SpaceError("\(url.path): the state of the run cannot be read (\(error))", advice: "Start without --resume.")
        }
        if let difference = difference(state.plan, trainer.plan) {
            throw SpaceError(
                "\(url.path): that run was started with other settings (\(difference))",
                advice: "Resume with the options it was started with, or start anew without --resume.")
        }
        guard state.data == trainer.vectors.digest else {
            throw SpaceError(
                "\(url.path): that run was started with other vectors",
                advice: "Resume with the weights it was started with, or start anew without --resume.")
        }
        let others = [optimizer, discriminator, discriminatorOptimizer]
        // Read at once: a file that stays mapped keeps its room on the disk when the next checkpoint takes its name.
        try trainer.vae.takeValues(from: file.renamed { name in others.contains(where: name.hasPrefix) ? nil : name })
        do {
            try trainer.optimizer.restore(file, prefix: optimizer, steps: state.step)
            if let adversary = trainer.discriminator, let adversaryOptimizer = trainer.discriminatorOptimizer {
                try adversary.takeValues(
                    from: file.renamed { $0.hasPrefix(discriminator) ? String($0.dropFirst(discriminator.count)) : nil })
                try adversaryOptimizer.restore(file, prefix: discriminatorOptimizer, steps: state.step)
            }
        } catch let error as OptimizerStateError {
            throw SpaceError("\(url.path): \(error)", advice: "Start without --resume.")
        }
        trainer.resume(step: state.step, log: state.log, random: state.random)
    }

    /// The first setting that differs, in words, or nil.
    private static func difference(_ old: TrainingPlan, _ new: TrainingPlan) -> String? {
        if old == new { return nil }
        let pairs = zip(Mirror(reflecting: old).children, Mirror(reflecting: new).children)
        for (before, after) in pairs where "\(before.value)" != "\(after.value)" {
            return "\(before.label ?? "a setting") was \(before.value), is \(after.value)"
        }
        return "a setting differs"
    }
}
