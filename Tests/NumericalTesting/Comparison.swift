import TensorKit

/// Two arrays held against each other element by element.
///
/// Use as `#expect(comparison.isClose, "\(comparison)")`: the text names the array and its worst element.
public struct Comparison: CustomStringConvertible {
    /// What the arrays are.
    public let name: String
    /// Largest allowed difference, relative to the largest magnitude of the reference.
    public let tolerance: Float
    /// Largest difference, relative to the largest magnitude of the reference; infinite when shapes differ or a number is not finite.
    public let worstError: Float
    private let details: String

    /// Compares a tensor with a reference of the same shape.
    public init(_ name: String, _ found: Tensor, _ expected: Tensor, tolerance: Float) {
        self.init(name, found.array, expected.array, shapes: (found.shape, expected.shape), tolerance: tolerance)
    }

    /// Compares lists of numbers.
    public init(_ name: String, _ found: [Float], _ expected: [Float], tolerance: Float) {
        self.init(name, found, expected, shapes: ([found.count], [expected.count]), tolerance: tolerance)
    }

    private init(_ name: String, _ found: [Float], _ expected: [Float], shapes: (found: [Int], expected: [Int]), tolerance: Float)
    {
        self.name = name
        self.tolerance = tolerance
        guard shapes.found == shapes.expected else {
            worstError = .infinity
            details = "shape \(shapes.found), expected \(shapes.expected)"
            return
        }
        let scale = max(expected.map(abs).max() ?? 0, .leastNormalMagnitude)
        var worst: (error: Float, index: Int) = (0, 0)
        for (index, (a, b)) in zip(found, expected).enumerated() {
            let difference = abs(a - b)
            let error = difference.isFinite ? difference / scale : .infinity
            if error > worst.error { worst = (error, index) }
        }
        worstError = worst.error
        guard !found.isEmpty else {
            details = "empty"
            return
        }
        var position = [Int]()
        var rest = worst.index
        for dimension in shapes.found.reversed() {
            position.insert(rest % max(1, dimension), at: 0)
            rest /= max(1, dimension)
        }
        details = "worst element \(position) of \(shapes.found): \(found[worst.index]), expected \(expected[worst.index])"
    }

    public var isClose: Bool { worstError <= tolerance }

    public var description: String { "\(name): relative error \(worstError), allowed \(tolerance); \(details)" }
}
