import Foundation
import TensorKit
import Testing

@testable import WeightSpace

/// Blends of neighbours, against a plain way to find them.
struct NeighbourBlendsTests {
    private let dimension = 5

    private func codes(_ count: Int) -> [Float] {
        var codes = TorchRandomSource(seed: 4).normal(count * dimension)
        // Some people twice, so that distances are equal.
        for i in 0..<(20 * dimension) { codes[i + 40 * dimension] = codes[i] }
        return codes
    }

    /// All others, nearest first, of equal distances the earlier.
    private func neighbours(of row: Int, _ codes: [Float]) -> [Int] {
        let d = dimension
        func distance(_ other: Int) -> Double {
            (0..<d).reduce(0) { $0 + pow(Double(codes[row * d + $1]) - Double(codes[other * d + $1]), 2) }
        }
        return (0..<(codes.count / d)).filter { $0 != row }.sorted { (distance($0), $0) < (distance($1), $1) }
    }

    @Test(arguments: [90, 700])
    func blendsAreOfTheNearest(count: Int) throws {
        let codes = codes(count)
        // All of the way: the second of a pair as it is, around 0.
        let blends = NeighbourBlends(
            codes: codes, dimension: dimension, centre: [Float](repeating: 0, count: dimension), shares: 1...1)
        let drawn = blends.draw(200, TorchRandomSource(seed: 9))
        let random = TorchRandomSource(seed: 9)
        let most = NeighbourBlends.neighbourCount(of: count)
        #expect(most == (count == 90 ? 8 : 10))
        for row in 0..<200 {
            let (first, rank) = (random.integer(below: count), random.integer(below: most))
            _ = random.uniform(1)
            let second = neighbours(of: first, codes)[rank]
            for i in 0..<dimension {
                let expected = codes[second * dimension + i]
                #expect(abs(drawn.pointer[row * dimension + i] - expected) < 1e-5, "blend \(row) of \(first)")
            }
        }
    }

    @Test func manyIdentitiesHaveFewNeighboursEach() throws {
        #expect([2, 9, 512, 1000, 4096, 65_000].map(NeighbourBlends.neighbourCount) == [1, 8, 8, 15, 64, 64])
        // As many as the original project has: their square would be four thousand million.
        let blends = NeighbourBlends(codes: codes(65_000), dimension: dimension, shares: 0...1)
        let (random, clock) = (TorchRandomSource(seed: 1), ContinuousClock())
        let time = clock.measure { for _ in 0..<4 { _ = blends.draw(256, random) } }
        #expect(time < .seconds(60))
        #expect(blends.count == 65_000)
    }
}
