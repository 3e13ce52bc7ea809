import EngineAPI
import Foundation
import ImageCore
import StableDiffusion
import TensorKit
import WeightSpace

/// What the shortcuts of the preview cost: not time but likeness, against the run that they stand for.
extension BenchSuite {
    /// A person and somebody near: the adapters of a run that is known and of the one that is wanted.
    private struct Change {
        let name: String
        let known: LoRAAdapter
        let wanted: LoRAAdapter
    }

    /// Runs that go on from the middle of another person's, and runs with guidance on a part of their way, against full runs.
    func shortcuts() throws -> [BenchResult] {
        let (space, pipeline) = try models()
        guard space.latentDimension > 0, space.identities.count >= 8 else { return [] }
        var results: [BenchResult] = []
        let changes = try Dictionary(grouping: self.changes(space), by: \.name)
        for (name, group) in changes.sorted(by: { $0.key < $1.key }) {
            let sizes = group.map { Double($0.wanted.relativeChange(to: $0.known)) }
            for share in [0.25, 0.5, 0.67, 0.83] {
                let losses = try group.enumerated().map { number, change in
                    try Interruption.shared.check()
                    return try loss(of: change, seed: UInt64(number), space, pipeline) { known, adapter in
                        guard var run = known.resumed(at: Int(share * Double(known.count)), adapters: [adapter]) else {
                            return nil
                        }
                        while !run.isFinished { run.step() }
                        return run.latents
                    }
                }
                let size = String(format: "%.3f", sizes.reduce(0, +) / Double(sizes.count))
                results += Self.results(
                    "resume", losses, work: "\(name), relative change \(size), resumed after \(Int(share * 100)) % of the run")
            }
        }
        for (name, group) in changes.sorted(by: { $0.key < $1.key }) {
            for evaluations in [1, 2, 3, 4, 6] {
                let losses = try group.enumerated().map { number, change in
                    try Interruption.shared.check()
                    return try loss(of: change, seed: UInt64(number), space, pipeline) { known, adapter in
                        guard var run = known.difference(evaluations: evaluations, adapters: [adapter]) else { return nil }
                        while !run.isFinished { run.step() }
                        return run.estimate
                    }
                }
                results += Self.results("difference", losses, work: "\(name), as a difference in \(evaluations) evaluations")
            }
        }
        for steps in [3, 4, 6, 8] {
            let losses = try changes["d. another person", default: []].enumerated().map { number, change in
                try Interruption.shared.check()
                var request = request(space, seed: UInt64(number))
                request.steps = steps
                request.adapters = [change.wanted]
                return try loss(of: change, seed: UInt64(number), space, pipeline) { _, _ in
                    var run = try pipeline.start(request)
                    while !run.isFinished { run.step() }
                    return run.latents
                }
            }
            results += Self.results("draft", losses, work: "another person, from noise in \(steps) evaluations")
        }
        for interval: ClosedRange<Float> in [0...900, 0...800, 100...1000, 200...900, 250...800] {
            let decibels = try (0..<8).map { number -> Double in
                try Interruption.shared.check()
                var request = request(space, seed: UInt64(number))
                request.adapters = [try adapter(row: number * 61, space)]
                let exact = try pipeline(request)[0]
                request.guidanceInterval = interval
                return try pipeline(request)[0].psnr(to: exact) ?? 99
            }
            results.append(
                BenchResult(
                    name: "guidance-interval-psnr", unit: "dB", samples: decibels,
                    work: "guidance at \(Int(interval.lowerBound))..\(Int(interval.upperBound)) only, against guidance everywhere"
                ))
        }
        return results
    }

    private func request(_ space: Space, seed: UInt64) -> DenoisingRequest {
        let defaults = space.manifest.defaults
        return DenoisingRequest(
            prompt: defaults.prompt, negativePrompt: defaults.negativePrompt, seeds: [defaults.seed + seed],
            steps: defaults.steps, guidance: defaults.guidance,
            scheduler: SchedulerKind(rawValue: defaults.scheduler) ?? .dpmpp2M,
            width: defaults.width, height: defaults.height)
    }

    private func adapter(row: Int, _ space: Space) throws -> LoRAAdapter {
        try adapter(of: space.code(at: row % space.identities.count), space)
    }

    private func adapter(of code: [Float], _ space: Space) throws -> LoRAAdapter {
        space.layout.adapter(of: try space.decode(Tensor([1, code.count], code)))
    }

    /// Eight identities, each changed along its most effective axes by several sizes, and into another person.
    private func changes(_ space: Space) throws -> [Change] {
        let axes = space.axes.sorted { $0.effect > $1.effect }
        return try (0..<8).flatMap { number -> [Change] in
            let row = number * 61 % space.identities.count
            let code = space.code(at: row)
            let known = try adapter(of: code, space)
            let axis = axes[number % min(4, axes.count)]
            var changes = try [(0.25, "a. axis 0.25 sigma"), (1, "b. axis 1 sigma"), (3, "c. axis 3 sigma")].map {
                size, name -> Change in
                var other = code
                other[axis.index] += Float(size) * axis.deviation
                return Change(name: name, known: known, wanted: try adapter(of: other, space))
            }
            changes.append(Change(name: "d. another person", known: known, wanted: try adapter(row: row + 101, space)))
            return changes
        }
    }

    private typealias Loss = (decibels: Double, missing: Double)

    private static func results(_ name: String, _ losses: [Loss], work: String) -> [BenchResult] {
        [
            BenchResult(name: name + "-psnr", unit: "dB", samples: losses.map(\.decibels), work: work + ": against the full run"),
            BenchResult(
                name: name + "-missing", unit: "%", samples: losses.map { 100 * $0.missing },
                work: work + ": error as a part of the change"),
        ]
    }

    /// - Parameters:
    ///   - change: the known person and the wanted one.
    ///   - seed: added to the space's own.
    ///   - space: whose settings.
    ///   - pipeline: its base model.
    ///   - shortcut: image latents of the wanted person's picture, from the known one's run.
    /// - Throws: what the pipeline says of the settings.
    /// - Returns: likeness of the shortcut's picture to the full run's, and its error as a part of the difference between the two people.
    private func loss(
        of change: Change, seed: UInt64, _ space: Space, _ pipeline: StableDiffusionPipeline,
        shortcut: (DenoisingTrajectory, LoRAAdapter) throws -> Tensor?
    ) throws -> Loss {
        var request = request(space, seed: seed)
        func run(_ adapter: LoRAAdapter) throws -> (image: RGBImage, trajectory: DenoisingTrajectory) {
            request.adapters = [adapter]
            var (run, trajectory) = (try pipeline.start(request), DenoisingTrajectory())
            while !run.isFinished {
                let before = run
                run.step()
                trajectory.note(before, run)
            }
            return (pipeline.decode(run.latents)[0], trajectory)
        }
        let (known, wanted) = (try run(change.known), try run(change.wanted))
        guard let latents = try shortcut(known.trajectory, change.wanted) else {
            throw CommandFailure("the run of \(known.trajectory.count) evaluations cannot be followed.")
        }
        let image = pipeline.decode(latents)[0]
        func distance(_ other: RGBImage) -> Double {
            zip(wanted.image.pixels, other.pixels).reduce(0) { sum, pair in
                let difference = Double(pair.0) - Double(pair.1)
                return sum + difference * difference
            }.squareRoot()
        }
        let whole = distance(known.image)
        return (image.psnr(to: wanted.image) ?? 99, whole > 0 ? distance(image) / whole : 0)
    }
}
