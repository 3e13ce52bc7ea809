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

    /// Writes a checkpoint; the one before stays when that fails.
    /// - Throws: `CheckpointError` when the file cannot be written, for instance on a full disk.
    public static func write(_ trainer: WeightVAETrainer, to url: URL) throws {
        let state = State(
            plan: trainer.plan, step: trainer.step, random: trainer.random.state, log: trainer.log, data: digest(trainer))
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let text = String(decoding: try encoder.encode(state), as: UTF8.self)
        let moments = trainer.optimizer.state.sorted { $0.key < $1.key }.map { StoredTensor("optimizer." + $0.key, $0.value) }
        try SafetensorsWriter.write(trainer.vae.storedTensors() + moments, metadata: [key: text], to: url)
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
        guard state.data == digest(trainer) else {
            throw SpaceError(
                "\(url.path): that run was started with other vectors",
                advice: "Resume with the weights it was started with, or start anew without --resume.")
        }
        let prefix = "optimizer."
        try trainer.vae.load(file.renamed { $0.hasPrefix(prefix) ? nil : $0 })
        var moments = [String: Tensor]()
        for entry in file.entries where entry.name.hasPrefix(prefix) {
            moments[String(entry.name.dropFirst(prefix.count))] = entry.tensor()
        }
        do {
            try trainer.optimizer.restore(moments, steps: state.step)
        } catch let error as OptimizerStateError {
            throw SpaceError("\(url.path): \(error)", advice: "Start without --resume.")
        }
        trainer.resume(step: state.step, log: state.log, random: state.random)
    }

    private static func digest(_ trainer: WeightVAETrainer) -> String {
        SHA256.hexDigest(of: UnsafeRawBufferPointer(start: trainer.scaled.pointer, count: trainer.scaled.count * 4))
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
