import Foundation
import TensorKit

/// Finds directions in the codes of a space.
///
/// All of it happens in coordinates u = (z - mean) / prior scale, in which the prior is round, so that a weight VAE and a PCA are treated
/// alike; for a weight VAE these are the codes themselves.
public final class DirectionFinder {
    public let space: Space
    /// Identities that directions are fitted to, and those that they are scored on.
    public let training, heldOut: [Int]
    /// L2 penalty of the logistic regression.
    public var penalty = 10.0
    let model: any WeightCodeModel
    let kind: WeightModelKind
    let fingerprint: String
    private let mean: [Double]
    private let scale: [Double]
    /// u of all identities, [N, d] row-major; 0 along axes that are not active, so that no direction uses them.
    private let codes: [Double]
    /// Covariance of u over the training identities, [d, d].
    private let covariance: [Double]
    private let d: Int

    /// - Parameter space: with a model and with identities that have codes. Where the weight VAE's record names held-out identities, those are
    ///   kept aside; otherwise a fifth, by the split of seed 0.
    /// - Throws: `SpaceError` when there are no codes, or fewer than 10.
    public init(_ space: Space) throws {
        guard let model = space.model, let kind = space.kind else {
            throw SpaceError(
                "\(space.folder.path): has neither a weight VAE nor a PCA",
                advice: "Train one with `w2w train`, or run `w2w pca`.")
        }
        let d = space.latentDimension
        let count = space.codes.count / d
        guard count >= 10 else {
            throw SpaceError(
                "\(space.folder.path): has codes of \(count) identities, too few to find directions",
                advice: "Use a space that carries the codes of its identities.")
        }
        self.space = space
        self.model = model
        self.kind = kind
        self.d = d
        fingerprint = try space.fingerprint()
        let names = Set((space.record?.heldOut("validation") ?? []) + (space.record?.heldOut("test") ?? []))
        let recorded = space.identities.names.indices.filter { names.contains(space.identities.names[$0]) }
        let split = DataSplit(count: count, seed: 0)
        heldOut = recorded.isEmpty ? (split.validation + split.test).sorted() : recorded
        let aside = Set(heldOut)
        training = (0..<count).filter { !aside.contains($0) }
        let scale = model.priorScale.map { Double($0) }
        let mean = space.axes.map { Double($0.mean) }
        self.scale = scale
        self.mean = mean
        let isActive = space.axes.map(\.isActive)
        codes = space.codes.enumerated().map { item in
            let axis = item.offset % d
            return isActive[axis] ? (Double(item.element) - mean[axis]) / scale[axis] : 0
        }
        let fitted = training.flatMap { [codes] row in codes[(row * d)..<((row + 1) * d)] }
        let centred = Self.centred(fitted, d)
        var covariance = [Double](repeating: 0, count: d * d)
        let share = 1 / Double(max(1, training.count - 1))
        LinearAlgebra.addWeightedGram(
            centred, weights: [Double](repeating: share, count: training.count), dimension: d, to: &covariance)
        for i in 0..<d {
            for j in 0..<i { covariance[j * d + i] = covariance[i * d + j] }
        }
        self.covariance = covariance
    }

    // MARK: Attributes

