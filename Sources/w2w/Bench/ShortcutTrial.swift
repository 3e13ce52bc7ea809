import Foundation
import ImageCore
import StableDiffusion
import TensorKit
import WeightSpace

/// Full runs of people and of somebody near, and how far shortcuts to the latter stay behind them.
struct ShortcutTrial {
    /// A person and somebody near: the one whose run is known, and the one that is wanted, with the full runs of both.
    struct Change {
        let name: String
        let seed: UInt64
        let wanted: LoRAAdapter
        let size: Double
        let known: DenoisingTrajectory
        let knownImage: RGBImage
        let wantedImage: RGBImage
    }

    /// What was measured so far.
    private(set) var results: [BenchResult] = []
    /// Sizes of the change, the smallest first.
    let names: [String]
    private let space: Space
    private let pipeline: StableDiffusionPipeline
    private let embedder: (any FaceEmbedding)?
    private let changes: [Change]

    /// Draws the full runs.
    /// - Throws: what opening the embedder and drawing throw, `Cancelled` after Ctrl-C.
    init(_ space: Space, _ pipeline: StableDiffusionPipeline) throws {
        (self.space, self.pipeline) = (space, pipeline)
        embedder = try space.faceEmbedder()
        changes = try Self.changes(space, pipeline)
        names = Set(changes.map(\.name)).sorted()
    }

    /// Holds a shortcut against the full runs.
    /// - Parameters:
    ///   - kind: begins the names of the figures.
    ///   - name: of the size of the change.
    ///   - what: the shortcut in words.
    ///   - shortcut: image latents of the person who is wanted; nil when the run that is known is too short for it.
    /// - Throws: what `shortcut` throws, `Cancelled` after Ctrl-C.
    mutating func measure(
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

    /// The same for runs from noise, of which something is changed.
    /// - Parameters:
    ///   - kind: begins the names of the figures.
    ///   - name: of the size of the change.
    ///   - what: the shortcut in words.
    ///   - adjust: changes the request of the full run.
    /// - Throws: what drawing throws, `Cancelled` after Ctrl-C.
    mutating func measureRun(
        _ kind: String, _ name: String, _ what: String, _ adjust: (inout DenoisingRequest) -> Void
    ) throws {
        let (space, pipeline) = (space, pipeline)
        try measure(kind, name, what) { change in
            var request = Self.request(space, seed: change.seed)
            adjust(&request)
            request.adapters = [change.wanted]
            var run = try pipeline.start(request)
            while !run.isFinished { run.step() }
            return run.latents
        }
    }

    private static func request(_ space: Space, seed: UInt64) -> DenoisingRequest {
        let defaults = space.manifest.defaults
        return DenoisingRequest(
            prompt: defaults.prompt, negativePrompt: defaults.negativePrompt, seeds: [defaults.seed + seed],
            steps: defaults.steps, guidance: defaults.guidance,
            scheduler: defaults.scheduler, width: defaults.width, height: defaults.height)
    }

    private static func adapter(of code: [Float], _ space: Space) throws -> LoRAAdapter {
        space.layout.adapter(of: try space.decode(Tensor([1, code.count], code)))
    }

    /// Eight identities, each changed along one of the most effective axes by several sizes, and into another person.
    private static func changes(_ space: Space, _ pipeline: StableDiffusionPipeline) throws -> [Change] {
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

    private static func run(
        _ adapter: LoRAAdapter, _ request: DenoisingRequest, _ pipeline: StableDiffusionPipeline
    ) throws -> (image: RGBImage, trajectory: DenoisingTrajectory) {
        try Interruption.shared.check()
        var request = request
        request.adapters = [adapter]
        var run = try pipeline.start(request)
        let trajectory = DenoisingTrajectory(finishing: &run)
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
