import Foundation
import TensorKit

/// How ordinary a code is among the identities of a space: its Mahalanobis distance from their middle, and the share of them that lie as far
/// out or farther.
public struct CodeTypicality: Sendable {
    /// What is known of one code.
    public struct Reading: Sendable, Equatable {
        /// Mahalanobis distance divided by sqrt(d): about 1 for a code drawn from the identities' Gaussian.
        public let distance: Double
        /// Share of the identities that lie at least as far out, 0...1: 1 in the middle, 0 farther out than everybody.
        public let percentile: Double
    }

    private let mean: [Double]
    /// Lower triangle of the covariance's square root, [d, d] row-major, or nil when axes are taken as independent.
    private let factor: [Double]?
    private let deviations: [Double]
    /// Distances of the identities, rising.
    private let known: [Double]

    /// - Parameters:
    ///   - codes: of the identities, [N, d] row-major.
    ///   - logVariances: posterior log variances, [N, d] row-major.
    ///   - d: length of a code.
    /// - Precondition: at least two codes. With fewer than 4 d, covariances would be mostly chance, and the axes are taken as independent.
    init(codes: [Float], logVariances: [Float], dimension d: Int) {
        let count = codes.count / max(1, d)
        precondition(count >= 2 && codes.count == logVariances.count, "\(codes.count) numbers of codes")
        let moments = CodeMoments(means: codes, logVariances: logVariances, dimension: d)
        mean = moments.mean
        deviations = (0..<d).map { max(moments.covariance[$0 * d + $0].squareRoot(), 1e-9) }
        factor = count >= 4 * d ? try? Cholesky.factor(moments.covariance, n: d) : nil
        var distances = [Double]()
        for row in 0..<count {
            distances.append(
                Self.distance(Array(codes[(row * d)..<((row + 1) * d)]), mean: mean, factor: factor, deviations: deviations))
        }
        known = distances.sorted()
    }

    /// How ordinary a code is.
    /// - Parameter code: [d]
    /// - Returns: its distance and its percentile.
    public func callAsFunction(_ code: [Float]) -> Reading {
        precondition(code.count == mean.count, "a code of \(code.count) numbers in a space of \(mean.count)")
        let distance = Self.distance(code, mean: mean, factor: factor, deviations: deviations)
        // The first identity that lies at least as far out, by bisection.
        var (low, high) = (0, known.count)
        while low < high {
            let middle = (low + high) / 2
            if known[middle] < distance { low = middle + 1 } else { high = middle }
        }
        return Reading(distance: distance, percentile: Double(known.count - low) / Double(known.count))
    }

    private static func distance(_ code: [Float], mean: [Double], factor: [Double]?, deviations: [Double]) -> Double {
        let d = mean.count
        var (solved, sum) = ([Double](repeating: 0, count: d), 0.0)
        for i in 0..<d {
            var value = Double(code[i]) - mean[i]
            if let factor {
                for k in 0..<i { value -= factor[i * d + k] * solved[k] }
                value /= factor[i * d + i]
            } else {
                value /= deviations[i]
            }
            solved[i] = value
            sum += value * value
        }
        return (sum / Double(max(1, d))).squareRoot()
    }
}

extension Space {
    /// How ordinary codes of the model in use are; nil when the space has no codes to compare with. Takes some work (bounded: of many
    /// identities an even sample stands for all): keep it.
    public func typicality() -> CodeTypicality? {
        let d = latentDimension
        guard d > 0, codes.count >= 2 * d else { return nil }
        let count = codes.count / d
        let most = max(4 * d, Self.typicalityWork / (d * d))
        guard count > most else { return CodeTypicality(codes: codes, logVariances: codeLogVariances, dimension: d) }
        let rows = (0..<most).map { $0 * count / most }
        func sample(_ table: [Float]) -> [Float] { rows.flatMap { table[($0 * d)..<(($0 + 1) * d)] } }
        return CodeTypicality(codes: sample(codes), logVariances: sample(codeLogVariances), dimension: d)
    }

    /// Products of two coordinates that `typicality` may take to set up: about half a second.
    private static let typicalityWork = 1 << 28

    /// What decoding and encoding again changes of codes: |E(D(z)) - z| / sqrt(d), in deviations of the axes. Large where the decoder has
    /// never been.
    /// - Parameter codes: [N, d]
    /// - Returns: one number for each code.
    /// - Throws: `SpaceError` when the codes do not belong to the space.
    public func cycleErrors(of codes: Tensor) throws -> [Double] {
        let again = try encode(decode(codes), name: "a decoded code")
        let d = latentDimension
        return (0..<codes.shape[0]).map { row in
            var sum = 0.0
            for i in 0..<d {
                let difference = Double(again.pointer[row * d + i] - codes.pointer[row * d + i]) / Double(axes[i].deviation)
                sum += difference * difference
            }
            return (sum / Double(max(1, d))).squareRoot()
        }
    }

    /// The face embedder of the space, or nil when it has none.
    /// - Throws: `CheckpointError`, `SpaceError` or `StateDictionaryMismatch` when its files are damaged.
    public func faceEmbedder() throws -> (any FaceEmbedding)? {
        guard let path = manifest.paths[.embedder] else { return nil }
        return try FaceEmbedders.open(Self.url(path, folder: folder))
    }
}
