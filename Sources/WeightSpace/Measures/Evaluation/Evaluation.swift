import Checkpoints
import Foundation
import ImageCore
import StableDiffusion
import TensorKit

/// Measures what a space is worth: reconstruction of people that its models never saw, what its axes carry, and how good, different and new
/// the people are that it draws. The same plan gives the same numbers. Belongs to one queue.
public final class Evaluation {
    private let space: Space
    private let plan: EvaluationPlan
    private let rows: (train: [Int], heldOut: [Int])
    private let vectors: (train: Tensor, heldOut: Tensor)
    /// Whether it is recorded whom the weight VAE never saw.
    private let isSplitKnown: Bool
    private let pca: WeightPCA
    private let pcaStandardized: WeightPCA
    /// Codes of the training identities in the weight VAE, [N, d], and their log variances; empty without one.
    private let codes: (means: [Float], logVariances: [Float])
    private let embedder: (any FaceEmbedding)?
    private let album: PhotoAlbum?
    private let prompts: [String]
    private var remarks: [String] = []
    /// What `run` has found so far; all of it after it returned, parts of it when it was stopped.
    public private(set) var found: EvaluationReport?

    /// Numbers of training vectors that are held in memory at once; a larger space is measured on evenly spread rows.
    private static let residentNumbers = 1 << 28
    /// Axes that are drawn: those that change the vector most.
    private static let drawnAxes = 64
    /// People who are drawn under other prompts.
    private static let promptPeople = 16

    /// Opens what the measures need and fits the PCA that the weight VAE is held against.
    /// - Parameters:
    ///   - space: with LoRA vectors, or at least codes: then people are drawn from those, and reconstruction is not measured.
    ///   - plan: how much work is done.
    ///   - embedder: what compares the faces instead of the space's own embedder: an `embedder.json`, or FaceNet's weights.
    ///   - photos: the folder of the identities' photographs, instead of the space's own.
    /// - Throws: `SpaceError` when the space carries neither vectors nor codes, too few of them, or the plan cannot be; what opening embedder and photographs
    ///   throws.
    public init(_ space: Space, plan: EvaluationPlan, embedder: URL? = nil, photos: URL? = nil) throws {
        try plan.validate()
        if space.vae != nil { try space.use(.vae) }
        guard space.weights != nil || !space.codes.isEmpty else {
            throw SpaceError(
                "\(space.folder.path): carries neither LoRA vectors nor codes, so nobody can be held against anybody",
                advice: "Evaluate the space that it was trained from.")
        }
        (self.space, self.plan) = (space, plan)
        let count = space.identities.count
        guard count >= 20 else {
            throw SpaceError("\(space.folder.path): \(count) identities are too few to measure", advice: "Collect 20 at least.")
        }
        let known = space.record?.heldOut("test").compactMap { space.row(of: $0) } ?? []
        isSplitKnown = space.vae == nil || !known.isEmpty
        let validation = Set(space.record?.heldOut("validation").compactMap { space.row(of: $0) } ?? [])
        let split = DataSplit(count: count, seed: 0)
        let heldOut = (known.isEmpty ? split.test : known).sorted()
        let others = known.isEmpty ? Set(split.validation) : validation
        let training = (0..<count).filter { !others.contains($0) && !heldOut.contains($0) }
        let limit = max(64, Self.residentNumbers / space.layout.vectorLength)
        let train = training.count > limit ? (0..<limit).map { training[$0 * training.count / limit] } : training
        if train.count < training.count {
            remarks.append("The PCA was fitted to \(train.count) of \(training.count) training identities, which memory holds.")
        }
        rows = (train, Array(heldOut.prefix(512)))
        vectors = (try Self.gather(space, rows.train), try Self.gather(space, rows.heldOut))
        guard Kernels.sumOfSquares(vectors.train).isFinite, Kernels.sumOfSquares(vectors.heldOut).isFinite else {
            throw SpaceError(
                "\(space.weights?.path ?? space.folder.path): holds weights that are not finite",
                advice: "Leave the damaged identities out and train again.")
        }
        if space.weights == nil {
            remarks.append(
                "Reconstruction was not measured: the space carries no LoRA vectors. People are drawn from their codes.")
        } else if !isSplitKnown {
            remarks.append(
                "Whom the weight VAE was trained on is not recorded: the people called held out are a tenth of all, and it may have seen them."
            )
        }
        let dimension = space.vae?.latentDimension ?? space.pca?.latentDimension ?? 64
        pca = try Reconstruction.pca(of: vectors.train, components: dimension, standardized: false)
        pcaStandardized = try Reconstruction.pca(of: vectors.train, components: dimension, standardized: true)
        let d = space.vae?.latentDimension ?? 0
        let (all, variances) = (space.codes, space.codeLogVariances)
        codes =
            d == 0
            ? ([], [])
            : (
                rows.train.flatMap { all[($0 * d)..<(($0 + 1) * d)] },
                rows.train.flatMap { variances[($0 * d)..<(($0 + 1) * d)] }
            )
        self.embedder = try embedder.map(FaceEmbedders.open) ?? space.faceEmbedder()
        if self.embedder == nil {
            remarks.append("No faces were measured: the space has no embedder (`w2w train SPACE --embedder --out SPACE`).")
        }
        let photos = photos ?? space.manifest.paths[.photos].map { Space.url($0, folder: space.folder) }
        if let side = self.embedder?.imageSize {
            album = try photos.map { try PhotoAlbum($0, labels: space.identities, side: side) }
        } else {
            album = nil
        }
        if self.embedder != nil && album == nil { remarks.append("No novelty was measured: the space has no photographs.") }
        prompts = Self.prompts(beside: photos, besides: space.manifest.defaults.prompt)
    }

