import Checkpoints
import Foundation
import StableDiffusion
import TensorKit

/// The parts of an import as they come in: each kind once, adapters and single identities any number of times.
struct ImportParts {
    /// A part and the file it came from.
    struct Found<Value> {
        let value: Value
        let url: URL
    }

    private(set) var weights: Found<TensorEntry>?
    private(set) var mean: Found<TensorEntry>?
    private(set) var deviation: Found<TensorEntry>?
    private(set) var directions: Found<TensorEntry>?
    private(set) var coefficients: Found<TensorEntry>?
    private(set) var labels: Found<IdentityLabels>?
    private(set) var layout: Found<[(module: String, factor: LoRALayout.Factor, shape: [Int])]>?
    private(set) var vae: Found<StateDictionary>?
    private(set) var identities: [Found<(name: String, entry: TensorEntry)>] = []
    private(set) var adapters: [(name: String, file: LoRAFile)] = []
    private(set) var hasUnneeded = false
    /// What was not taken of a file, a sentence each.
    private(set) var notes: [String] = []

    var isEmpty: Bool {
        weights == nil && directions == nil && coefficients == nil && vae == nil && identities.isEmpty && adapters.isEmpty
    }

    /// Length of the vectors, from the first part that says it.
    var vectorLength: Found<Int>? {
        if let weights { return Found(value: weights.value.shape[1], url: weights.url) }
        if let mean { return Found(value: mean.value.count, url: mean.url) }
        if let directions { return Found(value: directions.value.shape[0], url: directions.url) }
        return nil
    }

    /// Takes a part.
    /// - Throws: `SpaceError` when there is one of this kind already.
    mutating func add(_ part: ImportPart, from url: URL) throws {
        func once<Value>(_ place: inout Found<Value>?, _ value: Value, _ what: String) throws {
            if let before = place {
                throw SpaceError(
                    "\(url.path): \(what) a second time, the first is \(before.url.path)", advice: "Leave one of them out.")
            }
            place = Found(value: value, url: url)
        }
        switch part {
        case .weights(let entry): try once(&weights, entry, "a tensor of vectors")
        case .mean(let entry): try once(&mean, entry, "a mean")
        case .deviation(let entry): try once(&deviation, entry, "deviations")
        case .directions(let entry): try once(&directions, entry, "principal directions")
        case .coefficients(let entry): try once(&coefficients, entry, "coefficients")
        case .labels(let table, let texts):
            try once(&labels, table, "a table of labels")
            if !texts.isEmpty {
                let names = texts.prefix(4).joined(separator: ", ") + (texts.count > 4 ? ", …" : "")
                notes.append("\(url.lastPathComponent): \(names) left out: texts are no attributes, numbers are")
            }
        case .layout(let entries): try once(&layout, entries, "a layout")
        case .vae(let state, let others):
            try once(&vae, state, "a weight VAE")
            if others > 0 { notes.append("\(url.lastPathComponent): \(others) tensors of other networks are left out") }
        case .identity(let name, let entry): identities.append(Found(value: (name, entry), url: url))
        case .adapter(let name, let file): adapters.append((name, file))
        case .unneeded: hasUnneeded = true
        }
    }

    /// What is lost of identities whose coefficients go beyond those of the others, which the PCA has: a sentence each.
    var shortenedIdentities: [String] {
        guard let k = components else { return [] }
        return identities.compactMap { identity in
            let values = identity.value.entry.floats()
            guard values.count > k else { return nil }
            let length = { (part: ArraySlice<Float>) in part.reduce(0) { $0 + Double($1) * Double($1) } }
            let share = 100 * (length(values[k...]) / max(length(values[...]), .leastNormalMagnitude)).squareRoot()
            return "\(identity.url.lastPathComponent) has \(values.count) coefficients, the PCA \(k): the rest, "
                + "\(String(format: "%.3g", share)) % of its length, is left out"
        }
    }

    /// Components that directions and coefficients have in common.
    private var components: Int? {
        guard let directions else { return nil }
        return min(directions.value.shape[1], coefficients?.value.shape[1] ?? directions.value.shape[1])
    }

