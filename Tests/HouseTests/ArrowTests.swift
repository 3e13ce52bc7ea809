import Foundation
import Testing

/// The rooms of the house and what each may import: an arrow that is not here is a change of the design.
private enum House {
    /// From the bottom up; in this column a room may import any room below it.
    static let column = ["TensorKit", "Checkpoints", "NeuralNetworks", "StableDiffusion", "WeightSpace", "Engine"]

    /// What a room may import besides.
    static let table: [String: Set<String>] = [
        "TensorKit": ["COneDNN", "COpenBLAS"],
        "Checkpoints": [],
        "NeuralNetworks": [],
        "StableDiffusion": ["ImageCore"],
        "WeightSpace": ["ImageCore"],
        "Engine": ["EngineAPI", "ImageCore"],
        "EngineAPI": ["ImageCore"],
        "ScreenModel": [],
        "ImageCore": ["CPNG", "CJPEG"],
        "PseudoTerminal": [],
        "Library": ["EngineAPI", "ImageCore", "GRDB"],
        "Explorer": ["EngineAPI", "ScreenModel", "ImageCore", "TOMLKit"],
        "Terminal": ["ScreenModel", "ImageCore", "CNcursesw", "CSixel"],
        "w2w": [
            "Terminal", "Explorer", "Library", "Engine", "EngineAPI", "ScreenModel", "ImageCore", "WeightSpace",
            "StableDiffusion",
            "NeuralNetworks", "Checkpoints", "TensorKit", "PseudoTerminal", "ArgumentParser", "Logging",
        ],
    ]

    /// Module maps; they import nothing of ours.
    static let systemLibraries: Set<String> = ["CNcursesw", "CSixel", "COneDNN", "COpenBLAS", "CPNG", "CJPEG"]

    /// What comes with the toolchain is free for all.
    static let toolchain: Set<String> = [
        "Foundation", "FoundationEssentials", "Glibc", "Dispatch", "Synchronization", "RegexBuilder",
    ]

    static func allowed(in room: String) -> Set<String> {
        var allowed = table[room] ?? []
        if let place = column.firstIndex(of: room) { allowed.formUnion(column[..<place]) }
        return allowed.union(toolchain)
    }
}

@Suite struct ArrowTests {
    @Test func everyRoomStandsInTheTable() throws {
        let rooms = Set(try Repository.names(in: "Sources"))
        #expect(rooms == Set(House.table.keys).union(House.systemLibraries))
    }

    @Test(arguments: House.table.keys.sorted())
    func importsGoOnlyWhereTheTableAllows(room: String) throws {
        let files = try Repository.files(below: "Sources/\(room)", ending: ".swift")
        #expect(!files.isEmpty, "the room is empty")
        let allowed = House.allowed(in: room)
        for file in files {
            for module in imports(of: try #require(try Repository.text(file), "\(file) is not text")) {
                #expect(allowed.contains(module), "\(file) imports \(module)")
            }
        }
    }

    @Test func theTableHasNoCircle() {
        var done: Set<String> = []
        func visit(_ room: String, _ path: [String]) {
            #expect(!path.contains(room), "a circle: \((path + [room]).joined(separator: " -> "))")
            guard !path.contains(room), !done.contains(room) else { return }
            for next in House.allowed(in: room).sorted() where House.table[next] != nil { visit(next, path + [room]) }
            done.insert(room)
        }
        for room in House.table.keys.sorted() { visit(room, []) }
        #expect(done == Set(House.table.keys))
    }

    @Test func systemLibrariesAreAModuleMapAndAShim() throws {
        for library in House.systemLibraries {
            #expect(try Repository.names(in: "Sources/\(library)") == ["module.modulemap", "shim.h"])
        }
    }

    /// The models belong to the engine's queue, encoding of pictures to the terminal's; nobody else runs a queue.
    @Test func onlyEngineAndTerminalOwnAQueue() throws {
        for file in try Repository.files(below: "Sources", ending: ".swift") {
            let room = file.split(separator: "/")[1]
            guard room != "Engine", room != "Terminal", let text = try Repository.text(file) else { continue }
            #expect(!text.contains("DispatchQueue(") && !text.contains("OperationQueue("), "\(file) makes a queue")
        }
    }

    @Test(arguments: [
        ("import A", ["A"]), ("@testable import A", ["A"]), ("@preconcurrency public import struct A.B", ["A"]),
        ("import A; import B", ["A", "B"]), ("// import A", []), ("let important = 1", []), ("    import A.B.C", ["A"]),
        ("\"\"\"\nimport A\n\"\"\"", []),
    ])
    func readsImports(text: String, expected: [String]) {
        #expect(imports(of: text) == expected)
    }

    /// The modules that a source file imports.
    private func imports(of text: String) -> [String] {
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias", "actor"]
        let words: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
        var found: [String] = []
        var isInString = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.components(separatedBy: "\"\"\"").count % 2 == 0 { isInString.toggle() }
            if isInString { continue }
            for statement in line.split(separator: ";") {
                var parts = statement.split(whereSeparator: { $0 == " " || $0 == "\t" })[...]
                while let first = parts.first, first.hasPrefix("@") || words.contains(first) { parts = parts.dropFirst() }
                guard parts.first == "import" else { continue }
                parts = parts.dropFirst()
                if let kind = parts.first, kinds.contains(kind) { parts = parts.dropFirst() }
                if let module = parts.first?.split(separator: ".").first { found.append(String(module)) }
            }
        }
        return found
    }
}
