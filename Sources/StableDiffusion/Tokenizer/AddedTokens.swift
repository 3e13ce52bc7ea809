import Checkpoints
import Foundation

/// A token that is found whole in a text, before the text is split into words (`AddedToken` of the tokenizers library): the special ones, and those
/// that textual inversions add. White space that it would strip separates words anyway.
struct AddedToken: Sendable {
    let content: String
    /// Sought in the normalised text instead of the text as it is written.
    var isNormalized = false
    /// Only where no letter, digit or low line touches it.
    var isSingleWord = false

    /// Reads a token that is written as text or as an object with its `content`.
    /// - Throws: `CheckpointError` when it is neither.
    init(_ file: JSONConfiguration, _ key: String, isSpecial: Bool) throws {
        guard case .object = file[key] else {
            self.init(content: try file.require(key), isNormalized: !isSpecial)
            return
        }
        try self.init(file.object(key), isSpecial: isSpecial)
    }

    /// Reads an object with a `content`.
    /// - Throws: `CheckpointError` that names the key at fault.
    init(_ file: JSONConfiguration, isSpecial: Bool) throws {
        content = try file.require("content")
        isNormalized = try file.value("normalized", default: !(isSpecial || file.value("special", default: false)))
        isSingleWord = try file.value("single_word", default: false)
    }

    init(content: String, isNormalized: Bool) { (self.content, self.isNormalized) = (content, isNormalized) }
}

/// Tokens to be found whole in a text.
struct TokenFinder: Sendable {
    enum Piece {
        case text(ArraySlice<Unicode.Scalar>)
        case token(Int)
    }

    private struct Target {
        let text: [Unicode.Scalar]
        let id: Int
        let isSingleWord: Bool
    }

    /// By their first scalar, the longest first.
    private let targets: [Unicode.Scalar: [Target]]

    /// - Parameter tokens: what to find; the last of equal texts counts.
    init(_ tokens: [(text: [Unicode.Scalar], id: Int, isSingleWord: Bool)]) {
        var known = [[Unicode.Scalar]: Target]()
        for token in tokens where !token.text.isEmpty {
            known[token.text] = Target(text: token.text, id: token.id, isSingleWord: token.isSingleWord)
        }
        targets = Dictionary(grouping: known.values) { $0.text[0] }.mapValues { $0.sorted { $0.text.count > $1.text.count } }
    }

    /// The tokens of a text and what lies between them, from left to right, the longest of those that begin at one place.
    func pieces(of text: [Unicode.Scalar]) -> [Piece] {
        var (pieces, start, place) = ([Piece](), 0, 0)
        while place < text.count {
            guard let found = targets[text[place]]?.first(where: { text[place...].starts(with: $0.text) }) else {
                place += 1
                continue
            }
            let end = place + found.text.count
            let touches = place > 0 && Self.isWord(text[place - 1]) || end < text.count && Self.isWord(text[end])
            if !(found.isSingleWord && touches) {
                if start < place { pieces.append(.text(text[start..<place])) }
                pieces.append(.token(found.id))
                start = end
            }
            place = end
        }
        if start < text.count { pieces.append(.text(text[start...])) }
        return pieces
    }

    /// What `\w` stands for (Unicode technical standard 18, annex C).
    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.properties.isAlphabetic || scalar.properties.isJoinControl { return true }
        switch scalar.properties.generalCategory {
        case .decimalNumber, .connectorPunctuation, .nonspacingMark, .spacingMark, .enclosingMark: return true
        default: return false
        }
    }
}

/// The special tokens, the added ones and the length that the configuration files of a tokenizer name.
struct TokenizerSettings {
    var bos = AddedToken(content: "<|startoftext|>", isNormalized: false)
    var eos = AddedToken(content: "<|endoftext|>", isNormalized: false)
    private var givenPad, givenUnknown: AddedToken?
    var pad: AddedToken { givenPad ?? eos }
    var unknown: AddedToken { givenUnknown ?? eos }
    /// The special ones last: of equal texts they count.
    var all: [AddedToken] { added + [bos, eos, unknown, pad] }
    var modelMaxLength = 77
    private var added: [AddedToken] = []

    /// Reads `tokenizer_config.json` and, where that lists no `added_tokens_decoder`, `special_tokens_map.json`, `added_tokens.json` and the added
    /// tokens of `tokenizer.json`.
    /// - Parameters:
    ///   - folder: of the tokenizer.
    ///   - ids: of its tokens; gets those of added tokens.
    /// - Throws: `CheckpointError` that names file and key.
    init(folder: URL, ids: inout [String: Int]) throws {
        func file(_ name: String) throws -> JSONConfiguration? {
            let url = folder.appendingPathComponent(name)
            return try url.fileKind == nil ? nil : JSONConfiguration(contentsOf: url)
        }
        func learn(_ token: AddedToken, _ id: Int, _ key: String, _ file: JSONConfiguration) throws {
            guard (0..<(1 << 24)).contains(id) else { throw file.wrong(key, expected: "a token id") }
            if ids[token.content] == nil { ids[token.content] = id }
        }
        let configuration = try file("tokenizer_config.json")
        if let configuration { try read(configuration) }
        if let configuration, case .object(let members)? = configuration["added_tokens_decoder"] {
            let list = try configuration.object("added_tokens_decoder")
            for member in members {
                let token = try AddedToken(list, member.key, isSpecial: false)
                try learn(token, Int(member.key) ?? -1, member.key, list)
                added.append(token)
            }
        } else {
            if let map = try file("special_tokens_map.json") { try read(map) }
            let special = Set(all.map(\.content))
            if let list = try file("added_tokens.json") {
                for member in list.members {
                    let token = AddedToken(content: member.key, isNormalized: !special.contains(member.key))
                    try learn(token, list.require(member.key), member.key, list)
                    added.append(token)
                }
            }
            if let list = try file("tokenizer.json"), list["added_tokens"] != nil {
                for item in try list.objects("added_tokens") {
                    let token = try AddedToken(item, isSpecial: false)
                    try learn(token, item.require("id"), "id", item)
                    added.append(token)
                }
            }
        }
        // The lists describe special tokens too.
        let lists = Dictionary(added.map { ($0.content, $0) }, uniquingKeysWith: { $1 })
        (bos, eos) = (lists[bos.content] ?? bos, lists[eos.content] ?? eos)
        (givenPad, givenUnknown) = (givenPad.map { lists[$0.content] ?? $0 }, givenUnknown.map { lists[$0.content] ?? $0 })
        // Those that no file gives a number come after all others.
        for token in added where ids[token.content] == nil { ids[token.content] = (ids.values.max() ?? -1) + 1 }
    }

    private mutating func read(_ file: JSONConfiguration) throws {
        func token(_ key: String) throws -> AddedToken? {
            try file[key] ?? .null == .null ? nil : AddedToken(file, key, isSpecial: true)
        }
        bos = try token("bos_token") ?? bos
        eos = try token("eos_token") ?? eos
        givenPad = try token("pad_token") ?? givenPad
        givenUnknown = try token("unk_token") ?? givenUnknown
        for key in ["additional_special_tokens", "extra_special_tokens"] {
            guard case .array(let items)? = file[key] else { continue }
            for item in items {
                added.append(
                    try AddedToken(
                        JSONConfiguration(members: [JSONValue.Member(key, item)], file: file.file), key, isSpecial: true))
            }
        }
        if file["model_max_length"] != nil { modelMaxLength = try file.count("model_max_length", limit: 1 << 16) }
        guard modelMaxLength >= 2 else { throw file.wrong("model_max_length", expected: "at least 2") }
    }
}
