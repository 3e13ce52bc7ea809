import NeuralNetworks
import NumericalTesting
import TensorKit
import Testing

/// The loss of a small variational autoencoder, its gradients and its way under the optimisers against PyTorch's.
@Suite struct VariationalTests {
    private struct Network {
        let hidden = Linear(inFeatures: 8, outFeatures: 10)
        let mean = Linear(inFeatures: 10, outFeatures: 3)
        let logVariance = Linear(inFeatures: 10, outFeatures: 3)
        let back = Linear(inFeatures: 3, outFeatures: 10)
        let final = Linear(inFeatures: 10, outFeatures: 8)
        let x, noise: Tensor

        init(_ torch: TorchCase) throws {
            (x, noise) = (try torch["x"], try torch["noise"])
            for (name, parameter) in parameters { try torch.set(parameter, name) }
        }

        var parameters: [(name: String, parameter: Parameter)] {
            [("1", hidden), ("m", mean), ("l", logVariance), ("2", back), ("3", final)].flatMap { name, layer in
                [("w" + name, layer.weight)] + (layer.bias.map { [("b" + name, $0)] } ?? [])
            }
        }

        /// Loss, reconstruction and divergence.
        func losses(_ tape: Tape?) -> (Tensor, Tensor, Tensor) {
            let features = hidden(x, activation: .leakyReLU(slope: 0.01), tape: tape)
            let (m, l) = (mean(features, tape: tape), logVariance(features, tape: tape))
            let z = reparameterize(mean: m, logVariance: l, noise: noise, tape: tape)
            let result = final(back(z, activation: .leakyReLU(slope: 0.01), tape: tape), activation: .tanh, tape: tape)
            let reconstruction = meanSquaredError(result, target: x, tape: tape)
            let divergence = gaussianKL(mean: m, logVariance: l, tape: tape)
            return (add(reconstruction, scale(divergence, by: 0.3, tape: tape), tape: tape), reconstruction, divergence)
        }

        /// The loss; its gradients are added to the parameters.
        func backward() -> Float {
            let tape = Tape()
            let loss = losses(tape).0
            tape.backward(from: loss, seed: Tensor([1], [1]))
            return loss.pointer[0]
        }
    }

    @Test func lossAndGradients() throws {
        let torch = try TorchCase("vae")
        let network = try Network(torch)
        let (loss, reconstruction, divergence) = network.losses(nil)
        try torch.expect(Tensor([3], loss.array + reconstruction.array + divergence.array), is: "loss")
        _ = network.backward()
        for (name, parameter) in network.parameters { try torch.expect(parameter.gradient, is: "d." + name) }
    }

    @Test(arguments: ["adam", "adamw", "clipped"]) func optimisersTakeTorchsWay(_ name: String) throws {
        let torch = try TorchCase(name)
        let network = try Network(TorchCase("vae"))
        let optimiser =
            switch name {
            case "adam": Adam(network.parameters, learningRate: 0.01, weightDecay: 0.02)
            case "adamw":
                Adam(
                    network.parameters, learningRate: 0.02, betas: (0.8, 0.95), epsilon: 1e-6, weightDecay: 0.1,
                    decoupledDecay: true)
            default: Adam(network.parameters, learningRate: 0.01)
            }
        var losses: [Float] = []
        for _ in 0..<12 {
            optimiser.clearGradients()
            losses.append(network.backward())
            optimiser.step(clippingTo: name == "clipped" ? 0.05 : nil)
        }
        try torch.expect(Tensor([12], losses), is: "losses")
        for (key, parameter) in network.parameters { try torch.expect(parameter.value, is: key, tolerance: 1e-4) }
    }

    @Test func aSavedOptimiserGoesOnExactly() throws {
        let torch = try TorchCase("vae")
        let whole = try Network(torch)
        let optimiser = Adam(whole.parameters, learningRate: 0.01)
        func run(_ network: Network, _ optimiser: Adam, _ count: Int) {
            for _ in 0..<count {
                optimiser.clearGradients()
                _ = network.backward()
                optimiser.step()
            }
        }
        run(whole, optimiser, 3)
        let second = try Network(torch)
        for ((_, target), (_, source)) in zip(second.parameters, whole.parameters) { target.value = source.value.copy() }
        let resumed = Adam(second.parameters, learningRate: 0.01)
        try resumed.restore(optimiser.state.mapValues { $0.copy() }, steps: optimiser.steps)
        run(whole, optimiser, 4)
        run(second, resumed, 4)
        for ((name, one), (_, other)) in zip(whole.parameters, second.parameters) {
            #expect(one.value.array == other.value.array, "\(name)")
        }
    }

    @Test func aForeignOptimiserStateIsRefused() throws {
        let network = try Network(TorchCase("vae"))
        let optimiser = Adam(network.parameters, learningRate: 0.01)
        let moment = Tensor(zeros: [10, 8])
        #expect(throws: OptimizerStateError.missing("w1.exp_avg_sq")) { try optimiser.restore(["w1.exp_avg": moment], steps: 1) }
        #expect(throws: OptimizerStateError.unknown("x.exp_avg")) { try optimiser.restore(["x.exp_avg": moment], steps: 1) }
        let wrong = Tensor(zeros: [2])
        #expect(throws: OptimizerStateError.shape("w1.exp_avg", expected: [10, 8], actual: [2])) {
            try optimiser.restore(["w1.exp_avg": wrong, "w1.exp_avg_sq": wrong], steps: 1)
        }
        #expect(optimiser.steps == 0)
    }

    @Test func schedulesRiseAndFall() {
        #expect(LearningRateSchedule.constant.factor(at: 7) == 1)
        let cosine = LearningRateSchedule.cosine(warmup: 4, total: 104, final: 0.1)
        #expect(cosine.factor(at: 0) == 0.2 && cosine.factor(at: 4) == 1)
        #expect(abs(cosine.factor(at: 54) - 0.55) < 1e-6 && abs(cosine.factor(at: 104) - 0.1) < 1e-6)
        #expect(abs(LearningRateSchedule.linear(warmup: 0, total: 10, final: 0).factor(at: 5) - 0.5) < 1e-6)
        #expect(abs(LearningRateSchedule.linear(warmup: 0, total: 10, final: 0.2).factor(at: 99) - 0.2) < 1e-6)
    }
}
