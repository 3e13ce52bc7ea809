import Foundation
import TensorKit

/// Measures what each axis of a weight VAE carries.
enum AxisSurvey {
    /// Codes from which the effect of one of `d` axes is measured: fewer where there are many axes.
    private static func probes(_ d: Int) -> Int { max(2, min(16, 1024 / max(1, d))) }

    /// - Parameters:
    ///   - vae: trained and standardised.
    ///   - means: posterior means of the identities, [N, d].
    ///   - logVariances: [N, d]
    ///   - labels: of the same N identities, or empty.
    /// - Returns: one description an axis.
    static func axes(of vae: WeightVAE, means: Tensor, logVariances: Tensor, labels: IdentityLabels) -> [LatentAxis] {
        let d = vae.configuration.latentDim
        let moments = CodeMoments(means: means.array, logVariances: logVariances.array, dimension: d)
        let count = means.shape[0]
        let deviations = (0..<d).map { max(1e-6, moments.covariance[$0 * d + $0].squareRoot()) }
        let effects = (0..<d).map { effect(of: $0, vae: vae, means: means, deviation: Float(deviations[$0])) }
        let strongest = max(effects.max() ?? 0, .leastNonzeroMagnitude)
        let correlations = AttributeCorrelation.table(codes: means.array, dimension: d, labels: labels)
        return (0..<d).map { axis in
            let values = (0..<count).map { means.pointer[$0 * d + axis] }
            var kl = 0.0
            for row in 0..<count {
                let (m, l) = (Double(values[row]), Double(logVariances.pointer[row * d + axis]))
                kl += 0.5 * (m * m + exp(l) - 1 - l) / Double(count)
            }
            return LatentAxis(
                index: axis, kl: Float(kl), variance: Float(moments.variance[axis]), mean: Float(moments.mean[axis]),
                deviation: Float(deviations[axis]), effect: effects[axis] / strongest,
                correlations: correlations.isEmpty ? [] : correlations[axis])
        }
    }

    /// Mean Euclidean change of the decoded vector for one deviation, over some of the identities.
    private static func effect(of axis: Int, vae: WeightVAE, means: Tensor, deviation: Float) -> Float {
        let (count, d) = (means.shape[0], means.shape[1])
        let probes = min(probes(d), count)
        let rows = (0..<probes).map { $0 * count / probes }
        let codes = means.gathering(rows + rows)
        for i in rows.indices {
            codes.pointer[i * d + axis] += deviation
            codes.pointer[(rows.count + i) * d + axis] -= deviation
        }
        let vectors = vae.decode(codes)
        let up = vectors.rows(0..<rows.count)
        let down = vectors.rows(rows.count..<(2 * rows.count))
        let n = vectors.shape[1]
        let difference = Kernels.scaledDifference(up, down, factor: 0.5)
        let lengths = rows.indices.map { Kernels.sumOfSquares(difference.rows($0..<($0 + 1)).reshaped([n])).squareRoot() }
        return Float(lengths.reduce(0, +) / Double(max(1, lengths.count)))
    }
}