    /// The PCA that mean, deviation, directions and coefficients make; nil when there are none of them.
    ///
    /// The original does not keep the singular values. Coefficients are the standardised vectors times the directions, so the length of their
    /// k-th column is the k-th singular value.
    /// - Parameter length: of a vector.
    /// - Returns: the model, with the coefficients of all identities.
    /// - Throws: `SpaceError` when one of the four is missing, `CheckpointError` for shapes that do not fit.
    func pca(length: Int) throws -> WeightPCA? {
        guard mean != nil || deviation != nil || directions != nil || coefficients != nil || !identities.isEmpty else {
            return nil
        }
        guard let mean, let deviation, let directions, let coefficients, let k = components else {
            let missing = [
                mean == nil ? "mean.pt" : nil, deviation == nil ? "std.pt" : nil, directions == nil ? "V.pt" : nil,
                coefficients == nil ? "proj_1000pc.pt" : nil,
            ].compactMap { $0 }
            let there = (mean ?? deviation ?? directions ?? coefficients)?.url.path ?? identities.first?.url.path ?? ""
            throw SpaceError(
                "\(there): belongs to a PCA of which \(missing.joined(separator: ", ")) \(missing.count == 1 ? "is" : "are") missing",
                advice: "Give mean, std, V and proj together, or leave all of them out and run `w2w pca` afterwards.")
        }
        for (part, shape) in [(mean, [length]), (deviation, [length]), (directions, [length, directions.value.shape[1]])]
        where part.value.shape != shape {
            throw CheckpointError(
                file: part.url.path, problem: .wrongShape(tensor: part.value.name, expected: "\(shape)", found: part.value.shape))
        }
        let rows = coefficients.value.shape[0]
        guard rows >= 2, rows + identities.count <= (1 << 31) / max(1, k) else {
            throw SpaceError(
                "\(coefficients.url.path): coefficients of \(rows) identities make no PCA", advice: "At least 2 are needed.")
        }
        for identity in identities where identity.value.entry.shape[1] > directions.value.shape[1] {
            throw SpaceError(
                "\(identity.url.path): has \(identity.value.entry.shape[1]) coefficients, \(directions.url.lastPathComponent) "
                    + "\(directions.value.shape[1]) directions: it belongs to another PCA",
                advice: "Give the directions that it was made with, or leave it out.")
        }
        let all = Tensor(zeros: [rows + identities.count, k])
        try Self.copyColumns(coefficients.value, k, into: all.pointer)
        for (index, identity) in identities.enumerated() {
            let values = identity.value.entry.floats().prefix(k)
            for (i, value) in values.enumerated() { all.pointer[(rows + index) * k + i] = value }
        }
        guard Kernels.sumOfSquares(all).isFinite else {
            let damaged = identities.first { !$0.value.entry.floats().allSatisfy(\.isFinite) }?.url ?? coefficients.url
            throw SpaceError("\(damaged.path): holds coefficients that are not finite", advice: "Make the file again.")
        }
        var squares = [Double](repeating: 0, count: k)
        for row in 0..<rows {
            for i in 0..<k { squares[i] += Double(all.pointer[row * k + i]) * Double(all.pointer[row * k + i]) }
        }
        let components = Tensor(uninitialized: [length, k])
        try Self.copyColumns(directions.value, k, into: components.pointer)
        return try WeightPCA(
            mean: mean.value.tensor(), std: deviation.value.tensor(), components: components,
            singularValues: squares.map { Float($0.squareRoot()) }, rows: rows, coefficients: all,
            origin: "\(rows) imported identities",
            file: coefficients.url.path)
    }

    /// The first `k` columns of a matrix, a block of rows at a time.
    private static func copyColumns(_ entry: TensorEntry, _ k: Int, into target: UnsafeMutablePointer<Float>) throws {
        let (rows, columns) = (entry.shape[0], entry.shape[1])
        let block = max(1, (8 << 20) / max(1, columns))
        for start in stride(from: 0, to: rows, by: block) {
            let part = try entry.tensor(rows: start..<min(rows, start + block))
            for row in 0..<part.shape[0] { (target + (start + row) * k).update(from: part.pointer + row * columns, count: k) }
        }
    }
}
