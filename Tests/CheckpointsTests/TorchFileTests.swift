import Foundation
import TensorKit
import Testing

@testable import Checkpoints

@Suite struct TorchFileTests {
    @Test func readsEveryTypeAndView() throws {
        let state = try StateDictionary(torch: fixture("types.pt"))
        let expected = try JSONConfiguration(contentsOf: fixture("types-torch.json"))
        #expect(Set(state.names) == Set(expected.members.map(\.key)))
        for name in expected.members.map(\.key) {
            let entry = try state.entry(name)
            let object = try expected.object(name)
            #expect(entry.shape == (try object.require("shape", as: [Int].self)), "\(name)")
            let floats = entry.floats()
            let values = try object.require("values", as: [String].self).map { Float(try #require(Double($0))) }
            #expect(floats == values, "\(name)")
            #expect(entry.tensor().array == values, "\(name)")
            if let rows = entry.shape.first, rows > 1 {
                let stride = entry.count / rows
                #expect(try entry.tensor(rows: 1..<2).array == Array(values[stride..<(2 * stride)]), "row 1 of \(name)")
            }
            entry.withBytes { #expect($0.count == entry.byteCount) }
        }
        #expect(state["transposed"]?.isContiguous == false && state["rows"]?.isContiguous == true)
    }

    @Test(arguments: ["old.bin", "wrapped.ckpt", "scored.ckpt"])
    func readsOldFormAndCheckpointsOfTrainingPrograms(name: String) throws {
        let state = try StateDictionary(opening: fixture(name))
        let whole = try StateDictionary(torch: fixture("types.pt"))
        #expect(state.names == ["a.weight", "a.bias", "tied.weight"])
        #expect(state["a.weight"]?.floats() == whole["f32"]?.floats())
        #expect(state["a.bias"]?.floats() == whole["f32"]?.floats().prefix(6).map { $0 })
        #expect(state["tied.weight"]?.floats() == whole["f32"]?.floats())
    }

    @Test func readsOneTensor() throws {
        let file = try TorchFile(fixture("tensor.pt"))
        #expect(try file.tensor(file.root, name: "x")?.shape == [4, 6])
        #expect(throws: CheckpointError.self) { try StateDictionary(file) }
    }

    @Test(arguments: ["pandas2", "pandas3", "pandas3-arrow"])
    func readsTables(version: String) throws {
        for file in ["\(version).pt", "\(version).pkl"] {
            let torch = try TorchFile(fixture(file))
            #expect(DataTable.isTable(torch.root))
            let table = try DataTable(torch.root, file: torch.path)
            #expect(table.columns.map(\.name) == ["file", "Male", "Young", "Bald", "Mixed", "Whole", "Small"], "\(file)")
            #expect(table.rowCount == 3 && table.rowNames == nil)
            #expect(texts(table, 0) == ["100.jpg", "ä b.jpg", "3.png"])
            #expect(numbers(table, 1) == ["1", "-1", "1"] && numbers(table, 2) == ["0.5", "nan", "-1"])
            #expect(numbers(table, 3) == ["1", "0", "1"] && numbers(table, 5) == ["1", "0", "nan"])
            #expect(texts(table, 4) == ["1", nil, "x"] && numbers(table, 6) == ["3", "4", "5"])
        }
        let torch = try TorchFile(fixture("\(version)-index.pt"))
        let table = try DataTable(torch.root, file: torch.path)
        #expect(table.columns.map(\.name) == ["Male", "Young"] && table.rowNames == ["100.jpg", "ä b.jpg", "3.png"])
    }

    /// Columns of pandas' own types: string, Int64, Float64, boolean, categories of texts and of numbers, and pd.NA among objects.
    @Test(arguments: ["pandas2", "pandas3"])
    func readsColumnsWithMissingValuesAndCategories(version: String) throws {
        let torch = try TorchFile(fixture("\(version)-kinds.pt"))
        let table = try DataTable(torch.root, file: torch.path)
        #expect(table.columns.map(\.name) == ["file", "Male", "Young", "Bald", "Hair", "Grade", "Mixed"])
        #expect(texts(table, 0) == ["100.jpg", "ä b.jpg", nil] && texts(table, 4) == ["brown", "red", nil])
        #expect(numbers(table, 1) == ["1", "nan", "-1"] && numbers(table, 2) == ["0.5", "nan", "-1"])
        #expect(numbers(table, 3) == ["1", "nan", "0"] && numbers(table, 5) == ["3", "1", "3"])
        #expect(numbers(table, 6) == ["1", "nan", "2"])
    }

    private func texts(_ table: DataTable, _ column: Int) -> [String?]? {
        if case .texts(let values) = table.columns[column].values { values } else { nil }
    }

    private func numbers(_ table: DataTable, _ column: Int) -> [String]? {
        if case .numbers(let values) = table.columns[column].values { values.map(DataTable.text) } else { nil }
    }

    @Test(arguments: [
        ("hostile-system.pt", "asks for posix.system, which is refused"), ("hostile-getattr.pt", "asks for __builtin__.getattr,"),
        ("module.pt", "asks for torch.nn.modules.linear.Linear,"), ("deflated.pt", "is compressed (method 8)"),
    ])
    func refusesByName(file: String, words: String) throws {
        let message = message { try TorchFile(fixture(file)) }
        #expect(message.contains(file) && message.contains(words), "\(message)")
    }
}

/// Files that are wrong on purpose: everything must end in an error, nothing in a trap or an endless loop.
@Suite struct HostilePickleTests {
    /// Opens a plain pickle of these bytes behind the protocol's two.
    private func pickled(_ bytes: [UInt8]) throws -> String {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("hostile.pkl")
            try Data([0x80, 2] + bytes).write(to: url)
            return message { try TorchFile(url) }
        }
    }

    @Test func refusesWhatCannotBeRight() throws {
        let ascii = { (text: String) in Array(text.utf8) }
        let cases: [(String, [UInt8], String)] = [
            ("nothing", ascii("N"), "ends too early"), ("no value", ascii("."), "a value is missing"),
            ("values left over", ascii("NN."), "left over"), ("an unknown opcode", [0xFF], "0xff is not read"),
            ("an extension", [0x82, 1], "EXT1 is not read"), ("a buffer", [0x97], "NEXT_BUFFER is not read"),
            ("a class", ascii("cos\nsystem\n."), "asks for os.system"),
            ("a name with escapes", ascii("cos\u{1b}[2J\nsystem\n."), "asks for os?[2J.system"),
            ("a call of a name", ascii("cnumpy\nndarray\n)R."), "a call of numpy.ndarray"),
            ("a call of text", [0x8C, 1, 0x61] + ascii(")R."), "a call of \"a\""),
            ("a long text", [0x58, 0xFF, 0xFF, 0xFF, 0x7F] + ascii("abc."), "2147483647 bytes are promised"),
            ("a longer text", [0x8D] + [UInt8](repeating: 0xFF, count: 8) + ascii("."), "a length of 18446744073709551615"),
            ("text that is none", [0x8C, 1, 0xFF] + ascii("."), "not UTF-8"), ("a memo entry", ascii("h\u{5}."), "entry 5"),
            ("a list in itself", ascii("]q\u{0}h\u{0}a."), "contains itself, or changes later"),
            ("a list that changes later", ascii("]q\u{0}") + [0x85] + ascii("h\u{0}Na."), "contains itself, or changes later"),
            ("no mark", ascii("t."), "a mark is missing"), ("a key alone", ascii("}(Nu."), "a key without a value"),
            ("a state for a list", ascii("]Nb."), "a state for something"),
            ("an item for a number", ascii("K\u{1}NNs."), "setitem on 1"),
            ("a pop below a mark", ascii("N(0."), "a value is missing"),
            ("bytes behind", ascii("N.N"), "bytes behind its pickle"),
            ("a name without end", ascii("c" + String(repeating: "x", count: 3000)), "a name without an end"),
        ]
        for (what, bytes, words) in cases {
            let message = try pickled(bytes)
            #expect(message.contains(words), "\(what): \(message)")
        }
        #expect(
            try withTemporaryFolder { folder in
                let url = folder.appendingPathComponent("old.pkl")
                try Data([0x80, 1] + ascii("N.")).write(to: url)
                return message { try TorchFile(url) }
            }.contains("is no file of torch.save"))
    }

    @Test func depthIsBounded() throws {
        let nested = { (count: Int) in
            [UInt8](repeating: UInt8(ascii: "]"), count: count) + [UInt8](repeating: UInt8(ascii: "a"), count: count - 1)
        }
        #expect(try pickled(nested(50) + Array(".".utf8)).isEmpty)
        #expect(try pickled(nested(1_000_000) + Array(".".utf8)).contains("nested deeper than 100"))
        // The same by way of tuples.
        #expect(
            try pickled(Array("N".utf8) + [UInt8](repeating: 0x85, count: 1_000_000) + Array(".".utf8)).contains("nested deeper"))
    }

