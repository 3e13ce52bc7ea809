import EngineAPI
import ImageCore
import Testing
import WeightSpace

@testable import Engine

/// What the engine tells of codes and faces: how ordinary, how alike, how even.
@Suite(.serialized) struct FaceMeasureTests {
    private static func gauge(_ events: [EngineEvent]) -> TypicalityGauge? {
        for case .typicality(_, let gauge) in events { return gauge }
        return nil
    }

    @Test func typicalityIsTheShareOfPeopleFartherOutAndFollowsTheModelInUse() throws {
        let bench = BuiltInSpaceTests.Bench()
        let description = try bench.open()
        let gauge = try #require(Self.gauge(bench.events(of: 0)))
        let table = description.identities
        let shares = (0..<table.count).map { gauge(table.code(at: $0)) }
        // Ranks of the people among themselves: from the least to 1, one half on average.
        #expect(abs(shares.reduce(0, +) / Float(shares.count) - 0.5) < 0.01)
        #expect(shares.max() == 1 && (shares.min() ?? 1) < 0.01)
        #expect(gauge(description.centre) == 1)
        #expect(gauge(WeightCode([Float](repeating: 50, count: table.latentDimension))) == 0)
        let space = try Space.builtIn()
        let own = try #require(space.typicality())
        #expect(shares[17] == Float(own(table.code(at: 17).values).percentile))

        let switched = bench.run(.use(.pca), 1)
        let other = try #require(Self.gauge(switched))
        guard case .opened(_, let pca)? = switched.dropFirst().first else {
            Issue.record("\(switched)")
            return
        }
        #expect(other(pca.centre) == 1)
        #expect(other(pca.identities.code(at: 0)) < 1)
    }

    @Test func aSpaceOpensWithTheModelThatIsNamed() throws {
        let bench = BuiltInSpaceTests.Bench()
        let events = bench.run(.open(.builtIn, model: .pca), 0)
        let description = try #require(
            events.compactMap { if case .opened(_, let description) = $0 { description } else { nil } }.first)
        #expect(description.model == .pca && description.models == [.vae, .pca])
        let request = RenderRequest(
            subject: .code(description.identities.code(at: 3)), settings: BuiltInSpaceTests.settings(description, steps: 1))
        #expect(BuiltInSpaceTests.pictures(bench.run(.render(request), 1)).last?.stage == .final)
    }

    @Test func picturesOfOnePersonAreAlikeAndOfTwoAreNot() throws {
        let bench = BuiltInSpaceTests.Bench()
        let description = try bench.open()
        #expect(description.hasEmbedder)
        var settings = BuiltInSpaceTests.settings(description, steps: 12)
        var images: [RGBImage] = []
        for (name, seed) in [("p00042", 1), ("p00042", 2), ("p00317", 1)] {
            settings.seed = UInt64(seed)
            let request = RenderRequest(subject: .identity(name), settings: settings)
            images.append(
                try #require(BuiltInSpaceTests.pictures(bench.run(.render(request), UInt64(images.count + 1))).last?.image))
        }
        let events = bench.run(.compare(images), 9)
        guard case .compared(_, let faces)? = events.dropFirst().first else {
            Issue.record("\(events)")
            return
        }
        #expect(faces.count == 3)
        for place in 0..<3 { #expect(abs(faces.likeness[place * 4] - 1) < 1e-4) }
        let (same, different) = (faces.likeness[1], faces.likeness[2])
        #expect(same > different + 0.3, "one person \(same), two \(different)")
        #expect(try #require(faces.samePerson) > 0.8 && #require(faces.differentPeople) < 0.3)
        #expect(faces.meanLikeness(of: 0) == (same + different) / 2)
    }

    @Test func theStepsOfAWalkAreMeasuredByTheEmbedder() throws {
        let bench = BuiltInSpaceTests.Bench()
        let description = try bench.open()
        let table = description.identities
        let request = MorphRequest(
            from: table.code(at: 41), to: table.code(at: 316), frames: 4, path: .slerp,
            settings: BuiltInSpaceTests.settings(description, steps: 4))
        let events = bench.run(.morph(request), 1)
        var images = [RGBImage?](repeating: nil, count: 4)
        for case .frame(_, let frame) in events { images[frame.index] = frame.image }
        let pacing = try #require(
            events.compactMap { if case .paced(_, let pacing) = $0 { pacing } else { nil } }.last)
        #expect(pacing.distance == "distance of the face embedder")
        let embedder = try #require(try Space.builtIn().faceEmbedder())
        let expected = EmbeddingDistance(embedder).steps(images.compactMap { $0 })
        #expect(pacing.steps.count == 3 && expected.count == 3)
        for (step, wanted) in zip(pacing.steps, expected) { #expect(abs(Double(step) - wanted) < 1e-4) }
        #expect(pacing.unevenness >= 1 && pacing.unevenness == pacing.unevennessBefore)
        // The walk goes somewhere.
        #expect(expected.allSatisfy { $0 > 0.01 })
    }
}
