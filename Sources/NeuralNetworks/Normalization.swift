import TensorKit

/// `torch.nn.GroupNorm` on channels-last data, with an activation behind it.
public final class GroupNorm: Module {
    public let groups: Int
    public let epsilon: Float
    /// [C]
    public let weight, bias: Parameter

    /// - Precondition: `groups` divides `channels`.
    public init(groups: Int, channels: Int, epsilon: Float = 1e-5) {
        precondition(groups > 0 && channels % groups == 0, "\(channels) channels do not make \(groups) groups")
        self.groups = groups
        self.epsilon = epsilon
        weight = Parameter(shape: [channels])
        bias = Parameter(shape: [channels])
    }

    public var parameters: [(name: String, parameter: Parameter)] { [("weight", weight), ("bias", bias)] }

    /// - Parameters:
    ///   - x: [N, ..., C]
    ///   - activation: applied to the result.
    ///   - tape: records the backward pass.
    /// - Returns: the shape of `x`.
    public func callAsFunction(_ x: Tensor, activation: Activation = .identity, tape: Tape? = nil) -> Tensor {
        if activation != .identity && tape != nil { return activate(self(x, tape: tape), activation, tape: tape) }
        let y = Kernels.groupNorm(
            x, weight: weight.value, bias: bias.value, groups: groups, epsilon: epsilon, activation: activation)
        if let tape, tape.tracks(x) || weight.isTrainable || bias.isTrainable {
            tape.record(y) { [self, unowned tape] gradient in
                let gradients = Kernels.groupNormGradient(gradient, x: x, weight: weight.value, groups: groups, epsilon: epsilon)
                if weight.isTrainable { weight.accumulateGradient(gradients.weight) }
                if bias.isTrainable { bias.accumulateGradient(gradients.bias) }
                tape.accumulate(gradients.input, for: x)
            }
        }
        return y
    }
}

/// `torch.nn.LayerNorm` over the last dimension.
public final class LayerNorm: Module {
    public let epsilon: Float
    /// [C]
    public let weight, bias: Parameter

    public init(features: Int, epsilon: Float = 1e-5) {
        self.epsilon = epsilon
        weight = Parameter(shape: [features])
        bias = Parameter(shape: [features])
    }

    public var parameters: [(name: String, parameter: Parameter)] { [("weight", weight), ("bias", bias)] }

    /// - Parameters:
    ///   - x: [..., C]
    ///   - tape: records the backward pass.
    /// - Returns: the shape of `x`.
    public func callAsFunction(_ x: Tensor, tape: Tape? = nil) -> Tensor {
        let y = Kernels.layerNorm(x, weight: weight.value, bias: bias.value, epsilon: epsilon)
        if let tape, tape.tracks(x) || weight.isTrainable || bias.isTrainable {
            tape.record(y) { [self, unowned tape] gradient in
                let gradients = Kernels.layerNormGradient(gradient, x: x, weight: weight.value, epsilon: epsilon)
                if weight.isTrainable { weight.accumulateGradient(gradients.weight) }
                if bias.isTrainable { bias.accumulateGradient(gradients.bias) }
                tape.accumulate(gradients.input, for: x)
            }
        }
        return y
    }
}
