import Checkpoints
import Foundation
import TensorKit
import Testing

@testable import WeightSpace

/// How a finished run becomes a space: a new one, or a new weight VAE for one that is there; stopped at any moment.
struct SpaceAssemblyTests {
    private struct Stop: Error {}

    private let place: TemporaryFolder
    private let builtIn: URL
    private let source: TrainingSource
    private let plan = TrainingPlan(
        hiddenDims: [12], latentDim: 4, steps: 6, batch: 8, learningRate: 1e-3, warmup: 1, seed: 3, logInterval: 3)

    init() throws {
        place = try TemporaryFolder()
        builtIn = try #require(BuiltInSpace.folder)
        source = try TrainingSource(builtIn)
    }

    private func url(_ path: String) -> URL { place.url.appendingPathComponent(path) }

    private func assembly(_ folder: String, from source: TrainingSource? = nil) throws -> SpaceAssembly {
        try SpaceAssembly(source: source ?? self.source, folder: url(folder), name: nil, base: .refer)
    }

    private func finished() throws -> WeightVAETrainer {
        let trainer = try WeightVAETrainer(plan, vectors: source.weights.tensor(), layout: source.layout)
        while !trainer.isFinished { try trainer.advance() }
        return trainer
    }

    /// A space with the built-in one's parts, by links.
    private func linkedSpace(_ name: String) throws -> URL {
        try FileManager.default.createDirectory(at: url(name), withIntermediateDirectories: true)
        for item in try FileManager.default.contentsOfDirectory(atPath: builtIn.path) {
            try FileManager.default.createSymbolicLink(
                at: url(name).appendingPathComponent(item), withDestinationURL: builtIn.appendingPathComponent(item))
        }
        return url(name)
    }

    private func contents(_ folder: String) throws -> [String: Data] {
        var contents = [String: Data]()
        for name in try FileManager.default.contentsOfDirectory(atPath: url(folder).path) {
            if url(folder).appendingPathComponent(name).fileKind == .file {
                contents[name] = try Data(contentsOf: url(folder).appendingPathComponent(name))
            } else {
                contents[name] = Data()
            }
        }
        return contents
    }

