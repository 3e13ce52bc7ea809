import Checkpoints
import Foundation

extension CLIPTokenizer {
    /// Tokens and merges as files hold them.
    struct Vocabulary {
        /// Ids by token.
        var ids: [String: Int]
        /// From the first to be applied to the last.
        var merges: [(left: String, right: String)]
        /// Where they came from, for messages.
        var idsFile: String
        var mergesFile: String
    }

    /// Merges of the tokenizer of OpenAI's CLIP; with them alone all of its 49,408 ids are known.
    private static let clipMergeCount = 48_894

    /// Reads `vocab.json` and `merges.txt` of a folder; where they are missing `tokenizer.json`, or the merges of CLIP alone.
    /// - Throws: `StableDiffusionError.missingFile`, or `CheckpointError` for files that do not fit together.
    static func vocabulary(in folder: URL) throws -> Vocabulary {
        func url(_ name: String) -> URL { folder.appendingPathComponent(name) }
        func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: url(name).path) }
        if exists("tokenizer.json"), !exists("vocab.json") || !exists("merges.txt") { return try fast(url("tokenizer.json")) }
        if !exists("vocab.json"), exists("merges.txt") {
            let merges = try readMerges(url("merges.txt"))
            if merges.count == clipMergeCount { return clip(merges, file: url("merges.txt").path) }
        }
        for name in ["vocab.json", "merges.txt"] { try ModelFolder.requireFile(url(name), role: "a part of the tokenizer") }
        let file = try JSONConfiguration(contentsOf: url("vocab.json"))
        return Vocabulary(
            ids: try ids(file), merges: try readMerges(url("merges.txt")), idsFile: file.file, mergesFile: url("merges.txt").path)
    }

    private static func ids(_ file: JSONConfiguration) throws -> [String: Int] {
        var ids = [String: Int](minimumCapacity: file.members.count)
        for member in file.members {
            guard let id = Int(json: member.value), (0..<(1 << 24)).contains(id) else {
                throw file.wrong(member.key, expected: "a token id")
            }
            ids[member.key] = id
        }
        return ids
    }

    /// `tokenizer.json` of the tokenizers library: a byte-pair model with `</w>` at the end of words.
    private static func fast(_ url: URL) throws -> Vocabulary {
        let file = try JSONConfiguration(contentsOf: url)
        let model = try file.object("model")
        guard try model.value("type", default: "BPE") == "BPE" else { throw model.wrong("type", expected: "BPE") }
        guard try model.optional("end_of_word_suffix") == "</w>" else {
            throw model.wrong("end_of_word_suffix", expected: "\"</w>\", as CLIP's tokenizer has it")
        }
        var ids = try ids(model.object("vocab"))
        if file["added_tokens"] != nil {
            for token in try file.objects("added_tokens") {
                let id = try token.require("id", as: Int.self)
                guard (0..<(1 << 24)).contains(id) else { throw token.wrong("id", expected: "a token id") }
                ids[try token.require("content")] = id
            }
        }
        guard case .array(let items)? = model["merges"] else { throw model.wrong("merges", expected: "a list of merges") }
        // Written as "a b", or since tokenizers 0.20 as ["a", "b"].
        let merges = try items.map { item -> (String, String) in
            if let pair = [String](json: item), pair.count == 2 { return (pair[0], pair[1]) }
            if let text = String(json: item) {
                let parts = text.split(separator: " ", omittingEmptySubsequences: false)
                if parts.count == 2 { return (String(parts[0]), String(parts[1])) }
            }
            throw model.wrong("merges", expected: "pairs of tokens")
        }
        return Vocabulary(ids: ids, merges: merges, idsFile: url.path, mergesFile: url.path)
    }

    /// The vocabulary that CLIP's merges imply: the bytes, the bytes at a word's end, the merges in order, start and end.
    private static func clip(_ merges: [(left: String, right: String)], file: String) -> Vocabulary {
        let isPrintable = { (byte: Int) in (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte) }
        let order = (0..<256).filter(isPrintable) + (0..<256).filter { !isPrintable($0) }
        let symbols = order.map { byteSymbols[$0] }
        let tokens =
            symbols + symbols.map { $0 + "</w>" } + merges.map { $0.left + $0.right } + ["<|startoftext|>", "<|endoftext|>"]
        return Vocabulary(
            ids: Dictionary(tokens.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { first, _ in first }),
            merges: merges, idsFile: file, mergesFile: file)
    }

    private static func readMerges(_ url: URL) throws -> [(left: String, right: String)] {
        let text: String
        do {
            text = try String(contentsOf: url, encoding: .utf8)
        } catch {
            throw CheckpointError(file: url.path, problem: .unreadable(reason: "not there, or not UTF-8 text"))
        }
        var merges = [(left: String, right: String)]()
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = line.hasSuffix("\r") ? line.dropLast() : line
            if line.isEmpty || (number == 0 && line.hasPrefix("#version")) { continue }
            let parts = line.split(separator: " ", omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                throw CheckpointError(
                    file: url.path,
                    problem: .malformed(reason: "line \(number + 1), \"\(line)\", is no merge of tokens of vocab.json"))
            }
            merges.append((String(parts[0]), String(parts[1])))
        }
        return merges
    }

    /// The tokenizer of a checkpoint in one file, which carries none: sought beside it and in the user's folder.
    /// - Throws: `StableDiffusionError.missingTokenizer` that says what to put where.
    init(forCheckpoint url: URL) throws {
        let parent = url.deletingLastPathComponent()
        let stem = url.deletingPathExtension().lastPathComponent
        let places = [
            parent.appendingPathComponent("\(stem).tokenizer"), parent.appendingPathComponent("tokenizer"), Self.sharedFolder,
            parent,
        ]
        let names = ["merges.txt", "tokenizer.json"]
        let place = places.first { place in
            names.contains { FileManager.default.fileExists(atPath: place.appendingPathComponent($0).path) }
        }
        guard let place else {
            throw StableDiffusionError.missingTokenizer(
                file: url.path, places: [parent.appendingPathComponent("tokenizer").path, Self.sharedFolder.path])
        }
        try self.init(folder: place)
    }

    /// Where one tokenizer can lie for all checkpoints of a user.
    private static var sharedFolder: URL {
        let environment = ProcessInfo.processInfo.environment
        let data =
            environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? (environment["HOME"] ?? "") + "/.local/share"
        return URL(fileURLWithPath: data).appendingPathComponent("w2w/tokenizer")
    }
}
