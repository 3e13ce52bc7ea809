import Foundation
import TensorKit

/// What the codes of a weight VAE carry, and how far they lie from the prior N(0, I).
public struct Posterior: Sendable, Equatable {
    /// Thresholds of the posterior mean's variance from which on an axis is called active: Burda et al. 2016, a later reading of it, w2w++.
    public static let thresholds = [0.01, 0.02, 0.1]

    /// KL of each axis in nats, averaged over the identities.
    public let kl: [Double]
    /// Variance of the posterior mean of each axis over the identities.
    public let variance: [Double]
    /// Mean KL of an identity's posterior to the prior in nats: `mutualInformation` + `marginalKL` up to the error of the estimate.
    public let meanKL: Double
    /// Information that a code carries about which identity it is of, in nats; cannot exceed `ceiling` ("ELBO surgery", Hoffman and Johnson
    /// 2016).
    public let mutualInformation: Double
    /// KL of the aggregated posterior, the mixture of the identities' posteriors, to the prior in nats.
    public let marginalKL: Double
    /// Logarithm of the number of identities of the estimate.
    public let ceiling: Double
    /// KL to the prior of the Gaussian with the mean and covariance of the aggregated posterior, in nats: what of `marginalKL` a fitted
    /// Gaussian mends. The rest is that few identities make a mixture of narrow peaks.
    public let fittedKL: Double

    /// - Parameters:
    ///   - means: posterior means, [N, d] row-major.
    ///   - logVariances: [N, d] row-major, finite.
    ///   - d: length of a code.
    ///   - draws: codes drawn from each posterior for the estimate.
    ///   - seed: of the draws.
    ///   - limit: identities that take part in the estimate at most.
    init(means: [Float], logVariances: [Float], dimension d: Int, draws: Int = 4, seed: UInt64 = 0, limit: Int = 1024) {
        let count = means.count / d
        var kl = [Double](repeating: 0, count: d)
        for row in 0..<count {
            for i in 0..<d {
                let (m, l) = (Double(means[row * d + i]), Double(logVariances[row * d + i]))
                kl[i] += 0.5 * (m * m + exp(l) - 1 - l) / Double(count)
            }
        }
        self.kl = kl
        let moments = CodeMoments(means: means, logVariances: logVariances, dimension: d)
        variance = moments.variance
        // Evenly spread where there are more than the estimate takes.
        let used = min(count, limit)
        let rows = (0..<used).map { $0 * count / used }
        let estimate = Self.surgery(rows: rows, means: means, logVariances: logVariances, dimension: d, draws: draws, seed: seed)
        (mutualInformation, marginalKL, meanKL) = (estimate.information, estimate.marginal, kl.reduce(0, +))
        ceiling = log(Double(used))
        fittedKL = Self.gaussianKL(mean: moments.mean, covariance: moments.covariance, dimension: d)
    }

    /// Number of axes above a threshold.
    public func active(above threshold: Double) -> Int { variance.filter { $0 > threshold }.count }

    /// E log q(z|n) - log q(z) and E log q(z) - log p(z) over codes drawn from the posteriors.
    private static func surgery(
        rows: [Int], means: [Float], logVariances: [Float], dimension d: Int, draws: Int, seed: UInt64
    ) -> (information: Double, marginal: Double) {
        let random = TorchRandomSource(seed: seed)
        var (information, marginal) = (0.0, 0.0)
        let constant = -0.5 * Double(d) * log(2 * Double.pi)
        let precisions = logVariances.map { exp(-Double($0)) }
        let normalizers = rows.map { row in (0..<d).reduce(constant) { $0 - 0.5 * Double(logVariances[row * d + $1]) } }
        for row in rows {
            for _ in 0..<draws {
                let noise = random.normal(d)
                let z = (0..<d).map {
                    Double(means[row * d + $0]) + exp(0.5 * Double(logVariances[row * d + $0])) * Double(noise[$0])
                }
                var logs = [Double](repeating: 0, count: rows.count)
                var own = 0.0
                for (place, other) in rows.enumerated() {
                    var sum = 0.0
                    for i in 0..<d {
                        let difference = z[i] - Double(means[other * d + i])
                        sum += difference * difference * precisions[other * d + i]
                    }
                    logs[place] = normalizers[place] - 0.5 * sum
                    if other == row { own = logs[place] }
                }
                let top = logs.max() ?? 0
                let mixture = top + log(logs.reduce(0) { $0 + exp($1 - top) } / Double(rows.count))
                let prior = z.reduce(constant) { $0 - 0.5 * $1 * $1 }
                information += own - mixture
                marginal += mixture - prior
            }
        }
        let number = Double(max(1, rows.count * draws))
        return (information / number, marginal / number)
    }

    /// KL(N(mean, covariance) || N(0, I)) in nats; infinite when the covariance is not positive definite.
    static func gaussianKL(mean: [Double], covariance: [Double], dimension d: Int) -> Double {
        guard let factor = try? Cholesky.factor(covariance, n: d) else { return .infinity }
        var sum = 0.0
        for i in 0..<d {
            sum += covariance[i * d + i] + mean[i] * mean[i] - 1 - 2 * log(factor[i * d + i])
        }
        return 0.5 * sum
    }
}
