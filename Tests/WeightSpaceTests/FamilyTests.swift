import Checkpoints
import Foundation
import NeuralNetworks
import TensorKit
import Testing

@testable import WeightSpace

/// Every weight VAE of the family against its PyTorch class (`Fixtures/family.py`).
struct FamilyTests {
    static let configurations: [String: WeightVAEConfiguration] = [
        "batch_norm": .init(vectorLength: 48, hiddenDims: [12, 8], latentDim: 5, batchNorm: true, scaling: .factor(1)),
        "linear_path": .init(vectorLength: 48, hiddenDims: [12, 8], latentDim: 5, hasLinearPath: true, scaling: .factor(1)),
        "residual": .init(
            variant: .residual, vectorLength: 48, hiddenDims: [12], latentDim: 5, blocks: 2, scaling: .factor(1)),
        "transformer": .init(
            variant: .transformer, vectorLength: 48, hiddenDims: [8], latentDim: 5, blocks: 2, heads: 2,
            tokenLengths: [16, 12, 20], scaling: .factor(1)),
        "convolutional": .init(
            variant: .convolutional, vectorLength: 48, hiddenDims: [12, 8], latentDim: 5, channels: [4, 6], kernelSize: 5,
            stride: 3, scaling: .factor(1)),
    ]

    let state: StateDictionary
    let x, noise: Tensor

    init() throws {
        state = try StateDictionary(safetensors: fixture("family.safetensors"))
        x = try state.entry("x").tensor()
        noise = try state.entry("noise").tensor()
    }

    private func part(_ prefix: String) throws -> StateDictionary {
        try state.renamed { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : nil }
    }