    /// Whether people are drawn and their faces compared.
    public var drawsFaces: Bool { embedder != nil }

    /// Number of pictures that `run` draws.
    public var pictures: Int {
        guard embedder != nil else { return 0 }
        let people = min(plan.people, rows.heldOut.count)
        let reconstructed = people * plan.seeds * (space.weights == nil ? 1 : space.vae == nil ? 2 : 3)
        let sampled = plan.people * plan.seeds * (space.vae == nil ? 1 : 1 + sources.count)
        let prompted =
            prompts.count * (min(Self.promptPeople, people) + (space.vae == nil ? 0 : min(Self.promptPeople, plan.people)))
        let axes = space.vae == nil ? 0 : 2 * plan.axisPeople * min(Self.drawnAxes, space.vae?.latentDimension ?? 0)
        let walks = space.vae == nil ? 0 : 2 * plan.morphs * plan.frames
        return reconstructed + sampled + prompted + axes + walks
    }

    /// Does the measuring.
    /// - Parameter drawn: is told of pictures as they are drawn; ends the work by throwing.
    /// - Returns: all that was found.
    /// - Throws: what loading and drawing throw, or what `drawn` threw.
    public func run(drawn: @escaping (Int) throws -> Void) throws -> EvaluationReport {
        var report = EvaluationReport(
            spaceName: space.manifest.name, plan: plan, defaultSource: space.vae == nil ? "pca_prior" : "vae_blended",
            model: space.vae?.title ?? "PCA", embedder: embedder?.record ?? separation(), embedderTitle: embedder?.title)
        defer { found = report }
        if space.weights != nil { report.reconstruction = reconstruction() }
        if let d = space.vae?.latentDimension {
            report.posterior = Posterior(
                means: space.codes, logVariances: space.codeLogVariances, dimension: d, seed: plan.seed)
        }
        report.axes = (space.vae == nil ? pca.axes(labels: space.identities) : space.axes).map { .init(axis: $0) }
        if let embedder {
            let pipeline = try StableDiffusionPipeline(ModelFolder(space.baseFolder))
            let painter = try FacePainter(pipeline, embedder: embedder, space: space, steps: plan.steps, drawn: drawn)
            try draw(painter, embedder, &report)
        }
        report.remarks = remarks
        return report
    }

    /// How well an embedder without a record of its own tells the held-out people apart by their photographs; nil without any.
    private func separation() -> FaceEmbedderRecord? {
        guard let embedder, let album else { return nil }
        let wanted = Set(rows.heldOut)
        let people = album.rows.indices.filter { wanted.contains(album.rows[$0]) }
        guard people.count >= 2 else { return nil }
        let (all, alike) = embedder.separation(of: people, in: album)
        return FaceEmbedderRecord(
            members: [.init("test", all.json)] + (alike.map { [.init("test_same_skin_and_hair", $0.json)] } ?? []))
    }

