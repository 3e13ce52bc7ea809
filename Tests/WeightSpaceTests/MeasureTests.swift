import Checkpoints
import Foundation
import ImageCore
import NeuralNetworks
import TensorKit
import Testing

@testable import WeightSpace

/// Face embedder and statistics against PyTorch and NumPy (`Fixtures/measures.py`).
struct MeasureTests {
    static let shape = FaceEmbedderConfiguration(imageSize: 16, channels: [8, 12], groups: 4, embeddingDim: 6)
    let state: StateDictionary

    init() throws { state = try StateDictionary(safetensors: fixture("measures.safetensors")) }

    private func numbers(_ name: String) throws -> [Double] { try state.entry("statistics." + name).floats().map { Double($0) } }

    private func embedder() throws -> FaceEmbedder {
        let embedder = FaceEmbedder(Self.shape)
        let prefix = "weight."
        try embedder.load(state.renamed { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : nil })
        return embedder
    }

    @Test func embeddingsAreWhatPyTorchComputes() throws {
        let points = try embedder()(state.entry("x").tensor())
        expectClose(points, try state.entry("points").tensor(), tolerance: 1e-5, "embeddings")
    }

    @Test func lossAndGradientsAreWhatPyTorchComputes() throws {
        let embedder = try embedder()
        let (x, directions) = (try state.entry("x").tensor(), try state.entry("directions").tensor())
        let classes = [0, 3, 1, 4]
        let tape = Tape()
        tape.watch(directions)
        let cosines = rowProducts(embedder(x, tape: tape), normalizeRows(directions, tape: tape), tape: tape)
        let logits = marginLogits(
            cosines: cosines, classes: classes, margin: 0.3, likenessMargin: 0.1, groups: [0, 1, 0, 1, 1], scale: 16, tape: tape)
        let loss = crossEntropy(logits: logits, classes: classes, smoothing: 0.05, tape: tape)
        expectClose(loss, try state.entry("loss").tensor(), tolerance: 1e-5, "loss")
        tape.backward(from: loss, seed: Tensor([1], [1]))
        expectClose(
            try #require(tape.gradient(of: directions)), try state.entry("directions.gradient").tensor(), tolerance: 1e-4,
            "gradient of the directions")
        for (name, parameter) in embedder.namedParameters() {
            let gradient = try #require(parameter.gradient, "\(name) has no gradient")
            expectClose(gradient, try state.entry("gradient." + name).tensor(), tolerance: 1e-4, "gradient of \(name)")
        }
    }

    @Test func divergencesAndTypicalityAreWhatNumPyComputes() throws {
        let (codes, logVariances) = (try state.entry("statistics.codes").floats(), try state.entry("statistics.logvar").floats())
        let posterior = Posterior(means: codes, logVariances: logVariances, dimension: 4)
        for (name, found) in [("kl", posterior.kl), ("variance", posterior.variance), ("fitted", [posterior.fittedKL])] {
            for (a, b) in zip(found, try numbers(name)) {
                let isEqual = abs(a - b) < 1e-5 * max(1, abs(b))
                #expect(isEqual, "\(name): \(a), expected \(b)")
            }
        }
        let typicality = CodeTypicality(codes: codes, logVariances: logVariances, dimension: 4)
        let probe = try state.entry("statistics.probe").floats()
        for (row, (distance, percentile)) in zip(try numbers("distance"), try numbers("percentile")).enumerated() {
            let reading = typicality(Array(probe[(row * 4)..<(row * 4 + 4)]))
            let difference = abs(reading.distance - distance)
            #expect(difference < 1e-5 * distance)
            #expect(abs(reading.percentile - percentile) < 1e-6)
        }
    }

    @Test func reconstructionByPCAIsWhatNumPyComputes() throws {
        let (train, test) = (try state.entry("statistics.train").tensor(), try state.entry("statistics.test").tensor())
        for (isStandardized, expected) in zip([false, true], try numbers("r2")) {
            let pca = try Reconstruction.pca(of: train, components: 3, standardized: isStandardized)
            let result = Reconstruction.measure(pca, vectors: test, mean: pca.mean.array)
            #expect(abs(result.r2 - expected) < 1e-4, "\(result.r2), expected \(expected)")
            #expect(result.byPerson.count == 9 && result.byPerson.allSatisfy { $0 <= 1 })
        }
    }

    @Test func separationIsWhatNumPyComputes() throws {
        let separation = Separation(same: try numbers("same"), different: try numbers("different"))
        let expected = try #require(try numbers("prime").first)
        #expect(abs(separation.dPrime - expected) < 1e-4)
        #expect(Separation(same: [], different: [1, 2]).dPrime == 0)
        let pairs = Separation.pairs(cosines: [1, 0.9, 0.1, 0.9, 1, 0.2, 0.1, 0.2, 1], people: [0, 0, 1])
        let (same, different): ([Float], [Float]) = ([0.9], [0.1, 0.2])
        #expect(pairs.same == same.map { Double($0) })
        #expect(pairs.different == different.map { Double($0) })
    }

