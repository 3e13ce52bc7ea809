import Foundation
import TensorKit

/// Draws codes: new people, and children of one.
public struct CodeSampler: Sendable {
    /// What the codes are drawn from.
    public enum Source: String, Sendable, CaseIterable {
        /// The standard normal distribution, which the weight VAE was trained against.
        case prior
        /// A Gaussian with the mean and covariance of the aggregated posterior: where the identities really lie.
        case fitted
    }

    /// How far children stray from their parent, as a share of the deviation.
    public static let childSpread: Float = 0.4

    /// The middle of the distribution, [d].
    public let centre: [Float]
    /// Lower triangular factor of the covariance, [d, d] row-major.
    private let factor: [Double]

    /// A distribution of given moments.
    /// - Parameters:
    ///   - mean: [d]
    ///   - covariance: [d, d] row-major, positive definite.
    /// - Throws: `SpaceError` when the covariance is not positive definite.
    public init(mean: [Float], covariance: [Double]) throws {
        centre = mean
        factor = try Cholesky.factor(covariance, n: mean.count)
    }

    /// The standard normal distribution in `dimension` coordinates.
    public init(priorOf dimension: Int) {
        centre = Array(repeating: 0, count: dimension)
        factor = (0..<(dimension * dimension)).map { $0 / dimension == $0 % dimension ? 1 : 0 }
    }

    /// The Gaussian of the aggregated posterior of a space's identities: covariance of the means plus the mean posterior variance.
    /// - Throws: `SpaceError` when there are no codes.
    public init(fittedTo space: Space) throws {
        let d = space.latentDimension
        guard d > 0, space.codes.count >= 2 * d else {
            throw SpaceError(
                "\(space.folder.path): has no codes to fit a distribution to", advice: "Sample from the prior instead.")
        }
        let moments = CodeMoments(means: space.codes, logVariances: space.codeLogVariances, dimension: d)
        try self.init(mean: moments.mean.map { Float($0) }, covariance: moments.covariance)
    }

    public var dimension: Int { centre.count }

    /// Draws codes; code i of a seed does not depend on how many are drawn.
    /// - Parameters:
    ///   - count: number of codes.
    ///   - seed: of a `TorchRandomSource`.
    ///   - temperature: factor of the deviation.
    ///   - truncation: z = centre + truncation (z - centre), 1 leaves the draws as they are.
    ///   - parent: draw around this code, `childSpread` as widely, instead of around the centre.
    /// - Returns: `count` codes.
    public func sample(
        count: Int, seed: UInt64, temperature: Float = 1, truncation: Float = 1, parent: [Float]? = nil
    ) -> [[Float]] {
        let random = TorchRandomSource(seed: seed)
        let d = dimension
        let spread = Double(temperature * (parent == nil ? 1 : Self.childSpread))
        return (0..<max(0, count)).map { _ in
            let noise = random.normal(d)
            return (0..<d).map { i in
                var sum = 0.0
                for j in 0...i { sum += factor[i * d + j] * Double(noise[j]) }
                let z = Double((parent ?? centre)[i]) + spread * sum
                return Float(Double(centre[i]) + Double(truncation) * (z - Double(centre[i])))
            }
        }
    }
}

/// Mean and covariance of the aggregated posterior q(z), the average of all identities' posteriors.
struct CodeMoments {
    /// [d]
    let mean: [Double]
    /// [d, d] row-major: covariance of the posterior means plus the average posterior variance on the diagonal.
    let covariance: [Double]
    /// Variance of the posterior means, [d].
    let variance: [Double]

    /// - Parameters:
    ///   - means: posterior means, [N, d] row-major.
    ///   - logVariances: [N, d] row-major.
    ///   - d: length of a code.
    init(means: [Float], logVariances: [Float], dimension d: Int) {
        let count = means.count / d
        var mean = [Double](repeating: 0, count: d)
        var covariance = [Double](repeating: 0, count: d * d)
        for row in 0..<count {
            for i in 0..<d { mean[i] += Double(means[row * d + i]) / Double(count) }
        }
        for row in 0..<count {
            let centred = (0..<d).map { Double(means[row * d + $0]) - mean[$0] }
            for i in 0..<d {
                for j in 0..<d { covariance[i * d + j] += centred[i] * centred[j] / Double(count) }
            }
        }
        variance = (0..<d).map { covariance[$0 * d + $0] }
        for row in 0..<count {
            for i in 0..<d { covariance[i * d + i] += exp(Double(logVariances[row * d + i])) / Double(count) }
        }
        self.mean = mean
        self.covariance = covariance
    }
}
