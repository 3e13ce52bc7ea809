import Checkpoints
import Foundation
import TensorKit
import Testing

@Suite struct StateDictionaryTests {
    private func state(_ shapes: [(String, [Int])]) throws -> StateDictionary {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("w.safetensors")
            try SafetensorsWriter.write(shapes.map { StoredTensor($0, Tensor(zeros: $1)) }, to: url)
            return try StateDictionary(safetensors: url)
        }
    }

    @Test func allMismatchesAreReportedAtOnce() throws {
        let state = try state([("a", [2, 3]), ("b", [4]), ("extra", [5]), ("more", [])])
        #expect {
            try state.matched(to: [("a", [3, 2]), ("b", [4]), ("c", [7, 7]), ("d", [1])])
        } throws: { error in
            guard let mismatch = error as? StateDictionaryMismatch else { return false }
            let text = "\(mismatch)"
            return mismatch.missing == [.init(key: "c", shape: [7, 7]), .init(key: "d", shape: [1])]
                && mismatch.unexpected == [.init(key: "extra", shape: [5]), .init(key: "more", shape: [])]
                && mismatch.wrongShape == [.init(key: "a", expected: [3, 2], found: [2, 3])]
                && text.hasPrefix(state.file) && text.contains("2 missing, 2 unexpected, 1 of another shape")
                && text.contains("  a: expected [3, 2], found [2, 3]") && text.contains("  c: missing, expected [7, 7]")
                && text.contains("  more: unexpected, found []")
        }
    }

    @Test func aWrongFileDoesNotFillTheScreen() {
        let items = (0..<700).map { StateDictionaryMismatch.Item(key: "layer.\($0).weight", shape: [4, $0]) }
        let mismatch = StateDictionaryMismatch(
            file: "m.safetensors", missing: items, unexpected: Array(items.prefix(8)), wrongShape: [])
        let lines = mismatch.description.split(separator: "\n")
        #expect(lines[0].contains("700 missing, 8 unexpected, 0 of another shape"))
        #expect(lines[8] == "  layer.7.weight: missing, expected [4, 7]")
        #expect(lines[9] == "  and 692 more missing")
        #expect(lines.last == "  layer.7.weight: unexpected, found [4, 7]" && lines.count == 18)
    }

    @Test func matchedEntriesComeInTheOrderAsked() throws {
        let state = try state([("a", [2, 3]), ("b", [4])])
        #expect(try state.matched(to: [("b", [4]), ("a", [2, 3])]).map(\.name) == ["b", "a"])
        #expect(throws: CheckpointError.self) { try state.entry("a", shape: [6]) }
        #expect(throws: CheckpointError.self) { try state.entry("z") }
    }

    @Test func namesCanBeRewritten() throws {
        let state = try state([("x.a", [1]), ("x.b", [4]), ("skip", [1])])
        let renamed = try state.renamed { $0.hasPrefix("x.") ? String($0.dropFirst(2)) : nil }
        #expect(renamed.names == ["a", "b"])
        #expect(throws: CheckpointError.self) { try state.renamed { _ in "same" } }
        #expect(throws: CheckpointError.self) { try state.entry("x.b").reshaped([3]) }
        #expect(try state.entry("x.b").reshaped([2, 2]).shape == [2, 2])
    }
}

@Suite struct JSONConfigurationTests {
    @Test func readsWhatPythonWrites() throws {
        let text =
            #"{"a": -Infinity, "n": NaN, "i": 12, "whole": 3.0, "f": 1e-05, "s": "\u00e9\ud83d\ude00\n", "l": [1, 2], "z": null, "o": {"k": true}}"#
        let configuration = try JSONConfiguration(text: text, file: "c.json")
        #expect(try configuration.require("a", as: Double.self) == -.infinity)
        #expect(try configuration.require("n", as: Double.self).isNaN)
        #expect(try configuration.require("i", as: Int.self) == 12)
        #expect(try configuration.require("whole", as: Int.self) == 3)
        #expect(try configuration.require("f", as: Float.self) == 1e-5)
        #expect(try configuration.require("s", as: String.self) == "é😀\n")
        #expect(try configuration.require("l", as: [Int].self) == [1, 2])
        #expect(try configuration.value("z", default: 9) == 9)
        #expect(try configuration.value("none", default: false) == false)
        #expect(try configuration.object("o").require("k", as: Bool.self))
        #expect(configuration.members.map(\.key) == ["a", "n", "i", "whole", "f", "s", "l", "z", "o"])
    }

    @Test func errorsNameFileAndKey() throws {
        let configuration = try JSONConfiguration(
            text: #"{"a": "x", "o": {"k": 1.5}, "l": [0, 1], "big": 99999999999}"#, file: "c.json")
        func message(_ body: () throws -> some Any) -> String {
            do {
                return "no error but \(try body())"
            } catch { return "\(error)" }
        }
        #expect(message { try configuration.require("a", as: Int.self) } == "c.json: \"a\" should be a whole number, found \"x\"")
        #expect(
            message { try configuration.require("b", as: [Int].self) }
                == "c.json: \"b\" is missing, expected a list, each a whole number")
        #expect(
            message { try configuration.object("o").require("k", as: Int.self) }
                == "c.json: \"o.k\" should be a whole number, found 1.5")
        #expect(message { try configuration.counts("l") }.hasPrefix("c.json: \"l\" should be a list of whole numbers between 1"))
        #expect(message { try configuration.count("big") }.hasPrefix("c.json: \"big\" should be between 1 and"))
        #expect(message { try configuration.object("a") } == "c.json: \"a\" should be an object, found \"x\"")
    }

    @Test(arguments: [
        "", "{", "{\"a\"", "{\"a\":}", "{\"a\":1,}", "{\"a\":tru}", "{\"a\":\"\\x\"}", "{\"a\":\"\\ud800\"}", "{\"a\":--1}",
        "{\"a\":1} x",
        "{\"a\":\"\u{1}\"}", "{a:1}", "{\"a\":+1}", "{\"a\":1-2}",
    ])
    func refusesWhatIsNotJSON(text: String) {
        #expect {
            try JSONConfiguration(text: text, file: "c.json")
        } throws: { error in
            guard case .invalidJSON = (error as? CheckpointError)?.problem else { return false }
            return "\(error)".hasPrefix("c.json:1:")
        }
    }
}

@Suite struct SHA256Tests {
    /// `hashlib.sha256(bytes(i % 251 for i in range(n))).hexdigest()` around the ends of blocks, and FIPS 180-4's "abc".
    @Test(arguments: [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (55, "463eb28e72f82e0a96c0a4cc53690c571281131f672aa229e0d45ae59b598b59"),
        (56, "da2ae4d6b36748f2a318f23e7ab1dfdf45acdc9d049bd80e59de82a60895f562"),
        (64, "fdeab9acf3710362bd2658cdc9a29e8f9c757fcf9811603a8c447cd1d9151108"),
        (1000, "4e4c294b331f7a2099a379bec34b9f9fc03dc46ab465d998f4d683da53487e6d"),
    ])
    func agreesWithHashlib(count: Int, digest: String) {
        let bytes = (0..<count).map { UInt8($0 % 251) }
        #expect(bytes.withUnsafeBytes { SHA256.hexDigest(of: $0) } == digest)
        let abc = Array("abc".utf8).withUnsafeBytes { SHA256.hexDigest(of: $0) }
        #expect(abc == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }
}
