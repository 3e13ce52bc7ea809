import Foundation

/// What a variational autoencoder needs besides products.
extension Kernels {
    /// The average squared difference, summed in double precision.
    public static func meanSquaredError(_ x: Tensor, _ y: Tensor) -> Double {
        require(x.count == y.count, "a loss between \(x.shape) and \(y.shape)")
        let (a, b) = (x.pointer, y.pointer)
        let sum = reduce(x.count) { i in
            let difference = Double(a[i] - b[i])
            return difference * difference
        }
        return sum / Double(max(1, x.count))
    }

    /// factor * (x - y)
    public static func scaledDifference(_ x: Tensor, _ y: Tensor, factor: Float) -> Tensor {
        require(x.count == y.count, "a difference of \(x.shape) and \(y.shape)")
        let result = Tensor(uninitialized: x.shape)
        Elementwise.map(x.count, x.pointer, y.pointer, result.pointer) { ($0 - $1) * factor }
        return result
    }

    /// -1/2 average(1 + logvar - mean² - exp(logvar)), summed in double precision.
    public static func gaussianKL(mean: Tensor, logVariance: Tensor) -> Double {
        require(mean.count == logVariance.count, "a divergence of \(mean.shape) and \(logVariance.shape)")
        let (m, l) = (mean.pointer, logVariance.pointer)
        let sum = reduce(mean.count) { i in
            let (mean, logVariance) = (Double(m[i]), Double(l[i]))
            return 1 + logVariance - mean * mean - exp(logVariance)
        }
        return -0.5 * sum / Double(max(1, mean.count))
    }

    /// Gradients of `factor * gaussianKL`.
    public static func gaussianKLGradient(
        mean: Tensor, logVariance: Tensor, factor: Float
    ) -> (mean: Tensor, logVariance: Tensor) {
        let share = factor / Float(max(1, mean.count))
        let forLogVariance = Tensor(uninitialized: logVariance.shape)
        Elementwise.map(mean.count, logVariance.pointer, forLogVariance.pointer) { (VectorMath.exp($0) - 1) * (0.5 * share) }
        return (scale(mean, by: share), forLogVariance)
    }

    /// mean + exp(logVariance / 2) * noise
    public static func reparameterize(mean: Tensor, logVariance: Tensor, noise: Tensor) -> Tensor {
        require(mean.count == logVariance.count && mean.count == noise.count, "a draw from \(mean.shape)")
        let z = Tensor(uninitialized: mean.shape)
        Elementwise.map(mean.count, logVariance.pointer, noise.pointer, z.pointer) { VectorMath.exp($0 * 0.5) * $1 }
        accumulate(mean, into: z)
        return z
    }

    /// Gradient of the logarithm of the variance: gradient * noise * exp(logVariance / 2) / 2.
    public static func reparameterizeGradient(_ gradient: Tensor, logVariance: Tensor, noise: Tensor) -> Tensor {
        let result = Tensor(uninitialized: logVariance.shape)
        let count = logVariance.count
        Elementwise.map(count, logVariance.pointer, noise.pointer, result.pointer) { VectorMath.exp($0 * 0.5) * $1 * 0.5 }
        Elementwise.map(count, result.pointer, gradient.pointer, result.pointer) { $0 * $1 }
        return result
    }
}
