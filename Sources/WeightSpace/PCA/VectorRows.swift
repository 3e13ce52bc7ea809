import Checkpoints
import TensorKit

/// Some of the LoRA vectors of a file, read as they are needed.
struct VectorRows {
    /// [N, n]
    let entry: TensorEntry
    /// Rows of the file, rising.
    let rows: [Int]

    var count: Int { rows.count }
    /// n
    var length: Int { entry.shape[1] }

    /// Vectors as they stand in the file.
    /// - Parameters:
    ///   - range: places in `rows`.
    ///   - columns: nil for all.
    /// - Returns: [range.count, columns]
    func block(_ range: Range<Int>, columns: Range<Int>? = nil) -> Tensor {
        let columns = columns ?? 0..<length
        let result = Tensor(uninitialized: [range.count, columns.count])
        let target = result.pointer
        Parallel.ranges(range.count, grain: max(1, (1 << 16) / max(1, columns.count))) { part in
            for i in part { entry.read(row: rows[range.lowerBound + i], columns: columns, into: target + i * columns.count) }
        }
        return result
    }

    /// Lets the system have the memory of what was read.
    func release(_ range: Range<Int>) {
        guard let first = range.first, let last = range.last else { return }
        entry.release(rows: rows[first]..<(rows[last] + 1))
    }
}