    private func reconstruction() -> EvaluationReport.ReconstructionPart {
        let mean = pca.mean.array
        let measure = { (model: any WeightCodeModel, vectors: Tensor) in
            Reconstruction.measure(model, vectors: vectors, mean: mean)
        }
        return EvaluationReport.ReconstructionPart(
            people: rows.heldOut.count, vae: space.vae.map { measure($0, vectors.heldOut) },
            vaeTraining: space.vae.map { measure($0, vectors.train) }, pca: measure(pca, vectors.heldOut),
            pcaTraining: measure(pca, vectors.train), pcaStandardized: measure(pcaStandardized, vectors.heldOut),
            components: pca.latentDimension, names: rows.heldOut.map { space.identities.names[$0] }, isSplitKnown: isSplitKnown)
    }

    /// The LoRA vectors of some rows, [rows, n]: those that the space carries, else those of the codes.
    private static func gather(_ space: Space, _ rows: [Int]) throws -> Tensor {
        guard let weights = space.weights else { return try space.decode(matrix(rows.map(space.code))) }
        let n = weights.shape[1]
        let result = Tensor(uninitialized: [rows.count, n])
        for (place, row) in rows.enumerated() {
            // Named, so that it lives until it is copied.
            let vector = try weights.tensor(rows: row..<(row + 1))
            (result.pointer + place * n).update(from: vector.pointer, count: n)
        }
        return result
    }

    /// Two captions of the photographs (`photos.tsv` beside their folder) that are not the default prompt.
    private static func prompts(beside photos: URL?, besides usual: String) -> [String] {
        guard let photos, let text = try? String(contentsOf: photos.appendingPathExtension("tsv"), encoding: .utf8) else {
            return []
        }
        var found = [String]()
        for line in text.split(whereSeparator: \.isNewline).dropFirst().prefix(64) {
            let caption = line.split(separator: "\t").last.map(String.init) ?? ""
            if !caption.isEmpty, caption != usual, !found.contains(caption) { found.append(caption) }
        }
        return Array(found.prefix(2))
    }
}

extension Evaluation {
    private func draw(_ painter: FacePainter, _ embedder: any FaceEmbedding, _ report: inout EvaluationReport) throws {
        let references = references(embedder)
        let people = min(plan.people, rows.heldOut.count)
        let chosen = (0..<people).map { $0 * rows.heldOut.count / people }
        let own = vectors.heldOut.gathering(chosen)
        let names = chosen.map { space.identities.names[rows.heldOut[$0]] }
        let seeds = (0..<plan.seeds).map { plan.seed &* 1009 &+ UInt64($0) &+ 1 }
        func add(_ name: String, _ title: String, _ vectors: Tensor, of names: [String] = []) throws {
            let (group, images) = try painter.draw(vectors, seeds: seeds, keeping: 8)
            report.sources.append(
                part(name, title, group: group, images: images, references: references, names: names))
        }
        let hasVectors = space.weights != nil
        try add("people", "held-out people, \(hasVectors ? "own adapters" : "from their codes")", own, of: names)
        if let vae = space.vae, hasVectors {
            try add("people_vae", "held-out people through the VAE", vae.decode(vae.codes(of: own)), of: names)
        }
        if hasVectors { try add("people_pca", "held-out people through the PCA", pca.decode(pca.codes(of: own)), of: names) }
        for source in sources where space.vae != nil {
            let codes = try sampler(source).sample(count: plan.people, seed: plan.seed)
            try add("vae_\(source.rawValue)", "new people, VAE, \(Self.title(source))", try space.decode(Self.matrix(codes)))
            try judge(codes, &report)
        }
        let prior = CodeSampler(mean: [Float](repeating: 0, count: pca.latentDimension), deviations: pca.deviations)
        let coefficients = prior.sample(count: plan.people, seed: plan.seed)
        try add("pca_prior", "new people, PCA prior", pca.decode(Self.matrix(coefficients)))
        judgePCA(coefficients, &report)
        try overPrompts(painter, own: own, seed: seeds[0], &report)
        try drawAxes(painter, seed: seeds[0], &report)
        try drawMorphs(painter, seed: seeds[0], &report)
    }

    /// Embeddings of the photographs: training and held-out people, and who the latter are.
    private struct References {
        var training, heldOut: Tensor
        var names: [String]
    }

