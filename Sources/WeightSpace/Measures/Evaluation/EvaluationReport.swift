import Checkpoints
import Foundation
import ImageCore
import TensorKit

/// What `Evaluation` found: numbers for programs and a page for people.
public struct EvaluationReport {
    /// Held-out reconstruction of LoRA vectors.
    struct ReconstructionPart {
        var people: Int
        /// Of the weight VAE on held-out and on training vectors; nil without one.
        var vae, vaeTraining: Reconstruction.Result?
        var pca, pcaTraining, pcaStandardized: Reconstruction.Result
        var components: Int
        var names: [String]
        /// Whether it is recorded that the weight VAE never saw the held-out people.
        var isSplitKnown = true
    }

    /// People from one source, drawn.
    struct SourcePart {
        var name: String
        /// In words for the page.
        var title: String
        var statistics: FaceGroup.Statistics
        /// 1 - mean likeness to the nearest training person; nil without photographs.
        var novelty: Double?
        /// Mean distance of embeddings (0...2) to the nearest held-out person; nil without photographs.
        var nearestHeldOut: Double?
        /// Mean likeness to the own photographs, of held-out people only.
        var ownLikeness: Double?
        /// Mean percentile of the codes' Mahalanobis distance among the training identities.
        var typicality: Double?
        var cycleError: Double?
        /// Mean likeness of one person's pictures under different prompts.
        var overPrompts: Double?
        var images: [RGBImage]
    }

    /// What an axis does.
    struct AxisPart {
        var axis: LatentAxis
        /// Half the distance of the faces one deviation up and one down, mean over people; nil when not drawn.
        var faceEffect: Double?
    }

    /// Walks along one kind of path.
    struct MorphPart {
        var name: String
        /// Distances of neighbouring faces, by walk.
        var steps: [[Double]]
        /// Largest over mean step, mean over the walks: 1 is perfectly even.
        var smoothness: Double {
            let ratios = steps.map { ($0.max() ?? 0) / max($0.reduce(0, +) / Double(max(1, $0.count)), 1e-12) }
            return ratios.reduce(0, +) / Double(max(1, ratios.count))
        }
    }

    var spaceName: String
    var plan: EvaluationPlan
    var defaultSource: String
    var model: String
    var embedder: FaceEmbedderRecord?
    /// What compared the faces, in words for the page; nil when none were.
    var embedderTitle: String?
    var reconstruction: ReconstructionPart?
    var posterior: Posterior?
    var axes: [AxisPart] = []
    var sources: [SourcePart] = []
    var morphs: [MorphPart] = []
    /// Why parts are missing, in words.
    var remarks: [String] = []

    /// The report of a run that was stopped: it says that parts are missing.
    /// - Parameters:
    ///   - drawn: number of pictures that were drawn.
    ///   - total: number of all pictures.
    /// - Returns: the same with a remark.
    public func stopped(drawn: Int, of total: Int) -> EvaluationReport {
        var report = self
        report.remarks.append("Stopped after \(drawn) of \(total) pictures; what is missing here was not measured.")
        return report
    }

    /// The axes with what was measured of them, for `axes.json`.
    public var measuredAxes: [LatentAxis] {
        axes.map { part in
            var axis = part.axis
            // What an earlier run measured stays where this one drew nothing.
            if let faceEffect = part.faceEffect { axis.faceEffect = Float(faceEffect) }
            return axis
        }
    }
}

extension EvaluationReport {
    /// The text of `report.json`.
    public var json: String { JSONValue.object(members).text() + "\n" }

    private var members: [JSONValue.Member] {
        var members: [JSONValue.Member] = [
            .init("format", .integer(1)), .init("space", .string(spaceName)), .init("model", .string(model)),
            .init(
                "settings",
                .object([
                    .init("people", .integer(plan.people)), .init("seeds", .integer(plan.seeds)),
                    .init("morphs", .integer(plan.morphs)), .init("frames", .integer(plan.frames)),
                    .init("axis_people", .integer(plan.axisPeople)),
                    .init("steps", plan.steps.map { .integer($0) } ?? .null),
                    .init("seed", .integer(Int(truncatingIfNeeded: plan.seed))),
                ])),
        ]
        if let embedder {
            members.append(
                .init(
                    "embedder",
                    .object([
                        .init("title", embedderTitle.map { .string($0) } ?? .null), .init("d_prime", number(embedder.dPrime)),
                        .init("d_prime_same_skin_and_hair", number(embedder.hardDPrime)),
                    ])))
        }
        if let reconstruction { members.append(.init("reconstruction", json(reconstruction))) }
        members.append(.init("axes", axesJSON))
        if let posterior { members.append(.init("posterior", json(posterior))) }
        if let part = sources.first(where: { $0.name == defaultSource }) {
            members.append(.init("identity", .object([.init("source", .string(part.name))] + figures(part))))
        }
        members.append(.init("samples", .object(sources.map { .init($0.name, .object(figures($0))) })))
        members.append(
            .init(
                "morphs",
                .object(
                    morphs.map {
                        .init(
                            $0.name,
                            .object([
                                .init("max_over_mean_step", number($0.smoothness)), .init("walks", .integer($0.steps.count)),
                            ]))
                    })))
        if !remarks.isEmpty { members.append(.init("remarks", .array(remarks.map { .string($0) }))) }
        return members
    }

