import Foundation
import TensorKit

/// Logistic regression with an L2 penalty, by iteratively reweighted least squares (Newton) in double precision.
///
/// Minimises Σ c_i ln(1 + exp(-s_i (w·x_i + b))) + λ/2 |w|², s = ±1, the intercept free: scikit-learn's `LogisticRegression(C=1/λ)`, with
/// c_i = N / (2 N_class) like `class_weight="balanced"` or 1.
struct LogisticRegression {
    /// [d]
    let weights: [Double]
    let intercept: Double
    /// Newton steps taken.
    let iterations: Int

    /// - Parameters:
    ///   - rows: [N, d] row-major.
    ///   - labels: [N], both classes present.
    ///   - penalty: λ, above 0: without it separable classes have no solution.
    ///   - isBalanced: gives both classes the same weight in all.
    /// - Throws: `SpaceError` when there is only one class.
    init(_ rows: [Double], labels: [Bool], penalty: Double, isBalanced: Bool = true) throws {
        let count = labels.count
        precondition(count > 0 && rows.count % count == 0 && penalty > 0, "\(rows.count) numbers for \(count) labels")
        let positives = labels.count(where: { $0 })
        guard positives > 0, positives < count else {
            throw SpaceError("everybody is of one class, there is nothing to tell apart")
        }
        let d = rows.count / count
        // The intercept as a coordinate that is always 1.
        var extended = [Double]()
        extended.reserveCapacity(count * (d + 1))
        for r in 0..<count {
            extended += rows[(r * d)..<((r + 1) * d)]
            extended.append(1)
        }
        let importance = labels.map { label in
            isBalanced ? Double(count) / (2 * Double(label ? positives : count - positives)) : 1
        }
        var solution = [Double](repeating: 0, count: d + 1)
        var loss = Self.loss(extended, labels, importance, penalty, solution)
        var steps = 0
        while steps < 100 {
            steps += 1
            let (gradient, hessian) = Self.derivatives(extended, labels, importance, penalty, solution)
            guard let step = LinearAlgebra.solvePositive(hessian, gradient) else { break }
            // Far from the solution a whole step may overshoot; halves of it cannot for ever.
            var share = 1.0
            var next = solution
            var lower = loss
            repeat {
                next = zip(solution, step).map { $0 - share * $1 }
                lower = Self.loss(extended, labels, importance, penalty, next)
                share /= 2
            } while !(lower <= loss) && share > 1e-6
            guard lower <= loss else { break }
            (solution, loss) = (next, lower)
            if step.allSatisfy({ abs($0) < 1e-10 }) { break }
        }
        weights = Array(solution.dropLast())
        intercept = solution[d]
        iterations = steps
    }

    private static func margins(_ rows: [Double], _ solution: [Double]) -> [Double] {
        let width = solution.count
        return (0..<(rows.count / width)).map { r in
            var sum = 0.0
            for i in 0..<width { sum += rows[r * width + i] * solution[i] }
            return sum
        }
    }

    private static func loss(
        _ rows: [Double], _ labels: [Bool], _ importance: [Double], _ penalty: Double, _ solution: [Double]
    ) -> Double {
        var total = solution.dropLast().reduce(0) { $0 + $1 * $1 } * penalty / 2
        for (i, margin) in margins(rows, solution).enumerated() {
            let signed = labels[i] ? margin : -margin
            total += importance[i] * (signed > 0 ? log1p(exp(-signed)) : log1p(exp(signed)) - signed)
        }
        return total
    }

    private static func derivatives(
        _ rows: [Double], _ labels: [Bool], _ importance: [Double], _ penalty: Double, _ solution: [Double]
    ) -> (gradient: [Double], hessian: [Double]) {
        let width = solution.count
        var gradient = solution.map { $0 * penalty }
        gradient[width - 1] = 0
        var curvature = [Double]()
        curvature.reserveCapacity(labels.count)
        for (r, margin) in margins(rows, solution).enumerated() {
            let p = 1 / (1 + exp(-margin))
            let error = importance[r] * (p - (labels[r] ? 1 : 0))
            for i in 0..<width { gradient[i] += error * rows[r * width + i] }
            curvature.append(importance[r] * max(p * (1 - p), 1e-12))
        }
        var hessian = [Double](repeating: 0, count: width * width)
        LinearAlgebra.addWeightedGram(rows, weights: curvature, dimension: width, to: &hessian)
        for i in 0..<(width - 1) { hessian[i * width + i] += penalty }
        return (gradient, hessian)
    }
}
