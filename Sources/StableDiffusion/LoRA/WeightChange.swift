import Checkpoints
import TensorKit

/// The change of a layer's weight in numbers. Rows of it are made when they are asked for: nothing but the factors lies in memory.
struct WeightChange: Sendable {
    /// B A, with A [r, columns] and B [rows, r].
    private struct LowRank: Sendable {
        let rank, columns: Int
        let a, b: [Float]

        init(_ matrix: StoredMatrix, scale: Float = 1) {
            columns = matrix.shape.dropFirst().reduce(1, *)
            rank = matrix.rank ?? 0
            switch matrix {
            case .whole: (a, b) = ([], [])
            case .product(let up, let down): (a, b) = (down.floats(), up.floats().map { $0 * scale })
            case .tucker(let up, let middle, let down, let isTransposed):
                let (rank, rows, channels) = (rank, matrix.shape[0], down.shape[1])
                let kernel = columns / channels
                let (core, last, first) = (middle.floats(), down.floats(), up.floats())
                // The middle and the last factor make one: a convolution's A.
                var a = [Float](repeating: 0, count: rank * columns)
                for i in 0..<rank {
                    for j in 0..<rank {
                        for channel in 0..<channels {
                            let share = last[j * channels + channel]
                            for place in 0..<kernel {
                                a[(i * channels + channel) * kernel + place] += core[(i * rank + j) * kernel + place] * share
                            }
                        }
                    }
                }
                self.a = a
                b = (0..<rows * rank).map { index in
                    let place = isTransposed ? index % rank * rows + index / rank : index
                    return scale * first[place]
                }
            }
        }

        func add(_ row: Int, _ range: Range<Int>, to sum: UnsafeMutablePointer<Float>) {
            a.withUnsafeBufferPointer { a in
                for r in 0..<rank {
                    let (share, start) = (b[row * rank + r], r * columns + range.lowerBound)
                    for i in 0..<range.count { sum[i] += share * a[start + i] }
                }
            }
        }
    }

    /// A matrix of LoKr, small enough to be made whole.
    private struct Whole: Sendable {
        let columns, rows: Int
        let numbers: [Float]

        init(_ matrix: StoredMatrix, scale: Float = 1) {
            (rows, columns) = (matrix.shape[0], matrix.shape.dropFirst().reduce(1, *))
            if case .whole(let entry) = matrix {
                numbers = entry.floats().map { $0 * scale }
            } else {
                let (factors, rows, columns) = (LowRank(matrix, scale: scale), rows, columns)
                numbers = [Float](unsafeUninitializedCapacity: rows * columns) { buffer, count in
                    buffer.initialize(repeating: 0)
                    count = rows * columns
                    guard let base = buffer.baseAddress else { return }
                    for row in 0..<rows { factors.add(row, 0..<columns, to: base + row * columns) }
                }
            }
        }
    }

    private enum Form: Sendable {
        case lora(LowRank)
        case loha(LowRank, LowRank)
        case lokr(Whole, Whole)
    }

    private let form: Form
    let columns: Int

    /// Reads the factors of a layer.
    /// - Parameters:
    ///   - form: with its tensors.
    ///   - scale: what the change is multiplied by.
    init(_ form: AdapterForm, scale: Float) {
        columns = form.shape.dropFirst().reduce(1, *)
        switch form {
        case .lora(let matrix): self.form = .lora(LowRank(matrix, scale: scale))
        case .loha(let first, let second): self.form = .loha(LowRank(first, scale: scale), LowRank(second))
        case .lokr(let first, let second): self.form = .lokr(Whole(first, scale: scale), Whole(second))
        }
    }

    /// Adds columns `range` of a row to `sum`.
    func add(_ row: Int, _ range: Range<Int>, to sum: UnsafeMutablePointer<Float>) {
        switch form {
        case .lora(let factors): factors.add(row, range, to: sum)
        case .loha(let first, let second):
            withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * range.count) { both in
                both.initialize(repeating: 0)
                guard let base = both.baseAddress else { return }
                first.add(row, range, to: base)
                second.add(row, range, to: base + range.count)
                for i in 0..<range.count { sum[i] += base[i] * base[range.count + i] }
            }
        case .lokr(let first, let second):
            let (outer, inner) = (row / second.rows * first.columns, row % second.rows * second.columns)
            second.numbers.withUnsafeBufferPointer { numbers in
                var column = range.lowerBound
                while column < range.upperBound {
                    let (block, place) = (column / second.columns, column % second.columns)
                    let count = min(second.columns - place, range.upperBound - column)
                    let (share, target) = (first.numbers[outer + block], sum + (column - range.lowerBound))
                    for i in 0..<count { target[i] += share * numbers[inner + place + i] }
                    column += count
                }
            }
        }
    }
}
