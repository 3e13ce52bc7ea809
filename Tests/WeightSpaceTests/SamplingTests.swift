import Foundation
import TensorKit
import Testing

@testable import WeightSpace

struct SamplingTests {
    private let covariance: [Double] = [4, 1, 1, 2]

    @Test func samplesHaveTheMomentsAskedFor() throws {
        let sampler = try CodeSampler(mean: [1, -2], covariance: covariance)
        let codes = sampler.sample(count: 20_000, seed: 3)
        let moments = CodeMoments(
            means: codes.flatMap { $0 }, logVariances: Array(repeating: -.infinity, count: 40_000), dimension: 2)
        for (found, wanted) in zip(moments.covariance, covariance) { #expect(abs(found - wanted) < 0.15) }
        #expect(abs(moments.mean[0] - 1) < 0.06 && abs(moments.mean[1] + 2) < 0.06)
    }

    @Test func aSeedMeansTheSamePeopleHoweverManyAreDrawn() throws {
        let space = try Space.builtIn()
        for source in CodeSampler.Source.allCases {
            let sampler = try CodeSampler(fittedTo: space, source: source)
            #expect(Array(sampler.sample(count: 5, seed: 9).prefix(2)) == sampler.sample(count: 2, seed: 9))
            #expect(sampler.sample(count: 1, seed: 9) != sampler.sample(count: 1, seed: 10))
        }
    }

    @Test func theBuiltInSpaceIsSampledAsWidelyAsItsPeopleLie() throws {
        let space = try Space.builtIn()
        for source in [CodeSampler.Source.prior, .fitted] {
            let codes = try CodeSampler(fittedTo: space, source: source).sample(count: 400, seed: 1)
            let length = codes.map { $0.reduce(0) { $0 + $1 * $1 } }.reduce(0, +) / 400
            #expect(abs(length / 64 - 1) < 0.2, "\(source): \(length)")
        }
    }

    @Test func blendsAreAsFarFromTheAverageAsPeopleAre() throws {
        let space = try Space.builtIn()
        let codes = try CodeSampler(fittedTo: space, source: .blended).sample(count: 200, seed: 1)
        let blends = try space.decode(Tensor([codes.count, 64], codes.flatMap { $0 }))
        let people = try #require(space.weights).tensor()
        let (n, count) = (people.shape[1], people.shape[0])
        let mean = (0..<n).map { i in (0..<count).reduce(0.0) { $0 + Double(people.pointer[$1 * n + i]) } / Double(count) }
        func spread(_ vectors: Tensor) -> Double {
            (0..<vectors.count).reduce(0.0) { $0 + pow(Double(vectors.pointer[$1]) - mean[$1 % n], 2) } / Double(vectors.shape[0])
        }
        #expect(abs(spread(blends) / spread(people) - 1) < 0.15)
    }

    @Test func blendsLieBetweenNeighbours() throws {
        // Two clusters far apart: no blend leads from one to the other.
        let identities: [Float] = (0..<40).flatMap { i in [i < 20 ? 5 : -5, Float(i % 20) / 10] }
        let sampler = try CodeSampler(mean: [0, 0], covariance: [25, 0, 0, 1], identities: identities)
        for code in sampler.sample(count: 300, seed: 2) { #expect(abs(code[0]) >= 5) }
    }

    @Test func truncationAndTemperaturePullTowardsTheCentre() throws {
        let sampler = try CodeSampler(mean: [1, -2], covariance: covariance)
        #expect(sampler.sample(count: 1, seed: 4, truncation: 0) == [[1, -2]])
        #expect(sampler.sample(count: 1, seed: 4, temperature: 0) == [[1, -2]])
        let child = sampler.sample(count: 1, seed: 4, temperature: 0, parent: [5, 5])
        #expect(child == [[5, 5]])
    }

    @Test func pathsEndExactlyWhereTheyShould() {
        let (a, b): ([Float], [Float]) = ([1, 0, 0.3], [0, 2, -0.7])
        for kind in CodePath.Kind.allCases {
            let path = CodePath(from: a, to: b, kind: kind, centre: [0, 0, 0], active: [true, true, false])
            let codes = path.codes(frames: 5)
            #expect(codes.first == a && codes.last == b && codes.count == 5)
        }
    }

    @Test func slerpTurnsActiveAxesAndKeepsTheLength() {
        let path = CodePath(
            from: [1, 0, 0.3], to: [0, 2, -0.7], kind: .slerp, centre: [0, 0, 0], active: [true, true, false])
        let middle = path.code(at: 0.5)
        #expect(abs((middle[0] * middle[0] + middle[1] * middle[1]).squareRoot() - 1.5) < 1e-5)
        #expect(abs(middle[0] - middle[1]) < 1e-5)
        #expect(abs(middle[2] + 0.2) < 1e-6)
    }

    @Test func slerpBetweenOppositeOrEqualCodesGoesStraight() {
        let opposite = CodePath(from: [1, 0], to: [-1, 0], kind: .slerp, centre: [0, 0], active: [true, true])
        #expect(opposite.code(at: 0.5).allSatisfy { abs($0) < 1e-5 })
        let none = CodePath(from: [0, 0], to: [0, 0], kind: .slerp, centre: [0, 0], active: [true, true])
        #expect(none.code(at: 0.3) == [0, 0])
    }
}
