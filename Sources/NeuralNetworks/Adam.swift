import TensorKit

/// `torch.optim.Adam` (or `AdamW` with decoupled decay) on a set of parameters.
public final class Adam {
    public let parameters: [(name: String, parameter: Parameter)]
    public var learningRate: Float
    public let betas: (Float, Float)
    public let epsilon: Float
    public let weightDecay: Float
    /// AdamW: the decay acts on the weight itself and not on the gradient.
    public let decoupledDecay: Bool
    /// Number of steps taken.
    public private(set) var steps = 0
    private var moments: [(first: Tensor, second: Tensor)?]

    /// - Parameters:
    ///   - parameters: with the names under which `state` keeps their moments; those that are not trainable are left out.
    ///   - learningRate: may be changed between steps.
    ///   - betas: decay of the running averages of the gradient and its square.
    ///   - epsilon: added to the square root of the corrected second moment.
    ///   - weightDecay: pull towards zero.
    ///   - decoupledDecay: AdamW.
    public init(
        _ parameters: [(name: String, parameter: Parameter)], learningRate: Float, betas: (Float, Float) = (0.9, 0.999),
        epsilon: Float = 1e-8, weightDecay: Float = 0, decoupledDecay: Bool = false
    ) {
        self.parameters = parameters.filter(\.parameter.isTrainable)
        self.learningRate = learningRate
        self.betas = betas
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.decoupledDecay = decoupledDecay
        moments = Array(repeating: nil, count: self.parameters.count)
    }

    /// Moves every parameter that has a gradient.
    /// - Parameter maximumNorm: gradients are scaled down when their common Euclidean norm is larger (`clip_grad_norm_`).
    public func step(clippingTo maximumNorm: Float? = nil) {
        steps += 1
        var scale: Float = 1
        if let maximumNorm {
            let norm = Float(gradientNorm())
            if norm + 1e-6 > maximumNorm { scale = maximumNorm / (norm + 1e-6) }
        }
        let numbers = AdamStep(
            learningRate: learningRate, beta1: betas.0, beta2: betas.1, epsilon: epsilon, weightDecay: weightDecay,
            decoupledDecay: decoupledDecay, step: steps)
        for (index, (_, parameter)) in parameters.enumerated() {
            guard let gradient = parameter.gradient else { continue }
            let (first, second) = moments[index] ?? (Tensor(zeros: parameter.shape), Tensor(zeros: parameter.shape))
            moments[index] = (first, second)
            Kernels.adam(
                numbers, weight: parameter.value, gradient: gradient, firstMoment: first, secondMoment: second,
                gradientScale: scale)
            parameter.markChanged()
        }
    }

    /// The Euclidean norm of all gradients together.
    public func gradientNorm() -> Double {
        parameters.reduce(0.0) { $0 + ($1.parameter.gradient.map(Kernels.sumOfSquares) ?? 0) }.squareRoot()
    }

    /// Forgets the gradients.
    public func clearGradients() {
        for (_, parameter) in parameters { parameter.gradient = nil }
    }

    /// The running averages under PyTorch's names, "NAME.exp_avg" and "NAME.exp_avg_sq". Sharing memory with the optimiser: save them
    /// before the next step.
    public var state: [String: Tensor] {
        var state: [String: Tensor] = [:]
        for (index, (name, _)) in parameters.enumerated() {
            guard let (first, second) = moments[index] else { continue }
            state[name + ".exp_avg"] = first
            state[name + ".exp_avg_sq"] = second
        }
        return state
    }

    /// Goes on from a saved state as if it had never stopped.
    /// - Parameters:
    ///   - state: what `state` gave; copied.
    ///   - steps: what `steps` was.
    /// - Throws: `OptimizerStateError` when a tensor is missing half, unknown or of another shape; nothing is changed then.
    public func restore(_ state: [String: Tensor], steps: Int) throws {
        var restored: [(first: Tensor, second: Tensor)?] = []
        var unknown = Set(state.keys)
        for (name, parameter) in parameters {
            let (firstName, secondName) = (name + ".exp_avg", name + ".exp_avg_sq")
            guard state[firstName] != nil || state[secondName] != nil else {
                restored.append(nil)
                continue
            }
            func moment(_ key: String) throws -> Tensor {
                guard let tensor = state[key] else { throw OptimizerStateError.missing(key) }
                guard tensor.shape == parameter.shape else {
                    throw OptimizerStateError.shape(key, expected: parameter.shape, actual: tensor.shape)
                }
                unknown.remove(key)
                return tensor.copy()
            }
            restored.append((try moment(firstName), try moment(secondName)))
        }
        if let key = unknown.min() { throw OptimizerStateError.unknown(key) }
        moments = restored
        self.steps = steps
    }
}

/// A saved optimiser state that does not belong to these parameters.
public enum OptimizerStateError: Error, Equatable, CustomStringConvertible {
    case missing(String)
    case unknown(String)
    case shape(String, expected: [Int], actual: [Int])

    public var description: String {
        switch self {
        case .missing(let key): "optimiser state: \(key) is missing; the checkpoint is incomplete, start from an older one"
        case .unknown(let key): "optimiser state: \(key) belongs to no parameter; the checkpoint is of another network"
        case .shape(let key, let expected, let actual):
            "optimiser state: \(key) has the shape \(actual), expected \(expected); the checkpoint is of another network"
        }
    }
}
