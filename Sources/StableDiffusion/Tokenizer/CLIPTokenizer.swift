import Checkpoints
import Foundation

/// Byte-level byte-pair encoding of prompts (transformers `CLIPTokenizer`): canonical composition, white space as single spaces, lower case,
/// words split by CLIP's pattern, then merges.
///
/// Reads `vocab.json` and `merges.txt`. Limit: the tokens that are found whole in a text are the four special ones.
public struct CLIPTokenizer: Sendable {
    /// Token ids of a prompt as the text model takes them.
    public struct Encoding: Sendable, Hashable {
        /// `modelMaxLength` ids: start, the prompt's tokens, end, padding.
        public let ids: [Int]
        /// How many of the prompt's tokens did not fit.
        public let truncatedCount: Int
    }

    /// Length of every encoded prompt, 77 for CLIP.
    public let modelMaxLength: Int
    public let bosTokenID: Int
    public let eosTokenID: Int
    public let padTokenID: Int
    /// One more than the largest id.
    public let vocabularySize: Int

    /// A merge of two neighbouring tokens.
    private struct Merge {
        let rank: Int
        let id: Int
    }

    private let merges: [Pair: Merge]
    /// Ids of the 256 byte symbols, inside a word and at its end.
    private let byteIDs: [Int]
    private let finalByteIDs: [Int]
    /// Special tokens as scalars, longest first.
    private let specials: [(text: [Unicode.Scalar], id: Int)]

    private struct Pair: Hashable {
        let left: Int
        let right: Int
    }

    /// Reads the tokenizer of a model folder.
    /// - Parameter folder: holds `vocab.json` and `merges.txt` (or `tokenizer.json`, or the merges of CLIP alone) and, optionally,
    ///   `tokenizer_config.json` and `special_tokens_map.json`.
    /// - Throws: `StableDiffusionError.missingFile`, or `CheckpointError` when its tokens do not fit together.
    public init(folder: URL) throws {
        let files = try Self.vocabulary(in: folder)
        let vocabulary = files.ids
        let settings = try SpecialTokens(folder: folder)
        modelMaxLength = settings.modelMaxLength
        vocabularySize = (vocabulary.values.max() ?? -1) + 1

        func id(_ token: String) throws -> Int {
            guard let id = vocabulary[token] else {
                throw CheckpointError(file: files.idsFile, problem: .missingKey(key: token, expected: "the id of this token"))
            }
            return id
        }
        bosTokenID = try id(settings.bos)
        eosTokenID = try id(settings.eos)
        padTokenID = try id(settings.pad)
        let unknown = try id(settings.unknown)
        specials = try Set([settings.bos, settings.eos, settings.pad, settings.unknown])
            .map { (Array($0.unicodeScalars), try id($0)) }
            .sorted { $0.text.count > $1.text.count }
        let symbols = Self.byteSymbols
        byteIDs = symbols.map { vocabulary[$0] ?? unknown }
        finalByteIDs = symbols.map { vocabulary[$0 + "</w>"] ?? unknown }
        merges = try Self.table(of: files)
    }

    /// Encodes a prompt to exactly `modelMaxLength` ids; what does not fit is cut off before the end token
    /// (`padding="max_length", truncation=True`).
    public func encode(_ prompt: String) -> Encoding {
        let tokens = tokenize(prompt)
        let room = modelMaxLength - 2
        var ids = [bosTokenID] + tokens.prefix(room) + [eosTokenID]
        ids += [Int](repeating: padTokenID, count: modelMaxLength - ids.count)
        return Encoding(ids: ids, truncatedCount: max(0, tokens.count - room))
    }

    /// Ids of a text's tokens without start, end and padding.
    public func tokenize(_ text: String) -> [Int] {
        var ids = [Int]()
        var rest = ArraySlice(Array(text.unicodeScalars))
        var plain = String.UnicodeScalarView()
        while let scalar = rest.first {
            if let special = specials.first(where: { rest.starts(with: $0.text) }) {
                appendPlain(String(plain), to: &ids)
                plain = String.UnicodeScalarView()
                ids.append(special.id)
                rest = rest.dropFirst(special.text.count)
            } else {
                plain.append(scalar)
                rest = rest.dropFirst()
            }
        }
        appendPlain(String(plain), to: &ids)
        return ids
    }

