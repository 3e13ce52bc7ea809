import Checkpoints
import Foundation
import TensorKit
import Testing

@testable import WeightSpace

/// A file beside the tests.
func fixture(_ name: String) throws -> URL {
    try #require(Bundle.module.url(forResource: "Fixtures/" + name, withExtension: nil))
}

/// A folder of its own that goes away with the value.
final class TemporaryFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("w2w-space-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }
}

/// Compares every element, relative to the reference's largest.
func expectClose(
    _ actual: Tensor, _ expected: Tensor, tolerance: Float, _ name: String, location: SourceLocation = #_sourceLocation
) {
    #expect(actual.count == expected.count, "\(name): \(actual.shape) for \(expected.shape)", sourceLocation: location)
    guard actual.count == expected.count else { return }
    let (a, b) = (actual.array, expected.array)
    let largest = max(b.map(abs).max() ?? 0, 1e-12)
    let worst = a.indices.max { abs(a[$0] - b[$0]) < abs(a[$1] - b[$1]) } ?? 0
    guard let difference = a.indices.contains(worst) ? abs(a[worst] - b[worst]) : nil else { return }
    #expect(
        difference <= tolerance * largest, "\(name)[\(worst)]: \(a[worst]), expected \(b[worst])", sourceLocation: location)
}

/// Vectors that lie near a plane of `rank` dimensions, as LoRA vectors do.
func syntheticVectors(count: Int, length: Int, rank: Int, seed: UInt64 = 1) -> Tensor {
    let random = TorchRandomSource(seed: seed)
    let basis = random.normal(shape: [length, rank])
    let codes = random.normal(shape: [count, rank])
    let noise = random.normal(count * length)
    let vectors = Tensor(uninitialized: [count, length])
    for row in 0..<count {
        for i in 0..<length {
            var sum = 0.3 + 0.1 * noise[row * length + i]
            for k in 0..<rank { sum += basis.pointer[i * rank + k] * codes.pointer[row * rank + k] / Float(k + 1) }
            vectors.pointer[row * length + i] = 0.02 * sum
        }
    }
    return vectors
}
