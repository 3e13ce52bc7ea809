import TensorKit

/// `torch.nn.BatchNorm1d` over rows of features.
public final class BatchNorm1d: Module {
    public let epsilon: Float
    /// Share of a batch's moments in the remembered ones.
    public let momentum: Float
    /// [C]
    public let weight, bias: Parameter
    /// The remembered moments, [C]; the variance is the unbiased one.
    public let runningMean, runningVariance: Parameter
    /// How many batches were seen, [].
    public let batchesTracked: Parameter
    /// Takes the moments of the batch and remembers them; otherwise the remembered ones are used.
    public var isTraining = false

    /// - Parameters:
    ///   - features: C
    ///   - epsilon: added to the variance.
    ///   - momentum: share of a batch's moments in the remembered ones.
    public init(features: Int, epsilon: Float = 1e-5, momentum: Float = 0.1) {
        self.epsilon = epsilon
        self.momentum = momentum
        weight = Parameter(shape: [features])
        bias = Parameter(shape: [features])
        runningMean = Parameter(shape: [features], isBuffer: true)
        runningVariance = Parameter(shape: [features], isBuffer: true)
        batchesTracked = Parameter(shape: [], isBuffer: true)
    }

    public var parameters: [(name: String, parameter: Parameter)] {
        [
            ("weight", weight), ("bias", bias), ("running_mean", runningMean), ("running_var", runningVariance),
            ("num_batches_tracked", batchesTracked),
        ]
    }

    /// PyTorch's start: weight and variance 1, the rest 0.
    public func reset() {
        let features = weight.shape[0]
        let ones = { Tensor([features], [Float](repeating: 1, count: features)) }
        (weight.value, runningVariance.value) = (ones(), ones())
        (bias.value, runningMean.value) = (Tensor(zeros: [features]), Tensor(zeros: [features]))
        batchesTracked.value = Tensor(zeros: [])
    }

    /// - Parameters:
    ///   - x: [N, C]; with `isTraining` N is at least 2.
    ///   - tape: records the backward pass.
    /// - Returns: [N, C]
    public func callAsFunction(_ x: Tensor, tape: Tape? = nil) -> Tensor {
        let count = x.shape[0]
        let moments: (mean: Tensor, variance: Tensor)
        if isTraining {
            precondition(count >= 2, "batch norm needs two rows to train on")
            moments = Kernels.columnMoments(x)
            remember(moments, count: count)
        } else {
            moments = (runningMean.value, runningVariance.value)
        }
        let y = Kernels.standardizeColumns(
            x, mean: moments.mean, variance: moments.variance, weight: weight.value, bias: bias.value, epsilon: epsilon)
        guard let tape, tape.tracks(x) || weight.isTrainable || bias.isTrainable else { return y }
        let momentsFollow = isTraining
        tape.record(y) { [self, unowned tape] gradient in
            let gradients = Kernels.standardizeColumnsGradient(
                gradient, x: x, mean: moments.mean, variance: moments.variance, weight: weight.value, epsilon: epsilon,
                momentsFollow: momentsFollow)
            if weight.isTrainable { weight.accumulateGradient(gradients.weight) }
            if bias.isTrainable { bias.accumulateGradient(gradients.bias) }
            tape.accumulate(gradients.input, for: x)
        }
        return y
    }

    private func remember(_ moments: (mean: Tensor, variance: Tensor), count: Int) {
        let unbiased = Float(count) / Float(count - 1)
        for i in 0..<moments.mean.count {
            runningMean.value.pointer[i] += momentum * (moments.mean.pointer[i] - runningMean.value.pointer[i])
            runningVariance.value.pointer[i] +=
                momentum * (moments.variance.pointer[i] * unbiased - runningVariance.value.pointer[i])
        }
        batchesTracked.value.pointer[0] += 1
        for buffer in [runningMean, runningVariance, batchesTracked] { buffer.markChanged() }
    }
}
