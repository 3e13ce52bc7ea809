import Foundation
import TensorKit

/// The run of a changed person in a few evaluations: not the picture is integrated but its difference to a picture that is known in full.
///
/// Both pictures start from the same noise and follow the same equation, so their difference d = x_new - x_known starts at 0 and follows the
/// difference of the two right-hand sides. Where the known run stood, its right-hand side is on record; the new one is asked at x_known + d. The
/// fine structure of the path, which needs many steps, cancels; what is left is small and smooth for a small change, and a coarse solver
/// (DPM-Solver++ 2M over a few of the known run's places) errs in proportion to the change. To go on from the middle with the new weights
/// instead would be cheaper to write and loses most of the change, since who is drawn is decided early.
public struct DifferenceRun {
    /// Number of evaluations done.
    public private(set) var stepsDone = 0
    /// The finished image latents as the last evaluation has them, [N, H, W, C].
    public private(set) var estimate: Tensor
    private let places: [DenoisingTrajectory.Place]
    /// Evaluations of the known run at which the new one is asked.
    private let nodes: [Int]
    private let finished: Tensor
    /// Time steps at which there is guidance if the known run had it; nil is all.
    private let guided: ClosedRange<Float>?
    private var asker: DenoisingRun
    private var difference: Tensor
    /// Difference of the clean latents at the node before.
    private var earlier: Tensor?

    init?(
        _ places: [DenoisingTrajectory.Place], finished: Tensor, evaluations: Int, adapters: [LoRAAdapter?],
        guided: ClosedRange<Float>?
    ) {
        guard let first = places.first?.run,
            places.allSatisfy({ $0.run.isDeterministic && $0.run.isExact && $0.run.sigma.isFinite })
        else {
            return nil
        }
        self.places = places
        self.finished = finished
        self.guided = guided
        estimate = finished
        // Some samplers ask twice at one noise level, or go back up; the difference goes down only.
        var falling: [Int] = []
        for index in places.indices where falling.last.map({ places[index].run.sigma < places[$0].run.sigma }) ?? true {
            falling.append(index)
        }
        let count = min(evaluations, falling.count)
        nodes = (0..<count).map { falling[$0 * falling.count / count] }
        asker = first
        asker.replaceAdapters(adapters, asksAlone: guided != nil)
        difference = Tensor(zeros: finished.shape)
    }

    /// Number of evaluations in all.
    public var stepCount: Int { nodes.count }
    public var isFinished: Bool { stepsDone >= nodes.count }
    /// Size of the next evaluation's batch.
    public var nextSamples: Int {
        guard !isFinished else { return 0 }
        return asksAlone ? finished.shape[0] : places[nodes[stepsDone]].run.nextSamples
    }

    /// Sizes of the batches of all evaluations.
    public var batchSizes: [Int] { nodes.map { asksAlone($0) ? finished.shape[0] : places[$0].run.nextSamples } }

    private var asksAlone: Bool { asksAlone(nodes[stepsDone]) }

    private func asksAlone(_ node: Int) -> Bool {
        guard let guided, let timestep = places[node].run.nextTimestep else { return false }
        return !guided.contains(timestep)
    }

    /// One evaluation.
    /// - Precondition: the run is not finished.
    /// - Returns: the finished image latents as far as they are known: the known picture, changed.
    @discardableResult
    public mutating func step() -> Tensor {
        precondition(!isFinished, "all \(stepCount) steps are done")
        let place = places[nodes[stepsDone]]
        let known = place.run
        let input = linear(1, known.modelInput, 1, difference)
        let timestep = known.nextTimestep ?? 0
        let output = asksAlone ? asker.answerAlone(input, timestep: timestep) : asker.predict(input, timestep: timestep)
        let change = linear(1, known.original(of: output, input: input), -1, asksAlone ? place.alone : place.original)
        let last = stepsDone + 1 == nodes.count
        // From the last node to the end in one step: the difference is that of the clean latents.
        estimate = linear(1, finished, 1, change)
        if !last { difference = stepped(change, from: known.sigma, to: places[nodes[stepsDone + 1]].run.sigma) }
        earlier = change
        stepsDone += 1
        return estimate
    }

    /// DPM-Solver++ 2M (see `DPMSolverMultistepScheduler`), which is linear in the sample and in the clean latents and so holds for differences.
    private func stepped(_ change: Tensor, from sigma: Double, to next: Double) -> Tensor {
        let (a, b) = (1 / (sigma * sigma + 1).squareRoot(), 1 / (next * next + 1).squareRoot())
        let h = log(sigma / next)
        let decay = exp(-h) - 1
        var result = linear(-b * decay, change)
        if let earlier, stepsDone > 0 {
            let r = log(places[nodes[stepsDone - 1]].run.sigma / sigma) / h
            let correction = -0.5 * b * decay / r
            result = linear(-b * decay + correction, change, -correction, earlier)
        }
        return linear(b * next / (a * sigma), difference, 1, result)
    }
}
