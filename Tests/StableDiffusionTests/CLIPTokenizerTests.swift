import Checkpoints
import Foundation
import StableDiffusion
import Testing

@Suite struct CLIPTokenizerTests {
    /// Prompts with what transformers makes of them (Fixtures/make_tokens.py).
    private func cases() throws -> [JSONConfiguration] {
        let text = try String(contentsOf: fixture("tokens.json"), encoding: .utf8)
        return try JSONConfiguration(text: "{\"cases\":\(text)}", file: "tokens.json").objects("cases")
    }

    @Test func idsEqualThoseOfTransformers() throws {
        let tokenizer = try CLIPTokenizer(folder: builtInModel.appendingPathComponent("tokenizer"))
        let cases = try cases()
        #expect(cases.count > 40)
        for item in cases {
            let prompt: String = try item.require("prompt")
            let expected: [Int] = try item.require("ids")
            let encoding = tokenizer.encode(prompt)
            #expect(encoding.ids == expected, "\(prompt.debugDescription)")
            let count: Int = try item.require("count")
            #expect(tokenizer.tokenize(prompt).count == count, "\(prompt.debugDescription)")
            #expect(encoding.truncatedCount == max(0, count - 75), "\(prompt.debugDescription)")
        }
    }

    /// Tokens of textual inversions, in every layout of files that transformers wrote (Fixtures/make_added_tokens.py).
    @Test func addedTokensAreFoundWhole() throws {
        let file = try JSONConfiguration(contentsOf: fixture("added_tokens.json"))
        let prompts: [String] = try file.require("prompts")
        let layouts = try file.objects("layouts")
        #expect(layouts.count == 4)
        for layout in layouts {
            let name: String = try layout.require("name")
            guard case .array(let expected)? = layout["ids"] else { throw layout.wrong("ids", expected: "a list") }
            try withModelCopy { folder in
                let place = folder.appendingPathComponent("tokenizer")
                let files = try layout.object("files")
                for member in files.members {
                    let text: String = try files.require(member.key)
                    try Data(text.utf8).write(to: place.appendingPathComponent(member.key))
                }
                let tokenizer = try CLIPTokenizer(folder: place)
                #expect(tokenizer.vocabularySize == 44, "\(name)")
                for (prompt, ids) in zip(prompts, expected) {
                    #expect(tokenizer.tokenize(prompt) == [Int](json: ids), "\(name): \(prompt.debugDescription)")
                }
            }
        }
    }

    @Test(arguments: [
        ("added_tokens.json", #"{"x": -1}"#, "\"x\" should be a token id"),
        ("added_tokens.json", #"{"x": "y"}"#, "\"x\" should be a whole number"),
        (
            "tokenizer_config.json", #"{"added_tokens_decoder": {"x": {"content": "y"}}}"#,
            "\"added_tokens_decoder.x\" should be a token id"
        ),
        (
            "tokenizer_config.json", #"{"added_tokens_decoder": {"40": {}}}"#,
            "\"added_tokens_decoder.40.content\" is missing, expected a text"
        ),
        (
            "tokenizer.json", #"{"added_tokens": [{"content": "x"}]}"#,
            "\"added_tokens[0].id\" is missing, expected a whole number"
        ),
    ])
    func damagedListsOfAddedTokensAreNamed(file: String, text: String, expected: String) throws {
        try withModelCopy { folder in
            let tokenizer = folder.appendingPathComponent("tokenizer")
            try Data(text.utf8).write(to: tokenizer.appendingPathComponent(file))
            let found = message { try CLIPTokenizer(folder: tokenizer) }
            #expect(found.contains("\(file): \(expected)"), "\(found)")
        }
    }

    /// Merging letter by letter over the whole word would take minutes.
    @Test(.timeLimit(.minutes(1))) func aVeryLongWordTakesNoQuadraticTime() throws {
        let tokenizer = try CLIPTokenizer(folder: builtInModel.appendingPathComponent("tokenizer"))
        let letters = Array("etaoinshrdlu")
        var word = ""
        for index in 0..<300_000 { word.append(letters[(index * index / 7 + index / 3) % letters.count]) }
        let encoding = tokenizer.encode(word)
        #expect(encoding.truncatedCount > 50_000)
        #expect(encoding.ids.prefix(70) == tokenizer.encode(String(word.prefix(400))).ids.prefix(70))
    }

    @Test func brokenFilesAreNamed() throws {
        try withModelCopy { folder in
            let tokenizer = folder.appendingPathComponent("tokenizer")
            let merges = tokenizer.appendingPathComponent("merges.txt")
            try Data("#version: 0.2\na b\nx y z\n".utf8).write(to: merges)
            #expect(message { try CLIPTokenizer(folder: tokenizer) }.contains("merges.txt: line 3, \"x y z\", is no merge"))
            try FileManager.default.removeItem(at: merges)
            #expect(message { try CLIPTokenizer(folder: tokenizer) }.contains("merges.txt: a part of the tokenizer is missing"))
            try Data("#version: 0.2\n".utf8).write(to: merges)
            let vocabulary = tokenizer.appendingPathComponent("vocab.json")
            try Data("{\"a\": -1}".utf8).write(to: vocabulary)
            #expect(message { try CLIPTokenizer(folder: tokenizer) }.contains("\"a\" should be a token id, found -1"))
            try Data("{\"a\": 1}".utf8).write(to: vocabulary)
            #expect(message { try CLIPTokenizer(folder: tokenizer) }.contains("\"<|startoftext|>\" is missing"))
        }
    }
}