    @Test func aNewSpaceKeepsWhatIsTrueOfThePeople() throws {
        let trainer = try finished()
        var seen = [String]()
        let report = try assembly("new").write(trainer) { activity, _, _ in if seen.last != activity { seen.append(activity) } }
        #expect(seen.starts(with: ["standardizing the axes", "writing the weights", "encoding everybody", "trying the axes"]))
        let manifest = try SpaceManifest(contentsOf: url("new/space.json"))
        #expect(manifest.paths[.photos] == builtIn.appendingPathComponent("photos").resolvingSymlinksInPath().path)
        #expect(manifest.paths[.embedder] == "embedder.json" && manifest.paths[.pca] == "pca.safetensors")
        #expect(manifest.paths[.latentPreview] != nil && manifest.paths[.flow] == nil && manifest.paths[.directions] == nil)
        let space = try Space(url("new"))
        #expect(space.latentDimension == 4 && space.identities.count == source.labels.count)
        for (path, sum) in manifest.digests { #expect(try SHA256.hexDigest(of: url("new/" + path)) == sum, "\(path)") }
        // What was measured are the weights of the file, and no second layout of any was made.
        let stored = try StateDictionary(safetensors: url("new/vae.safetensors"))
        for (name, parameter) in trainer.vae.namedParameters() {
            #expect(try stored.entry(name).floats() == parameter.value.array, "\(name)")
        }
        #expect(trainer.vae.layoutBytes == 0)
        #expect(report.testR2.isFinite && report.testR2 < 1)
    }

    @Test func aSpaceThatIsThereGetsANewWeightVAE() throws {
        let folder = try linkedSpace("old")
        let before = try SpaceManifest(contentsOf: folder.appendingPathComponent("space.json"))
        let assembly = try assembly("old")
        #expect(assembly.isThere)
        // Of a process that was killed, and of one that works.
        for owner in [Int32.max, getpid()] {
            try FileManager.default.createDirectory(
                at: folder.appendingPathComponent(".w2w-\(owner)-1.part"), withIntermediateDirectories: true)
        }
        _ = try assembly.write(finished())
        let after = try SpaceManifest(contentsOf: folder.appendingPathComponent("space.json"))
        for part in [
            SpaceManifest.Part.base, .layout, .weights, .identities, .photos, .embedder, .pca, .latentPreview, .directions,
        ] {
            #expect(after.paths[part] == before.paths[part], "\(part)")
        }
        #expect(before.paths[.flow] != nil && after.paths[.flow] == nil, "a learned prior is of one weight VAE")
        #expect(after.name == before.name && after.defaults == before.defaults)
        for path in ["vae.safetensors", "vae.json", "codes.safetensors", "axes.json"] {
            #expect(after.digests[path] != before.digests[path] && after.digests[path] != nil, "\(path)")
            #expect(try SHA256.hexDigest(of: folder.appendingPathComponent(path)) == after.digests[path], "\(path)")
        }
        #expect(try Space(folder).latentDimension == 4)
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".part") }
        #expect(left == [".w2w-\(getpid())-1.part"])
    }

    @Test(arguments: ["standardizing the axes", "writing the weights", "encoding everybody", "trying the axes", "measuring"])
    func aSpaceThatIsThereStaysWholeWhenTheEndIsStopped(at moment: String) throws {
        _ = try linkedSpace("old")
        let before = try contents("old")
        let assembly = try assembly("old")
        #expect(throws: Stop.self) {
            _ = try assembly.write(try finished()) { activity, _, _ in if activity == moment { throw Stop() } }
        }
        #expect(try contents("old") == before)
    }

    @Test func aRunStoppedWhileItsSpaceIsWrittenGoesOnFromItsFinishedCheckpoint() throws {
        let whole = try finished()
        _ = try assembly("whole").write(whole)
        let first = try finished()
        let checkpoint = url("checkpoint.safetensors")
        let running = try { () -> Int in
            try TrainingCheckpoint.write(first, to: checkpoint)
            return checkpoint.byteCount ?? 0
        }()
        first.forgetMoments()
        try TrainingCheckpoint.write(first, to: checkpoint)
        let sizes = try TrainingCheckpoint.bytes(plan, for: source)
        // The log and the names of the tensors come on top.
        #expect((0..<20_000).contains(running - sizes.running), "\(running) of \(sizes.running)")
        #expect((0..<20_000).contains((checkpoint.byteCount ?? 0) - sizes.finished))
        #expect(throws: Stop.self) {
            _ = try assembly("again").write(first) { activity, _, _ in if activity == "trying the axes" { throw Stop() } }
        }
        #expect(url("again/space.json").fileKind == nil, "half a space is none")
        let second = try WeightVAETrainer(plan, vectors: source.weights.tensor(), layout: source.layout)
        try TrainingCheckpoint.restore(second, from: checkpoint)
        #expect(second.isFinished)
        _ = try assembly("again").write(second)
        #expect(try contents("again") == contents("whole"))
    }

    @Test func aSpaceOfOtherVectorsIsLeftAlone() throws {
        let folder = try linkedSpace("other")
        try FileManager.default.removeItem(at: folder.appendingPathComponent("identities.csv"))
        let text = try String(contentsOf: builtIn.appendingPathComponent("identities.csv"), encoding: .utf8)
        try Data(text.replacingOccurrences(of: "p00001", with: "somebody").utf8).write(
            to: folder.appendingPathComponent("identities.csv"))
        let error = #expect(throws: SpaceError.self) { _ = try assembly("other") }
        #expect(error?.message.contains("is a space of other vectors") == true)
    }

    @Test func aDiskThatIsTooSmallIsToldBeforeTheFirstStep() throws {
        let wide = TrainingPlan(hiddenDims: [4096], latentDim: 512, steps: 10, batch: 8, moments: .bf16)
        let error = #expect(throws: SpaceError.self) { try assembly("new").checkRoom(for: wide, free: 100_000_000) }
        // Two checkpoints of 58 million weights at 8 bytes.
        #expect(error?.message.contains("needs 923 MB there (a checkpoint takes 461 MB") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("but 100 MB are free") == true)
        try assembly("new").checkRoom(for: wide, free: 924_000_000)
        // An old checkpoint makes room for one of the two.
        try FileManager.default.createDirectory(at: url("new"), withIntermediateDirectories: true)
        try Data(count: 400_000_000).write(to: url("new/checkpoint.safetensors"))
        try assembly("new").checkRoom(for: wide, free: 600_000_000)
        #expect(throws: SpaceError.self) { try assembly("new").checkRoom(for: wide, free: 500_000_000) }
    }
}
