import Checkpoints
import Foundation
import TensorKit
import Testing

@Suite struct SafetensorsTests {
    @Test func readsEveryTypeThatTheLibraryWrites() throws {
        let state = try StateDictionary(safetensors: fixture("types.safetensors"))
        let expected = try JSONConfiguration(contentsOf: fixture("types.json"))
        #expect(Set(state.names) == Set(expected.members.map(\.key)))
        #expect(state.metadata == ["format": "pt", "note": "ä \"quoted\"\n"])
        for name in expected.members.map(\.key) {
            let entry = try state.entry(name)
            let object = try expected.object(name)
            #expect(entry.shape == (try object.require("shape", as: [Int].self)))
            let texts = try object.require("values", as: [String].self)
            let floats = entry.floats()
            #expect(floats.count == texts.count)
            for (found, text) in zip(floats, texts) {
                let value = try #require(Double(text))
                #expect(found == Float(value) && found.sign == value.sign, "\(name): \(found) for \(text)")
            }
            #expect(entry.tensor().array == floats)
            if entry.elementType.isFloatingPoint {
                #expect(throws: CheckpointError.self) { try entry.integers() }
            } else {
                #expect(try entry.integers() == texts.map { Int($0) })
            }
        }
    }

    @Test func readsRows() throws {
        let entry = try StateDictionary(safetensors: fixture("types.safetensors")).entry("f32")
        let all = entry.floats()
        let rows = try entry.tensor(rows: 1..<2)
        #expect(rows.shape == [1, 3, 4])
        #expect(rows.array == Array(all[12...]))
        #expect(throws: CheckpointError.self) { try entry.tensor(rows: 1..<3) }
    }

    @Test func readsShards() throws {
        let whole = try StateDictionary(safetensors: fixture("types.safetensors"))
        let state = try StateDictionary(shardedIndex: fixture("sharded.safetensors.index.json"))
        #expect(Set(state.names) == ["f32", "i64", "f16"])
        for name in state.names { #expect(state[name]?.floats() == whole[name]?.floats()) }
    }

    @Test(arguments: [#""../a.safetensors""#, #""""#, "3", #"".."#])
    func refusesShardsElsewhere(file: String) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("m.safetensors.index.json")
            try Data(#"{"weight_map": {"a": \#(file)}}"#.utf8).write(to: url)
            #expect(throws: CheckpointError.self) { try StateDictionary(shardedIndex: url) }
        }
    }

    @Test func missingShardsAreNamedWithTheirIndex() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("m.safetensors.index.json")
            try Data(#"{"weight_map": {"a": "m-2.safetensors"}}"#.utf8).write(to: url)
            let found = #expect(throws: CheckpointError.self) { try StateDictionary(shardedIndex: url) }
            #expect(found?.description == "\(url.path): names the shard m-2.safetensors, which is not beside it; fetch it again")
        }
    }

    @Test func everyTruncationIsRefused() throws {
        let whole = try Data(contentsOf: fixture("types.safetensors"))
        for count in stride(from: 0, to: whole.count, by: 7) {
            #expect(try problem(opening: whole.prefix(count)) != nil, "\(count) bytes")
        }
    }

    @Test func everyDamagedHeaderByteIsSurvived() throws {
        let whole = try Data(contentsOf: fixture("types.safetensors"))
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("damaged.safetensors")
            for position in stride(from: 0, to: min(whole.count, 900), by: 3) {
                for byte: UInt8 in [0, 0x22, 0x2D, 0x39, 0x5D, 0xFF] {
                    var damaged = whole
                    damaged[position] = byte
                    try put(damaged, at: url)
                    if let state = try? StateDictionary(safetensors: url) {
                        for entry in state.entries { #expect(entry.floats().count == entry.count) }
                    }
                }
            }
        }
    }

    struct Hostile: CustomTestStringConvertible, Sendable {
        let name: String
        let data: Data
        let message: String
        var testDescription: String { name }
    }

    static let hostile: [Hostile] = [
        .init(name: "no header", data: Data([1, 2, 3]), message: "ends too early, 3 of 8 bytes"),
        .init(name: "huge header", data: container("{}", length: .max), message: "is no safetensors file"),
        .init(name: "header past the end", data: container("{}", length: 50), message: "10 of 58 bytes"),
        .init(name: "not JSON", data: container("{\"a\":"), message: ":1:6: not valid JSON, the text ends too early"),
        .init(name: "not an object", data: container("[]"), message: "not an object of keys"),
        .init(
            name: "same name twice",
            data: container(
                #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
                data: [0]), message: "the key \"a\" stands twice"),
        .init(
            name: "unknown type", data: container(#"{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}"#, data: [0]),
            message: "tensor \"a\": numbers of type F4 cannot be read"),
        .init(
            name: "negative dimension", data: container(#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#, data: [0]),
            message: "impossible shape [-1]"),
        .init(
            name: "overflowing shape",
            data: container(
                #"{"a":{"dtype":"F32","shape":[4611686018427387904,4611686018427387904],"data_offsets":[0,0]}}"#),
            message: "impossible shape"),
        .init(
            name: "shape against bytes",
            data: container(#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, data: [0, 0, 0, 0]),
            message: "shape [2] of F32 needs 8 bytes, data_offsets give 4"),
        .init(
            name: "data past the end", data: container(#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, data: [0]),
            message: "ends too early, 63 of 70 bytes, within tensor \"a\" F32 [2]"),
        .init(
            name: "pointer of Git LFS", data: Data("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n".utf8),
            message: "is a Git LFS pointer, not the weights themselves; `git lfs pull` fetches them"),
        .init(name: "GGUF", data: Data("GGUF\u{3}\0\0\0\0\0\0\0".utf8), message: "is a GGUF file, which is not read"),
        .init(
            name: "picture", data: Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]), message: "is a picture, not weights"),
        .init(name: "page", data: Data("<html>404</html>".utf8), message: "is a web page"),
        .init(
            name: "offsets backwards", data: container(#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}"#, data: [0]),
            message: "impossible data_offsets [1, 0]"),
        .init(
            name: "offsets at the end of the numbers",
            data: container(
                #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[9223372036854775806,9223372036854775807]}}"#, data: [0]),
            message: "ends too early"),
        .init(
            name: "overlap",
            data: container(
                #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
                data: [0, 0, 0]), message: "tensor \"b\": overlaps the tensor before it"),
        .init(
            name: "gap", data: container(#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, data: [0, 0]),
            message: "leaves a gap"),
        .init(
            name: "trailing bytes", data: container(#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, data: [0, 0, 0]),
            message: "2 bytes that belong to no tensor"),
        .init(
            name: "missing shape", data: container(#"{"a":{"dtype":"U8","data_offsets":[0,1]}}"#, data: [0]),
            message: "\"a.shape\" is missing"),
        .init(
            name: "nested without end", data: container(String(repeating: "[", count: 100_000)), message: "nested deeper"),
    ]

    @Test(arguments: hostile) func hostileFilesAreNamed(hostile: Hostile) throws {
        let found = try #require(try problem(opening: hostile.data))
        let text = CheckpointError(file: "f", problem: found).description
        #expect(text.contains(hostile.message), "\(text)")
    }

    @Test func unreadableFilesAreNamed() throws {
        try withTemporaryFolder { folder in
            for url in [folder, folder.appendingPathComponent("none.safetensors")] {
                #expect {
                    try StateDictionary(safetensors: url)
                } throws: { error in
                    guard case .unreadable = (error as? CheckpointError)?.problem else { return false }
                    return "\(error)".hasPrefix(url.path)
                }
            }
        }
    }
}
