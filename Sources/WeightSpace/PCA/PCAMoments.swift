import TensorKit

/// Mean and unbiased deviation of every number of vectors that come in blocks, in double precision around the first vector.
struct PCAMoments {
    /// The first vector, [n]; nil before there was one.
    var origin: Tensor?
    /// Sums of the distances from `origin`, [n], and of their squares.
    var sums: [Double]
    var squares: [Double]

    init(length: Int) {
        sums = [Double](repeating: 0, count: length)
        squares = sums
    }

    /// Takes vectors in.
    /// - Parameter block: [N, n], N at least 1.
    mutating func add(_ block: Tensor) {
        let (rows, n) = (block.shape[0], block.shape[1])
        let first = origin ?? Tensor([n], Array(block.rows(0..<1).array))
        origin = first
        let (from, zero) = (block.pointer, first.pointer)
        sums.withUnsafeMutableBufferPointer { sums in
            squares.withUnsafeMutableBufferPointer { squares in
                let (sums, squares) = (sums, squares)
                Parallel.ranges(n, grain: 1024) { columns in
                    for row in 0..<rows {
                        for i in columns {
                            let value = Double(from[row * n + i]) - Double(zero[i])
                            sums[i] += value
                            squares[i] += value * value
                        }
                    }
                }
            }
        }
    }

    /// - Parameter count: number of vectors that were taken in, at least 2.
    /// - Returns: mean and deviation, [n] each; a deviation is exactly 0 where a number never varies.
    func result(count: Int) -> (mean: Tensor, deviation: Tensor) {
        let n = sums.count
        let (mean, deviation) = (Tensor(uninitialized: [n]), Tensor(uninitialized: [n]))
        for i in 0..<n {
            mean.pointer[i] = Float(Double(origin?.pointer[i] ?? 0) + sums[i] / Double(count))
            let variance = (squares[i] - sums[i] * sums[i] / Double(count)) / Double(count - 1)
            deviation.pointer[i] = Float(max(0, variance).squareRoot())
        }
        return (mean, deviation)
    }
}
