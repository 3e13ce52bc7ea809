import Foundation
import TensorKit

/// Named tensors of one file or of several shards, in the file's order, converted when they are asked for.
public struct StateDictionary: Sendable {
    /// Path of the file, or of the index of the shards; for messages.
    public let file: String
    /// Free text that the file carries about itself.
    public let metadata: [String: String]
    /// The tensors in the order in which they lie in the file.
    public private(set) var entries: [TensorEntry]
    private var indices: [String: Int]

    /// Gathers entries.
    /// - Throws: `CheckpointError` when a name stands twice.
    public init(file: String, entries: [TensorEntry], metadata: [String: String] = [:]) throws {
        self.file = file
        self.metadata = metadata
        self.entries = entries
        indices = [:]
        for (index, entry) in entries.enumerated() where indices.updateValue(index, forKey: entry.name) != nil {
            throw CheckpointError(file: file, problem: .invalidEntry(tensor: entry.name, reason: "stands twice"))
        }
    }

    /// Opens a safetensors file.
    /// - Throws: `CheckpointError` that says what is wrong with it.
    public init(safetensors url: URL) throws {
        let contents = try SafetensorsFile(url)
        try self.init(file: url.path, entries: contents.entries, metadata: contents.metadata)
    }

    /// Opens the shards that a `*.safetensors.index.json` or `*.bin.index.json` lists, which lie beside it.
    /// - Throws: `CheckpointError` when the index or a shard is wrong, or a tensor is not in the shard that should hold it.
    public init(shardedIndex url: URL) throws {
        let map = try JSONConfiguration(contentsOf: url).object("weight_map")
        var shards = [String: StateDictionary]()
        var entries = [TensorEntry]()
        for member in map.members {
            let name = try map.require(member.key, as: String.self)
            guard !name.isEmpty, !name.contains("/"), name != "..", !name.contains("\0"), !name.hasSuffix(".json") else {
                throw map.wrong(member.key, expected: "the name of a file beside the index")
            }
            let place = url.deletingLastPathComponent().appendingPathComponent(name)
            guard shards[name] != nil || place.fileKind != nil else {
                throw CheckpointError(
                    file: url.path,
                    problem: .unsupported(reason: "names the shard \(name), which is not beside it; fetch it again"))
            }
            let shard = try shards[name] ?? StateDictionary(opening: place)
            shards[name] = shard
            entries.append(try shard.entry(member.key))
        }
        try self.init(file: url.path, entries: entries)
    }

    /// The names in the file's order.
    public var names: [String] { entries.map(\.name) }

    /// The tensor of a name, or nil.
    public subscript(name: String) -> TensorEntry? { indices[name].map { entries[$0] } }

    /// The tensor of a name, with its shape checked when one is given.
    /// - Throws: `CheckpointError` when it is missing or of another shape.
    public func entry(_ name: String, shape: [Int]? = nil) throws -> TensorEntry {
        guard let entry = self[name] else { throw CheckpointError(file: file, problem: .missingTensor(tensor: name)) }
        if let shape, entry.shape != shape {
            throw CheckpointError(
                file: entry.path, problem: .wrongShape(tensor: name, expected: "\(shape)", found: entry.shape))
        }
        return entry
    }

    /// Says that only a few numbers of each tensor will be read through these entries.
    public func expectScatteredReads() {
        var known = Set<String>()
        for entry in entries where known.insert(entry.path).inserted { entry.file.expectScatteredReads() }
    }

    /// The same tensors under names that `rename` gives; nil leaves a tensor out.
    /// - Throws: `CheckpointError` when two tensors get one name.
    public func renamed(_ rename: (String) throws -> String?) throws -> StateDictionary {
        try StateDictionary(
            file: file, entries: entries.compactMap { entry in try rename(entry.name).map(entry.renamed) }, metadata: metadata)
    }

    /// Entries changed one by one, for instance to another shape; nil leaves a tensor out.
    /// - Throws: what `transform` throws, or `CheckpointError` when two tensors get one name.
    public func mapped(_ transform: (TensorEntry) throws -> TensorEntry?) throws -> StateDictionary {
        try StateDictionary(file: file, entries: entries.compactMap(transform), metadata: metadata)
    }

    /// Pairs every expected tensor with its entry, strictly: all there, none more, each of the expected shape.
    /// - Parameter expected: names and shapes of the parameters of a network.
    /// - Returns: the entries in the order of `expected`.
    /// - Throws: `StateDictionaryMismatch` with every difference.
    public func matched(to expected: [(name: String, shape: [Int])]) throws -> [TensorEntry] {
        var missing = [StateDictionaryMismatch.Item]()
        var wrongShape = [StateDictionaryMismatch.Difference]()
        var result = [TensorEntry]()
        var used = Set<String>()
        for (name, shape) in expected {
            used.insert(name)
            guard let entry = self[name] else {
                missing.append(.init(key: name, shape: shape))
                continue
            }
            if entry.shape == shape {
                result.append(entry)
            } else {
                wrongShape.append(.init(key: name, expected: shape, found: entry.shape))
            }
        }
        let unexpected = entries.filter { !used.contains($0.name) }
        guard missing.isEmpty, wrongShape.isEmpty, unexpected.isEmpty else {
            throw StateDictionaryMismatch(
                file: file, missing: missing, unexpected: unexpected.map { .init(key: $0.name, shape: $0.shape) },
                wrongShape: wrongShape)
        }
        return result
    }
}
