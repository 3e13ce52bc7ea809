import Foundation
import Testing

@testable import WeightSpace

/// Folders that appear whole or not at all.
@Suite struct DraftFolderTests {
    private struct Stopped: Error {}
    private let parent: TemporaryFolder
    private var place: URL { parent.url.appendingPathComponent("report") }

    init() throws { parent = try TemporaryFolder() }

    private func write(_ text: String, into folder: URL) throws {
        try Data(text.utf8).write(to: folder.appendingPathComponent("a.txt"))
    }

    private func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: parent.url.path).sorted() }

    @Test func itAppearsWhole() throws {
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: false)
        let number = try DraftFolder.fill(place) { draft in
            try write("whole", into: draft)
            #expect(try FileManager.default.contentsOfDirectory(atPath: place.path).isEmpty)
            return 7
        }
        #expect(number == 7)
        #expect(try String(contentsOf: place.appendingPathComponent("a.txt"), encoding: .utf8) == "whole")
        #expect(try names() == ["report"])
    }

    @Test func anErrorLeavesNothing() throws {
        #expect(throws: Stopped.self) {
            try DraftFolder.fill(place) { draft in
                try write("half", into: draft)
                throw Stopped()
            }
        }
        #expect(try names().isEmpty)
    }

    /// What stands at the place and is not empty stays.
    @Test func aFilledFolderIsNotReplaced() throws {
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: false)
        try write("old", into: place)
        #expect(throws: (any Error).self) { try DraftFolder.fill(place) { try write("new", into: $0) } }
        #expect(try String(contentsOf: place.appendingPathComponent("a.txt"), encoding: .utf8) == "old")
        #expect(try names() == ["report"])
    }

    @Test func whatAKilledProcessLeftIsCleared() throws {
        let ended = Process()
        ended.executableURL = URL(fileURLWithPath: "/bin/true")
        try ended.run()
        ended.waitUntilExit()
        let stale = ".report.w2w-\(ended.processIdentifier)-1.part"
        let alive = ".report.w2w-\(getpid())-1.part"
        let another = ".other.w2w-\(ended.processIdentifier)-1.part"
        for name in [stale, alive, another] {
            try FileManager.default.createDirectory(
                at: parent.url.appendingPathComponent(name), withIntermediateDirectories: false)
        }
        try DraftFolder.fill(place) { try write("whole", into: $0) }
        #expect(try Set(names()) == ["report", alive, another])
    }
}