    private func vae(_ name: String) throws -> WeightVAE {
        try WeightVAE(part(name + ".weight."), configuration: #require(Self.configurations[name]))
    }

    private func discriminator() throws -> WeightDiscriminator {
        let discriminator = WeightDiscriminator(vectorLength: 48, hidden: 8, blocks: 1)
        try discriminator.load(part("discriminator.weight."))
        return discriminator
    }

    @Test(arguments: configurations.keys.sorted())
    func agreesWithPyTorch(_ name: String) throws {
        let vae = try vae(name)
        vae.isTraining = true
        let adversary = name == "residual" ? try discriminator() : nil
        let losses = WeightVAETrainer.losses(
            vae, x: x, noise: noise, beta: 0.03, adversary: adversary.map { ($0, 0.1) })
        expectClose(
            Tensor([3], [losses.total, losses.reconstruction, losses.kl]), try state.entry(name + ".losses").tensor(),
            tolerance: 1e-5, "\(name): losses")
        for (key, parameter) in vae.namedParameters() {
            if parameter.isBuffer {
                expectClose(parameter.value, try state.entry("\(name).after.\(key)").tensor(), tolerance: 1e-5, key)
            } else {
                let gradient = try #require(parameter.gradient, "\(key) has no gradient")
                let expected = try state.entry("\(name).gradient.\(key)").tensor()
                // A bias before a batch norm has the gradient 0 but for rounding.
                if expected.array.allSatisfy({ abs($0) < 1e-7 }) {
                    #expect(gradient.array.allSatisfy { abs($0) < 3e-7 }, "\(key)")
                } else {
                    expectClose(gradient, expected, tolerance: 2e-5, "\(name): \(key)")
                }
            }
        }
        vae.isTraining = false
        let posterior = vae.encode(x)
        expectClose(posterior.mean, try state.entry(name + ".mean").tensor(), tolerance: 1e-5, "mean")
        expectClose(posterior.logVariance, try state.entry(name + ".log_variance").tensor(), tolerance: 1e-5, "log variance")
        expectClose(vae.decode(posterior.mean), try state.entry(name + ".decoded").tensor(), tolerance: 1e-5, "decoded")
    }

    @Test func theDiscriminatorAgreesWithPyTorch() throws {
        let discriminator = try discriminator()
        let fake = try state.entry("residual.decoded").tensor()
        let loss = WeightVAETrainer.discriminatorLoss(discriminator, real: x, fake: fake)
        expectClose(Tensor([1], [loss]), try state.entry("discriminator.loss").tensor(), tolerance: 1e-5, "loss")
        for (key, parameter) in discriminator.namedParameters() {
            let gradient = try #require(parameter.gradient, "\(key) has no gradient")
            expectClose(gradient, try state.entry("discriminator.gradient." + key).tensor(), tolerance: 2e-5, key)
        }
    }

    @Test(arguments: configurations.keys.sorted())
    func survivesTheDisk(_ name: String) throws {
        let vae = try vae(name)
        let folder = try TemporaryFolder()
        let weights = folder.url.appendingPathComponent("vae.safetensors")
        try vae.write(to: weights, as: .float32)
        let text = JSONValue.object(vae.configuration.jsonMembers).text()
        let read = try WeightVAEConfiguration(JSONConfiguration(text: text, file: "vae.json"))
        #expect(read == vae.configuration)
        let again = try WeightVAE(weights: weights, configuration: read)
        #expect(again.decode(again.encode(x).mean).array == vae.decode(vae.encode(x).mean).array)
    }

    /// Offset and scale of the data travel in the header, so that a PyTorch class with the published keys loads the file strictly.
    @Test(arguments: ["batch_norm", "residual"])
    func theFileHasThePublishedKeysAndNoOthers(_ name: String) throws {
        let published = try part(name + ".weight.")
        var configuration = try #require(Self.configurations[name])
        configuration.scaling = .affine
        let (offset, scale) = (
            TorchRandomSource(seed: 1).normal(shape: [48]), Tensor([48], Array(repeating: Float(0.3), count: 48))
        )
        let vae = WeightVAE(configuration, scaling: .affine(offset: offset, scale: scale))
        try vae.load(published)
        let folder = try TemporaryFolder()
        let url = folder.url.appendingPathComponent("vae.safetensors")
        try vae.write(to: url, as: .float32)
        let state = try StateDictionary(safetensors: url)
        #expect(Set(state.names) == Set(published.names))
        let again = try WeightVAE(weights: url, configuration: configuration)
        #expect(again.decode(again.encode(x).mean).array == vae.decode(vae.encode(x).mean).array)

        // Files of before carry them as tensors.
        try SafetensorsWriter.write(
            vae.storedTensors(as: .float32) + [
                StoredTensor(DataScaling.offsetKey, offset), StoredTensor(DataScaling.scaleKey, scale),
            ],
            to: url)
        let older = try WeightVAE(weights: url, configuration: configuration)
        #expect(older.decode(older.encode(x).mean).array == vae.decode(vae.encode(x).mean).array)

        for damaged in ["no base64", "AAAA"] {
            try SafetensorsWriter.write(
                vae.storedTensors(as: .float32), metadata: [DataScaling.offsetKey: damaged, DataScaling.scaleKey: damaged],
                to: url)
            #expect(throws: CheckpointError.self) { try WeightVAE(weights: url, configuration: configuration) }
        }
    }

    @Test(arguments: ["batch_norm", "residual"])
    func publishedCheckpointsTellTheirConfiguration(_ name: String) throws {
        let wanted = try #require(Self.configurations[name])
        let entries = try part(name + ".weight.").entries
        let shapes = Dictionary(entries.map { ($0.name, $0.shape) }) { first, _ in first }
        let found = try WeightVAEConfiguration.published(shapes: shapes, scaling: .factor(1), file: "x.pt")
        #expect(found == wanted)
        let residual = try WeightVAEConfiguration.published(shapes: shapes, file: "x.pt")
        #expect(residual.scaling == (name == "residual" ? .range(minimum: -0.094693, range: 0.186591) : .factor(10)))
        #expect(throws: SpaceError.self) { try WeightVAEConfiguration.published(shapes: ["a": [1]], file: "x.pt") }
    }

    @Test func rangesMapToMinusOneAndOne() {
        let scaling = DataScaling.range(minimum: -0.094693, range: 0.186591)
        let least: Float = -0.094693
        let raw = Tensor([1, 2], [least, least + 0.186591])
        expectClose(scaling.scaled(raw), Tensor([1, 2], [-1, 1]), tolerance: 1e-5, "scaled")
        expectClose(scaling.raw(scaling.scaled(raw)), raw, tolerance: 1e-5, "raw")
    }

    @Test func standardisingTheCodesChangesNoReconstruction() throws {
        for name in Self.configurations.keys.sorted() {
            let vae = try vae(name)
            let before = vae.encode(x)
            let decoded = vae.decode(before.mean)
            let moments = CodeMoments(means: before.mean.array, logVariances: before.logVariance.array, dimension: 5)
            CodeStandardization.apply(to: vae, moments: moments)
            expectClose(vae.decode(vae.encode(x).mean), decoded, tolerance: 2e-5, name)
        }
    }

    @Test func networksThatCannotBeAreRefused() {
        var wrong = Self.configurations["transformer"] ?? .init(vectorLength: 1, hiddenDims: [1], latentDim: 1)
        wrong.heads = 3
        #expect(throws: SpaceError.self) { try wrong.validate() }
        wrong.heads = 2
        wrong.tokenLengths = [16, 12]
        #expect(throws: SpaceError.self) { try wrong.validate() }
        #expect(throws: SpaceError.self) {
            try WeightVAEConfiguration(variant: .residual, vectorLength: 48, hiddenDims: [12, 8], latentDim: 5).validate()
        }
        #expect(throws: SpaceError.self) {
            try WeightVAEConfiguration(
                variant: .convolutional, vectorLength: 20, hiddenDims: [8], latentDim: 5, channels: [4, 4, 4]
            ).validate()
        }
    }
}
