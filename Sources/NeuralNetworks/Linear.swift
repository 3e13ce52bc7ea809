import TensorKit

/// A low-rank change of a linear layer's weight for each sample of a batch (LoRA): W + scale * B A, applied as two thin products.
public struct LowRankUpdate {
    /// [N, r, in]
    public let a: Tensor
    /// [N, out, r]
    public let b: Tensor
    /// alpha / r in PEFT's words.
    public let scale: Float

    /// - Precondition: `a` is [N, r, in] and `b` is [N, out, r].
    public init(a: Tensor, b: Tensor, scale: Float) {
        precondition(
            a.shape.count == 3 && b.shape.count == 3 && a.shape[0] == b.shape[0] && a.shape[1] == b.shape[2],
            "a low-rank update of \(a.shape) and \(b.shape)")
        self.a = a
        self.b = b
        self.scale = scale
    }
}

/// `torch.nn.Linear`: y = x Wᵀ + b.
public final class Linear: Module, PrecisionAdjustable {
    /// [out, in]
    public let weight: Parameter
    /// [out]
    public let bias: Parameter?
    private let kernel: LinearKernel

    public var precision: Precision {
        get { kernel.precision }
        set { kernel.precision = newValue }
    }

    public var layoutBytes: Int { kernel.layoutBytes }

    public func releaseLayouts() { kernel.releaseLayouts() }

    public init(inFeatures: Int, outFeatures: Int, bias: Bool = true) {
        weight = Parameter(shape: [outFeatures, inFeatures], isBuffer: false, canBeAbsorbed: true)
        self.bias = bias ? Parameter(shape: [outFeatures]) : nil
        kernel = LinearKernel(inFeatures: inFeatures, outFeatures: outFeatures)
    }

    public var parameters: [(name: String, parameter: Parameter)] {
        [("weight", weight)] + (bias.map { [("bias", $0)] } ?? [])
    }

    /// activation(x Wᵀ + b + update + residual)
    /// - Parameters:
    ///   - x: [..., in]; with a low-rank update [N, ..., in].
    ///   - residual: [..., out]
    ///   - activation: applied last.
    ///   - lowRank: one change of the weight per sample of the batch.
    ///   - tape: records the backward pass.
    /// - Returns: [..., out]
    public func callAsFunction(
        _ x: Tensor, adding residual: Tensor? = nil, activation: Activation = .identity, lowRank: LowRankUpdate? = nil,
        tape: Tape? = nil
    ) -> Tensor {
        if activation != .identity && (tape != nil || lowRank != nil) {
            return activate(self(x, adding: residual, lowRank: lowRank, tape: tape), activation, tape: tape)
        }
        // A weight in training is measured as it lies: a layout of it would be as large again and stale after the next step.
        let y = kernel.forward(
            x, weight: weight.source, bias: bias?.value, adding: residual, activation: activation,
            weightChanges: weight.isTrainable && (tape != nil || weight.absorber != nil))
        let hidden = lowRank.map { Kernels.addLowRank(x, a: $0.a, b: $0.b, scale: $0.scale, into: y) }
        guard let tape else { return y }
        let inputs = [x, residual, lowRank?.a, lowRank?.b].compactMap { $0 }
        if inputs.contains(where: tape.tracks) || parameters.contains(where: \.parameter.isTrainable) {
            tape.record(y) { [self, unowned tape] gradient in
                // The input's gradient first: an absorber changes the weight.
                if tape.tracks(x) {
                    tape.accumulate(kernel.inputGradient(gradient, weight: weight.value, version: weight.version), for: x)
                }
                if weight.isTrainable {
                    if let absorber = weight.absorber {
                        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
                        absorber.absorb(
                            weight, gradient: gradient.reshaped([gradient.count / outputs, outputs]),
                            x: x.reshaped([x.count / inputs, inputs]))
                    } else if let total = weight.gradient {
                        kernel.addWeightGradient(gradient, x: x, to: total)
                    } else {
                        weight.accumulateGradient(kernel.weightGradient(gradient, x: x))
                    }
                }
                if let bias, bias.isTrainable { bias.accumulateGradient(Kernels.sumRows(gradient)) }
                if let residual { tape.accumulate(gradient, for: residual) }
                if let lowRank, let hidden {
                    let gradients = Kernels.lowRankGradient(
                        gradient, x: x, hidden: hidden, a: lowRank.a, b: lowRank.b, scale: lowRank.scale)
                    tape.accumulate(gradients.input, for: x)
                    tape.accumulate(gradients.a, for: lowRank.a)
                    tape.accumulate(gradients.b, for: lowRank.b)
                }
            }
        }
        return y
    }

    /// `geglu` of this layer's result, in one pass where that is possible.
    /// - Parameters:
    ///   - x: [..., in]; with a low-rank update [N, ..., in].
    ///   - lowRank: one change of the weight per sample of the batch.
    ///   - tape: records the backward pass.
    /// - Returns: [..., out / 2]
    public func gated(_ x: Tensor, lowRank: LowRankUpdate? = nil, tape: Tape? = nil) -> Tensor {
        guard tape == nil && lowRank == nil else { return geglu(self(x, lowRank: lowRank, tape: tape), tape: tape) }
        return kernel.forwardGated(x, weight: weight.source, bias: bias?.value)
    }
}