    /// Twenty levels of lists, each ten times the one below: more than could ever be walked.
    @Test func sharingIsNoWork() throws {
        let list = UInt8(ascii: "]")
        let get = UInt8(ascii: "h")
        let put = UInt8(ascii: "q")
        var bytes: [UInt8] = [list, put, 0, UInt8(ascii: "0")]
        for level in 1...20 as ClosedRange<UInt8> {
            bytes += [list, UInt8(ascii: "(")]
            for _ in 0..<10 { bytes += [get, level - 1] }
            bytes += [UInt8(ascii: "e"), put, level, UInt8(ascii: "0")]
        }
        #expect(try pickled(bytes + [get, 20] + Array(".".utf8)).isEmpty)
    }

    /// The file of a tensor (4, 6) with a place of its pickle changed.
    @discardableResult
    private func changed<Result>(_ pattern: [UInt8], to replacement: [UInt8], _ body: (TorchFile) throws -> Result) throws
        -> Result
    {
        var data = try Data(contentsOf: fixture("tensor.pt"))
        data.replaceSubrange(try #require(data.range(of: Data(pattern)), "\(pattern)"), with: replacement)
        return try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("changed.pt")
            try data.write(to: url)
            return try body(TorchFile(url))
        }
    }

    @Test func expandedTensorsAreReadWhereMemoryHoldsThem() throws {
        let whole = try TorchFile(fixture("tensor.pt"))
        let numbers = try #require(try whole.tensor(whole.root, name: "x")).floats()
        // x[0].expand(4, 6) has the strides (0, 1).
        try changed([0x4B, 6, 0x4B, 1, 0x86], to: [0x4B, 0, 0x4B, 1, 0x86]) { file in
            let entry = try #require(try file.tensor(file.root, name: "x"))
            let row = Array(numbers[..<6])
            #expect(entry.shape == [4, 6] && entry.floats() == row + row + row + row)
            #expect(try entry.tensor(rows: 2..<3).array == row)
            entry.stored.release()
        }
        // x[0, 0].expand(65535, 65535)
        let reason = try changed(
            [0x4B, 4, 0x4B, 6, 0x86, 0x71, 6, 0x4B, 6, 0x4B, 1, 0x86],
            to: [0x4D, 255, 255, 0x4D, 255, 255, 0x86, 0x4B, 0, 0x4B, 0, 0x86]
        ) { file in message { try file.tensor(file.root, name: "x") } }
        #expect(reason.contains("24 numbers are expanded to 4294836225, shape [65535, 65535]; save it with .contiguous()"))
    }

