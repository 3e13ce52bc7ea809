import Foundation

/// Loops that can be read at a glance. They are the oracle that every fast kernel is tested against and the fallback where oneDNN offers
/// nothing. Sums run in double precision.
public enum PlainKernels {
    /// The activation of one number.
    public static func apply(_ activation: Activation, _ x: Float) -> Float {
        let x = Double(x)
        switch activation {
        case .identity: return Float(x)
        case .relu: return Float(max(x, 0))
        case .leakyReLU(let slope): return Float(x > 0 ? x : x * Double(slope))
        case .tanh: return Float(tanh(x))
        case .sigmoid: return Float(1 / (1 + exp(-x)))
        case .silu: return Float(x / (1 + exp(-x)))
        case .gelu: return Float(0.5 * x * (1 + erf(x * 0.5.squareRoot())))
        case .quickGELU: return Float(x / (1 + exp(-1.702 * x)))
        }
    }

    /// Derivative of the activation at one number.
    public static func derivative(_ activation: Activation, _ x: Float) -> Float {
        let x = Double(x)
        func logistic(_ y: Double) -> Double { 1 / (1 + exp(-y)) }
        switch activation {
        case .identity: return 1
        case .relu: return x > 0 ? 1 : 0
        case .leakyReLU(let slope): return x > 0 ? 1 : slope
        case .tanh: return Float(1 - tanh(x) * tanh(x))
        case .sigmoid: return Float(logistic(x) * (1 - logistic(x)))
        case .silu: return Float(logistic(x) * (1 + x * (1 - logistic(x))))
        case .gelu:
            return Float(0.5 * (1 + erf(x * 0.5.squareRoot())) + x * exp(-0.5 * x * x) / (2 * Double.pi).squareRoot())
        case .quickGELU: return Float(logistic(1.702 * x) * (1 + 1.702 * x * (1 - logistic(1.702 * x))))
        }
    }

    /// The activation of every element.
    public static func apply(_ activation: Activation, _ x: Tensor) -> Tensor {
        let y = Tensor(uninitialized: x.shape)
        let (source, target) = (x.pointer, y.pointer)
        for i in 0..<x.count { target[i] = apply(activation, source[i]) }
        return y
    }

    /// Gradient of the input of an activation.
    /// - Parameters:
    ///   - activation: the function.
    ///   - x: the input.
    ///   - gradient: gradient of the output, of the same shape.
    /// - Returns: the shape of `x`.
    public static func activationGradient(_ activation: Activation, x: Tensor, gradient: Tensor) -> Tensor {
        let result = Tensor(uninitialized: x.shape)
        let (source, incoming, target) = (x.pointer, gradient.pointer, result.pointer)
        for i in 0..<x.count { target[i] = incoming[i] * derivative(activation, source[i]) }
        return result
    }

    /// `a` [m, k] times `b` [k, n]; a transposed operand is stored as [k, m] or [n, k].
    public static func product(_ a: Tensor, _ b: Tensor, transposeA: Bool = false, transposeB: Bool = false) -> Tensor {
        let (m, k) = transposeA ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
        let (k2, n) = transposeB ? (b.shape[1], b.shape[0]) : (b.shape[0], b.shape[1])
        require(k == k2, "a product of \(a.shape) and \(b.shape)")
        let result = Tensor(uninitialized: [m, n])
        let (left, right, target) = (a.pointer, b.pointer, result.pointer)
        for i in 0..<m {
            for j in 0..<n {
                var sum = 0.0
                for l in 0..<k {
                    sum += Double(left[transposeA ? l * m + i : i * k + l]) * Double(right[transposeB ? j * k + l : l * n + j])
                }
                target[i * n + j] = Float(sum)
            }
        }
        return result
    }

    /// `x` [..., in] times the transpose of `weight` [out, in], plus `bias` [out].
    public static func linear(_ x: Tensor, weight: Tensor, bias: Tensor?) -> Tensor {
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        let y = product(x.reshaped([x.count / inputs, inputs]), weight, transposeB: true)
        if let bias {
            for i in 0..<y.count { y.pointer[i] += bias.pointer[i % outputs] }
        }
        return y.reshaped(x.shape.dropLast() + [outputs])
    }
}
