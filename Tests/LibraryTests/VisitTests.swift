import EngineAPI
import Foundation
import GRDB
import Library
import Testing

@Suite struct VisitTests {
    @Test func theLogIsReadBackInOrderAndBySpace() throws {
        let folder = try TemporaryFolder()
        let library = try Library(path: folder.library)
        for index in 0..<20 {
            #expect(library.perform(.visit(state("step \(index)", space: index % 4 == 3 ? "other" : "abc"))).isEmpty)
        }
        #expect(library.history(count: 3).map(\.step) == ["step 16", "step 17", "step 18"])
        #expect(library.history("other").map(\.step) == ["step 3", "step 7", "step 11", "step 15", "step 19"])
        #expect(library.history("nowhere").isEmpty && library.history(count: -1).isEmpty)
    }

    /// What the disk holds while the program runs is what a crash leaves.
    @Test func aCrashLosesNothing() throws {
        let folder = try TemporaryFolder()
        let library = try Library(path: folder.library)
        library.save("kept")
        for index in 0..<5 { _ = library.perform(.visit(state("step \(index)"))) }

        let after = folder.path + "/after"
        try FileManager.default.createDirectory(atPath: after, withIntermediateDirectories: true)
        for ending in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: folder.library + ending, toPath: after + "/library.sqlite" + ending)
        }
        let reopened = try Library(path: after + "/library.sqlite")
        #expect(reopened.notices.isEmpty)
        #expect(reopened.history().map(\.step) == (0..<5).map { "step \($0)" })
        #expect(reopened.favourites.map(\.name) == ["kept"])
    }

    @Test func theLogCannotBeRewritten() throws {
        let folder = try TemporaryFolder()
        let library = try Library(path: folder.library)
        _ = library.perform(.visit(state("one")))
        let other = try DatabaseQueue(path: folder.library)
        #expect(throws: DatabaseError.self) { try other.write { try $0.execute(sql: "DELETE FROM visit") } }
        #expect(throws: DatabaseError.self) { try other.write { try $0.execute(sql: "UPDATE visit SET step = 'x'") } }
        #expect(library.history().map(\.step) == ["one"])
    }

    @Test func manyWritersAtOnce() throws {
        let folder = try TemporaryFolder()
        // Each with a connection of its own, as separate processes have; all of them make the file at the same time.
        DispatchQueue.concurrentPerform(iterations: 6) { worker in
            guard let library = try? Library(path: folder.library, patience: 60) else {
                Issue.record("worker \(worker) has no library")
                return
            }
            #expect(library.isKept && library.notices.isEmpty, "\(library.notices)")
            for index in 0..<25 { #expect(library.perform(.visit(state("\(worker)/\(index)"))).failures.isEmpty) }
            #expect(library.save("worker \(worker)") != nil)
            library.close()
        }
        let library = try Library(path: folder.library)
        #expect(library.favourites.count == 6)
        let steps = library.history().map(\.step)
        for worker in 0..<6 {
            #expect(steps.filter { $0.hasPrefix("\(worker)/") } == (0..<25).map { "\(worker)/\($0)" })
        }
    }

    @Test func aVisitThatFindsTheFileBusyIsNotedLater() throws {
        let folder = try TemporaryFolder()
        let library = try Library(path: folder.library, patience: 0.01)
        let other = try DatabaseQueue(path: folder.library)
        try other.inTransaction(.immediate) { _ in
            #expect(
                library.perform(.visit(state("one"))).failures == ["not kept: another w2w is using \(folder.library); try again"])
            #expect(library.perform(.visit(state("two"))).isEmpty, "said once")
            #expect(library.save("a") == nil)
            return .rollback
        }
        #expect(library.perform(.visit(state("three"))).isEmpty)
        #expect(library.history().map(\.step) == ["one", "two", "three"])
        #expect(library.favourites.isEmpty)
    }
}
