import Foundation
import TensorKit

/// Draws codes: new people, and children of one. Belongs to the queue of its space.
public struct CodeSampler {
    /// What the codes are drawn from.
    public enum Source: String, Sendable, CaseIterable {
        /// The standard normal distribution, which the weight VAE was trained against; of a PCA each coefficient with the mean and the
        /// deviation that it has over the identities, independent of the others (weights2weights).
        case prior
        /// A Gaussian with the mean and covariance of the aggregated posterior.
        case fitted
        /// N(0, I) carried to where people lie by the learned prior of a weight VAE (`CodeFlow`).
        case flow
        /// Blends of an identity with one of its nearest neighbours (SMOTE, Chawla et al. 2002, along an arc): people rather than averages,
        /// since hair, beard and glasses are there or not, and a Gaussian or a blend of any two has most of its codes in between, where the
        /// first noise decides who is drawn.
        case blended
    }

    /// How far children stray from their parent, as a share of the deviation.
    public static let childSpread: Float = 0.4

    /// The middle of the distribution, [d].
    public let centre: [Float]
    private let factor: Factor

    /// A square root of the covariance.
    private enum Factor {
        /// Deviations, [d].
        case diagonal([Double])
        /// Lower triangle, [d, d] row-major.
        case lower([Double])
    }
    /// Where new people come from instead of the Gaussian.
    private let people: People?
    /// From the first identity on, at most half-way.
    private static let blendRange: ClosedRange<Double> = 0.25...0.5

    /// New people who are not simply Gaussian.
    private enum People {
        case blends(NeighbourBlends)
        case flow(CodeFlow)
    }

    /// A distribution of given moments.
    /// - Parameters:
    ///   - mean: [d]
    ///   - covariance: [d, d] row-major, positive definite.
    /// - Throws: `SpaceError` when the covariance is not positive definite.
    public init(mean: [Float], covariance: [Double]) throws {
        try self.init(mean: mean, covariance: covariance, identities: [])
    }

    init(mean: [Float], covariance: [Double], identities: [Float]) throws {
        centre = mean
        people =
            identities.isEmpty
            ? nil
            : .blends(
                NeighbourBlends(codes: identities, dimension: mean.count, centre: mean, shares: Self.blendRange))
        factor = .lower(try Cholesky.factor(covariance, n: mean.count))
    }

    /// The standard normal distribution in `dimension` coordinates.
    public init(priorOf dimension: Int) {
        self.init(mean: Array(repeating: 0, count: dimension), deviations: Array(repeating: 1, count: dimension))
    }

    /// Independent normal coordinates.
    /// - Parameters:
    ///   - mean: [d]
    ///   - deviations: [d]
    public init(mean: [Float], deviations: [Float]) {
        precondition(mean.count == deviations.count, "\(mean.count) means for \(deviations.count) deviations")
        centre = mean
        people = nil
        factor = .diagonal(deviations.map { Double($0) })
    }

    /// A learned prior.
    /// - Parameters:
    ///   - flow: carries noise to codes.
    ///   - mean: what truncation pulls to, [d].
    ///   - covariance: of children, [d, d] row-major.
    /// - Throws: `SpaceError` when the covariance is not positive definite.
    init(flow: CodeFlow, mean: [Float], covariance: [Double]) throws {
        centre = mean
        people = .flow(flow)
        factor = .lower(try Cholesky.factor(covariance, n: mean.count))
    }

    /// What a space is sampled from.
    /// - Parameters:
    ///   - space: with a model.
    ///   - source: the prior of the model in use, or what is fitted to the identities.
    /// - Throws: `SpaceError` when there are no codes to fit anything to.
    public init(of space: Space, source: Source) throws {
        guard source == .prior else {
            try self.init(fittedTo: space, source: source)
            return
        }
        if space.kind == .pca {
            self.init(mean: space.axes.map(\.mean), deviations: space.axes.map(\.deviation))
        } else {
            self.init(priorOf: space.latentDimension)
        }
    }

