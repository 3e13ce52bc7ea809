import NumericalTesting
import TensorKit
import Testing

/// Holds every element of a tensor against its reference, relative to the reference's largest magnitude.
func expectClose(
    _ found: Tensor, _ expected: Tensor, tolerance: Float = 1e-5, _ name: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let comparison = Comparison(name, found, expected, tolerance: tolerance)
    #expect(comparison.isClose, "\(comparison)", sourceLocation: sourceLocation)
}

/// A tensor of normal numbers that depends on its shape and a seed only.
func randomTensor(_ shape: [Int], seed: Int, scale: Float = 1) -> Tensor {
    Kernels.scale(TorchRandomSource(seed: UInt64(seed)).normal(shape: shape), by: scale)
}