    private func references(_ embedder: any FaceEmbedding) -> References? {
        guard let album else { return nil }
        func centres(_ rows: [Int]) -> (Tensor, [String]) {
            let wanted = Set(rows)
            let places = album.rows.indices.filter { wanted.contains(album.rows[$0]) }
            let points = embedder.embeddings(of: places.flatMap { album.photos[$0] })
            return (
                FaceGroup.centres(points, counts: places.map { album.photos[$0].count }), places.map { album.names[$0] }
            )
        }
        let (training, held) = (centres(rows.train), centres(rows.heldOut))
        return training.1.isEmpty || held.1.isEmpty
            ? nil : References(training: training.0, heldOut: held.0, names: held.1)
    }

    private func part(
        _ name: String, _ title: String, group: FaceGroup, images: [RGBImage], references: References?, names: [String]
    ) -> EvaluationReport.SourcePart {
        var part = EvaluationReport.SourcePart(name: name, title: title, statistics: group.statistics, images: images)
        guard let references else { return part }
        let mean = { (values: [Double]) in values.reduce(0, +) / Double(max(1, values.count)) }
        let centres = group.centres
        part.novelty = 1 - mean(FaceGroup.nearest(centres, among: references.training).map(\.likeness))
        part.nearestHeldOut = mean(
            FaceGroup.nearest(centres, among: references.heldOut).map { max(0, 2 - 2 * $0.likeness).squareRoot() })
        if !names.isEmpty {
            let cosines = FaceLikeness.cosines(group.embeddings, references.heldOut)
            let width = references.names.count
            let own = (0..<group.embeddings.shape[0]).compactMap { row -> Double? in
                references.names.firstIndex(of: names[row / group.pictures]).map { Double(cosines.pointer[row * width + $0]) }
            }
            if !own.isEmpty { part.ownLikeness = mean(own) }
        }
        return part
    }

    /// New people come from the training identities only: blends of held-out ones would be near them by construction.
    private func sampler(_ source: CodeSampler.Source) throws -> CodeSampler {
        let d = space.latentDimension
        if source == .prior { return CodeSampler(priorOf: d) }
        let moments = CodeMoments(means: codes.means, logVariances: codes.logVariances, dimension: d)
        let mean = moments.mean.map { Float($0) }
        if source == .flow {
            return try CodeSampler(flow: space.codeFlow(), mean: mean, covariance: moments.covariance)
        }
        return try CodeSampler(
            mean: mean, covariance: moments.covariance, identities: source == .blended ? codes.means : [])
    }

    /// What new people are drawn from; the learned prior where the space has one.
    private var sources: [CodeSampler.Source] {
        CodeSampler.Source.allCases.filter { $0 != .flow || space.manifest.paths[.flow] != nil }
    }

    private static func title(_ source: CodeSampler.Source) -> String {
        switch source {
        case .prior: "N(0, I)"
        case .fitted: "fitted Gaussian"
        case .flow: "N(0, I) through the learned prior"
        case .blended: "blends of neighbours"
        }
    }

    static func matrix(_ codes: [[Float]]) -> Tensor { Tensor([codes.count, codes.first?.count ?? 0], codes.flatMap { $0 }) }

    /// How ordinary the codes of the last source are.
    private func judge(_ sampled: [[Float]], _ report: inout EvaluationReport) throws {
        let typicality = CodeTypicality(codes: codes.means, logVariances: codes.logVariances, dimension: space.latentDimension)
        let last = report.sources.count - 1
        report.sources[last].typicality = sampled.reduce(0) { $0 + typicality($1).percentile } / Double(sampled.count)
        let errors = try space.cycleErrors(of: Self.matrix(sampled))
        report.sources[last].cycleError = errors.reduce(0, +) / Double(errors.count)
    }

    private func judgePCA(_ sampled: [[Float]], _ report: inout EvaluationReport) {
        let known = pca.codes(of: vectors.train)
        let typicality = CodeTypicality(
            codes: known.array, logVariances: [Float](repeating: -.infinity, count: known.count),
            dimension: pca.latentDimension)
        report.sources[report.sources.count - 1].typicality =
            sampled.reduce(0) { $0 + typicality($1).percentile } / Double(sampled.count)
    }

