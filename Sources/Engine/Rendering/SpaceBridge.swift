import EngineAPI
import Foundation
import StableDiffusion
import TensorKit
import WeightSpace

/// Between the space's own words and those of the engine's events.
extension SpaceDescription {
    /// - Parameters:
    ///   - space: opened.
    ///   - shelf: a person's own directions.
    /// - Throws: `CheckpointError` when a part cannot be read for the fingerprint, or what is wrong with the directions on the shelf.
    init(_ space: Space, shelf: DirectionShelf) throws {
        let labels = space.identities
        let dimension = space.latentDimension
        self.init(
            name: space.manifest.name, path: space.folder.path, fingerprint: try space.fingerprint(),
            vectorLength: space.layout.vectorLength,
            decoder: space.model?.title ?? "none",
            axes: space.axes.map(AxisDescription.init),
            identities: IdentityTable(
                names: labels.names, attributeNames: labels.attributeNames, attributes: labels.values,
                codes: space.codes.isEmpty ? [Float](repeating: 0, count: labels.count * dimension) : space.codes,
                latentDimension: dimension),
            defaults: GenerationSettings(space.manifest.defaults),
            reconstructionR2: space.kind == .vae ? space.record?.result("test_r2").map { Float($0) } : nil,
            model: space.kind.map(WeightModel.init),
            models: WeightModelKind.allCases.filter { space.coordinates[$0] != nil }.map(WeightModel.init),
            directions: try shelf.descriptions(of: space), hasEmbedder: space.manifest.paths[.embedder] != nil,
            record: SpaceRecord(space))
        unknownSampler = space.unknownSampler
    }
}

extension WeightModel {
    init(_ kind: WeightModelKind) {
        switch kind {
        case .vae: self = .vae
        case .pca: self = .pca
        }
    }

    var kind: WeightModelKind {
        switch self {
        case .vae: .vae
        case .pca: .pca
        }
    }
}

extension AxisDescription {
    init(_ axis: LatentAxis) {
        self.init(
            index: axis.index, kl: axis.kl, variance: axis.variance, effect: axis.effect, isActive: axis.isActive,
            mean: axis.mean, deviation: axis.deviation,
            correlations: axis.correlations.map { Correlation(attribute: $0.attribute, value: $0.value) },
            faceEffect: axis.faceEffect)
    }
}

extension SchedulerName {
    init(_ kind: SchedulerKind) {
        switch kind {
        case .ddim: self = .ddim
        case .pndm: self = .pndm
        case .dpmpp2M: self = .dpmpp2m
        case .dpmpp2MPlain: self = .dpmpp2mPlain
        case .euler: self = .euler
        case .eulerAncestral: self = .eulerAncestral
        case .lcm: self = .lcm
        }
    }

    var kind: SchedulerKind {
        switch self {
        case .ddim: .ddim
        case .pndm: .pndm
        case .dpmpp2m: .dpmpp2M
        case .dpmpp2mPlain: .dpmpp2MPlain
        case .euler: .euler
        case .eulerAncestral: .eulerAncestral
        case .lcm: .lcm
        }
    }
}

extension GenerationSettings {
    /// The settings that a space asks for.
    init(_ defaults: SpaceManifest.Defaults) {
        self.init(
            prompt: defaults.prompt, negativePrompt: defaults.negativePrompt, seed: defaults.seed, steps: defaults.steps,
            guidance: defaults.guidance, scheduler: SchedulerName(defaults.scheduler),
            width: defaults.width, height: defaults.height)
    }
}

extension Space {
    /// The adapter of a subject.
    /// - Throws: `SpaceError` for the base model, for somebody of another space, or when the space has no such model.
    func adapter(of subject: Subject) throws -> LoRAAdapter { layout.adapter(of: try vector(of: subject)) }

    /// The LoRA vector of a subject.
    /// - Returns: [1, n]
    /// - Throws: `SpaceError` for the base model, which has none, and for somebody of another space.
    func vector(of subject: Subject) throws -> Tensor {
        switch subject {
        case .base: throw SpaceError("the base model has no LoRA vector", advice: "Name an identity or a code.")
        case .code(let code):
            guard code.values.allSatisfy(\.isFinite) else {
                throw SpaceError("a code holds numbers that are not finite", advice: "Reset it.")
            }
            return try decode(Tensor([1, code.count], code.values))
        case .identity(let name):
            guard let row = row(of: name) else {
                throw SpaceError(
                    "the space '\(manifest.name)' has no identity '\(name)'",
                    advice: "Choose one of its \(identities.count) names.")
            }
            if weights == nil, model != nil { return try decode(Tensor([1, latentDimension], code(at: row))) }
            return try vector(at: row)
        case .through(let kind, let inner):
            guard let coordinates = coordinates[kind.kind] else { throw missing(kind.kind) }
            return coordinates.model.decode(coordinates.model.codes(of: try vector(of: inner)))
        }
    }

    /// How ordinary codes of the model in use are; nil where there are too few identities to tell.
    var typicalityGauge: TypicalityGauge? {
        guard let typicality = typicality() else { return nil }
        let length = latentDimension
        return TypicalityGauge { $0.count == length ? Float(typicality($0.values).percentile) : 0 }
    }

    /// Refuses a layout that does not belong to the base model, before the first picture does.
    /// - Throws: `StateDictionaryMismatch` with all layers that do not fit.
    func check(_ unet: UNet2DConditionModel) throws {
        let zero = Tensor(zeros: [1, layout.vectorLength])
        try unet.check(
            layout.adapter(of: zero), file: folder.appendingPathComponent(manifest.paths[.layout] ?? "layout.json").path)
    }
}

extension Studio {
    /// Codes of new people.
    /// - Throws: `SpaceError` without a weight VAE, or for a parent of another space.
    func sample(_ request: SampleRequest) throws -> [WeightCode] {
        try checkCodes([request.parent].compactMap { $0 })
        let sampler = try sampler(request.source)
        return sampler.sample(
            count: request.count, seed: request.seed, temperature: request.temperature, truncation: request.truncation,
            parent: request.parent?.values
        ).map(WeightCode.init)
    }

    /// The way of a walk.
    /// - Throws: `SpaceError` for codes of another space.
    func path(_ request: MorphRequest) throws -> CodePath {
        try checkCodes([request.from, request.to])
        let kind: CodePath.Kind =
            switch request.path {
            case .slerp, .even: .slerp
            case .lerp: .lerp
            }
        return CodePath(
            from: request.from.values, to: request.to.values, kind: kind, centre: description.centre.values,
            active: space.axes.map(\.isActive), scale: space.model?.priorScale)
    }

    private func checkCodes(_ codes: [WeightCode]) throws {
        guard space.model != nil else {
            throw SpaceError(
                "the space '\(description.name)' has neither a weight VAE nor a PCA, so it has no codes",
                advice: "Train one with `w2w train`, or run `w2w pca`; identities and the base model can be drawn without.")
        }
        for code in codes where code.count != space.latentDimension || !code.values.allSatisfy(\.isFinite) {
            throw SpaceError(
                "a code of \(code.count) numbers does not belong to this space (\(space.latentDimension))",
                advice: "Use a code that was made with this space.")
        }
    }
}
