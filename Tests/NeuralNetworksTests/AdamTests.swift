import TensorKit
import Testing

@testable import NeuralNetworks

/// Adam's three ways: on gradients that lie in memory, on gradients that are absorbed, with moments in bfloat16.
struct AdamTests {
    private func network(_ seed: UInt64 = 3) -> [Linear] {
        let random = TorchRandomSource(seed: seed)
        return [(70, 90), (90, 33)].map { inputs, outputs in
            let layer = Linear(inFeatures: inputs, outFeatures: outputs)
            layer.weight.value = random.normal(shape: [outputs, inputs])
            layer.bias?.value = random.normal(shape: [outputs])
            return layer
        }
    }

    private func train(_ layers: [Linear], _ adam: Adam, steps: Int) -> [Float] {
        let random = TorchRandomSource(seed: 9)
        return (0..<steps).map { _ in
            let (x, target) = (random.normal(shape: [5, 70]), random.normal(shape: [5, 33]))
            adam.begin()
            let tape = Tape()
            let y = layers[1](layers[0](x, activation: .tanh, tape: tape), tape: tape)
            let loss = meanSquaredError(y, target: target, tape: tape)
            tape.backward(from: loss, seed: Tensor([1], [1]))
            adam.step()
            return loss.pointer[0]
        }
    }

    private func adam(_ layers: [Linear], moments: AdamMoments.Precision = .float32, absorbs: Bool) -> Adam {
        let parameters = layers.enumerated().flatMap { index, layer in layer.namedParameters(prefix: "\(index).") }
        return Adam(parameters, learningRate: 1e-2, moments: moments, absorbsGradients: absorbs)
    }

    @Test func absorbedGradientsMoveTheWeightsAsHeldOnesDo() {
        let (held, absorbed) = (network(), network())
        let curve = train(held, adam(held, absorbs: false), steps: 12)
        let optimizer = adam(absorbed, absorbs: true)
        let other = train(absorbed, optimizer, steps: 12)
        for (a, b) in zip(curve, other) { #expect(abs(a - b) < 1e-4 * a) }
        for (one, two) in zip(held, absorbed) {
            let difference = zip(one.weight.value.array, two.weight.value.array).map { abs($0 - $1) }.max() ?? 1
            #expect(difference < 1e-3)
            #expect(two.weight.gradient == nil)
        }
    }

    @Test func momentsInBfloat16AreRoundedWithoutBias() {
        // A constant gradient: the second moment creeps towards 1 in steps far below bfloat16's resolution near its end.
        let count = 4099
        let (weight, gradient) = (Tensor(zeros: [count]), Tensor([count], [Float](repeating: 1, count: count)))
        let moments = AdamMoments(count: count, precision: .bfloat16)
        for step in 1...3000 {
            let numbers = AdamStep(
                learningRate: 0, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, decoupledDecay: false, step: step)
            Kernels.adam(numbers, weight: weight, gradient: gradient, moments: moments)
        }
        let floats = moments.floats
        let expected = 1 - 0.999.power(3000)
        let mean = Kernels.sum(floats.second) / Double(count)
        #expect(abs(mean / expected - 1) < 0.003, "\(mean), expected \(expected)")
        #expect(abs(Kernels.sum(floats.first) / Double(count) - 1) < 0.003)
    }

    @Test func savedHalfMomentsComeBackAsTheyWere() throws {
        let layers = network()
        let optimizer = adam(layers, moments: .bfloat16, absorbs: true)
        _ = train(layers, optimizer, steps: 3)
        let state = optimizer.state
        let other = adam(network(), moments: .bfloat16, absorbs: true)
        try other.restore(state, steps: 3)
        for (name, tensor) in other.state { #expect(tensor.array == state[name]?.array, "\(name)") }
        #expect(throws: OptimizerStateError.self) { try other.restore(["0.weight.exp_avg": Tensor(zeros: [1])], steps: 1) }
    }
}

extension Double {
    fileprivate func power(_ exponent: Int) -> Double { (0..<exponent).reduce(1) { product, _ in product * self } }
}
