import Foundation
import StableDiffusion
import Testing

@testable import WeightSpace

/// The linear preview as it is kept: with a space, or in the cache folder under its model's digest.
@Suite struct LatentPreviewTests {
    private let stored: StoredLatentPreview

    init() throws {
        let preview = try #require(
            LatentPreview(coefficients: [[0.1, 0.2, 0.3, 0.4, 0.5], [1, 2, 3, 4, 5], [-1, 0, 1e-6, 0.25, 0.5]]))
        stored = StoredLatentPreview(preview: preview, model: "abc", r2: 0.9125, pictures: 8)
    }

    @Test func theBuiltInSpaceCarriesItsPreview() throws {
        let space = try Space.builtIn()
        let preview = try #require(try space.latentPreview(cacheDirectory: "/nowhere"))
        #expect(preview.model == (try space.baseDigest()) && preview.preview.channels == 4)
        #expect(preview.r2 > 0.85)
    }

    @Test func filesKeepEveryNumber() throws {
        let folder = try TemporaryFolder()
        let url = StoredLatentPreview.cacheURL(model: "abc", cacheDirectory: folder.url.path)
        try stored.write(to: url)
        #expect(try StoredLatentPreview(contentsOf: url) == stored)
    }

    @Test func damagedFilesAreNamed() throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appendingPathComponent("p.json")
        for (text, expected) in [
            (#"{"format": 2}"#, "format"), (#"{"format": 1, "model": "a", "coefficients": [[1, 2], [1, 2]]}"#, "coefficients"),
            (#"{"format": 1, "coefficients": [[1, 2], [1, 2], [1, 2]]}"#, "model"),
        ] {
            try Data(text.utf8).write(to: url)
            #expect {
                try StoredLatentPreview(contentsOf: url)
            } throws: { error in
                "\(error)".contains(expected) && "\(error)".contains("p.json")
            }
        }
    }
}