    private func appendPlain(_ text: String, to ids: inout [Int]) {
        guard !text.isEmpty else { return }
        for word in CLIPWordSplitter.words(of: text) {
            merge(Array(word.utf8), into: &ids)
        }
    }

    /// Applies the merges of lowest rank first, the leftmost of equals first.
    private func merge(_ bytes: [UInt8], into ids: inout [Int]) {
        guard let last = bytes.last else { return }
        var word = bytes.dropLast().map { byteIDs[Int($0)] }
        word.append(finalByteIDs[Int(last)])
        let end = word.count
        // A chain over those that are left; what was merged into its left neighbour is -1.
        var (next, previous) = (Array(1...end), Array(-1..<(end - 1)))
        var candidates = MergeQueue()
        func candidate(at index: Int) -> MergeQueue.Candidate? {
            guard index >= 0, next[index] < end, let merge = merges[Pair(left: word[index], right: word[next[index]])] else {
                return nil
            }
            return MergeQueue.Candidate(rank: merge.rank, index: index, id: merge.id)
        }
        for index in 0..<end { candidates.insert(candidate(at: index)) }
        while let best = candidates.removeFirst() {
            // Its halves may have gone into other merges since.
            guard word[best.index] >= 0, candidate(at: best.index) == best else { continue }
            let gone = next[best.index]
            word[best.index] = best.id
            word[gone] = -1
            next[best.index] = next[gone]
            if next[gone] < end { previous[next[gone]] = best.index }
            candidates.insert(candidate(at: previous[best.index]))
            candidates.insert(candidate(at: best.index))
        }
        ids += word.lazy.filter { $0 >= 0 }
    }

    /// A printable character for each byte, as GPT-2 chose them: printable Latin-1 stands for itself, the others follow from U+0100 on.
    static let byteSymbols: [String] = {
        var next: UInt32 = 0x100
        return (UInt32(0)..<256).map { byte in
            let printable = (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte)
            let code = printable ? byte : next
            if !printable { next += 1 }
            return String(Character(Unicode.Scalar(code) ?? " "))
        }
    }()

    /// The ids that pairs of ids become, with the order of the merges.
    private static func table(of files: Vocabulary) throws -> [Pair: Merge] {
        var merges = [Pair: Merge](minimumCapacity: files.merges.count)
        for (rank, merge) in files.merges.enumerated() {
            guard let left = files.ids[merge.left], let right = files.ids[merge.right],
                let id = files.ids[merge.left + merge.right]
            else {
                throw CheckpointError(
                    file: files.mergesFile,
                    problem: .malformed(reason: "\"\(merge.left) \(merge.right)\" is no merge of tokens of its vocabulary"))
            }
            let pair = Pair(left: left, right: right)
            if merges[pair] == nil { merges[pair] = Merge(rank: rank, id: id) }
        }
        return merges
    }
}

/// The special tokens and the length that the configuration files of a tokenizer name.
private struct SpecialTokens {
    var bos = "<|startoftext|>"
    var eos = "<|endoftext|>"
    var pad: String
    var unknown: String
    var modelMaxLength = 77

    init(folder: URL) throws {
        var pad: String?
        var unknown: String?
        for name in ["special_tokens_map.json", "tokenizer_config.json"] {
            let url = folder.appendingPathComponent(name)
            guard FileManager.default.fileExists(atPath: url.path) else { continue }
            let file = try JSONConfiguration(contentsOf: url)
            bos = try Self.token(file, "bos_token") ?? bos
            eos = try Self.token(file, "eos_token") ?? eos
            pad = try Self.token(file, "pad_token") ?? pad
            unknown = try Self.token(file, "unk_token") ?? unknown
            if file["model_max_length"] != nil { modelMaxLength = try file.count("model_max_length", limit: 1 << 16) }
            guard modelMaxLength >= 2 else { throw file.wrong("model_max_length", expected: "at least 2") }
        }
        self.pad = pad ?? eos
        self.unknown = unknown ?? eos
    }

    /// A token is written as text or as an object with its `content`.
    private static func token(_ file: JSONConfiguration, _ key: String) throws -> String? {
        if case .object = file[key] { return try file.object(key).require("content") }
        return try file.optional(key)
    }
}