    /// The direction of an attribute.
    /// - Parameters:
    ///   - attribute: a column of `identities.csv`.
    ///   - method: `.leastSquares` or `.logistic`.
    ///   - held: attributes that shall not change: with their directions as the columns of D, d becomes d - D (DᵀD)⁻¹ Dᵀ d, so that none of
    ///     their scores moves.
    ///   - name: nil for the attribute's.
    /// - Returns: the calibrated direction, with its score on the held-out identities.
    /// - Throws: `SpaceError` for an attribute that the space does not have, that does not vary, or that the held ones determine.
    public func direction(
        of attribute: String, method: Direction.Method = .leastSquares, holding held: [String] = [], name: String? = nil
    ) throws -> Direction {
        let fit = try gradient(of: attribute, method: method)
        if held.contains(where: { $0.lowercased() == fit.name.lowercased() }) {
            throw SpaceError("\(fit.name) cannot be set and held at once", advice: "Take it out of one of the two.")
        }
        let others = try held.map { try gradient(of: $0, method: method) }
        let w = Self.projected(fit.weights, out: others.map(\.weights))
        let (before, after) = (Self.length(fit.weights), Self.length(w))
        guard after > 1e-3 * before else {
            throw SpaceError(
                "\(fit.name) cannot be changed while \(others.map(\.name).joined(separator: ", ")) stay as they are",
                advice: "Hold fewer attributes.")
        }
        let direction = w.map { $0 / after }
        let deviation = max(1e-9, spread(along: direction))
        let labels = fit.labels
        // The attribute's own score rises by |w| per unit length along its direction, by direction · weights along the projected one.
        let slope = zip(direction, fit.weights).reduce(0) { $0 + $1.0 * $1.1 }
        let length: Double
        if labels.isBinary {
            let scores = labels.rows.map { score($0, fit.weights) }
            let gap = Self.means(scores, labels.classes)
            length = max(1e-9, gap.positive - gap.negative) / slope
        } else {
            length = deviation
        }
        return Direction(
            name: name ?? Self.title(fit.name, holding: others.map(\.name)), model: kind, fingerprint: fingerprint,
            method: method,
            attribute: fit.name, held: others.map(\.name), step: step(direction, length: length),
            unit: labels.isBinary ? .classGap : .deviation, deviations: Float(length / deviation),
            score: try heldOutScore(fit.name, weights: w, labels))
    }

    /// Directions of all attributes that can be had, by least squares; those without variation are left out.
    /// - Returns: in the order of the labels.
    public func attributeDirections() -> [Direction] {
        space.identities.attributeNames.compactMap { try? direction(of: $0) }
    }

    private static func title(_ name: String, holding held: [String]) -> String {
        held.isEmpty ? name : "\(name) (\(held.joined(separator: ", ")) held)"
    }

    /// What a fit of an attribute's labels says: weights of its score, [d].
    private struct Fit {
        let name: String
        let weights: [Double]
        let labels: AttributeLabels
    }

    private var known: [String: Fit] = [:]

    private func gradient(of attribute: String, method: Direction.Method) throws -> Fit {
        let names = space.identities.attributeNames
        guard let column = names.firstIndex(where: { $0.lowercased() == attribute.lowercased() }) else {
            throw unknown(attribute)
        }
        let key = "\(method.rawValue) \(penalty) \(column)"
        if let fit = known[key] { return fit }
        let labels = AttributeLabels(space.identities.column(column), rows: training)
        let name = names[column]
        let positives = labels.classes.count(where: { $0 })
        guard positives >= 2, labels.rows.count - positives >= 2 else {
            throw SpaceError(
                "\(name): \(positives) of \(labels.rows.count) identities have it, there is no direction to find",
                advice: "Choose an attribute that some people have and some have not.")
        }
        let rows = labels.rows.flatMap { codes[($0 * d)..<(($0 + 1) * d)] }
        let weights: [Double]
        switch method {
        case .leastSquares:
            weights =
                labels.rows.count == training.count
                ? try leastSquares(rows, labels.values) : try Self.leastSquares(rows, labels.values, d)
        case .logistic:
            weights = try LogisticRegression(Self.centred(rows, d), labels: labels.classes, penalty: penalty).weights
        case .sefa, .jacobian:
            throw SpaceError("\(method.rawValue) finds directions without an attribute", advice: "Use least-squares or logistic.")
        }
        let fit = Fit(name: name, weights: weights, labels: labels)
        known[key] = fit
        return fit
    }

    /// The error for an attribute that the space does not have, with the nearest ones.
    private func unknown(_ attribute: String) -> SpaceError {
        let names = space.identities.attributeNames
        guard !names.isEmpty else {
            return SpaceError(
                "the space '\(space.manifest.name)' labels no attributes, so '\(attribute)' has no direction",
                advice: "Put labels into its identities.csv, or use unsupervised directions (sefa, jacobian).")
        }
        let word = attribute.lowercased()
        let near = names.filter { $0.lowercased().contains(word) || word.contains($0.lowercased()) }
        return SpaceError(
            "the space '\(space.manifest.name)' has no attribute '\(attribute)'",
            advice: "It has \((near.isEmpty ? names : near).joined(separator: ", ")).")
    }