    private func number(_ value: Double?) -> JSONValue { value.map { $0.isFinite ? .float(Float($0)) : .null } ?? .null }

    private func json(_ part: ReconstructionPart) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("held_out_people", .integer(part.people)), .init("held_out_recorded", .bool(part.isSplitKnown)),
        ]
        if let vae = part.vae {
            members.append(
                .init("vae", .object([.init("r2", number(vae.r2)), .init("train_r2", number(part.vaeTraining?.r2))])))
        }
        members.append(
            .init(
                "pca",
                .object([
                    .init("r2", number(part.pca.r2)), .init("train_r2", number(part.pcaTraining.r2)),
                    .init("components", .integer(part.components)),
                ])))
        members.append(.init("pca_standardized", .object([.init("r2", number(part.pcaStandardized.r2))])))
        return .object(members)
    }

    private var axesJSON: JSONValue {
        var members: [JSONValue.Member] = [
            .init("total", .integer(axes.count)), .init("active", .integer(axes.filter(\.axis.isActive).count)),
        ]
        if let posterior {
            let counts = Posterior.thresholds.map {
                JSONValue.Member("\($0)", .integer(posterior.active(above: $0)))
            }
            members += [.init("active_above", .object(counts)), .init("kl_nats", number(posterior.meanKL))]
        }
        let items = axes.map { part -> JSONValue in
            .object([
                .init("index", .integer(part.axis.index)), .init("kl", .float(part.axis.kl)),
                .init("variance", .float(part.axis.variance)), .init("effect", .float(part.axis.effect)),
                .init("face_effect", number(part.faceEffect)),
                .init(
                    "correlations",
                    .object(part.axis.correlations.map { .init($0.attribute, .float($0.value)) })),
            ])
        }
        members.append(.init("each", .array(items)))
        return .object(members)
    }

    private func json(_ posterior: Posterior) -> JSONValue {
        .object([
            .init("mean_kl", number(posterior.meanKL)), .init("mutual_information", number(posterior.mutualInformation)),
            .init("mutual_information_ceiling", number(posterior.ceiling)), .init("marginal_kl", number(posterior.marginalKL)),
            .init("fitted_gaussian_kl", number(posterior.fittedKL)),
        ])
    }

    private func figures(_ part: SourcePart) -> [JSONValue.Member] {
        let separation = part.statistics.separation
        return [
            .init("d_prime", number(separation.dPrime)), .init("consistency", number(part.statistics.consistency)),
            .init("consistency_over_prompts", number(part.overPrompts)),
            .init("diversity", number(part.statistics.diversity)), .init("novelty", number(part.novelty)),
            .init("nearest_held_out_distance", number(part.nearestHeldOut)),
            .init("own_likeness", number(part.ownLikeness)), .init("typicality", number(part.typicality)),
            .init("cycle_error", number(part.cycleError)), .init("same_pairs", .integer(separation.pairs.same)),
            .init("different_pairs", .integer(separation.pairs.different)),
        ]
    }
}

extension EvaluationReport {
    /// The result in a few lines.
    public var summary: String {
        let figure = { (value: Double?) in value.map { String(format: "%.3f", $0) } ?? "–" }
        var lines = [String]()
        if let reconstruction {
            let vae = reconstruction.vae.map { "\(model) \(figure($0.r2)), " } ?? ""
            lines.append(
                "reconstruction R2 of \(reconstruction.people) \(reconstruction.isSplitKnown ? "unseen people" : "people (the VAE may have seen them)"): \(vae)PCA with \(reconstruction.components) components "
                    + figure(reconstruction.pca.r2))
        }
        lines.append("\(axes.filter(\.axis.isActive).count) of \(axes.count) axes active")
        for part in sources {
            lines.append(
                "\(part.title): d' \(figure(part.statistics.separation.dPrime)), diversity \(figure(part.statistics.diversity)), nearest "
                    + "held-out person at \(figure(part.nearestHeldOut))")
        }
        return (lines + remarks).joined(separator: "\n")
    }
}

extension Space {
    /// Replaces `axes.json` and its recorded SHA-256; when that fails, the old one stays.
    /// - Parameter axes: of the weight VAE, all of them.
    /// - Throws: `SpaceError` when the space has no weight VAE, `CheckpointError` when a file cannot be written.
    public func writeAxes(_ axes: [LatentAxis]) throws {
        guard let path = manifest.paths[.axes], axes.count == vae?.latentDimension else {
            throw SpaceError("\(folder.path): has no axes.json of these \(axes.count) axes", advice: "Train a weight VAE first.")
        }
        let text = LatentAxis.json(axes)
        try SpaceWriter.replace([(path, .axes)], in: folder) { draft in
            let name = Self.url(path, folder: folder).lastPathComponent
            try AtomicFile.write(to: draft.appendingPathComponent(name)) { try $0.append(text) }
        }
    }
}
