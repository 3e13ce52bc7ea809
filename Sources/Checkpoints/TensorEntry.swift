import TensorKit

/// A tensor that lies in a file: its name, type and shape are known, its numbers are read when they are asked for.
public struct TensorEntry: Sendable {
    public let name: String
    public let elementType: ElementType
    public let shape: [Int]
    /// Elements between neighbours of each dimension, or nil when the numbers lie row by row without gaps.
    private let strides: [Int]?
    let file: MappedFile
    private let offset: Int

    /// A row-major tensor `offset` bytes into a file.
    /// - Precondition: the file holds all of its bytes.
    init(name: String, elementType: ElementType, shape: [Int], file: MappedFile, offset: Int) {
        precondition(offset >= 0 && offset + shape.reduce(1, *) * elementType.size <= file.bytes.count)
        self.name = name
        self.elementType = elementType
        self.shape = shape
        strides = nil
        self.file = file
        self.offset = offset
    }

    /// A tensor whose numbers lie at given distances, `offset` bytes into a file.
    /// - Precondition: the file holds all of its elements.
    init(name: String, elementType: ElementType, shape: [Int], strides: [Int], file: MappedFile, offset: Int) {
        let isEmpty = shape.contains(0)
        let reach = isEmpty ? 0 : zip(shape, strides).reduce(0) { $0 + ($1.0 - 1) * $1.1 }
        precondition(offset >= 0 && (isEmpty || offset + (reach + 1) * elementType.size <= file.bytes.count))
        self.name = name
        self.elementType = elementType
        self.shape = shape
        var expected = 1
        var isPlain = true
        if !isEmpty {
            for (size, stride) in zip(shape, strides).reversed() {
                if size != 1, stride != expected { isPlain = false }
                expected *= size
            }
        }
        self.strides = isPlain ? nil : strides
        self.file = file
        self.offset = offset
    }

    private init(_ other: TensorEntry, name: String, shape: [Int]) {
        self.name = name
        elementType = other.elementType
        self.shape = shape
        strides = other.strides
        file = other.file
        offset = other.offset
    }

    /// Path of the file that holds the numbers.
    public var path: String { file.path }
    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }
    /// Number of bytes in the file.
    public var byteCount: Int { count * elementType.size }

    /// Whether the numbers lie row by row in the file; those of a transposed tensor of torch do not.
    public var isContiguous: Bool { strides == nil }

    /// The numbers row by row as they are stored, little-endian; valid in `body` only. Copied first when they do not lie so.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        guard isContiguous else { return try gathered(0..<count).withUnsafeBytes(body) }
        return try withExtendedLifetime(file) {
            try body(UnsafeRawBufferPointer(rebasing: file.bytes[offset..<(offset + byteCount)]))
        }
    }

    /// The same entry under another name.
    public func renamed(_ name: String) -> TensorEntry {
        TensorEntry(self, name: name, shape: shape)
    }

    /// The same numbers under another shape.
    /// - Throws: `CheckpointError.Problem.wrongShape` when the counts differ.
    public func reshaped(_ shape: [Int]) throws -> TensorEntry {
        guard shape.reduce(1, *) == count else {
            throw CheckpointError(
                file: path, problem: .wrongShape(tensor: name, expected: "\(shape)", found: self.shape))
        }
        guard isContiguous else {
            throw CheckpointError(
                file: path, problem: .invalidEntry(tensor: name, reason: "lies transposed and cannot be seen as \(shape)"))
        }
        return TensorEntry(self, name: name, shape: shape)
    }

    /// The elements for a layer that reads them when it needs them.
    public var stored: WeightSource.Stored {
        WeightSource.Stored(
            read: { self.copy($0, into: $1) },
            release: { if isContiguous { file.letGo(offset..<(offset + byteCount)) } }, isHalf: elementType == .float16)
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

    /// Elements of a range, row by row, from where they lie.
    private func gathered(_ range: Range<Int>) -> [UInt8] {
        let strides = strides ?? []
        let size = elementType.size
        var index = [Int](repeating: 0, count: shape.count)
        var rest = range.lowerBound
        for axis in shape.indices.reversed() {
            index[axis] = rest % max(1, shape[axis])
            rest /= max(1, shape[axis])
        }
        var place = zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 }
        return withExtendedLifetime(file) {
            [UInt8](unsafeUninitializedCapacity: range.count * size) { buffer, initialized in
                initialized = range.count * size
                guard let source = file.bytes.baseAddress, let target = buffer.baseAddress else { return }
                let output = UnsafeMutableRawPointer(target)
                for element in 0..<range.count {
                    (output + element * size).copyMemory(from: source + offset + place * size, byteCount: size)
                    var axis = shape.count - 1
                    while axis >= 0 {
                        index[axis] += 1
                        place += strides[axis]
                        if index[axis] < shape[axis] { break }
                        place -= shape[axis] * strides[axis]
                        index[axis] = 0
                        axis -= 1
                    }
                }
            }
        }
    }

    func copy(_ range: Range<Int>, into target: UnsafeMutablePointer<Float>) {
        guard isContiguous else {
            let chunk = 1 << 20
            for start in stride(from: range.lowerBound, to: range.upperBound, by: chunk) {
                let part = start..<min(start + chunk, range.upperBound)
                gathered(part).withUnsafeBytes { bytes in
                    guard let base = bytes.baseAddress else { return }
                    ElementConversion.floats(
                        base, elementType, count: part.count, into: target + (part.lowerBound - range.lowerBound))
                }
            }
            return
        }
        withBytes { bytes in
            guard let base = bytes.baseAddress, !range.isEmpty else { return }
            ElementConversion.floats(
                base + range.lowerBound * elementType.size, elementType, count: range.count, into: target)
        }
    }
}
