import Foundation
import TensorKit

/// Access to a matrix that need not fit into memory.
extension TensorEntry {
    /// Some numbers of one row as float32.
    /// - Parameters:
    ///   - row: of a matrix [N, n].
    ///   - columns: within the row.
    ///   - target: room for `columns.count` numbers.
    /// - Precondition: the tensor is a matrix with such a row and such columns.
    public func read(row: Int, columns: Range<Int>, into target: UnsafeMutablePointer<Float>) {
        precondition(
            shape.count == 2 && (0..<shape[0]).contains(row) && columns.lowerBound >= 0 && columns.upperBound <= shape[1],
            "row \(row), columns \(columns) of \(shape)")
        let start = row * shape[1]
        copy((start + columns.lowerBound)..<(start + columns.upperBound), into: target)
    }

    /// One row as it is stored.
    /// - Parameters:
    ///   - row: of a matrix [N, n].
    ///   - target: room for n numbers of `elementType`.
    /// - Precondition: the tensor is a contiguous matrix with such a row.
    public func copyBytes(row: Int, to target: UnsafeMutableRawPointer) {
        precondition(isContiguous && shape.count == 2 && (0..<shape[0]).contains(row), "row \(row) of \(shape)")
        let size = shape[1] * elementType.size
        withBytes { bytes in
            if let base = bytes.baseAddress { target.copyMemory(from: base + row * size, byteCount: size) }
        }
    }

    /// Says that rows will be read here and there: the system reads nothing along that nobody asks for, so `fetch` what comes next. A disk's
    /// read-ahead of some megabytes would read a large file whole for a few rows in a hundred.
    public func expectScatteredRows() { file.expectScatteredReads() }

    /// Asks the system to bring in rows that are about to be read, without waiting for them.
    /// - Parameter rows: of a matrix [N, n].
    public func fetch(rows: Range<Int>) {
        guard shape.count == 2, isContiguous, file.isMapped else { return }
        let (page, stride) = (Int(sysconf(Int32(_SC_PAGESIZE))), shape[1] * elementType.size)
        withBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            // Row by row: the system cuts what is asked for at once.
            for row in rows.clamped(to: 0..<shape[0]) {
                let start = (Int(bitPattern: base) + row * stride) / page * page
                let end = Int(bitPattern: base) + (row + 1) * stride
                if let address = UnsafeMutableRawPointer(bitPattern: start) { madvise(address, end - start, MADV_WILLNEED) }
            }
        }
    }

    /// Lets go of the memory that rows were read into by the system; they are read from the file again when they are asked for. Keeps the
    /// process small while it walks through a file that is larger than memory.
    /// - Parameter rows: of a matrix [N, n].
    public func release(rows: Range<Int>) {
        // Memory of our own would be lost, not read again.
        guard shape.count == 2, !rows.isEmpty, isContiguous, file.isMapped else { return }
        let (page, stride) = (Int(sysconf(Int32(_SC_PAGESIZE))), shape[1] * elementType.size)
        withBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            // Whole pages inside the range only: a neighbour's page stays.
            let start = (Int(bitPattern: base) + rows.lowerBound * stride + page - 1) / page * page
            let end = (Int(bitPattern: base) + rows.upperBound * stride) / page * page
            if end > start, let address = UnsafeMutableRawPointer(bitPattern: start) {
                madvise(address, end - start, MADV_DONTNEED)
            }
        }
    }
}
