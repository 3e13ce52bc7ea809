/// A reproducible stream of random numbers.
public protocol RandomSource: AnyObject {
    /// Standard normal numbers; successive calls continue the stream.
    func normal(_ count: Int) -> [Float]
    /// Numbers in [0, 1).
    func uniform(_ count: Int) -> [Float]
    /// A whole number in `0..<bound`.
    func integer(below bound: Int) -> Int
}

extension RandomSource {
    /// A tensor of standard normal numbers, drawn in row-major order.
    public func normal(shape: [Int]) -> Tensor { Tensor(shape, normal(shape.reduce(1, *))) }

    /// The numbers `0..<count` in random order.
    public func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, integer(below: i + 1)) }
        return order
    }
}
