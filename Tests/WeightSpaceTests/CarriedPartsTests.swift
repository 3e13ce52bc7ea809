import Foundation
import Testing

@testable import WeightSpace

/// A space that is made around the vectors of another keeps what is true of the people and the base model.
struct CarriedPartsTests {
    private let place: TemporaryFolder
    private let builtIn: URL

    init() throws {
        place = try TemporaryFolder()
        builtIn = try #require(BuiltInSpace.folder)
    }

    private func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: place.url.appendingPathComponent(path).path)
    }

    private func writer() -> SpaceWriter { SpaceWriter(draft: place.url, name: "new", defaults: .init()) }

    @Test func photographsAndEmbedderAreCopied() throws {
        var writer = writer()
        try writer.carry(from: TrainingSource(builtIn), .copy)
        #expect(writer.manifest.paths[.embedder] == "embedder.json" && exists("embedder.safetensors"))
        #expect(writer.manifest.paths[.photos] == "photos" && exists("photos/p00001.jpg") && exists("photos.tsv"))
        #expect(writer.manifest.paths[.pca] == "pca.safetensors" && writer.manifest.paths[.latentPreview] != nil)
        let (old, new) = (try SpaceManifest(contentsOf: builtIn.appendingPathComponent("space.json")), writer.manifest)
        for file in ["embedder.json", "embedder.safetensors", "pca.safetensors", "latent_preview.json"] {
            #expect(new.digests[file] == old.digests[file] && new.digests[file] != nil, "\(file)")
        }
        // What the other weight VAE made of the people is not theirs.
        for part in [SpaceManifest.Part.vae, .codes, .axes, .flow, .directions] { #expect(new.paths[part] == nil) }
    }

    @Test func photographsMayStayWhereTheyLie() throws {
        var writer = writer()
        try writer.carry(from: TrainingSource(builtIn), .refer)
        #expect(writer.manifest.paths[.photos] == builtIn.appendingPathComponent("photos").resolvingSymlinksInPath().path)
        #expect(!exists("photos") && writer.manifest.paths[.embedder] == "embedder.json")
    }

    @Test func partsThatAreThereStay() throws {
        var writer = writer()
        try Data("{}".utf8).write(to: place.url.appendingPathComponent("other.json"))
        try writer.add("other.json", as: .embedder)
        try writer.carry(from: TrainingSource(builtIn), .refer)
        #expect(writer.manifest.paths[.embedder] == "other.json" && !exists("embedder.json"))
    }

    @Test func vectorsOfAnotherFileCarryNothing() throws {
        let folder = place.url.appendingPathComponent("source")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for name in ["space.json", "layout.json", "identities.csv", "weights.safetensors"] {
            try FileManager.default.copyItem(at: builtIn.appendingPathComponent(name), to: folder.appendingPathComponent(name))
        }
        let other = folder.appendingPathComponent("others.safetensors")
        try FileManager.default.copyItem(at: folder.appendingPathComponent("weights.safetensors"), to: other)
        var writer = writer()
        try writer.carry(from: TrainingSource(other), .copy)
        #expect(writer.manifest.paths.isEmpty)
    }
}
