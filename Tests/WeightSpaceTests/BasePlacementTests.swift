import Foundation
import Testing

@testable import WeightSpace

/// How a base model comes into a new space.
struct BasePlacementTests {
    private let place: TemporaryFolder
    private let space: URL

    init() throws {
        place = try TemporaryFolder()
        space = place.url.appendingPathComponent("space")
        try FileManager.default.createDirectory(at: space, withIntermediateDirectories: true)
    }

    private func write(_ text: String, _ path: String) throws -> URL {
        let url = place.url.appendingPathComponent(path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
        return url
    }

    private func placed(_ from: URL, _ placement: SpaceWriter.Placement) throws -> (path: String, copied: [String]) {
        var copied = [String]()
        let path = try SpaceWriter.placeBase(from, in: space, placement) { copied.append("\($0.lastPathComponent) \($1.path)") }
        return (path, copied)
    }

    @Test func aFolderIsCopiedFileByFile() throws {
        _ = try write("{}", "model/unet/config.json")
        let (path, copied) = try placed(place.url.appendingPathComponent("model"), .copy)
        #expect(path == "base")
        #expect(copied == ["config.json \(space.path)/base/unet/config.json"])
    }

    @Test func aFolderThatIsOnlyReferredToStaysWhereItIs() throws {
        _ = try write("{}", "model/unet/config.json")
        let model = place.url.appendingPathComponent("model")
        let (path, copied) = try placed(model, .refer)
        #expect(path == model.resolvingSymlinksInPath().path && copied.isEmpty)
    }

    @Test(arguments: SpaceWriter.Placement.allCases)
    func aCheckpointInOneFileIsOnlyNamed(placement: SpaceWriter.Placement) throws {
        let file = try write("weights", "v1-5.safetensors")
        let (path, copied) = try placed(file, placement)
        #expect(path == file.resolvingSymlinksInPath().path && copied.isEmpty)
    }

    @Test func theSpacesOwnBaseIsLeftAlone() throws {
        _ = try write("{}", "space/base/unet/config.json")
        let (path, copied) = try placed(space.appendingPathComponent("base"), .copy)
        #expect(path == "base" && copied.isEmpty)
    }
}
