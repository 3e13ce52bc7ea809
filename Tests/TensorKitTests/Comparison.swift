import TensorKit
import Testing

/// Holds every element of a tensor against its reference, relative to the reference's largest magnitude.
func expectClose(
    _ actual: Tensor, _ expected: Tensor, tolerance: Float = 1e-5, _ name: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(actual.shape == expected.shape, "\(name)", sourceLocation: sourceLocation)
    guard actual.shape == expected.shape else { return }
    let (ours, theirs) = (actual.array, expected.array)
    let scale = max(theirs.map(abs).max() ?? 0, .leastNormalMagnitude)
    var (worst, index) = (Float(-1), 0)
    for i in ours.indices {
        let difference = abs(ours[i] - theirs[i])
        if difference > worst || difference.isNaN {
            (worst, index) = (difference, i)
            if difference.isNaN { break }
        }
    }
    #expect(
        worst <= tolerance * scale,
        "\(name): element \(index) is \(ours.isEmpty ? 0 : ours[index]) instead of \(theirs.isEmpty ? 0 : theirs[index]), the largest is \(scale)",
        sourceLocation: sourceLocation)
}

/// A tensor of normal numbers that depends on its shape and a seed only.
func randomTensor(_ shape: [Int], seed: Int, scale: Float = 1) -> Tensor {
    Kernels.scale(TorchRandomSource(seed: UInt64(seed)).normal(shape: shape), by: scale)
}
