import Foundation
import TensorKit

/// Measures what each axis of a weight VAE carries.
enum AxisSurvey {
    /// Codes from which the effect of one of `d` axes is measured: fewer where there are many axes.
    private static func probes(_ d: Int) -> Int { max(2, min(16, 1024 / max(1, d))) }
    /// Codes that are decoded at once.
    private static let decodedRows = 64

    /// - Parameters:
    ///   - vae: trained and standardised.
    ///   - means: posterior means of the identities, [N, d].
    ///   - logVariances: [N, d]
    ///   - labels: of the same N identities, or empty.
    ///   - progress: is told how many axes were tried.
    /// - Returns: one description an axis.
    /// - Throws: what `progress` throws.
    static func axes(
        of vae: WeightVAE, means: Tensor, logVariances: Tensor, labels: IdentityLabels,
        progress: ProgressHandler = { _, _, _ in }
    ) throws -> [LatentAxis] {
        let d = vae.configuration.latentDim
        let moments = CodeMoments(means: means.array, logVariances: logVariances.array, dimension: d)
        let count = means.shape[0]
        let deviations = (0..<d).map { max(1e-6, moments.covariance[$0 * d + $0].squareRoot()) }
        // Some axes at once: decoding a few codes costs as much as decoding many.
        let group = max(1, decodedRows / (2 * min(probes(d), count)))
        var effects = [Float]()
        for start in stride(from: 0, to: d, by: group) {
            let axes = start..<min(d, start + group)
            effects += Self.effects(of: axes, vae: vae, means: means, deviations: deviations)
            try progress("trying the axes", axes.upperBound, d)
        }
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

    /// Mean Euclidean change of the decoded vector for one deviation along each axis, over some of the identities.
    private static func effects(of axes: Range<Int>, vae: WeightVAE, means: Tensor, deviations: [Double]) -> [Float] {
        let (count, d) = (means.shape[0], means.shape[1])
        let probes = min(probes(d), count)
        let rows = (0..<probes).map { $0 * count / probes }
        let half = axes.count * probes
        let codes = means.gathering(Array(repeating: rows, count: 2 * axes.count).flatMap { $0 })
        for (place, axis) in axes.enumerated() {
            for i in (place * probes)..<((place + 1) * probes) {
                codes.pointer[i * d + axis] += Float(deviations[axis])
                codes.pointer[(half + i) * d + axis] -= Float(deviations[axis])
            }
        }
        let vectors = vae.decode(codes)
        let n = vectors.shape[1]
        let difference = Kernels.scaledDifference(vectors.rows(0..<half), vectors.rows(half..<(2 * half)), factor: 0.5)
        let lengths = (0..<half).map { Kernels.sumOfSquares(difference.rows($0..<($0 + 1)).reshaped([n])).squareRoot() }
        return axes.indices.map { axis in
            let place = axis - axes.lowerBound
            return Float(lengths[(place * probes)..<((place + 1) * probes)].reduce(0, +) / Double(max(1, probes)))
        }
    }
}
