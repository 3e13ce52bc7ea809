import NeuralNetworks
import TensorKit
import Testing

@Suite struct TapeTests {
    @Test func gradientsOfSharedTensorsAddUp() {
        let tape = Tape()
        let x = Tensor([3], [1, 2, 3])
        tape.watch(x)
        // y = 2x + (x + 3x) = 6x, with the same gradient handed to several branches.
        let y = add(scale(x, by: 2, tape: tape), add(x, scale(x, by: 3, tape: tape), tape: tape), tape: tape)
        let seed = Tensor([3], [1, 10, 100])
        tape.backward(from: y, seed: seed)
        #expect(tape.gradient(of: x)?.array == [6, 60, 600])
        #expect(seed.array == [1, 10, 100])
    }

    @Test func nothingFlowsWhereNobodyAsked() {
        let tape = Tape()
        let layer = Linear(inFeatures: 2, outFeatures: 2)
        layer.weight.value = Tensor([2, 2], [1, 2, 3, 4])
        layer.bias?.value = Tensor([2], [0, 0])
        layer.setTrainable(false)
        let x = Tensor([1, 2], [1, 1])
        let y = layer(x, tape: tape)
        #expect(!tape.tracks(y))
        tape.backward(from: y, seed: Tensor([1, 2], [1, 1]))
        #expect(layer.weight.gradient == nil && tape.gradient(of: x) == nil)
    }

    @Test func gradientsOfTwoPassesAddUp() {
        let layer = Linear(inFeatures: 2, outFeatures: 1, bias: false)
        layer.weight.value = Tensor([1, 2], [1, 2])
        for _ in 0..<2 {
            let tape = Tape()
            let y = layer(Tensor([1, 2], [3, 4]), tape: tape)
            tape.backward(from: y, seed: Tensor([1, 1], [1]))
        }
        #expect(layer.weight.gradient?.array == [6, 8])
    }

    /// Central differences through a small network of everything that the U-Net is made of.
    @Test func gradientsAreSlopes() {
        let random = TorchRandomSource(seed: 4)
        let (conv, norm, linear) = (
            Conv2d(inChannels: 4, outChannels: 8, padding: 1), GroupNorm(groups: 2, channels: 8),
            Linear(inFeatures: 8, outFeatures: 16)
        )
        for (_, parameter) in conv.namedParameters() + norm.namedParameters() + linear.namedParameters() {
            parameter.value = Kernels.scale(random.normal(shape: parameter.shape), by: 0.3)
        }
        let x = random.normal(shape: [2, 4, 3, 4])
        let direction = random.normal(shape: [2, 12, 8])
        func network(_ tape: Tape?) -> Tensor {
            let image = norm(conv(x, tape: tape), activation: .silu, tape: tape)
            let tokens = reshape(image, to: [2, 12, 8], tape: tape)
            let gated = geglu(linear(tokens, tape: tape), tape: tape)
            return scaledDotProductAttention(query: gated, key: tokens, value: gated, heads: 2, tape: tape)
        }
        func value() -> Double {
            let y = network(nil)
            return (0..<y.count).reduce(0.0) { $0 + Double(y.pointer[$1]) * Double(direction.pointer[$1]) }
        }
        let tape = Tape()
        tape.watch(x)
        tape.backward(from: network(tape), seed: direction)
        let known = [
            (x, tape.gradient(of: x)), (conv.weight.value, conv.weight.gradient), (linear.weight.value, linear.weight.gradient),
        ]
        for (tensor, gradient) in known {
            let scale = gradient?.array.map(abs).max() ?? 0
            for index in stride(from: 0, to: tensor.count, by: 7) {
                let before = tensor.pointer[index]
                func moved(_ step: Float) -> Double {
                    tensor.pointer[index] = before + step
                    conv.weight.markChanged()
                    linear.weight.markChanged()
                    return value()
                }
                let slope = Float((moved(0.01) - moved(-0.01)) / 0.02)
                tensor.pointer[index] = before
                let ours = gradient?.pointer[index] ?? .nan
                #expect(abs(slope - ours) <= 2e-3 * scale, "element \(index): \(ours), by differences \(slope)")
            }
        }
    }
}
