import Foundation
import TensorKit

extension SafetensorsWriter {
    /// Writes one large matrix block by block; it need not fit into memory.
    /// - Parameters:
    ///   - size: rows and columns.
    ///   - name: of the tensor.
    ///   - type: `.float32` or `.float16`.
    ///   - url: what stands there is replaced once everything is written.
    ///   - block: rows in a block.
    ///   - body: gives the rows of a range, [rows, columns].
    /// - Throws: `CheckpointError` when the file cannot be written, or what `body` throws.
    public static func write(
        rows size: (rows: Int, columns: Int), name: String, as type: ElementType, to url: URL, block: Int,
        _ body: (Range<Int>) throws -> Tensor
    ) throws {
        precondition(type == .float32 || type == .float16, "matrices are written as F32 or F16")
        let bytes = size.rows * size.columns * type.size
        var header =
            "{\(JSONValue.quoted(name)):{\"dtype\":\"\(type.rawValue)\",\"shape\":[\(size.rows),\(size.columns)],\"data_offsets\":[0,\(bytes)]}}"
        header += String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        try AtomicFile.write(to: url) { file in
            try file.reserve(8 + header.utf8.count + bytes)
            try withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { try file.append($0) }
            try file.append(header)
            for start in stride(from: 0, to: size.rows, by: max(1, block)) {
                let range = start..<min(size.rows, start + max(1, block))
                let values = try body(range)
                precondition(values.count == range.count * size.columns, "rows \(range) of \(size), found \(values.shape)")
                if type == .float32 {
                    try file.append(UnsafeRawBufferPointer(start: values.pointer, count: values.count * 4))
                } else {
                    let halves = [UInt16](unsafeUninitializedCapacity: values.count) { buffer, initialized in
                        for i in 0..<values.count { buffer[i] = ElementConversion.half(values.pointer[i]) }
                        initialized = values.count
                    }
                    try halves.withUnsafeBytes { try file.append($0) }
                }
            }
        }
    }
}
