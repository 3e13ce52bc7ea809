import TensorKit

/// `torch.nn.Embedding`: a row of the weight for each number.
public final class Embedding: Module {
    /// [count, features]
    public let weight: Parameter

    /// - Parameters:
    ///   - count: number of rows.
    ///   - features: length of a row.
    public init(count: Int, features: Int) {
        weight = Parameter(shape: [count, features])
    }

    public var parameters: [(name: String, parameter: Parameter)] { [("weight", weight)] }

    /// - Parameters:
    ///   - indices: N lists of T row numbers each.
    ///   - tape: records the backward pass.
    /// - Precondition: all lists are of one length and every number is a row of the weight.
    /// - Returns: [N, T, features]
    public func callAsFunction(_ indices: [[Int]], tape: Tape? = nil) -> Tensor {
        let (count, features) = (weight.shape[0], weight.shape[1])
        let length = indices.first?.count ?? 0
        precondition(indices.allSatisfy { $0.count == length }, "lists of different lengths for an embedding")
        let flat = indices.flatMap { $0 }
        precondition(flat.allSatisfy { $0 >= 0 && $0 < count }, "a row beyond the \(count) of an embedding")
        let y = weight.source.rows(flat).reshaped([indices.count, length, features])
        if let tape, weight.isTrainable {
            tape.record(y) { [self] gradient in
                let sum = Tensor(zeros: weight.shape)
                for (row, index) in flat.enumerated() {
                    for i in 0..<features { sum.pointer[index * features + i] += gradient.pointer[row * features + i] }
                }
                weight.accumulateGradient(sum)
            }
        }
        return y
    }
}
