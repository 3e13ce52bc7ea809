import Checkpoints
import Foundation
import Testing

@testable import WeightSpace

/// Parts of a space are exchanged so that no recorded sum ever contradicts its file.
@Suite struct SpaceWriterTests {
    private struct Stopped: Error {}
    private let folder: TemporaryFolder
    private var space: URL { folder.url }

    init() throws {
        folder = try TemporaryFolder()
        try Data("old".utf8).write(to: space.appendingPathComponent("axes.json"))
        let manifest = SpaceManifest(
            name: "test", paths: [.base: "base", .layout: "layout.json", .axes: "axes.json"], defaults: .init(),
            digests: ["axes.json": SHA256.hexDigest(ofText: "old")])
        try Data(manifest.json.utf8).write(to: space.appendingPathComponent("space.json"))
    }

    private func manifest() throws -> SpaceManifest {
        try SpaceManifest(contentsOf: space.appendingPathComponent("space.json"))
    }

    private func text(_ name: String) throws -> String {
        try String(contentsOf: space.appendingPathComponent(name), encoding: .utf8)
    }

    private func replace(_ text: String, beforeItTakesItsPlace: () throws -> Void = {}) throws {
        try SpaceWriter.replace([("axes.json", .axes)], in: space) {
            try Data(text.utf8).write(to: $0.appendingPathComponent("axes.json"))
            try beforeItTakesItsPlace()
        }
    }

    private func files() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: space.path).sorted() }

    @Test func theFileAndItsSumChangeTogether() throws {
        for _ in 0..<2 {
            try replace("new")
            #expect(try text("axes.json") == "new" && manifest().digests == ["axes.json": SHA256.hexDigest(ofText: "new")])
            #expect(try files() == ["axes.json", "space.json"])
        }
    }

    @Test func anErrorWhileWritingChangesNothing() throws {
        let before = try text("space.json")
        #expect(throws: Stopped.self) { try replace("new") { throw Stopped() } }
        #expect(try text("axes.json") == "old" && text("space.json") == before)
        #expect(try files() == ["axes.json", "space.json"])
    }

    /// A new file that cannot take its place: the old one stays, and nothing is said of it that is not so.
    @Test func anErrorWhileExchangingLeavesNoSumThatContradicts() throws {
        let place = space.appendingPathComponent("axes.json")
        let error = #expect(throws: CheckpointError.self) {
            try replace("new") {
                try FileManager.default.removeItem(at: place)
                try FileManager.default.createDirectory(at: place.appendingPathComponent("x"), withIntermediateDirectories: true)
            }
        }
        #expect("\(try #require(error))".contains("axes.json: cannot be written"))
        #expect(try manifest().digests.isEmpty && manifest().paths[.axes] == "axes.json")
        #expect(try files() == ["axes.json", "space.json"])
    }

    /// What another program added meanwhile stays.
    @Test func whatWasAddedMeanwhileStays() throws {
        try replace("new") {
            try SpaceWriter.replace([("directions.json", .directions)], in: space) {
                try Data("d".utf8).write(to: $0.appendingPathComponent("directions.json"))
            }
        }
        #expect(try manifest().paths[.directions] == "directions.json" && manifest().digests.count == 2)
    }
}
