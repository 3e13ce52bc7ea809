import Checkpoints
import Foundation
import NeuralNetworks
import TensorKit
import Testing

@testable import WeightSpace

/// The weight VAE against PyTorch (`Fixtures/vae.py`).
struct WeightVAETests {
    let state: StateDictionary
    let vae: WeightVAE
    let x: Tensor
    let noise: Tensor

    init() throws {
        state = try StateDictionary(safetensors: fixture("vae.safetensors"))
        let configuration = WeightVAEConfiguration(
            vectorLength: 24, hiddenDims: [12, 8], latentDim: 5, scaling: .factor(1))
        vae = try WeightVAE(Self.part("weight.", of: state), configuration: configuration)
        x = try state.entry("input.x").tensor()
        noise = try state.entry("input.noise").tensor()
    }

    static func part(_ prefix: String, of state: StateDictionary) throws -> StateDictionary {
        try state.renamed { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : nil }
    }

    private func noise(at step: Int) -> Tensor { noise.rows(step..<(step + 1)).reshaped([6, 5]) }

    @Test func lossAndAllGradientsAgreeWithPyTorch() throws {
        let losses = WeightVAETrainer.losses(vae, x: x, noise: noise(at: 0), beta: 0.03)
        let expected = try state.entry("losses").tensor()
        expectClose(
            Tensor([3], [losses.total, losses.reconstruction, losses.kl]), expected, tolerance: 1e-5, "losses")
        for (name, parameter) in vae.namedParameters() {
            let gradient = try #require(parameter.gradient, "\(name) has no gradient")
            expectClose(gradient, try state.entry("gradient." + name).tensor(), tolerance: 1e-5, name)
        }
    }

    @Test func tenStepsFollowPyTorchsLossCurve() throws {
        let adam = Adam(vae.namedParameters(), learningRate: 1e-2, epsilon: 1e-12)
        var curve = [Float]()
        for step in 0..<10 {
            adam.clearGradients()
            curve.append(WeightVAETrainer.losses(vae, x: x, noise: noise(at: step), beta: 0.03).total)
            adam.step()
        }
        expectClose(Tensor([10], curve), try state.entry("curve").tensor(), tolerance: 1e-4, "loss curve")
        for (name, parameter) in vae.namedParameters() {
            expectClose(parameter.value, try state.entry("trained." + name).tensor(), tolerance: 1e-3, name)
        }
    }

    @Test func encodesAndDecodesAsPyTorch() throws {
        let trained = try WeightVAE(Self.part("trained.", of: state), configuration: vae.configuration)
        let posterior = trained.encode(x)
        expectClose(posterior.mean, try state.entry("mean").tensor(), tolerance: 1e-5, "mean")
        expectClose(posterior.logVariance, try state.entry("log_variance").tensor(), tolerance: 1e-5, "log variance")
        expectClose(trained.decode(posterior.mean), try state.entry("decoded").tensor(), tolerance: 1e-5, "decoded")
    }

    @Test func dataScalingIsUndoneOnDecode() throws {
        let raw = syntheticVectors(count: 12, length: 24, rank: 3)
        let scaling = DataScaling.centred(on: raw)
        let scaled = scaling.scaled(raw)
        #expect(abs((scaled.array.map(abs).max() ?? 0) - 0.8) < 1e-5)
        expectClose(scaling.raw(scaled), raw, tolerance: 1e-6, "raw")
        expectClose(DataScaling.factor(10).raw(DataScaling.factor(10).scaled(raw)), raw, tolerance: 1e-6, "factor")
    }

    @Test func unknownAndMissingKeysAreAllNamed() throws {
        let wrong = try Self.part("weight.", of: state).renamed { $0 == "fc_mu.bias" ? "fc_mean.bias" : $0 }
        let error = #expect(throws: StateDictionaryMismatch.self) {
            try WeightVAE(wrong, configuration: vae.configuration)
        }
        #expect(error?.missing.map(\.key) == ["fc_mu.bias"])
        #expect(error?.unexpected.map(\.key) == ["fc_mean.bias"])
    }

    @Test func standardisingTheCodesChangesNoReconstruction() throws {
        let before = vae.encode(x)
        let decoded = vae.decode(before.mean)
        let moments = CodeMoments(means: before.mean.array, logVariances: before.logVariance.array, dimension: 5)
        CodeStandardization.apply(to: vae, moments: moments)
        let after = vae.encode(x)
        expectClose(vae.decode(after.mean), decoded, tolerance: 1e-5, "decoded")
        let new = CodeMoments(means: after.mean.array, logVariances: after.logVariance.array, dimension: 5)
        for axis in 0..<5 where moments.variance[axis] > 0.01 {
            #expect(abs(new.mean[axis]) < 1e-5 && abs(new.covariance[axis * 5 + axis] - 1) < 1e-4)
        }
    }
}