    /// The pseudo-inverse of the covariance, made once for all attributes that everybody has a label of.
    private lazy var inverse: [Double]? = {
        var matrix = covariance
        guard let eigen = try? LinearAlgebra.largestEigen(&matrix, n: d, count: d), let first = eigen.values.first else {
            return nil
        }
        var result = [Double](repeating: 0, count: d * d)
        for k in 0..<d where eigen.values[k] > first * 1e-10 {
            for i in 0..<d {
                let factor = eigen.vectors[k * d + i] / eigen.values[k]
                for j in 0..<d { result[i * d + j] += factor * eigen.vectors[k * d + j] }
            }
        }
        return result
    }()

    /// The same as the pseudo-inverse of the codes times the labels: the pseudo-inverse of their covariance times their covariance with the
    /// labels.
    private func leastSquares(_ rows: [Double], _ values: [Double]) throws -> [Double] {
        guard let inverse else { return try Self.leastSquares(rows, values, d) }
        let mean = values.reduce(0, +) / Double(values.count)
        var cross = [Double](repeating: 0, count: d)
        for (r, value) in values.enumerated() {
            for i in 0..<d { cross[i] += rows[r * d + i] * (value - mean) }
        }
        let share = 1 / Double(max(1, values.count - 1))
        return (0..<d).map { i in (0..<d).reduce(0) { $0 + inverse[i * d + $1] * cross[$1] } * share }
    }

    /// Weights of least norm that fit the labels best: the pseudo-inverse of the centred codes times the labels.
    private static func leastSquares(_ rows: [Double], _ values: [Double], _ d: Int) throws -> [Double] {
        let mean = values.reduce(0, +) / Double(values.count)
        let a = Tensor([values.count, d], centred(rows, d).map { Float($0) })
        let b = Tensor([values.count, 1], values.map { Float($0 - mean) })
        return try LinearAlgebra.leastSquares(a, b).x.array.map { Double($0) }
    }

    // MARK: Scores

    private func score(_ row: Int, _ weights: [Double]) -> Double {
        (0..<d).reduce(0) { $0 + codes[row * d + $1] * weights[$1] }
    }

    private func heldOutScore(_ attribute: String, weights: [Double], _ fitted: AttributeLabels) throws -> Direction.Score? {
        guard let column = space.identities.attributeNames.firstIndex(of: attribute) else { return nil }
        let labels = AttributeLabels(space.identities.column(column), rows: heldOut)
        guard labels.rows.count >= 3 else { return nil }
        let scores = labels.rows.map { score($0, weights) }
        let correlation = Self.correlation(scores, labels.values)
        guard fitted.isBinary else {
            return Direction.Score(
                count: labels.rows.count, positives: 0, accuracy: nil, balancedAccuracy: nil, areaUnderCurve: nil,
                correlation: correlation)
        }
        let gap = Self.means(fitted.rows.map { score($0, weights) }, fitted.classes)
        let threshold = (gap.positive + gap.negative) / 2
        let classes = labels.values.map(fitted.isPositive)
        let right = zip(scores, classes).map { ($0 > threshold) == $1 }
        let positives = classes.count(where: { $0 })
        let negatives = classes.count - positives
        let hits = zip(right, classes).count(where: { $0 && $1 })
        let rejections = zip(right, classes).count(where: { $0 && !$1 })
        let hasBoth = positives > 0 && negatives > 0
        return Direction.Score(
            count: classes.count, positives: positives, accuracy: Double(hits + rejections) / Double(classes.count),
            balancedAccuracy: hasBoth
                ? (Double(hits) / Double(positives) + Double(rejections) / Double(negatives)) / 2 : nil,
            areaUnderCurve: hasBoth ? Self.areaUnderCurve(scores, classes) : nil, correlation: correlation)
    }

