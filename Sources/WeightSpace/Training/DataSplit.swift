import TensorKit

/// Which identities are trained on and which are kept aside: 80, 10 and 10 of a hundred, drawn by a seed.
public struct DataSplit: Sendable, Equatable {
    /// Rows in the order of the draw.
    public let train: [Int]
    public let validation: [Int]
    public let test: [Int]

    /// - Parameters:
    ///   - count: number of identities, at least 10.
    ///   - seed: of the draw.
    public init(count: Int, seed: UInt64) {
        let order = TorchRandomSource(seed: seed).permutation(count)
        let tenth = count / 10
        test = Array(order[0..<tenth])
        validation = Array(order[tenth..<(2 * tenth)])
        train = Array(order[(2 * tenth)...])
    }
}

extension Tensor {
    /// The given rows of a matrix, copied in their order.
    func gathering(_ rows: [Int]) -> Tensor {
        let width = shape[1]
        let result = Tensor(uninitialized: [rows.count, width])
        for (target, source) in rows.enumerated() {
            (result.pointer + target * width).update(from: pointer + source * width, count: width)
        }
        return result
    }
}
