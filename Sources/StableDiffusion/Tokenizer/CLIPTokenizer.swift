import Checkpoints
import Foundation

/// Byte-level byte-pair encoding of prompts (transformers `CLIPTokenizer`): canonical composition, white space as single spaces, lower case,
/// words split by CLIP's pattern, then merges.
///
/// Reads `vocab.json` and `merges.txt`; special tokens and those that textual inversions added are found whole in a text.
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
    /// Tokens that are sought in a text as it is written, and in the normalised one.
    private let written, normalized: TokenFinder

    private struct Pair: Hashable {
        let left: Int
        let right: Int
    }

    /// Reads the tokenizer of a model folder.
    /// - Parameter folder: holds `vocab.json` and `merges.txt` (or `tokenizer.json`, or the merges of CLIP alone) and, optionally,
    ///   `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`.
    /// - Throws: `StableDiffusionError.missingFile`, or `CheckpointError` when its tokens do not fit together.
    public init(folder: URL) throws {
        var files = try Self.vocabulary(in: folder)
        let settings = try TokenizerSettings(folder: folder, ids: &files.ids)
        let vocabulary = files.ids
        modelMaxLength = settings.modelMaxLength
        vocabularySize = (vocabulary.values.max() ?? -1) + 1

        func id(_ token: String) throws -> Int {
            guard let id = vocabulary[token] else {
                throw CheckpointError(file: files.idsFile, problem: .missingKey(key: token, expected: "the id of this token"))
            }
            return id
        }
        bosTokenID = try id(settings.bos.content)
        eosTokenID = try id(settings.eos.content)
        padTokenID = try id(settings.pad.content)
        let unknown = try id(settings.unknown.content)
        let tokens = Dictionary(settings.all.map { ($0.content, $0) }, uniquingKeysWith: { $1 }).values
        written = TokenFinder(
            try tokens.filter { !$0.isNormalized }.map { (Array($0.content.unicodeScalars), try id($0.content), $0.isSingleWord) }
        )
        normalized = TokenFinder(
            try tokens.filter(\.isNormalized).map {
                (CLIPWordSplitter.normalized($0.content), try id($0.content), $0.isSingleWord)
            })
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
        for piece in written.pieces(of: Array(text.unicodeScalars)) {
            switch piece {
            case .token(let id): ids.append(id)
            case .text(let part):
                var view = String.UnicodeScalarView()
                view.append(contentsOf: part)
                for piece in normalized.pieces(of: CLIPWordSplitter.normalized(String(view))) {
                    switch piece {
                    case .token(let id): ids.append(id)
                    case .text(let part):
                        for word in CLIPWordSplitter.words(of: Array(part)) { merge(Array(word.utf8), into: &ids) }
                    }
                }
            }
        }
        return ids
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
