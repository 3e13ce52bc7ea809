import Foundation
import TensorKit

extension DirectionFinder {
    /// Eigenvectors of AᵀA, A the decoder's first linear layer in coordinates u: what the decoder amplifies most (SeFa).
    /// - Parameter count: how many, strongest first; at most the length of a code.
    /// - Returns: directions whose unit is one standard deviation of the identities along them, called "sefa 1" and so on.
    /// - Throws: `SpaceError` when the decoder does not begin with a linear layer.
    public func sefa(count: Int) throws -> [Direction] {
        guard let layer = model.firstDecoderLayer else {
            throw SpaceError(
                "the decoder of this \(model.title) does not begin with a linear layer", advice: "Use jacobian directions.")
        }
        let d = dimension
        let scaled = layer.copy()
        for r in 0..<layer.shape[0] {
            for i in 0..<d { scaled.pointer[r * d + i] *= Float(priorScale[i]) }
        }
        return try directions(of: Kernels.product(scaled, scaled, transposeA: true), method: .sefa, count: count)
    }

    /// Eigenvectors of E[JᵀJ], J the Jacobian of the decoder in coordinates u at the codes of identities: what changes the LoRA vector most,
    /// whatever layers the decoder has. J comes from central differences of `width` prior deviations.
    /// - Parameters:
    ///   - count: how many, strongest first; at most the length of a code.
    ///   - probes: identities at whose codes J is taken; a PCA needs only one.
    ///   - width: of the differences, in prior deviations.
    ///   - progress: is told the share that is done; what it throws ends the work.
    /// - Returns: directions whose unit is one standard deviation of the identities along them, called "jacobian 1" and so on.
    /// - Throws: what `progress` throws.
    public func jacobian(
        count: Int, probes: Int = 24, width: Double = 0.25, progress: (Double) throws -> Void = { _ in }
    ) throws -> [Direction] {
        let d = dimension
        let rows = kind == .pca ? 1 : min(max(1, probes), training.count)
        let total = Tensor(zeros: [d, d])
        // As many axes at once as keep the decoded vectors below some hundred megabytes.
        let chunk = max(1, min(d, (1 << 25) / max(1, 2 * model.vectorLength)))
        for probe in 0..<rows {
            let centre = coordinates(training[probe * training.count / rows])
            let jacobian = Tensor(uninitialized: [d, model.vectorLength])
            for first in stride(from: 0, to: d, by: chunk) {
                let axes = first..<min(d, first + chunk)
                let codes = [width, -width].flatMap { offset in
                    axes.flatMap { axis in
                        var u = centre
                        u[axis] += offset
                        return code(u)
                    }
                }
                let vectors = model.decode(Tensor([2 * axes.count, d], codes))
                let difference = Kernels.scaledDifference(
                    vectors.rows(0..<axes.count), vectors.rows(axes.count..<(2 * axes.count)), factor: Float(0.5 / width))
                (jacobian.pointer + first * model.vectorLength).update(from: difference.pointer, count: difference.count)
                try progress((Double(probe) + Double(axes.upperBound) / Double(d)) / Double(rows))
            }
            Kernels.product(jacobian, jacobian, transposeB: true, addingTo: total)
        }
        return try directions(of: Kernels.scale(total, by: 1 / Float(rows)), method: .jacobian, count: count)
    }

    private func directions(of matrix: Tensor, method: Direction.Method, count: Int) throws -> [Direction] {
        let d = dimension
        guard (1...d).contains(count) else {
            throw SpaceError("\(count) directions cannot be had of \(d) axes", advice: "Ask for 1 to \(d).")
        }
        var values = matrix.array.map { Double($0) }
        let trace = (0..<d).reduce(0) { $0 + values[$1 * d + $1] }
        let eigen = try LinearAlgebra.largestEigen(&values, n: d, count: count)
        return (0..<count).map { index in
            var direction = Array(eigen.vectors[(index * d)..<((index + 1) * d)])
            // The sign is free: the number of largest magnitude is positive.
            let largest = direction.max { abs($0) < abs($1) } ?? 0
            if largest < 0 { direction = direction.map { -$0 } }
            return Direction(
                name: "\(method.rawValue) \(index + 1)", model: kind, fingerprint: fingerprint, method: method,
                step: step(direction, length: max(1e-9, spread(along: direction))), unit: .deviation, deviations: 1,
                share: Float(eigen.values[index] / max(trace, .leastNonzeroMagnitude)))
        }
    }
}