    @Test func tensorsBeyondTheirStorageAreRefused() throws {
        // The shape (4, 6) and the strides (6, 1) stand in the pickle as K 4 K 6 TUPLE2 and K 6 K 1 TUPLE2.
        for (pattern, replacement) in [
            ([0x4B, 4, 0x4B, 6, 0x86], [0x4B, 5, 0x4B, 6, 0x86]), ([0x4B, 6, 0x4B, 1, 0x86], [0x4B, 7, 0x4B, 1, 0x86]),
            ([0x4B, 6, 0x4B, 1, 0x86], [0x4B, 255, 0x4B, 255, 0x86]), ([0x4B, 4, 0x4B, 6, 0x86], [0x4B, 255, 0x4B, 255, 0x86]),
            ([0x4B, 24], [0x4B, 25]),
        ] as [([UInt8], [UInt8])] {
            try changed(pattern, to: replacement) { file in
                #expect(throws: CheckpointError.self) { try file.tensor(file.root, name: "x") }
            }
        }
    }

    /// Everything that a reader of weights would do with a file.
    private func readAll(_ url: URL) throws {
        let file = try TorchFile(url)
        if DataTable.isTable(file.root) { _ = try DataTable(file.root, file: file.path) }
        if let entry = try file.tensor(file.root, name: "root") { _ = entry.floats() }
        for entry in try StateDictionary(file).entries { _ = entry.floats() }
    }

