import Checkpoints
import EngineAPI
import Foundation
import WeightSpace

/// The run of `w2w train`: the steps, what is kept of them on the way, and the space at the end.
final class TrainingRun {
    private let trainer: WeightVAETrainer
    private let assembly: SpaceAssembly
    /// Seconds between two checkpoints; nil: 30, or more where writing one takes long.
    private let every: Double?
    private let checkpoint: URL
    /// The step that the checkpoint on the disk is of.
    private var keptStep: Int?

    /// Seconds between two checkpoints at least; a large one may take a tenth of the time.
    private static let interval = 30.0

    /// - Parameters:
    ///   - trainer: prepared.
    ///   - assembly: of the space.
    ///   - every: seconds between two checkpoints, or nil.
    ///   - resumes: whether to go on from the checkpoint in the space's folder.
    /// - Throws: `SpaceError` or `CheckpointError` when there is no such checkpoint.
    init(_ trainer: WeightVAETrainer, _ assembly: SpaceAssembly, every: Double?, resumes: Bool) throws {
        self.trainer = trainer
        self.assembly = assembly
        self.every = every
        checkpoint = assembly.folder.appendingPathComponent(TrainingCheckpoint.fileName)
        if resumes {
            try TrainingCheckpoint.restore(trainer, from: checkpoint)
            keptStep = trainer.step
        }
    }

    /// Takes the steps that are left and writes the space.
    /// - Returns: what the run came to.
    /// - Throws: `Cancelled` after Ctrl-C, `CommandFailure` with what is kept.
    func run() throws -> SpaceAssembly.Report {
        try walk()
        if keptStep != trainer.step {
            trainer.forgetMoments()
            if let trouble = save() { tell(trouble) }
        }
        let report: SpaceAssembly.Report
        do {
            report = try assembly.write(trainer) { activity, done, total in
                ProgressLine.show(Progress(activity: activity, done: done, total: total))
                try Interruption.shared.check(kept: kept)
            }
        } catch let error as Cancelled {
            throw error
        } catch {
            throw CommandFailure("the space could not be written: \(CommandEnd.sentence(of: error))", advice: kept)
        }
        ProgressLine.clear()
        try? FileManager.default.removeItem(at: checkpoint)
        return report
    }

    /// What a person has when the run ends now.
    private var kept: String {
        keptStep.map { "Step \($0) is kept in \(checkpoint.path); go on with --resume." } ?? "Nothing of the run is kept."
    }

    private func walk() throws {
        let clock = ContinuousClock()
        let start = clock.now
        let first = trainer.step
        var (saved, pause) = (start, Duration.seconds(every ?? Self.interval))
        var seen = trainer.watch?.kind
        while !trainer.isFinished {
            let losses = try trainer.advance()
            guard losses.total.isFinite else {
                throw CommandFailure("\(CollapseWatch.diverged.words) (step \(trainer.step)).", advice: kept)
            }
            if let watch = trainer.watch, watch.kind != seen {
                seen = watch.kind
                ProgressLine.clear()
                print("step \(trainer.step): \(watch.words)")
            }
            let now = clock.now
            let left = (now - start) / .seconds(1) / Double(trainer.step - first) * Double(trainer.plan.steps - trainer.step)
            ProgressLine.show(
                Progress(activity: "training", done: trainer.step, total: trainer.plan.steps, secondsLeft: left))
            if Interruption.shared.isRequested {
                if let trouble = save() { throw CommandFailure("stopped; \(trouble)", advice: kept) }
                throw Cancelled(kept: kept)
            }
            if now - saved >= pause, !trainer.isFinished {
                // Room may be made while the run goes on, and the next checkpoint be whole.
                if let trouble = save() { tell("\(trouble)\nThe run goes on and tries again. \(kept)") }
                saved = clock.now
                if every == nil { pause = max(.seconds(Self.interval), (saved - now) * 10) }
            }
        }
    }

    /// Writes a checkpoint, and what a reader may watch. The checkpoint before stays when that fails.
    /// - Returns: what went wrong, or nil.
    private func save() -> String? {
        do {
            try TrainingCheckpoint.write(trainer, to: checkpoint)
            keptStep = trainer.step
        } catch {
            return "step \(trainer.step) could not be kept: \(CommandEnd.sentence(of: error))."
        }
        // The log beside a weight VAE that is to be exchanged is still that one's.
        guard !assembly.isThere else { return nil }
        do {
            try TrainingLog(trainer).write(to: assembly.folder)
            return nil
        } catch {
            return "the log of step \(trainer.step) could not be written: \(CommandEnd.sentence(of: error))."
        }
    }

    private func tell(_ text: String) {
        ProgressLine.clear()
        LogFile.note("train: \(text)")
        StandardStream.write("w2w train: \(text)\n")
    }
}
