import Foundation

extension StateDictionary {
    /// Under these keys training programs put the weights beside other things; the first that holds more tensors than lie beside it counts.
    public static let wrappers = [
        "state_dict", "model_state_dict", "vae_state_dict", "params_ema", "params", "module", "model", "vae",
    ]

    /// Opens the tensors of a file of `torch.save`: a dictionary of them, or one that holds it under a key of `wrappers` or, alone, under any
    /// other. Numbers and texts beside the tensors are left out, and so is what lies beside a key of `wrappers` that counts.
    /// - Throws: `CheckpointError` that names what is refused, damaged or missing.
    public init(torch url: URL) throws { try self.init(TorchFile(url)) }

    /// The tensors of an opened file.
    /// - Throws: as `init(torch:)`.
    public init(_ torch: TorchFile) throws {
        guard let root = torch.root.node, let members = root.members else {
            throw CheckpointError(
                file: torch.path, problem: .unsupported(reason: "holds \(torch.root.summary), not a dictionary of tensors"))
        }
        var entries = try Self.tensors(members, torch)
        for key in Self.wrappers {
            guard let inner = members.first(where: { $0.key == key })?.value.node?.members, inner.count > entries.count else {
                continue
            }
            let found = try Self.tensors(inner, torch)
            // An array or a score may lie beside the weights.
            guard found.count > entries.count else { continue }
            entries = found
            break
        }
        if entries.isEmpty {
            let inner = try members.compactMap { try $0.value.node?.members.map { try Self.tensors($0, torch) } }
            let filled = inner.filter { !$0.isEmpty }
            if filled.count == 1 { entries = filled[0] }
        }
        guard !entries.isEmpty else {
            let keys = members.prefix(6).map(\.key).joined(separator: ", ")
            throw CheckpointError(
                file: torch.path,
                problem: .unsupported(reason: "holds no tensors by name (keys: \(keys.isEmpty ? "none" : keys))"))
        }
        try self.init(file: torch.path, entries: entries)
    }

    private static func tensors(_ members: [(key: String, value: PickleValue)], _ torch: TorchFile) throws -> [TensorEntry] {
        try members.compactMap { try torch.tensor($0.value, name: $0.key) }
    }

    /// Opens a file of weights by what it holds, whatever its name says: safetensors, the index of shards, or a file of `torch.save`.
    /// - Throws: `CheckpointError` that says what is wrong with it.
    public init(opening url: URL) throws {
        if url.lastPathComponent.contains(".index.") && url.pathExtension == "json" {
            try self.init(shardedIndex: url)
        } else {
            let file = try MappedFile(url)
            if TorchFile.begins(file.bytes) {
                try self.init(TorchFile(file))
            } else {
                try self.init(safetensors: url)
            }
        }
    }
}
