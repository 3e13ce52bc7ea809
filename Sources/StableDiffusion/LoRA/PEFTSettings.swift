import Checkpoints

/// `adapter_config.json` of PEFT's `LoraConfig`, `LoHaConfig` and `LoKrConfig`.
struct PEFTSettings {
    private let rank: Int
    private let alpha: Float
    private let ranks: [(key: String, value: Int)]
    private let alphas: [(key: String, value: Float)]
    let isRankStabilized: Bool

    init(_ file: JSONConfiguration) throws {
        let kind = try file.value("peft_type", default: "LORA")
        guard ["LORA", "LOHA", "LOKR"].contains(kind) else { throw file.wrong("peft_type", expected: "LORA, LOHA or LOKR") }
        for key in ["fan_in_fan_out", "lora_bias", "use_qalora"] where try file.value(key, default: false) {
            throw file.wrong(key, expected: "false")
        }
        guard try file.value("bias", default: "none") == "none" else { throw file.wrong("bias", expected: "\"none\"") }
        switch file["modules_to_save"] ?? .null {
        case .null, .array([]): break
        default: throw file.wrong("modules_to_save", expected: "null")
        }
        rank = try file.count("r", default: 8, limit: 1 << 14)
        let key = kind == "LORA" ? "lora_alpha" : "alpha"
        alpha = try file.finite(key, default: 8)
        isRankStabilized = try file.value("use_rslora", default: false)
        // Elsewhere the shapes tell the rank.
        ranks = kind == "LOKR" ? try Self.pattern("rank_pattern", of: file) { try $0.count($1, limit: 1 << 14) } : []
        alphas = try Self.pattern("alpha_pattern", of: file) { pattern, key in
            let value: Float = try pattern.require(key)
            guard value.isFinite else { throw pattern.wrong(key, expected: "a finite number") }
            return value
        }
    }

    /// Values by the names of layers.
    private static func pattern<Value>(
        _ key: String, of file: JSONConfiguration, _ read: (JSONConfiguration, String) throws -> Value
    ) throws -> [(key: String, value: Value)] {
        guard file[key] ?? .null != .null else { return [] }
        let pattern = try file.object(key)
        return try pattern.members.map { member in
            // PEFT takes the keys for regular expressions; those that it writes itself are names.
            let isName = member.key.unicodeScalars.allSatisfy {
                $0 == "." || $0 == "_" || $0 == "-" || $0.properties.isAlphabetic || ("0"..."9").contains($0)
            }
            guard isName else { throw pattern.wrong(member.key, expected: "under the name of a layer, not under a pattern") }
            return (member.key, try read(pattern, member.key))
        }
    }

    /// alpha of a layer: that of the first name which is the end of its path.
    func alpha(of path: String) -> Float { Self.value(alphas, of: path) ?? alpha }

    /// Rank of a layer of LoKr, in the same way.
    func rank(of path: String) -> Int { Self.value(ranks, of: path) ?? rank }

    private static func value<Value>(_ pattern: [(key: String, value: Value)], of path: String) -> Value? {
        pattern.first { path == $0.key || path.hasSuffix("." + $0.key) }?.value
    }
}
