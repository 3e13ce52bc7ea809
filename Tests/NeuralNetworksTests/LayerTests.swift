import NeuralNetworks
import TensorKit
import Testing

/// Results and gradients of every layer against PyTorch's.
@Suite struct LayerTests {
    @Test func linear() throws {
        let torch = try TorchCase("linear")
        let layer = Linear(inFeatures: 7, outFeatures: 6)
        try torch.set(layer.weight, "weight")
        try torch.set(layer.bias, "bias")
        try torch.check(inputs: ["x", "residual"], parameters: [("weight", layer.weight), ("bias", layer.bias)]) {
            layer($0["x"] ?? Tensor(zeros: []), adding: $0["residual"], activation: .leakyReLU(slope: 0.01), tape: $1)
        }
    }

    @Test func linearWithLowRankUpdates() throws {
        let torch = try TorchCase("lora")
        let layer = Linear(inFeatures: 6, outFeatures: 5)
        try torch.set(layer.weight, "weight")
        try torch.set(layer.bias, "bias")
        let missing = Tensor(zeros: [1, 1, 1])
        try torch.check(inputs: ["x", "a", "b"], parameters: [("weight", layer.weight), ("bias", layer.bias)]) {
            let update = LowRankUpdate(a: $0["a"] ?? missing, b: $0["b"] ?? missing, scale: 0.7)
            return layer($0["x"] ?? missing, lowRank: update, tape: $1)
        }
    }

    @Test func convolution() throws {
        let torch = try TorchCase("conv")
        let layer = Conv2d(inChannels: 3, outChannels: 4, kernelSize: 3, padding: 1)
        try torch.set(layer.weight, "weight")
        try torch.set(layer.bias, "bias")
        try torch.check(inputs: ["x", "vector", "residual"], parameters: [("weight", layer.weight), ("bias", layer.bias)]) {
            layer(
                $0["x"] ?? Tensor(zeros: []), addingPerSample: $0["vector"], adding: $0["residual"], activation: .silu, tape: $1)
        }
    }

    @Test func convolutionPaddedAtTheEndOnly() throws {
        let torch = try TorchCase("downsample")
        let layer = Conv2d(
            inChannels: 3, outChannels: 5, kernelSize: 3, stride: 2, padding: Padding(top: 0, bottom: 1, left: 0, right: 1))
        try torch.set(layer.weight, "weight")
        try torch.set(layer.bias, "bias")
        try torch.check(inputs: ["x"], parameters: [("weight", layer.weight), ("bias", layer.bias)]) {
            layer($0["x"] ?? Tensor(zeros: []), tape: $1)
        }
    }

    @Test func groupNorm() throws {
        let torch = try TorchCase("group_norm")
        let layer = GroupNorm(groups: 4, channels: 12)
        try torch.set(layer.weight, "weight")
        try torch.set(layer.bias, "bias")
        try torch.check(inputs: ["x"], parameters: [("weight", layer.weight), ("bias", layer.bias)]) {
            layer($0["x"] ?? Tensor(zeros: []), activation: .silu, tape: $1)
        }
    }

    @Test func layerNorm() throws {
        let torch = try TorchCase("layer_norm")
        let layer = LayerNorm(features: 20)
        try torch.set(layer.weight, "weight")
        try torch.set(layer.bias, "bias")
        try torch.check(inputs: ["x"], parameters: [("weight", layer.weight), ("bias", layer.bias)]) {
            layer($0["x"] ?? Tensor(zeros: []), tape: $1)
        }
    }

    @Test func embedding() throws {
        let torch = try TorchCase("embedding")
        let layer = Embedding(count: 9, features: 4)
        try torch.set(layer.weight, "weight")
        try torch.check(inputs: [], parameters: [("weight", layer.weight)]) { layer([[3, 1, 3], [0, 8, 1]], tape: $1) }
    }

    @Test(arguments: [
        ("silu", Activation.silu), ("gelu", .gelu), ("tanh", .tanh), ("leaky_relu", .leakyReLU(slope: 0.2)),
        ("quick_gelu", .quickGELU),
    ])
    func activation(_ name: String, _ activation: Activation) throws {
        try TorchCase(name).check(inputs: ["x"]) { activate($0["x"] ?? Tensor(zeros: []), activation, tape: $1) }
    }

    @Test func gatedGELU() throws {
        try TorchCase("geglu").check(inputs: ["x"]) { geglu($0["x"] ?? Tensor(zeros: []), tape: $1) }
    }

    @Test(arguments: [("attention", false), ("causal_attention", true)])
    func attention(_ name: String, _ causal: Bool) throws {
        let missing = Tensor(zeros: [1, 1, 3])
        try TorchCase(name).check(inputs: ["query", "key", "value"]) {
            scaledDotProductAttention(
                query: $0["query"] ?? missing, key: $0["key"] ?? missing, value: $0["value"] ?? missing, heads: 3, causal: causal,
                tape: $1)
        }
    }

    @Test func upsampling() throws {
        try TorchCase("upsample").check(inputs: ["x"]) { upsampleNearest2x($0["x"] ?? Tensor(zeros: []), tape: $1) }
    }

    @Test func concatenation() throws {
        let missing = Tensor(zeros: [1, 1])
        try TorchCase("concatenate").check(inputs: ["a", "b"]) {
            concatenateChannels($0["a"] ?? missing, $0["b"] ?? missing, tape: $1)
        }
    }
}