    /// Held-out people and new ones of the usual kind under other prompts.
    private func overPrompts(_ painter: FacePainter, own: Tensor, seed: UInt64, _ report: inout EvaluationReport) throws {
        guard !prompts.isEmpty else { return }
        var groups = [("people", own.rows(0..<min(Self.promptPeople, own.shape[0])))]
        if space.vae != nil {
            let codes = try sampler(.blended).sample(count: min(Self.promptPeople, plan.people), seed: plan.seed)
            groups.append(("vae_blended", try space.decode(Self.matrix(codes))))
        }
        for (name, vectors) in groups {
            let order = (0..<vectors.shape[0]).map { (row: $0, seed: seed) }
            let drawn = try prompts.map { try painter.draw(vectors, order: order, prompt: $0).embeddings }
            var likenesses = [Double]()
            for row in 0..<vectors.shape[0] {
                let points = drawn.map { $0.rows(row..<(row + 1)).array }
                for (i, first) in points.enumerated() {
                    for second in points[(i + 1)...] { likenesses.append(FaceLikeness.cosine(first, second)) }
                }
            }
            guard !likenesses.isEmpty, let index = report.sources.firstIndex(where: { $0.name == name }) else { continue }
            report.sources[index].overPrompts = likenesses.reduce(0, +) / Double(likenesses.count)
        }
    }

    /// One deviation up and down along each axis, from the middle and from some people.
    private func drawAxes(_ painter: FacePainter, seed: UInt64, _ report: inout EvaluationReport) throws {
        guard space.vae != nil, plan.axisPeople > 0 else { return }
        let (d, axes) = (space.latentDimension, space.axes)
        let chosen = axes.sorted { $0.effect > $1.effect }.prefix(Self.drawnAxes).map(\.index)
        let count = codes.means.count / d
        let bases = (0..<plan.axisPeople).map { person -> [Float] in
            guard person > 0 else { return axes.map(\.mean) }
            let row = (person - 1) * count / plan.axisPeople
            return Array(codes.means[(row * d)..<((row + 1) * d)])
        }
        var sums = [Int: Double]()
        for base in bases {
            var moved = [[Float]]()
            for axis in chosen {
                for sign in [Float(1), -1] {
                    var code = base
                    code[axis] += sign * axes[axis].deviation
                    moved.append(code)
                }
            }
            let order = moved.indices.map { (row: $0, seed: seed) }
            let points = try painter.draw(try space.decode(Self.matrix(moved)), order: order).embeddings
            for (place, axis) in chosen.enumerated() {
                let (up, down) = (points.rows((2 * place)..<(2 * place + 1)), points.rows((2 * place + 1)..<(2 * place + 2)))
                sums[axis, default: 0] += FaceLikeness.distance(up.array, down.array) / 2 / Double(bases.count)
            }
        }
        for axis in chosen { report.axes[axis].faceEffect = sums[axis] }
    }

    /// Walks between held-out people.
    private func drawMorphs(_ painter: FacePainter, seed: UInt64, _ report: inout EvaluationReport) throws {
        guard let vae = space.vae, plan.morphs > 0, rows.heldOut.count >= 2 else { return }
        let known = vae.codes(of: vectors.heldOut)
        let code = { (place: Int) in known.rows(place..<(place + 1)).array }
        let random = TorchRandomSource(seed: plan.seed)
        let ends = (0..<plan.morphs).map { _ -> (Int, Int) in
            let first = random.integer(below: rows.heldOut.count)
            return (first, (first + 1 + random.integer(below: rows.heldOut.count - 1)) % rows.heldOut.count)
        }
        for kind in [CodePath.Kind.lerp, .slerp] {
            var steps = [[Double]]()
            for (first, second) in ends {
                let path = CodePath(
                    from: code(first), to: code(second), kind: kind, centre: space.axes.map(\.mean),
                    active: space.axes.map(\.isActive))
                let order = (0..<plan.frames).map { (row: $0, seed: seed) }
                let vectors = try space.decode(Self.matrix(path.codes(frames: plan.frames)))
                let points = try painter.draw(vectors, order: order).embeddings
                let frames = (0..<plan.frames).map { points.rows($0..<($0 + 1)).array }
                steps.append(zip(frames, frames.dropFirst()).map { FaceLikeness.distance($0, $1) })
            }
            report.morphs.append(.init(name: kind.rawValue, steps: steps))
        }
    }
}
