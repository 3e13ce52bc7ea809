import TensorKit

/// A tensor that lies in a file: its name, type and shape are known, its numbers are read when they are asked for.
public struct TensorEntry: Sendable {
    public let name: String
    public let elementType: ElementType
    public let shape: [Int]
    private let file: MappedFile
    private let offset: Int

    /// A row-major tensor `offset` bytes into a file.
    /// - Precondition: the file holds all of its bytes.
    init(name: String, elementType: ElementType, shape: [Int], file: MappedFile, offset: Int) {
        precondition(offset >= 0 && offset + shape.reduce(1, *) * elementType.size <= file.bytes.count)
        self.name = name
        self.elementType = elementType
        self.shape = shape
        self.file = file
        self.offset = offset
    }

    /// Path of the file that holds the numbers.
    public var path: String { file.path }
    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }
    /// Number of bytes in the file.
    public var byteCount: Int { count * elementType.size }

    /// The numbers as they are stored, little-endian; valid in `body` only.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(file) {
            try body(UnsafeRawBufferPointer(rebasing: file.bytes[offset..<(offset + byteCount)]))
        }
    }

    /// The same entry under another name.
    public func renamed(_ name: String) -> TensorEntry {
        TensorEntry(name: name, elementType: elementType, shape: shape, file: file, offset: offset)
    }

    /// The same numbers under another shape.
    /// - Throws: `CheckpointError.Problem.wrongShape` when the counts differ.
    public func reshaped(_ shape: [Int]) throws -> TensorEntry {
        guard shape.reduce(1, *) == count else {
            throw CheckpointError(
                file: path, problem: .wrongShape(tensor: name, expected: "\(shape)", found: self.shape))
        }
        return TensorEntry(name: name, elementType: elementType, shape: shape, file: file, offset: offset)
    }

    /// All elements as float32, in a new tensor of the same shape.
    public func tensor() -> Tensor {
        let tensor = Tensor(uninitialized: shape)
        copy(0..<count, into: tensor.pointer)
        return tensor
    }

    /// Entries `rows` of the first dimension as float32, in a new tensor; only their pages of the file are touched.
    /// - Throws: `CheckpointError` when the tensor has no such rows.
    public func tensor(rows: Range<Int>) throws -> Tensor {
        guard let first = shape.first, rows.lowerBound >= 0, rows.upperBound <= first else {
            throw CheckpointError(
                file: path,
                problem: .invalidEntry(
                    tensor: name, reason: "has no rows \(rows.lowerBound) to \(rows.upperBound), shape \(shape)"))
        }
        let stride = shape.dropFirst().reduce(1, *)
        let tensor = Tensor(uninitialized: [rows.count] + shape.dropFirst())
        copy((rows.lowerBound * stride)..<(rows.upperBound * stride), into: tensor.pointer)
        return tensor
    }

    /// All elements as float32.
    public func floats() -> [Float] {
        [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            if let base = buffer.baseAddress { copy(0..<count, into: base) }
            initialized = count
        }
    }

    /// All elements of a whole-number (or truth-value) tensor.
    /// - Throws: `CheckpointError` when the elements are floating-point numbers.
    public func integers() throws -> [Int] {
        if count == 0, !elementType.isFloatingPoint { return [] }
        let values = withBytes { bytes in
            bytes.baseAddress.flatMap { ElementConversion.integers($0, elementType, count: count) }
        }
        guard let values else {
            throw CheckpointError(
                file: path,
                problem: .invalidEntry(tensor: name, reason: "should hold whole numbers, holds \(elementType.rawValue)"))
        }
        return values
    }

    private func copy(_ range: Range<Int>, into target: UnsafeMutablePointer<Float>) {
        withBytes { bytes in
            guard let base = bytes.baseAddress, !range.isEmpty else { return }
            ElementConversion.floats(
                base + range.lowerBound * elementType.size, elementType, count: range.count, into: target)
        }
    }
}