    /// Codes that tell identities apart carry log N nats about which one it is; codes that are all alike carry none.
    @Test(arguments: zip([Float(100), 0], [log(8.0), 0]))
    func informationAndMarginalMakeUpTheDivergence(spread: Float, information: Double) {
        let means: [Float] = (0..<8).flatMap { [Float($0) * spread, 0.5] as [Float] }
        let posterior = Posterior(means: means, logVariances: [Float](repeating: 0, count: 16), dimension: 2, draws: 400)
        #expect(abs(posterior.mutualInformation - information) < 1e-6)
        let rest = abs(posterior.mutualInformation + posterior.marginalKL - posterior.meanKL)
        #expect(rest < 0.05 * posterior.meanKL + 0.05)
    }

    @Test func peopleAreToldApartAfterTraining() throws {
        // Everybody has a colour of their own in the upper and one in the lower half: seen in training or not.
        let random = TorchRandomSource(seed: 1)
        let folder = try TemporaryFolder()
        let names = (0..<24).map { "n\($0)" }
        for name in names {
            let (upper, lower) = (random.uniform(3), random.uniform(3))
            var strip = RGBImage(width: 48, height: 16)
            for i in 0..<(48 * 16) {
                for channel in 0..<3 {
                    let colour = (i / 48 < 8 ? upper : lower)[channel] * 200 + 20 + random.uniform(1)[0] * 20
                    strip.pixels[i * 3 + channel] = UInt8(colour)
                }
            }
            try strip.writePNG(to: folder.url.appendingPathComponent("\(name).png").path)
        }
        let labels = IdentityLabels(names: names, attributeNames: ["Bald"], values: names.indices.map { Float($0 % 2) })
        let album = try PhotoAlbum(folder.url, labels: labels, side: 16)
        #expect(album.photos.allSatisfy { $0.count == 3 } && album.kinds == names.indices.map { $0 % 2 })
        let plan = FaceEmbedderPlan(configuration: Self.shape, steps: 60, batch: 16, learningRate: 5e-3)
        var weights: [[Float]] = []
        for _ in 0..<2 {
            let trainer = try FaceEmbedderTrainer(plan, album: album)
            let before = trainer.separation(of: trainer.split.train).all.dPrime
            var losses: [Float] = []
            while !trainer.isFinished { losses.append(trainer.advance()) }
            let (early, late): (Float, Float) = (losses.prefix(10).reduce(0, +), losses.suffix(10).reduce(0, +))
            #expect(late < 0.7 * early)
            let record = try trainer.write(to: folder.url)
            #expect(trainer.separation(of: trainer.split.train).all.dPrime > before)
            #expect(record.heldOut("test").count == 2 && record.dPrime != nil)
            weights.append(trainer.embedder.namedParameters().flatMap { $0.parameter.value.array })
        }
        #expect(weights[0] == weights[1], "the same plan gives the same embedder")
        let stored = try FaceEmbedder(contentsOf: folder.url.appendingPathComponent("embedder.json"))
        let face = stored.embedding(of: album.photos[0][0])
        let (cosine, distance) = (FaceLikeness.cosine(face, face), FaceLikeness.distance(face, face))
        #expect(abs(cosine - 1) < 1e-6)
        #expect(distance < 1e-3)
        #expect(stored.record?.dPrime != nil)
    }

    @Test func photographsThatAreNoStripsAreRefused() throws {
        let folder = try TemporaryFolder()
        try RGBImage(width: 20, height: 16).writePNG(to: folder.url.appendingPathComponent("a.png").path)
        let labels = IdentityLabels(names: ["a"], attributeNames: [], values: [])
        #expect(throws: SpaceError.self) { try PhotoAlbum(folder.url, labels: labels, side: 8) }
        #expect(throws: SpaceError.self) {
            try PhotoAlbum(folder.url, labels: IdentityLabels(names: [], attributeNames: [], values: []), side: 8)
        }
    }

    @Test func theBuiltInEmbedderTellsUnseenPeopleApart() throws {
        let space = try Space.builtIn()
        let embedder = try #require(try space.faceEmbedder())
        let record = try #require(embedder.record)
        let (all, alike) = (try #require(record.dPrime), try #require(record.hardDPrime))
        #expect(all > 4 && alike > 3)
        let unseen = Set(record.heldOut("test").prefix(12))
        let photos = try #require(space.manifest.paths[.photos])
        let people = IdentityLabels(
            names: space.identities.names.filter(unseen.contains), attributeNames: [], values: [])
        let album = try PhotoAlbum(space.folder.appendingPathComponent(photos), labels: people, side: 64)
        #expect(embedder.separation(of: Array(album.names.indices), in: album).all.dPrime > 3)
    }
}
