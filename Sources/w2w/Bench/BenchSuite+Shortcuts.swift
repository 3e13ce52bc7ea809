import EngineAPI
import Foundation
import ImageCore
import StableDiffusion
import TensorKit
import WeightSpace

extension Benchmark {
    static let shortcuts = Benchmark(
        name: "shortcuts", summary: "what the preview's shortcuts lose against full runs (not part of all)", isPartOfAll: false
    ) { try $0.shortcuts() }
}

/// What the shortcuts of the preview lose: not time but likeness, against the full runs that they stand for.
extension BenchSuite {
    /// A person and somebody near: the one whose run is known, and the one that is wanted, with the full runs of both.
    private struct Change {
        let name: String
        let seed: UInt64
        let wanted: LoRAAdapter
        let size: Double
        let known: DenoisingTrajectory
        let knownImage: RGBImage
        let wantedImage: RGBImage
    }

    /// Runs that go on from the middle of another person's, that follow another person's at a distance, drafts from noise, and guidance on a
    /// part of the way.
    func shortcuts() throws -> [BenchResult] {
        let (space, pipeline) = try models()
        guard space.latentDimension > 0, space.identities.count >= 8 else { return [] }
        let changes = try self.changes(space, pipeline)
        let names = Set(changes.map(\.name)).sorted()
        let embedder = try space.faceEmbedder()
        var results: [BenchResult] = []
        func measure(
            _ kind: String, _ name: String, _ what: String, _ shortcut: (Change) throws -> Tensor?
        ) throws {
            let group = changes.filter { $0.name == name }
            let images = try group.map { change -> RGBImage in
                try Interruption.shared.check()
                guard let latents = try shortcut(change) else {
                    throw CommandFailure("a run of \(change.known.count) evaluations cannot be followed.")
                }
                return pipeline.decode(latents)[0]
            }
            let losses = zip(images, group).map { Self.loss(of: $0, $1) }
            let size = String(format: "%.3f", group.map(\.size).reduce(0, +) / Double(group.count))
            let work = "\(name.dropFirst(3)) (relative change \(size)), \(what)"
            results.append(
                BenchResult(
                    name: kind + "-psnr", unit: "dB", samples: losses.map(\.decibels), work: work + ": against the full run"))
            results.append(
                BenchResult(
                    name: kind + "-error", unit: "%", samples: losses.map { 100 * $0.missing },
                    work: work + ": of the whole change"))
            guard let embedder else { return }
            let cosines = FaceLikeness.cosines(embedder.embeddings(of: images), embedder.embeddings(of: group.map(\.wantedImage)))
            results.append(
                BenchResult(
                    name: kind + "-likeness", unit: "cos",
                    samples: images.indices.map { Double(cosines.array[$0 * images.count + $0]) },
                    work: work + ": face embedder, to the full run"))
        }
        for name in names {
            for share in [0.25, 0.5, 0.75] {
                try measure("resume", name, "resumed after \(Int(share * 100)) % of the run") { change in
                    guard var run = change.known.resumed(at: Int(share * Double(change.known.count)), adapters: [change.wanted])
                    else { return nil }
                    while !run.isFinished { run.step() }
                    return run.latents
                }
            }
            for guided: ClosedRange<Float>? in [nil, 0...900, 200...900] {
                let words = guided.map { ", compared with guidance at \(Int($0.lowerBound))..\(Int($0.upperBound)) alone" } ?? ""
                for evaluations in guided == nil ? [1, 2, 3, 4, 6] : [3, 4, 6] {
                    try measure("follow", name, "followed in \(evaluations) evaluations\(words)") { change in
                        guard
                            var run = change.known.difference(
                                evaluations: evaluations, adapters: [change.wanted], guided: guided)
                        else { return nil }
                        while !run.isFinished { run.step() }
                        return run.estimate
                    }
                }
            }
        }
        if let name = names.last {
            for steps in [3, 4, 6, 8] {
                try measure("draft", name, "from noise in \(steps) evaluations") { change in
                    var request = request(space, seed: change.seed)
                    request.steps = steps
                    request.adapters = [change.wanted]
                    var run = try pipeline.start(request)
                    while !run.isFinished { run.step() }
                    return run.latents
                }
            }
            for (words, interval, shortcuts): (String, ClosedRange<Float>, StepShortcuts?) in [
                ("guidance at 0..900", 0...900, nil),
                (
                    "guidance at 200..900, deep features kept from the fourth on", 200...900,
                    StepShortcuts(whole: [0, 1, 2, 3], layers: .max)
                ),
                (
                    "deep features kept from the fourth on, guidance asked at the second and fourth", 0...900,
                    StepShortcuts(whole: [0, 1, 2, 3], layers: .max, guided: [0, 3])
                ),
            ] {
                try measure("saving", name, "from noise in 6 evaluations, \(words)") { change in
                    var request = request(space, seed: change.seed)
                    request.steps = 6
                    request.guidanceInterval = interval
                    request.shortcuts = shortcuts
                    request.adapters = [change.wanted]
                    var run = try pipeline.start(request)
                    while !run.isFinished { run.step() }
                    return run.latents
                }
            }
            for layers in [1, 2] {
                for period in [2, 3] {
                    try measure("reuse", name, "the full run, \(layers) layers follow, whole at every \(period)") { change in
                        var request = request(space, seed: change.seed)
                        request.shortcuts = StepShortcuts(
                            whole: Set((0..<request.steps).filter { $0 % period == 0 }), layers: layers)
                        request.adapters = [change.wanted]
                        var run = try pipeline.start(request)
                        while !run.isFinished { run.step() }
                        return run.latents
                    }
                }
            }
            for interval: ClosedRange<Float> in [0...900, 0...800, 100...1000, 200...900] {
                let bounds = "\(Int(interval.lowerBound))..\(Int(interval.upperBound))"
                try measure("interval", name, "guidance at \(bounds) alone") { change in
                    var request = request(space, seed: change.seed)
                    request.guidanceInterval = interval
                    request.adapters = [change.wanted]
                    var run = try pipeline.start(request)
                    while !run.isFinished { run.step() }
                    return run.latents
                }
            }
        }
        return results
    }