    /// The distribution of a space's identities: covariance of the posterior means plus the mean posterior variance.
    /// - Parameters:
    ///   - space: with codes.
    ///   - source: `.fitted`, or `.blended` and `.flow` for people like those of the space; children are drawn from the Gaussian with all.
    /// - Throws: `SpaceError` when there are no codes, or no learned prior for `.flow`.
    public init(fittedTo space: Space, source: Source = .blended) throws {
        let d = space.latentDimension
        guard d > 0, space.codes.count >= 2 * d else {
            throw SpaceError(
                "\(space.folder.path): has no codes to fit a distribution to", advice: "Sample from the prior instead.")
        }
        guard source != .prior else {
            try self.init(of: space, source: .prior)
            return
        }
        let moments = CodeMoments(means: space.codes, logVariances: space.codeLogVariances, dimension: d)
        let mean = moments.mean.map { Float($0) }
        if source == .flow {
            try self.init(flow: space.codeFlow(), mean: mean, covariance: moments.covariance)
            return
        }
        try self.init(mean: mean, covariance: moments.covariance, identities: source == .blended ? space.codes : [])
    }

    public var dimension: Int { centre.count }

    /// Draws codes; code i of a seed does not depend on how many are drawn.
    /// - Parameters:
    ///   - count: number of codes.
    ///   - seed: of a `TorchRandomSource`.
    ///   - temperature: factor of the deviation; with a learned prior of the noise that it starts from.
    ///   - truncation: z = centre + truncation (z - centre), 1 leaves the draws as they are.
    ///   - parent: draw around this code, `childSpread` as widely, instead of around the centre.
    /// - Returns: `count` codes.
    public func sample(
        count: Int, seed: UInt64, temperature: Float = 1, truncation: Float = 1, parent: [Float]? = nil
    ) -> [[Float]] {
        let random = TorchRandomSource(seed: seed)
        let d = dimension
        let spread = Double(temperature * Self.childSpread)
        return (0..<max(0, count)).map { _ in
            let offset = parent == nil ? person(random, temperature: Double(temperature)) : gaussian(random).map { spread * $0 }
            return (0..<d).map { i in
                let z = Double((parent ?? centre)[i]) + offset[i]
                return Float(Double(centre[i]) + Double(truncation) * (z - Double(centre[i])))
            }
        }
    }

    /// A new person relative to the centre. One at a time, so that the rounding does not depend on how many are drawn.
    private func person(_ random: TorchRandomSource, temperature: Double) -> [Double] {
        let code: Tensor
        switch people {
        case nil: return gaussian(random).map { temperature * $0 }
        case .flow(let flow): code = flow.codes(of: Kernels.scale(random.normal(shape: [1, dimension]), by: Float(temperature)))
        case .blends(let blends):
            let blend = blends.draw(1, random)
            return (0..<dimension).map { temperature * Double(blend.pointer[$0] - centre[$0]) }
        }
        return (0..<dimension).map { Double(code.pointer[$0] - centre[$0]) }
    }

    /// A draw from the Gaussian, relative to the centre.
    private func gaussian(_ random: TorchRandomSource) -> [Double] {
        let d = dimension
        let noise = random.normal(d)
        switch factor {
        case .diagonal(let deviations): return (0..<d).map { deviations[$0] * Double(noise[$0]) }
        case .lower(let factor): return (0..<d).map { i in (0...i).reduce(0.0) { $0 + factor[i * d + $1] * Double(noise[$1]) } }
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
        if count * d * d <= 1 << 28 {
            for row in 0..<count {
                let centred = (0..<d).map { Double(means[row * d + $0]) - mean[$0] }
                for i in 0..<d {
                    for j in 0..<d { covariance[i * d + j] += centred[i] * centred[j] / Double(count) }
                }
            }
        } else {
            // As one product in single precision, which is what the codes are stored in.
            let centred = Tensor(uninitialized: [count, d])
            for i in 0..<(count * d) { centred.pointer[i] = Float(Double(means[i]) - mean[i % d]) }
            let product = Kernels.product(centred, centred, transposeA: true)
            for i in 0..<(d * d) { covariance[i] = Double(product.pointer[i]) / Double(count) }
        }
        variance = (0..<d).map { covariance[$0 * d + $0] }
        for row in 0..<count {
            for i in 0..<d { covariance[i * d + i] += exp(Double(logVariances[row * d + i])) / Double(count) }
        }
        self.mean = mean
        self.covariance = covariance
    }
}
