import Checkpoints
import TensorKit

/// `torch.optim.Adam` (or `AdamW` with decoupled decay) on a set of parameters.
///
/// With `absorbsGradients` the weights of linear layers are changed during the backward pass, tile by tile, and their gradients are never held:
/// call `begin`, run one backward pass that meets each weight once, call `step`.
public final class Adam: GradientAbsorber {
    public let parameters: [(name: String, parameter: Parameter)]
    public var learningRate: Float
    /// Factors of the learning rate for some of the parameters, by name.
    public let rates: [String: Float]
    public let betas: (Float, Float)
    public let epsilon: Float
    public let weightDecay: Float
    /// AdamW: the decay acts on the weight itself and not on the gradient.
    public let decoupledDecay: Bool
    /// How the running averages are kept.
    public let precision: AdamMoments.Precision
    /// Number of steps taken.
    public private(set) var steps = 0
    private let absorbsGradients: Bool
    private var moments: [AdamMoments?]
    private var indices: [ObjectIdentifier: Int] = [:]
    /// The numbers of the step that has begun.
    private var begun: AdamStep?

    /// - Parameters:
    ///   - parameters: with the names under which `state` keeps their moments; those that are not trainable are left out.
    ///   - learningRate: may be changed between steps.
    ///   - rates: factors of it for some of the parameters, by name.
    ///   - betas: decay of the running averages of the gradient and its square.
    ///   - epsilon: added to the square root of the corrected second moment.
    ///   - weightDecay: pull towards zero.
    ///   - decoupledDecay: AdamW.
    ///   - precision: how the running averages are kept.
    ///   - absorbsGradients: weights of linear layers are changed during the backward pass.
    public init(
        _ parameters: [(name: String, parameter: Parameter)], learningRate: Float, rates: [String: Float] = [:],
        betas: (Float, Float) = (0.9, 0.999),
        epsilon: Float = 1e-8, weightDecay: Float = 0, decoupledDecay: Bool = false,
        moments precision: AdamMoments.Precision = .float32,
        absorbsGradients: Bool = false
    ) {
        self.parameters = parameters.filter(\.parameter.isTrainable)
        self.learningRate = learningRate
        self.rates = rates
        self.betas = betas
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.decoupledDecay = decoupledDecay
        self.precision = precision
        self.absorbsGradients = absorbsGradients
        moments = Array(repeating: nil, count: self.parameters.count)
        guard absorbsGradients else { return }
        for (index, (_, parameter)) in self.parameters.enumerated() where parameter.canBeAbsorbed {
            indices[ObjectIdentifier(parameter)] = index
            parameter.absorber = self
        }
    }

    /// Gives the memory of the running averages back; a step after it begins with new ones.
    public func forgetMoments() { moments = Array(repeating: nil, count: parameters.count) }

    /// Begins a step: forgets the gradients and fixes the numbers that the backward pass is to use.
    public func begin() {
        clearGradients()
        steps += 1
        begun = numbers
    }

    /// Moves every parameter that has a gradient.
    /// - Parameter maximumNorm: gradients are scaled down when their common Euclidean norm is larger (`clip_grad_norm_`); not together with
    ///   `absorbsGradients`, where the norm is not known in time.
    public func step(clippingTo maximumNorm: Float? = nil) {
        precondition(maximumNorm == nil || !absorbsGradients, "gradients that are absorbed cannot be clipped")
        precondition(begun != nil || !absorbsGradients, "a step that absorbs gradients has to begin before the backward pass")
        if begun == nil { steps += 1 }
        var scale: Float = 1
        if let maximumNorm {
            let norm = Float(gradientNorm())
            if norm + 1e-6 > maximumNorm { scale = maximumNorm / (norm + 1e-6) }
        }
        let numbers = begun ?? self.numbers
        begun = nil
        for (index, (name, parameter)) in parameters.enumerated() {
            guard let gradient = parameter.gradient else { continue }
            Kernels.adam(
                at(name, numbers), weight: parameter.value, gradient: gradient, moments: moments(index), gradientScale: scale)
            parameter.markChanged()
        }
    }

    public func absorb(_ parameter: Parameter, gradient: Tensor, x: Tensor) {
        guard let index = indices[ObjectIdentifier(parameter)], let begun else {
            preconditionFailure("a gradient arrived outside of a step")
        }
        Kernels.adam(
            at(parameters[index].name, begun), gradient: gradient, x: x, weight: parameter.value, moments: moments(index))
        parameter.markChanged()
    }

