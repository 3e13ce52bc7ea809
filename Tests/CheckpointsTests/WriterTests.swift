import Foundation
import TensorKit
import Testing

@testable import Checkpoints

@Suite struct WriterTests {
    @Test func writesWhatItReads() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.safetensors")
            let values: [Float] = (0..<600).map { Float($0 - 300) * 0.37 }
            let tensor = Tensor([20, 30], values)
            try SafetensorsWriter.write(
                [
                    StoredTensor("b", tensor), StoredTensor("a", tensor, as: .float16), StoredTensor("c", tensor, as: .bfloat16),
                    StoredTensor("n", integers: [1, -2, 3], shape: [3, 1]), StoredTensor("none", Tensor([0], [])),
                ], metadata: ["rank": "1", "odd \"name\"\n": "\u{1}ü"], to: url)
            let state = try StateDictionary(safetensors: url)
            #expect(state.names == ["b", "a", "c", "n", "none"])
            #expect(state.metadata == ["rank": "1", "odd \"name\"\n": "\u{1}ü"])
            #expect(state["b"]?.floats() == values)
            #expect(state["a"]?.floats() == values.map { Float(Float16($0)) })
            #expect(try state.entry("n", shape: [3, 1]).integers() == [1, -2, 3])
            for (found, value) in zip(try state.entry("c").floats(), values) {
                #expect(abs(found - value) <= abs(value) / 256)
                #expect(found.bitPattern & 0xFFFF == 0)
            }
        }
    }

    /// Every half-precision number, against the compiler's own conversion, both ways, and the halfway cases between neighbours.
    @Test func halfPrecisionIsExact() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("halves.safetensors")
            let halves = (0...UInt16.max).map { Float16(bitPattern: $0) }.filter { !$0.isNaN }
            let exact = halves.map { Float($0) }
            let between = zip(exact, exact.dropFirst()).map { ($0 + $1) / 2 }.filter { $0.isFinite }
            let odd: [Float] = [1e-30, -1e-30, 65519, 65520, 1e30, 2.98e-8, 2.99e-8, .leastNonzeroMagnitude]
            let values = exact + between + odd
            try SafetensorsWriter.write([StoredTensor("h", Tensor([values.count], values), as: .float16)], to: url)
            let found = try StateDictionary(safetensors: url).entry("h").floats()
            for (value, back) in zip(values, found) {
                let expected = Float(Float16(value))
                #expect(back == expected && back.sign == expected.sign, "\(value) became \(back), not \(expected)")
            }
        }
    }

    @Test func aFailedWriteLeavesTheOldFile() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("kept.safetensors")
            try SafetensorsWriter.write([StoredTensor("a", Tensor([1], [1]))], to: url)
            let before = try Data(contentsOf: url)
            struct Stop: Error {}
            #expect(throws: Stop.self) {
                try AtomicFile.write(to: url) { file in
                    try file.append("half")
                    throw Stop()
                }
            }
            #expect(throws: CheckpointError.self) {
                try SafetensorsWriter.write(
                    [StoredTensor("a", Tensor([1], [1])), StoredTensor("a", Tensor([1], [2]))], to: url)
            }
            #expect(try Data(contentsOf: url) == before)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["kept.safetensors"])
            let nowhere = folder.appendingPathComponent("no/such/folder/x.safetensors")
            #expect {
                try SafetensorsWriter.write([], to: nowhere)
            } throws: { error in
                guard case .unwritable = (error as? CheckpointError)?.problem else { return false }
                return true
            }
        }
    }

    /// Whether files without a name can be had here.
    private func hasNamelessFiles(_ folder: URL) -> Bool {
        let descriptor = open(folder.path, O_WRONLY | 0o20_000_000 | O_DIRECTORY, 0o600)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }

    @Test(arguments: [true, false])
    func aFileAppearsWholeOverAnOldOne(isNameless: Bool) throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("file")
            for text in ["first", "second, longer", "3"] {
                try AtomicFile.write(to: url, isNameless: isNameless) { try $0.append(text) }
                #expect(try String(contentsOf: url, encoding: .utf8) == text)
                #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["file"])
            }
            let attributes = try FileManager.default.attributesOfItem(atPath: url.path)
            #expect((attributes[.posixPermissions] as? Int ?? 0) & 0o600 == 0o600)
        }
    }

    /// What a kill at this moment would leave.
    @Test func aFileInTheMakingHasNoName() throws {
        try withTemporaryFolder { folder in
            guard hasNamelessFiles(folder) else { return }
            let url = folder.appendingPathComponent("file")
            for expected in [[], ["file"]] {
                try AtomicFile.write(to: url) { file in
                    try file.append("half")
                    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == expected)
                }
            }
        }
    }

    @Test func aFileTooLargeForTheDiskIsRefusedBeforeItIsWritten() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("file")
            let free = try #require(DiskSpace.free(at: folder.appendingPathComponent("not/there/yet")))
            let error = #expect(throws: CheckpointError.self) {
                try AtomicFile.write(to: url) { file in
                    try file.reserve(free + 1 << 44)
                    try file.append("never")
                    throw CheckpointError(file: "", problem: .unwritable(reason: "room was found"))
                }
            }
            // Some file systems promise nothing, and some have a limit below the disk's size.
            if case .diskFull(let needed, let there) = error?.problem {
                #expect(needed == free + 1 << 44 && there != nil)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        }
    }

    @Test func aFullDiskIsTold() {
        let problem = CheckpointError.Problem.diskFull(neededBytes: 9_900_000_000, freeBytes: 1_234_000_000)
        #expect(
            CheckpointError(file: "/a/b", problem: problem).description
                == "/a/b: the disk is full (9.9 GB needed, 1.2 GB free); make room, or choose a folder on another disk")
        let unknown = CheckpointError(file: "/a/b", problem: .diskFull(neededBytes: nil, freeBytes: 5))
        #expect(unknown.description == "/a/b: the disk is full; make room, or choose a folder on another disk")
        #expect(
            [5, 1000, 999_999, 5_600_000, 1_250_000_000].map(DiskSpace.text) == ["1 kB", "1 kB", "1000 kB", "6 MB", "1.2 GB"])
    }
}