    private func request(_ space: Space, seed: UInt64) -> DenoisingRequest {
        let defaults = space.manifest.defaults
        return DenoisingRequest(
            prompt: defaults.prompt, negativePrompt: defaults.negativePrompt, seeds: [defaults.seed + seed],
            steps: defaults.steps, guidance: defaults.guidance,
            scheduler: defaults.scheduler, width: defaults.width, height: defaults.height)
    }

    private func adapter(of code: [Float], _ space: Space) throws -> LoRAAdapter {
        space.layout.adapter(of: try space.decode(Tensor([1, code.count], code)))
    }

    /// Eight identities, each changed along one of the most effective axes by several sizes, and into another person.
    private func changes(_ space: Space, _ pipeline: StableDiffusionPipeline) throws -> [Change] {
        let axes = space.axes.sorted { $0.effect > $1.effect }
        return try (0..<8).flatMap { number -> [Change] in
            let (seed, count) = (UInt64(number), space.identities.count)
            let row = number * 61 % count
            let code = space.code(at: row)
            let known = try adapter(of: code, space)
            let knownRun = try run(known, request(space, seed: seed), pipeline)
            let axis = axes[number % min(4, axes.count)]
            var wanted = try [(0.25, "1. axis by 0.25 sigma"), (1, "2. axis by 1 sigma"), (3, "3. axis by 3 sigma")].map {
                size, name in
                var other = code
                other[axis.index] += Float(size) * axis.deviation
                return (name, try adapter(of: other, space))
            }
            wanted.append(("4. another person", try adapter(of: space.code(at: (row + 101) % count), space)))
            return try wanted.map { name, adapter in
                Change(
                    name: name, seed: seed, wanted: adapter, size: Double(adapter.relativeChange(to: known)),
                    known: knownRun.trajectory, knownImage: knownRun.image,
                    wantedImage: try run(adapter, request(space, seed: seed), pipeline).image)
            }
        }
    }

    private func run(
        _ adapter: LoRAAdapter, _ request: DenoisingRequest, _ pipeline: StableDiffusionPipeline
    ) throws -> (image: RGBImage, trajectory: DenoisingTrajectory) {
        try Interruption.shared.check()
        var request = request
        request.adapters = [adapter]
        var (run, trajectory) = (try pipeline.start(request), DenoisingTrajectory())
        while !run.isFinished {
            let before = run
            run.step()
            trajectory.note(before, run)
        }
        return (pipeline.decode(run.latents)[0], trajectory)
    }

    /// - Parameters:
    ///   - image: what a shortcut drew of the wanted person.
    ///   - change: the full runs.
    /// - Returns: likeness to the full run's picture, and the error as a part of the difference between the two people's pictures.
    private static func loss(of image: RGBImage, _ change: Change) -> (decibels: Double, missing: Double) {
        func distance(_ other: RGBImage) -> Double {
            zip(change.wantedImage.pixels, other.pixels).reduce(0) { sum, pair in
                let difference = Double(pair.0) - Double(pair.1)
                return sum + difference * difference
            }.squareRoot()
        }
        let whole = distance(change.knownImage)
        return (image.psnr(to: change.wantedImage) ?? 99, whole > 0 ? distance(image) / whole : 0)
    }
}
