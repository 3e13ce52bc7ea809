import Checkpoints
import Foundation
import StableDiffusion
import TensorKit

/// The map from a flat vector to the factors of a LoRA adapter (`layout.json`).
///
/// A module's weight W [out, in] becomes W + (alpha / rank) B A with A [rank, in] and B [out, rank], as PEFT does it.
public struct LoRALayout: Sendable, Equatable {
    /// One of the two factors; raw values are those of `layout.json`.
    public enum Factor: String, Sendable {
        case a = "A"
        case b = "B"
    }

    /// A stretch of the vector.
    public struct Entry: Sendable, Equatable {
        /// Path of the linear layer in the U-Net, "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q".
        public let module: String
        public let factor: Factor
        /// A: [rank, in], B: [out, rank].
        public let shape: [Int]
        /// Where it lies in the vector.
        public let range: Range<Int>
    }

    /// The two stretches of one linear layer.
    public struct Adapter: Sendable, Equatable {
        public let module: String
        public let inFeatures: Int
        public let outFeatures: Int
        public let a: Range<Int>
        public let b: Range<Int>
    }

    public let rank: Int
    public let alpha: Float
    /// In the order of the vector.
    public let entries: [Entry]
    /// In the order of their first stretch.
    public let adapters: [Adapter]

    /// Length of a vector.
    public var vectorLength: Int { entries.last?.range.upperBound ?? 0 }
    /// What B A is multiplied by.
    public var scale: Float { alpha / Float(rank) }

    /// How many numbers of a vector belong to each adapted layer, in the order of the vector; when the two factors of a layer do not lie
    /// together, each counts for itself.
    public var moduleLengths: [Int] {
        var lengths = [(module: String, count: Int)]()
        for entry in entries {
            if let last = lengths.last, last.module == entry.module {
                lengths[lengths.count - 1].count += entry.range.count
            } else {
                lengths.append((entry.module, entry.range.count))
            }
        }
        return lengths.map(\.count)
    }

    /// Reads and checks a `layout.json`.
    /// - Throws: `CheckpointError` that names the entry that cannot be right.
    public init(contentsOf url: URL) throws {
        let json = try JSONConfiguration(contentsOf: url)
        try json.refuseKeys(besides: ["rank", "alpha", "entries"])
        let entries = try json.objects("entries").map { item in
            try item.refuseKeys(besides: ["module", "factor", "shape"])
            let name = try item.require("factor", as: String.self)
            guard let factor = Factor(rawValue: name) else { throw item.wrong("factor", expected: "\"A\" or \"B\"") }
            return (try item.require("module", as: String.self), factor, try item.counts("shape"))
        }
        try self.init(
            rank: json.count("rank", limit: 4096), alpha: json.require("alpha"), entries: entries, file: url.path)
    }

    /// Builds a layout from its entries, in the order of the vector.
    /// - Throws: `CheckpointError` when a module lacks a factor, has one twice, or the shapes do not fit the rank.
    public init(rank: Int, alpha: Float, entries: [(module: String, factor: Factor, shape: [Int])], file: String) throws {
        func malformed(_ reason: String) -> CheckpointError { CheckpointError(file: file, problem: .malformed(reason: reason)) }
        guard rank > 0, alpha.isFinite else { throw malformed("rank \(rank) and alpha \(alpha) make no adapter") }
        guard !entries.isEmpty else { throw malformed("has no entries") }
        var all = [Entry]()
        var halves = [String: (a: Entry?, b: Entry?)]()
        var order = [String]()
        var start = 0
        for (module, factor, shape) in entries {
            guard !module.isEmpty, module.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }) else {
                throw malformed("\"\(module)\" is no name of a module")
            }
            guard shape.count == 2, shape[factor == .a ? 0 : 1] == rank else {
                let expected = factor == .a ? "[\(rank), in]" : "[out, \(rank)]"
                throw malformed("\(module), factor \(factor.rawValue): shape \(shape), expected \(expected)")
            }
            let entry = Entry(module: module, factor: factor, shape: shape, range: start..<(start + shape[0] * shape[1]))
            start = entry.range.upperBound
            all.append(entry)
            if halves[module] == nil { order.append(module) }
            var pair = halves[module] ?? (nil, nil)
            guard (factor == .a ? pair.a : pair.b) == nil else {
                throw malformed("\(module) has its factor \(factor.rawValue) twice")
            }
            if factor == .a { pair.a = entry } else { pair.b = entry }
            halves[module] = pair
        }
        self.rank = rank
        self.alpha = alpha
        self.entries = all
        adapters = try order.map { module in
            guard let a = halves[module]?.a, let b = halves[module]?.b else {
                throw malformed("\(module) needs a factor A and a factor B, one is missing")
            }
            return Adapter(module: module, inFeatures: a.shape[1], outFeatures: b.shape[0], a: a.range, b: b.range)
        }
    }

    /// The adapter that a vector describes, for the pipeline.
    /// - Parameter vector: [vectorLength] or [1, vectorLength]
    /// - Returns: factors for every adapted layer.
    /// - Precondition: the vector has the layout's length.
    public func adapter(of vector: Tensor) -> LoRAAdapter {
        precondition(vector.count == vectorLength, "a vector \(vector.shape) for length \(vectorLength)")
        func cut(_ range: Range<Int>, _ shape: [Int]) -> Tensor {
            let result = Tensor(uninitialized: shape)
            result.pointer.update(from: vector.pointer + range.lowerBound, count: range.count)
            return result
        }
        var factors = [String: LoRAAdapter.Factors]()
        for item in adapters {
            factors[item.module] = LoRAAdapter.Factors(
                a: cut(item.a, [rank, item.inFeatures]), b: cut(item.b, [item.outFeatures, rank]))
        }
        return LoRAAdapter(factors: factors, scale: scale)
    }

    /// The adapters of a batch of vectors, in their order.
    /// - Parameter vectors: [N, vectorLength]
    /// - Returns: N adapters.
    public func adapters(of vectors: Tensor) -> [LoRAAdapter] {
        (0..<vectors.shape[0]).map { adapter(of: vectors.rows($0..<($0 + 1))) }
    }

    /// The layout as a file: what `init(contentsOf:)` reads.
    public var json: String {
        let lines = entries.map {
            "{\"module\": \"\($0.module)\", \"factor\": \"\($0.factor.rawValue)\", \"shape\": [\($0.shape[0]), \($0.shape[1])]}"
        }
        return "{\"rank\": \(rank), \"alpha\": \(alpha), \"entries\": [\n\(lines.joined(separator: ",\n"))\n]}\n"
    }

    /// SHA-256 of the layout's content (not of its file's spelling): weight VAEs record it.
    public var digest: String { SHA256.hexDigest(ofText: json) }
}

extension JSONConfiguration {
    /// Refuses keys that nobody reads, so that a misspelled one is not silently ignored.
    /// - Throws: `CheckpointError` with the unknown key and the known ones.
    func refuseKeys(besides known: Set<String>) throws {
        for member in members where !known.contains(member.key) {
            throw CheckpointError(
                file: file,
                problem: .malformed(
                    reason: "the key \"\(member.key)\" is unknown (known: \(known.sorted().joined(separator: ", ")))"))
        }
    }
}

extension SHA256 {
    /// The digest of a text's UTF-8.
    static func hexDigest(ofText text: String) -> String {
        var text = text
        return text.withUTF8 { hexDigest(of: UnsafeRawBufferPointer($0)) }
    }
}