    @Test(arguments: [
        "types.pt", "old.bin", "wrapped.ckpt", "pandas2.pt", "pandas2-kinds.pt", "pandas3-kinds.pt", "pandas3.pkl",
        "pandas3-arrow.pt", "pandas3-arrow.pkl", "tensor.pt",
    ])
    func truncatedAndMutatedFilesNeverTrap(name: String) throws {
        let whole = try Data(contentsOf: fixture(name))
        let source = TorchRandomSource(seed: UInt64(name.utf8.count))
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent(name)
            for count in stride(from: 0, to: whole.count, by: max(1, whole.count / 250)) {
                try put(whole.prefix(count), at: url)
                #expect(throws: CheckpointError.self, "\(count) bytes of \(name)") { try readAll(url) }
            }
            let places = source.normal(2 * 1500)
            for trial in 0..<1500 {
                var data = whole
                // One to three bytes set to something else; small numbers of elements, lengths and opcodes among them.
                for _ in 0...(trial % 3) {
                    let bits = places[trial * 2].bitPattern &* 2_654_435_761 &+ places[trial * 2 + 1].bitPattern &+ UInt32(trial)
                    let value: UInt8 = [0, 1, 0x7F, 0x80, 0xFF, UInt8(truncatingIfNeeded: bits >> 24)][trial % 6]
                    data[Int(bits >> 4) % data.count] = value
                }
                try put(data, at: url)
                do { try readAll(url) } catch is CheckpointError {}
            }
        }
    }

    @Test func zipDirectoriesAreHeldAgainstTheFile() throws {
        let whole = try Data(contentsOf: fixture("tensor.pt"))
        let end = try #require(whole.range(of: Data([0x50, 0x4B, 0x05, 0x06]), options: .backwards)).lowerBound
        let directory = try #require(whole.range(of: Data([0x50, 0x4B, 0x01, 0x02]))).lowerBound
        let cases: [(String, Int, [UInt8], String)] = [
            ("the directory's place", end + 16, [0xF0, 0xFF, 0xFF, 0x7F], "lies outside the file"),
            ("the number of members", end + 10, [0xF0, 0xFF], "lies outside the file"),
            (
                "zip64 without its record", end - 20,
                [UInt8](repeating: 0, count: 20) + whole[end..<(end + 16)] + [0xFF, 0xFF, 0xFF, 0xFF],
                "zip64 end record is missing"
            ),
            ("a member's size", directory + 20, [0xF0, 0xFF, 0xFF, 0x7F], "two sizes"),
            ("both sizes", directory + 20, [0xF0, 0xFF, 0xFF, 0x7F, 0xF0, 0xFF, 0xFF, 0x7F], "reaches beyond"),
            ("a member's place", directory + 42, [0x01, 0, 0, 0], "has no header where"),
            ("encryption", directory + 8, [1], "is encrypted"),
        ]
        for (what, place, bytes, words) in cases {
            var data = whole
            data.replaceSubrange(place..<(place + bytes.count), with: bytes)
            let found = try withTemporaryFolder { folder in
                let url = folder.appendingPathComponent("wrong.pt")
                try data.write(to: url)
                return message { try TorchFile(url) }
            }
            #expect(found.contains(words), "\(what): \(found)")
        }
    }
}

/// The words of the error that `body` throws; empty when it throws none.
private func message<Result>(_ body: () throws -> Result) -> String {
    do {
        _ = try body()
        return ""
    } catch {
        return "\(error)"
    }
}
