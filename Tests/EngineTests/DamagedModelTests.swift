import EngineAPI
import Foundation
import Testing

@testable import Engine
@testable import WeightSpace

/// A model whose files are whole but whose numbers are not.
@Suite(.serialized) struct DamagedModelTests {
    /// The built-in model with no numbers at the end of one part's weights.
    private func withDamage(in part: String, _ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("w2w-damaged-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let base = try #require(BuiltInSpace.folder).appendingPathComponent("base").resolvingSymlinksInPath()
        try FileManager.default.copyItem(at: base, to: folder)
        let weights = folder.appendingPathComponent("\(part)/diffusion_pytorch_model.safetensors")
        var data = try Data(contentsOf: weights)
        // In float16 as in float32 all ones is no number.
        data.replaceSubrange(data.count - 256..<data.count, with: [UInt8](repeating: 0xFF, count: 256))
        try data.write(to: weights)
        try body(folder)
    }

    @Test(arguments: ["unet", "vae"]) func numbersThatAreNotFiniteDrawNoPicture(part: String) throws {
        try withDamage(in: part) { folder in
            let bench = BuiltInSpaceTests.Bench()
            var settings: GenerationSettings?
            for case .opened(_, let description) in bench.run(.open(.folder(folder.path)), 0) { settings = description.defaults }
            var short = try #require(settings)
            for (id, steps) in [2, 6].enumerated() {
                short.steps = steps
                let request = RenderRequest(subject: .base, settings: short)
                for (place, command) in [EngineCommand.render(request), .preview(request), .thumbnails([request])].enumerated() {
                    let events = bench.run(command, UInt64(3 * id + place + 1))
                    let failure = try #require(BuiltInSpaceTests.failure(events))
                    #expect(failure.message.contains("not finite") && failure.message.contains(folder.path), "\(failure.message)")
                    // Not even a first look, which would be black.
                    #expect(BuiltInSpaceTests.pictures(events).isEmpty)
                }
            }
        }
    }
}
