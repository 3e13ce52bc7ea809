import Foundation
import TensorKit

/// A tensor about to be written, and the type it is to be stored in.
public struct StoredTensor {
    /// Where the numbers come from.
    public enum Content {
        /// Float32 in memory, stored as float32, float16 or bfloat16 (rounded to nearest even).
        case floats(Tensor, as: ElementType)
        /// Whole numbers, stored as int64.
        case integers([Int], shape: [Int])
        /// bfloat16 numbers, two in each float's place, stored as they are.
        case brains(Tensor, shape: [Int])
    }

    public let name: String
    public let content: Content

    /// A tensor stored as `type`: `.float32`, `.float16` or `.bfloat16`.
    public init(_ name: String, _ tensor: Tensor, as type: ElementType = .float32) {
        precondition([.float32, .float16, .bfloat16].contains(type), "tensors are written as F32, F16 or BF16")
        self.name = name
        content = .floats(tensor, as: type)
    }

    /// Whole numbers stored as int64.
    /// - Precondition: the count fits the shape.
    public init(_ name: String, integers: [Int], shape: [Int]) {
        precondition(integers.count == shape.reduce(1, *), "\(integers.count) values for shape \(shape)")
        self.name = name
        content = .integers(integers, shape: shape)
    }

    /// bfloat16 numbers that lie two in each float's place, stored as they are.
    /// - Precondition: the tensor has room for the shape.
    public init(_ name: String, bfloat16Bits bits: Tensor, shape: [Int]) {
        precondition(bits.count * 2 >= shape.reduce(1, *), "\(bits.shape) for bfloat16 numbers of shape \(shape)")
        self.name = name
        content = .brains(bits, shape: shape)
    }

    var elementType: ElementType {
        switch content {
        case .floats(_, let type): type
        case .integers: .int64
        case .brains: .bfloat16
        }
    }

    /// Bytes that it takes in a file.
    public var byteCount: Int { shape.reduce(1, *) * elementType.size }

    var shape: [Int] {
        switch content {
        case .floats(let tensor, _): tensor.shape
        case .integers(_, let shape), .brains(_, let shape): shape
        }
    }
}

/// Writer of safetensors files. A file appears whole or not at all.
public enum SafetensorsWriter {
    /// Elements that are converted at a time, so that a large tensor needs little extra memory.
    private static let chunk = 1 << 18

    /// Writes tensors in the order given.
    /// - Parameters:
    ///   - tensors: names must differ.
    ///   - metadata: free text that travels in the header.
    ///   - url: what stands there is replaced once everything is written.
    /// - Throws: `CheckpointError` when the file cannot be written, the disk has no room for it or a name stands twice.
    public static func write(_ tensors: [StoredTensor], metadata: [String: String] = [:], to url: URL) throws {
        let header = try header(tensors, metadata: metadata, file: url.path)
        let bytes = tensors.reduce(8 + header.utf8.count) { $0 + $1.byteCount }
        try AtomicFile.write(to: url) { file in
            try file.reserve(bytes)
            try withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { try file.append($0) }
            try file.append(header)
            for tensor in tensors { try append(tensor, to: file) }
        }
    }

    private static func header(_ tensors: [StoredTensor], metadata: [String: String], file: String) throws -> String {
        var names: Set<String> = ["__metadata__"]
        var members = [String]()
        if !metadata.isEmpty {
            let items = metadata.sorted { $0.key < $1.key }.map { "\(JSONValue.quoted($0.key)):\(JSONValue.quoted($0.value))" }
            members.append("\"__metadata__\":{\(items.joined(separator: ","))}")
        }
        var offset = 0
        for tensor in tensors {
            guard names.insert(tensor.name).inserted else {
                throw CheckpointError(file: file, problem: .invalidEntry(tensor: tensor.name, reason: "stands twice"))
            }
            let end = offset + tensor.byteCount
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            members.append(
                "\(JSONValue.quoted(tensor.name)):{\"dtype\":\"\(tensor.elementType.rawValue)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        let text = "{\(members.joined(separator: ","))}"
        // Spaces up to a multiple of 8, so that the numbers are aligned.
        return text + String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
    }

    private static func append(_ tensor: StoredTensor, to file: borrowing AtomicFile) throws {
        switch tensor.content {
        case .integers(let values, _):
            try values.map { Int64($0).littleEndian }.withUnsafeBytes { try file.append($0) }
        case .brains(let bits, let shape):
            try file.append(UnsafeRawBufferPointer(start: bits.pointer, count: shape.reduce(1, *) * 2))
        case .floats(let values, .float32):
            try file.append(UnsafeRawBufferPointer(start: values.pointer, count: values.count * 4))
        case .floats(let values, let type):
            var buffer = [UInt16](repeating: 0, count: min(chunk, values.count))
            var start = 0
            while start < values.count {
                let count = min(chunk, values.count - start)
                let source = values.pointer + start
                for i in 0..<count {
                    buffer[i] = type == .float16 ? ElementConversion.half(source[i]) : ElementConversion.brain(source[i])
                }
                try buffer.withUnsafeBytes { try file.append(UnsafeRawBufferPointer(rebasing: $0[..<(count * 2)])) }
                start += count
            }
        }
    }
}
