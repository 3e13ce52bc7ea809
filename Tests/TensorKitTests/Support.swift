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

/// Rounds a weight's elements to half precision and gives them as a file of such numbers does.
func halfSource(_ weight: Tensor) -> WeightSource {
    for i in 0..<weight.count { weight.pointer[i] = Float(Float16(max(-65504, min(65504, weight.pointer[i])))) }
    nonisolated(unsafe) let numbers = weight
    return WeightSource(
        shape: weight.shape, version: 0,
        stored: WeightSource.Stored(
            read: { $1.update(from: numbers.pointer + $0.lowerBound, count: $0.count) }, release: {}, isHalf: true))
}