    private func at(_ name: String, _ numbers: AdamStep) -> AdamStep {
        guard let rate = rates[name] else { return numbers }
        var slower = numbers
        slower.learningRate *= rate
        return slower
    }

    private var numbers: AdamStep {
        AdamStep(
            learningRate: learningRate, beta1: betas.0, beta2: betas.1, epsilon: epsilon, weightDecay: weightDecay,
            decoupledDecay: decoupledDecay, step: steps)
    }

    private func moments(_ index: Int) -> AdamMoments {
        if let known = moments[index] { return known }
        let fresh = AdamMoments(count: parameters[index].parameter.shape.reduce(1, *), precision: precision)
        moments[index] = fresh
        return fresh
    }

    /// The Euclidean norm of all gradients together.
    public func gradientNorm() -> Double {
        parameters.reduce(0.0) { $0 + ($1.parameter.gradient.map(Kernels.sumOfSquares) ?? 0) }.squareRoot()
    }

    /// Forgets the gradients.
    public func clearGradients() {
        for (_, parameter) in parameters { parameter.gradient = nil }
    }

    /// The running averages under PyTorch's names, "NAME.exp_avg" and "NAME.exp_avg_sq". Floats share memory with the optimiser: save them
    /// before the next step.
    public var state: [String: Tensor] {
        var state: [String: Tensor] = [:]
        for (index, (name, parameter)) in parameters.enumerated() {
            guard let floats = moments[index]?.floats else { continue }
            state[name + ".exp_avg"] = floats.first.reshaped(parameter.shape)
            state[name + ".exp_avg_sq"] = floats.second.reshaped(parameter.shape)
        }
        return state
    }

    /// The running averages ready to be written, in the precision in which they are kept, without a copy of them.
    /// - Parameter prefix: stands before PyTorch's names.
    /// - Returns: two tensors for every parameter that was moved.
    public func storedState(prefix: String) -> [StoredTensor] {
        parameters.enumerated().flatMap { index, item -> [StoredTensor] in
            guard let known = moments[index] else { return [] }
            let (name, shape) = (prefix + item.name, item.parameter.shape)
            return [(".exp_avg", known.first), (".exp_avg_sq", known.second)].map {
                switch precision {
                case .float32: StoredTensor(name + $0.0, $0.1.reshaped(shape))
                case .bfloat16: StoredTensor(name + $0.0, bfloat16Bits: $0.1, shape: shape)
                }
            }
        }
    }

    /// Goes on from a saved state as if it had never stopped.
    /// - Parameters:
    ///   - state: what `state` gave; copied.
    ///   - steps: what `steps` was.
    /// - Throws: `OptimizerStateError` when a tensor is missing half, unknown or of another shape; nothing is changed then.
    public func restore(_ state: [String: Tensor], steps: Int) throws {
        try restore(names: Array(state.keys), steps: steps) { name in
            state[name].map { tensor in (tensor.shape, { $1.update(from: tensor.pointer + $0.lowerBound, count: $0.count) }) }
        }
    }

    /// Goes on from a file that `storedState` was written to.
    /// - Parameters:
    ///   - file: other tensors of it are ignored.
    ///   - prefix: what stood before the names.
    ///   - steps: what `steps` was.
    /// - Throws: `OptimizerStateError` when a tensor is missing half, unknown or of another shape; nothing is changed then.
    public func restore(_ file: StateDictionary, prefix: String, steps: Int) throws {
        let names = file.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
        try restore(names: names, steps: steps) { name in file[prefix + name].map { ($0.shape, $0.stored.read) } }
    }

    private typealias Reader = (Range<Int>, UnsafeMutablePointer<Float>) -> Void

    private func restore(names: [String], steps: Int, _ find: (String) -> (shape: [Int], read: Reader)?) throws {
        var restored: [AdamMoments?] = []
        var unknown = Set(names)
        for (name, parameter) in parameters {
            let (firstName, secondName) = (name + ".exp_avg", name + ".exp_avg_sq")
            guard unknown.contains(firstName) || unknown.contains(secondName) else {
                restored.append(nil)
                continue
            }
            func moment(_ key: String) throws -> Reader {
                guard let found = find(key) else { throw OptimizerStateError.missing(key) }
                guard found.shape == parameter.shape else {
                    throw OptimizerStateError.shape(key, expected: parameter.shape, actual: found.shape)
                }
                unknown.remove(key)
                return found.read
            }
            let (first, second) = (try moment(firstName), try moment(secondName))
            restored.append(
                AdamMoments(count: parameter.shape.reduce(1, *), precision: precision, first: first, second: second))
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
