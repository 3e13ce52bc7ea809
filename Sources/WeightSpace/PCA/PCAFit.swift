import Checkpoints
import Foundation
import TensorKit

/// Makes a PCA of LoRA vectors that need not fit into memory, a block of them at a time, so that it can be watched, stopped and resumed.
///
/// First mean and deviation of every number (`torch.std`, unbiased; 1 where a number never varies), then the components of the standardised
/// vectors by one of two methods, then the coefficients of all identities. Belongs to one queue.
public final class PCAFit {
    /// Where a fit stands; all that a checkpoint must hold besides the tensors.
    enum Stage: String, Codable {
        case moments, gram, eigen, assembling, power, projecting, done
    }

    public let plan: PCAPlan
    public let method: PCAPlan.Method
    /// The vectors that are fitted.
    let source: VectorRows
    /// All vectors of the file, whose coefficients are computed at the end.
    let everybody: VectorRows
    let origin: String

    var stage = Stage.moments
    /// Rows or columns done in this stage.
    var cursor = 0
    /// Passes of the power iteration done.
    public internal(set) var passes = 0
    /// Largest relative change of a singular value in the last pass; nil before the second.
    public internal(set) var change: Double?
    var moments: PCAMoments
    var mean: Tensor?
    var std: Tensor?
    /// Exact method: [N, N].
    var gram = [Double]()
    /// Exact method: U diag(1 / s), [N, k].
    var mixing: Tensor?
    var power: PowerIteration?
    /// [n, k], as far as they are there.
    var components: Tensor?
    var singularValues = [Double]()
    var coefficients: Tensor?

    /// Prepares a fit.
    /// - Parameters:
    ///   - plan: the settings.
    ///   - weights: LoRA vectors, [N, n].
    ///   - rows: the rows to fit, nil for all; coefficients are computed for all.
    ///   - origin: which rows these are, in words.
    /// - Throws: `SpaceError` when plan and vectors do not fit.
    public init(_ plan: PCAPlan, weights: TensorEntry, rows: [Int]? = nil, origin: String = "") throws {
        guard weights.shape.count == 2 else {
            throw SpaceError("\(weights.path): `\(weights.name)` is \(weights.shape), no list of vectors")
        }
        self.plan = plan
        everybody = VectorRows(entry: weights, rows: Array(0..<weights.shape[0]))
        source = VectorRows(entry: weights, rows: (rows ?? everybody.rows).sorted())
        try plan.validate(rows: source.count, length: source.length)
        method = plan.method(rows: source.count)
        self.origin = origin.isEmpty ? "all \(source.count) identities" : origin
        moments = PCAMoments(length: source.length)
    }

    public var isFinished: Bool { stage == .done }

    /// What is being done, and how far it is in its own units.
    public var progress: (activity: String, done: Int, total: Int) {
        switch stage {
        case .moments: ("measuring mean and deviation", cursor, source.count)
        case .gram: ("comparing the vectors", cursor, source.length)
        case .eigen: ("decomposing", 0, 1)
        case .assembling: ("assembling the components", cursor, source.length)
        case .power: ("pass \(passes + 1) over the vectors", cursor, source.count)
        case .projecting: ("coefficients of everybody", cursor, everybody.count)
        case .done: ("done", 1, 1)
        }
    }

    /// Rows that are read at a time.
    var blockRows: Int { max(1, plan.blockSize / source.length) }
    /// Columns that are read at a time.
    private var blockColumns: Int { max(1, min(source.length, plan.blockSize / 2 / source.count)) }

    /// Does the next piece of work.
    /// - Throws: `SpaceError` for vectors that have no components, `LinearAlgebraError` when a decomposition does not converge.
    public func advance() throws {
        switch stage {
        case .moments: try measure()
        case .gram: compare()
        case .eigen: try decompose()
        case .assembling: assemble()
        case .power: try iterate()
        case .projecting: project()
        case .done: break
        }
    }

    /// The finished model, with the coefficients of everybody.
    /// - Throws: `SpaceError` when the fit is not finished.
    public func result() throws -> WeightPCA {
        guard stage == .done, let mean, let std, let components, let coefficients else {
            throw SpaceError("the PCA is not finished")
        }
        return try WeightPCA(
            mean: mean, std: std, components: components, singularValues: singularValues.map { Float($0) }, rows: source.count,
            coefficients: coefficients, origin: origin)
    }

    // MARK: Mean and deviation

    private func measure() throws {
        let range = cursor..<min(source.count, cursor + blockRows)
        let block = source.block(range)
        guard Kernels.sumOfSquares(block).isFinite else {
            let row = range.first { !Kernels.sumOfSquares(source.block($0..<($0 + 1))).isFinite } ?? range.lowerBound
            throw SpaceError(
                "\(source.entry.path): vector \(source.rows[row]) (counted from 0) holds numbers that are not finite",
                advice: "Leave the damaged identity out.")
        }
        moments.add(block)
        source.release(range)
        cursor = range.upperBound
        guard cursor == source.count else { return }
        let (mean, deviation) = moments.result(count: source.count)
        self.mean = mean
        guard deviation.array.contains(where: { $0 > 0 }) else {
            throw SpaceError("\(source.entry.path): all vectors are equal, they have no components")
        }
        std = Tensor([source.length], deviation.array.map { plan.standardizes && $0 > 0 ? $0 : 1 })
        cursor = 0
        switch method {
        case .exact:
            gram = [Double](repeating: 0, count: source.count * source.count)
            stage = .gram
        case .randomized:
            power = try PowerIteration(
                width: plan.width(rows: source.count, length: source.length), length: source.length, seed: plan.seed)
            stage = .power
        }
    }

