import EngineAPI
import Foundation
import GRDB
import ImageCore
import Library
import Testing

@Suite struct BadFileTests {
    /// 2026-11-24 05:45:12 UTC.
    private let date: @Sendable () -> Double = { 1_795_499_112 }

    @Test func aFileThatIsNoDatabaseIsPutAside() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path + "/data", withIntermediateDirectories: true)
        let garbage = [UInt8]((0..<5000).map { UInt8(truncatingIfNeeded: $0 * 7) })
        try WholeFile.write(garbage, to: folder.library)
        let library = try Library(path: folder.library, clock: date)
        let aside = folder.path + "/data/library.damaged-2026-11-24-054512.sqlite"
        #expect(library.isKept)
        #expect(library.notices.notices == ["the library was damaged; it is kept as \(aside) and a new one begins"])
        #expect(try folder.bytes(aside) == garbage, "never overwritten")
        #expect(library.save("new") != nil)
        library.close()

        // Damaged again within the second: the first one is not overwritten either.
        try WholeFile.write(Array(garbage.reversed()), to: folder.library)
        let again = try Library(path: folder.library, clock: date)
        #expect(again.isKept && again.favourites.isEmpty)
        #expect(try folder.bytes(aside) == garbage)
        #expect(try folder.bytes(folder.path + "/data/library.damaged-2026-11-24-054512-2.sqlite") == garbage.reversed())
    }

    @Test func whatCanBeReadOfADamagedFileIsSaved() throws {
        let folder = try TemporaryFolder()
        let library = try Library(path: folder.library)
        for name in ["one", "two", "three"] { library.save(name, tags: ["kept"]) }
        for index in 0..<200 { _ = library.perform(.visit(state("step \(index)"))) }
        library.close()
        // The last pages hold visits.
        var bytes = try folder.bytes(folder.library)
        for index in (bytes.count - 3 * 4096)..<bytes.count { bytes[index] = 0xA5 }
        try WholeFile.write(bytes, to: folder.library)

        let reopened = try Library(path: folder.library, clock: date)
        #expect(reopened.isKept)
        #expect(
            reopened.notices.notices.first?.hasSuffix("a new one begins, with 3 favourites from it") == true,
            "\(reopened.notices)")
        #expect(reopened.favourites.map(\.name) == ["three", "two", "one"])
        #expect(reopened.favourites.allSatisfy { $0.tags == ["kept"] })
        #expect(try folder.bytes(folder.path + "/data/library.damaged-2026-11-24-054512.sqlite") == bytes)
    }

    @Test(arguments: [0, 1, 50, 100, 4096, 5000, 9000])
    func aTruncatedFileNeverStopsTheStart(length: Int) throws {
        let folder = try TemporaryFolder()
        let library = try Library(path: folder.library)
        library.save("one")
        library.close()
        let bytes = try folder.bytes(folder.library)
        try #require(length < bytes.count)
        try WholeFile.write(Array(bytes.prefix(length)), to: folder.library)
        let reopened = try Library(path: folder.library)
        #expect(reopened.isKept)
        // An empty file is what an unfinished creation leaves; anything else is damage and is kept.
        #expect(folder.files.contains { $0.contains("damaged") } == (length > 0))
        #expect(reopened.save("two") != nil)
    }

    @Test func aNewerFileIsLeftAlone() throws {
        let folder = try TemporaryFolder()
        try patch(folder, offset: 60, value: 7)
        let before = try folder.bytes(folder.library)
        let library = try Library(path: folder.library)
        #expect(!library.isKept)
        #expect(
            library.notices.notices == [
                "nothing will be kept in this session: \(folder.library) was written by a newer w2w (format 7, this one knows 1); update w2w"
            ])
        #expect(library.save("a") != nil && library.favourites.count == 1)
        #expect(try folder.bytes(folder.library) == before)
    }

    @Test func anotherProgramsDatabaseIsLeftAlone() throws {
        let folder = try TemporaryFolder()
        try patch(folder, offset: 68, value: 1)
        let before = try folder.bytes(folder.library)
        let library = try Library(path: folder.library)
        #expect(!library.isKept && library.notices.notices.first?.contains("another program's database") == true)
        #expect(try folder.bytes(folder.library) == before)
    }

    @Test func aFolderThatCannotBeMadeGivesALibraryInMemory() throws {
        let folder = try TemporaryFolder()
        try WholeFile.write([1], to: folder.path + "/data")
        let library = try Library(path: folder.library)
        #expect(!library.isKept)
        let notice = try #require(library.notices.notices.first)
        #expect(
            notice.hasPrefix("nothing will be kept in this session: set XDG_DATA_HOME to a writable folder (\(folder.library): "),
            "\(notice)")
        #expect(library.perform(.visit(state("a"))).isEmpty && library.history().count == 1)
    }

    @Test func aReadOnlyLibraryCanStillBeRead() throws {
        let folder = try TemporaryFolder()
        let library = try Library(path: folder.library)
        library.save("old")
        // Left open, so that the favourite may still stand in the write-ahead log.
        let data = folder.path + "/data"
        for file in folder.files { #expect(chmod(data + "/" + file, 0o444) == 0) }
        #expect(chmod(data, 0o555) == 0)
        defer { chmod(data, 0o755) }
        let isRoot = geteuid() == 0
        if isRoot { becomeFileUser(65_534) }
        defer { if isRoot { becomeFileUser(0) } }

        let reader = try Library(path: folder.library)
        #expect(!reader.isKept)
        #expect(reader.notices.notices.first?.hasPrefix("nothing will be kept in this session: ") == true, "\(reader.notices)")
        #expect(reader.favourites.map(\.name) == ["old"])
        #expect(reader.save("new") != nil)
        #expect(reader.favourites.map(\.name) == ["new", "old"])
    }

    @Test func anUnknownSamplerIsKeptAndNamed() throws {
        let folder = try TemporaryFolder()
        let library = try Library(path: folder.library)
        library.save("old")
        library.save("strange")
        let other = try DatabaseQueue(path: folder.library)
        try other.write { try $0.execute(sql: "UPDATE favourite SET scheduler = 'warp' WHERE name = 'strange'") }
        let events = library.perform(.list)
        #expect(events.favourites.map(\.name) == ["old"])
        #expect(events.notices == ["1 favourite uses settings that this w2w does not know; kept, not shown"])
    }

    /// Makes a library and overwrites a big-endian number in the header of its file.
    private func patch(_ folder: TemporaryFolder, offset: Int, value: UInt8) throws {
        let library = try Library(path: folder.library)
        library.save("one")
        library.close()
        var bytes = try folder.bytes(folder.library)
        bytes.replaceSubrange(offset..<(offset + 4), with: [0, 0, 0, value])
        try WholeFile.write(bytes, to: folder.library)
    }
}
