import EngineAPI
import Foundation
import StableDiffusion
import TensorKit
import WeightSpace

/// Between the space's own words and those of the engine's events.
extension SpaceDescription {
    /// - Throws: `CheckpointError` when a part cannot be read for the fingerprint.
    init(_ space: Space) throws {
        let labels = space.identities
        let dimension = space.latentDimension
        self.init(
            name: space.manifest.name, path: space.folder.path, fingerprint: try space.fingerprint(),
            vectorLength: space.layout.vectorLength,
            decoder: space.vae.map { "\($0.configuration.variant.rawValue) VAE" } ?? "none",
            axes: space.axes.map(AxisDescription.init),
            identities: IdentityTable(
                names: labels.names, attributeNames: labels.attributeNames, attributes: labels.values,
                codes: space.codes.isEmpty ? [Float](repeating: 0, count: labels.count * dimension) : space.codes,
                latentDimension: dimension),
            defaults: GenerationSettings(space.manifest.defaults),
            reconstructionR2: space.record?.result("test_r2").map { Float($0) })
    }
}

extension AxisDescription {
    init(_ axis: LatentAxis) {
        self.init(
            index: axis.index, kl: axis.kl, variance: axis.variance, effect: axis.effect, isActive: axis.isActive,
            mean: axis.mean, deviation: axis.deviation,
            correlations: axis.correlations.map { Correlation(attribute: $0.attribute, value: $0.value) })
    }
}

extension GenerationSettings {
    /// The settings that a space asks for; an unknown sampler is replaced by the usual one.
    init(_ defaults: SpaceManifest.Defaults) {
        self.init(
            prompt: defaults.prompt, negativePrompt: defaults.negativePrompt, seed: defaults.seed, steps: defaults.steps,
            guidance: defaults.guidance, scheduler: SchedulerName(rawValue: defaults.scheduler) ?? .dpmpp2m,
            width: defaults.width, height: defaults.height)
    }
}

extension Space {
    /// The adapter that a weight code decodes to.
    /// - Throws: `SpaceError` for a code of another space.
    func adapter(of code: WeightCode) throws -> LoRAAdapter {
        guard code.values.allSatisfy(\.isFinite) else {
            throw SpaceError("a code holds numbers that are not finite", advice: "Reset it.")
        }
        return layout.adapter(of: try decode(Tensor([1, code.count], code.values)))
    }

    /// The adapter of an identity: from its own vector, or from its code in a space that carries no vectors.
    /// - Throws: `SpaceError` when the space has no such identity.
    func adapter(ofIdentity name: String) throws -> LoRAAdapter {
        guard let row = row(of: name) else {
            throw SpaceError(
                "the space '\(manifest.name)' has no identity '\(name)'", advice: "Choose one of its \(identities.count) names.")
        }
        if weights == nil, vae != nil { return try adapter(of: WeightCode(self.code(at: row))) }
        return layout.adapter(of: try vector(at: row))
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
        let sampler = try theSampler()
        return sampler.sample(
            count: request.count, seed: request.seed, temperature: request.temperature, truncation: request.truncation,
            parent: request.parent?.values
        ).map(WeightCode.init)
    }

    /// The codes of a walk, both ends included.
    /// - Throws: `SpaceError` for codes of another space.
    func path(_ request: MorphRequest) throws -> [WeightCode] {
        try checkCodes([request.from, request.to])
        let kind: CodePath.Kind =
            switch request.path {
            case .slerp: .slerp
            case .lerp: .lerp
            }
        let path = CodePath(
            from: request.from.values, to: request.to.values, kind: kind, centre: description.centre.values,
            active: space.axes.map(\.isActive))
        return path.codes(frames: request.frames).map(WeightCode.init)
    }

    private func checkCodes(_ codes: [WeightCode]) throws {
        guard space.vae != nil else {
            throw SpaceError(
                "the space '\(description.name)' has no weight VAE, so it has no codes",
                advice: "Train one with `w2w train`; identities and the base model can be drawn without.")
        }
        for code in codes where code.count != space.latentDimension || !code.values.allSatisfy(\.isFinite) {
            throw SpaceError(
                "a code of \(code.count) numbers does not belong to this space (\(space.latentDimension))",
                advice: "Use a code that was made with this space.")
        }
    }
}