    private static func means(_ scores: [Double], _ classes: [Bool]) -> (positive: Double, negative: Double) {
        let positive = zip(scores, classes).filter(\.1).map(\.0)
        let negative = zip(scores, classes).filter { !$0.1 }.map(\.0)
        return (
            positive.reduce(0, +) / Double(max(1, positive.count)), negative.reduce(0, +) / Double(max(1, negative.count))
        )
    }

    /// Mann and Whitney's statistic, ties counted half.
    static func areaUnderCurve(_ scores: [Double], _ classes: [Bool]) -> Double {
        let order = scores.indices.sorted { scores[$0] < scores[$1] }
        var (sum, place) = (0.0, 0)
        while place < order.count {
            var end = place
            while end < order.count, scores[order[end]] == scores[order[place]] { end += 1 }
            let rank = Double(place + end + 1) / 2
            sum += rank * Double(order[place..<end].count(where: { classes[$0] }))
            place = end
        }
        let positives = Double(classes.count(where: { $0 }))
        let negatives = Double(classes.count) - positives
        return (sum - positives * (positives + 1) / 2) / (positives * negatives)
    }

    private static func correlation(_ a: [Double], _ b: [Double]) -> Double {
        let n = Double(a.count)
        let (meanA, meanB) = (a.reduce(0, +) / n, b.reduce(0, +) / n)
        var (cross, squareA, squareB) = (0.0, 0.0, 0.0)
        for (x, y) in zip(a, b) {
            cross += (x - meanA) * (y - meanB)
            squareA += (x - meanA) * (x - meanA)
            squareB += (y - meanB) * (y - meanB)
        }
        let product = (squareA * squareB).squareRoot()
        return product > 1e-12 ? cross / product : 0
    }

    // MARK: Geometry

    /// Standard deviation of the training identities along a unit vector in u.
    func spread(along direction: [Double]) -> Double {
        var sum = 0.0
        for i in 0..<d {
            for j in 0..<d { sum += direction[i] * covariance[i * d + j] * direction[j] }
        }
        return max(0, sum).squareRoot()
    }

    /// A unit vector in u as a change of the code.
    func step(_ direction: [Double], length: Double) -> [Float] {
        zip(direction, scale).map { Float($0 * length * $1) }
    }

    /// The mean code in u is 0; this is a code from u.
    func code(_ u: [Double]) -> [Float] { (0..<d).map { Float(u[$0] * scale[$0] + mean[$0]) } }

    /// u of an identity.
    func coordinates(_ row: Int) -> [Double] { Array(codes[(row * d)..<((row + 1) * d)]) }

    var dimension: Int { d }
    var priorScale: [Double] { scale }

    private static func length(_ vector: [Double]) -> Double { vector.reduce(0) { $0 + $1 * $1 }.squareRoot() }

    private static func centred(_ rows: [Double], _ d: Int) -> [Double] {
        let count = rows.count / d
        var mean = [Double](repeating: 0, count: d)
        for r in 0..<count {
            for i in 0..<d { mean[i] += rows[r * d + i] / Double(count) }
        }
        var result = rows
        for r in 0..<count {
            for i in 0..<d { result[r * d + i] -= mean[i] }
        }
        return result
    }

    /// d - D (DᵀD)⁻¹ Dᵀ d, by Gram and Schmidt so that columns that depend on each other do no harm.
    /// - Parameters:
    ///   - vector: d
    ///   - columns: of D.
    /// - Returns: the part of `vector` at right angles to all columns.
    static func projected(_ vector: [Double], out columns: [[Double]]) -> [Double] {
        var basis = [[Double]]()
        func remove(_ vector: [Double]) -> [Double] {
            var result = vector
            // Twice, so that rounding does not spoil the right angles.
            for _ in 0..<2 {
                for other in basis {
                    let overlap = zip(result, other).reduce(0) { $0 + $1.0 * $1.1 }
                    for i in result.indices { result[i] -= overlap * other[i] }
                }
            }
            return result
        }
        for column in columns {
            let rest = remove(column)
            let length = length(rest)
            if length > 1e-6 * Self.length(column) { basis.append(rest.map { $0 / length }) }
        }
        return remove(vector)
    }
}
