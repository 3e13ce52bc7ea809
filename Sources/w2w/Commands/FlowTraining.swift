import EngineAPI
import Foundation
import WeightSpace

/// The learned prior of a space, fitted to its codes: the end of `w2w train`, or `w2w train SPACE --flow --out SPACE` alone.
struct FlowTraining {
    /// The space, which gets the prior as a part.
    let space: URL
    let plan: CodeFlowPlan

    /// Trains and writes; nothing is written before the end.
    /// - Throws: `SpaceError`, `CheckpointError`, or `Cancelled` after Ctrl-C; the space stays as it was.
    func run() throws {
        let trainer = try CodeFlowTrainer(plan, space: Space(space))
        Interruption.shared.listen()
        var meter = ProgressMeter(activity: "fitting the learned prior", total: plan.steps)
        // Single batches say little: the loss of the last tenth.
        let tail = max(1, plan.steps / 10)
        var sum = 0.0
        while !trainer.isFinished {
            try Interruption.shared.check(
                kept: "the space is whole, without a new learned prior; w2w train SPACE --flow --out SPACE fits one.")
            let loss = trainer.advance()
            guard loss.isFinite else {
                throw SpaceError(
                    "the training of the learned prior ran away at step \(trainer.step); the space is whole without it",
                    advice: "Try another --seed with `w2w train SPACE --flow --out SPACE`.")
            }
            if trainer.step > plan.steps - tail { sum += Double(loss) / Double(tail) }
            meter.advance()
            ProgressLine.show(meter.progress)
        }
        ProgressLine.clear()
        try trainer.write(to: space)
        print("learned prior of \(trainer.identities) identities: loss \(String(format: "%.3f", sum))")
    }
}