    /// A block of standardised vectors.
    private func standardized(_ source: VectorRows, _ range: Range<Int>) -> Tensor {
        let block = source.block(range)
        if let mean, let std { Standardization.apply(mean: mean, std: std, to: block) }
        return block
    }

    /// Columns of all standardised vectors, [N, width].
    private func standardized(columns: Range<Int>) -> Tensor {
        let block = source.block(0..<source.count, columns: columns)
        if let mean, let std {
            Standardization.apply(mean: mean.rows(columns), std: std.rows(columns), to: block)
        }
        return block
    }

    // MARK: The exact method

    private func compare() {
        let columns = cursor..<min(source.length, cursor + blockColumns)
        let block = standardized(columns: columns)
        let product = Kernels.product(block, block, transposeB: true)
        let from = product.pointer
        gram.withUnsafeMutableBufferPointer { total in
            for i in 0..<total.count { total[i] += Double(from[i]) }
        }
        source.release(0..<source.count)
        cursor = columns.upperBound
        guard cursor == source.length else { return }
        (stage, cursor) = (.eigen, 0)
    }

    private func decompose() throws {
        let (rows, k) = (source.count, plan.components)
        let eigen = try LinearAlgebra.largestEigen(&gram, n: rows, count: k)
        gram = []
        guard let last = eigen.values.last, last > (eigen.values.first ?? 0) * 1e-12 else {
            let rank = eigen.values.prefix { $0 > (eigen.values.first ?? 0) * 1e-12 }.count
            throw SpaceError(
                "the vectors span \(rank) dimensions, \(k) components cannot be had", advice: "Ask for at most \(rank).")
        }
        singularValues = eigen.values.map { $0.squareRoot() }
        let mixing = Tensor(uninitialized: [rows, k])
        for i in 0..<k {
            for row in 0..<rows { mixing.pointer[row * k + i] = Float(eigen.vectors[i * rows + row] / singularValues[i]) }
        }
        self.mixing = mixing
        components = Tensor(uninitialized: [source.length, k])
        stage = .assembling
    }

    private func assemble() {
        guard let mixing, let components else { return }
        let columns = cursor..<min(source.length, cursor + blockColumns)
        let part = Kernels.product(standardized(columns: columns), mixing, transposeA: true)
        (components.pointer + columns.lowerBound * plan.components).update(from: part.pointer, count: part.count)
        source.release(0..<source.count)
        cursor = columns.upperBound
        guard cursor == source.length else { return }
        self.mixing = nil
        finishComponents()
    }

    // MARK: The randomised method

    private func iterate() throws {
        guard let power else { return }
        let range = cursor..<min(source.count, cursor + blockRows)
        power.add(standardized(source, range))
        source.release(range)
        cursor = range.upperBound
        guard cursor == source.count else { return }
        cursor = 0
        passes += 1
        let values = try power.ritzValues()
        let k = plan.components
        if !singularValues.isEmpty {
            change = zip(values.prefix(k), singularValues).map { abs($0 - $1) / max($0, .leastNonzeroMagnitude) }.max()
        }
        singularValues = Array(values.prefix(k))
        guard let last = singularValues.last, last > (singularValues.first ?? 0) * 1e-6 else {
            throw SpaceError(
                "the vectors span fewer than \(k) dimensions", advice: "Ask for fewer components.")
        }
        if passes >= plan.passes || (change ?? 1) <= plan.tolerance {
            components = power.components(k)
            self.power = nil
            finishComponents()
        } else {
            try power.turn()
        }
    }

    // MARK: Signs and coefficients

    /// The number of largest magnitude of every component becomes positive, so that equal data give equal signs.
    private func finishComponents() {
        guard let components else { return }
        let (n, k) = (source.length, plan.components)
        var largest = [Float](repeating: 0, count: k)
        for i in 0..<n {
            for j in 0..<k where abs(components.pointer[i * k + j]) > abs(largest[j]) {
                largest[j] = components.pointer[i * k + j]
            }
        }
        for i in 0..<n {
            for j in 0..<k where largest[j] < 0 { components.pointer[i * k + j] = -components.pointer[i * k + j] }
        }
        coefficients = Tensor(zeros: [everybody.count, k])
        (stage, cursor) = (.projecting, 0)
    }

    private func project() {
        guard let components, let coefficients else { return }
        let range = cursor..<min(everybody.count, cursor + blockRows)
        let part = Kernels.product(standardized(everybody, range), components)
        (coefficients.pointer + range.lowerBound * plan.components).update(from: part.pointer, count: part.count)
        everybody.release(range)
        cursor = range.upperBound
        if cursor == everybody.count { stage = .done }
    }
}
