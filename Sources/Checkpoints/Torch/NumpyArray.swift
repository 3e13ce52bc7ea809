import Foundation

/// An array of numpy in a pickle: numbers, or objects.
struct NumpyArray {
    enum Content {
        /// In C order.
        case numbers([UInt8], ElementType)
        case objects([PickleValue])
    }

    let shape: [Int]
    /// Whether the first index runs fastest.
    let isFortran: Bool
    let content: Content

    var count: Int { shape.reduce(1, *) }

    /// Reads an array.
    /// - Returns: nil when the value is none.
    /// - Throws: `CheckpointError` for types that are not read and sizes that do not fit.
    init?(_ value: PickleValue, file: String) throws {
        guard let node = value.node, case .call(let function) = node.kind else { return nil }
        func damaged(_ reason: String) -> CheckpointError {
            CheckpointError(file: file, problem: .malformed(reason: "a numpy array is damaged: \(reason)"))
        }
        let type: NumpyType
        let raw: PickleValue
        switch function {
        case "numpy._reconstruct":
            // (version, shape, dtype, is Fortran, data)
            guard let state = node.state?.elements, state.count == 5, let shape = state[1].sizes else {
                throw damaged("no state")
            }
            self.shape = shape
            type = try NumpyType(state[2], file: file)
            isFortran = state[3].integer == 1
            raw = state[4]
        case "numpy._frombuffer":
            guard node.arguments.count == 4, let shape = node.arguments[2].sizes, let order = node.arguments[3].text else {
                throw damaged("no buffer")
            }
            self.shape = shape
            type = try NumpyType(node.arguments[1], file: file)
            isFortran = order == "F"
            raw = node.arguments[0]
        default: return nil
        }
        var count = 1
        for size in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow, product < 1 << 48 else { throw damaged("impossible shape \(shape)") }
            count = product
        }
        switch type {
        case .objects:
            guard let objects = raw.elements, objects.count == count else { throw damaged("\(count) objects expected") }
            content = .objects(objects)
        case .numbers(let element):
            guard let bytes = Self.bytes(raw), bytes.count == count * element.size else {
                throw damaged("shape \(shape) of \(element.rawValue) needs \(count * element.size) bytes")
            }
            content = .numbers(bytes, element)
        }
    }

    /// Bytes, or the text that Python 2's protocol needed for them: `_codecs.encode(text, "latin1")`.
    static func bytes(_ value: PickleValue) -> [UInt8]? {
        if case .bytes(let bytes) = value { return bytes }
        guard let node = value.node, case .call(let function) = node.kind else { return nil }
        switch function {
        case "builtins.bytes", "builtins.bytearray":
            guard let first = node.arguments.first else { return [] }
            // A number would ask for so many zeros; nobody writes that.
            if node.arguments.count == 1 { return bytes(first) }
        case "_codecs.encode": break
        default: return nil
        }
        guard let text = node.arguments.first?.text, ["latin1", "latin-1"].contains(node.arguments.dropFirst().first?.text) else {
            return nil
        }
        var bytes = [UInt8]()
        bytes.reserveCapacity(text.unicodeScalars.count)
        for scalar in text.unicodeScalars {
            guard let byte = UInt8(exactly: scalar.value) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    /// The numbers as doubles in C order; nil for objects.
    func doubles() -> [Double]? {
        guard case .numbers(let bytes, let type) = content else { return nil }
        let values = bytes.withUnsafeBytes { ElementConversion.doubles($0, type, count: count) }
        return ordered(values)
    }

    /// The objects in C order; nil for numbers.
    func objects() -> [PickleValue]? {
        guard case .objects(let values) = content else { return nil }
        return ordered(values)
    }

    private func ordered<Value>(_ values: [Value]) -> [Value] {
        guard isFortran, shape.count == 2, shape[0] > 1, shape[1] > 1 else { return values }
        var result = [Value]()
        result.reserveCapacity(values.count)
        for row in 0..<shape[0] {
            for column in 0..<shape[1] { result.append(values[column * shape[0] + row]) }
        }
        return result
    }

    /// The array as an entry over memory.
    /// - Throws: `CheckpointError` for objects.
    func entry(name: String, file: String) throws -> TensorEntry {
        guard case .numbers(let bytes, let type) = content else {
            throw CheckpointError(
                file: file, problem: .invalidEntry(tensor: name, reason: "holds objects instead of numbers"))
        }
        var strides = [Int](repeating: 1, count: shape.count)
        if count == 0 {
            // Nothing to step over, and the products of the other sides might not fit.
        } else if isFortran {
            for axis in shape.indices.dropFirst() { strides[axis] = strides[axis - 1] * shape[axis - 1] }
        } else {
            for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
        }
        return TensorEntry(
            name: name, elementType: type, shape: shape, strides: strides, file: MappedFile(bytes, path: file), offset: 0)
    }
}

/// `numpy.dtype` of a pickle.
private enum NumpyType {
    case numbers(ElementType)
    case objects

    private static let types: [String: ElementType] = [
        "f8": .float64, "f4": .float32, "f2": .float16, "i8": .int64, "i4": .int32, "i2": .int16, "i1": .int8, "u8": .uint64,
        "u4": .uint32, "u2": .uint16, "u1": .uint8, "b1": .bool,
    ]

    init(_ value: PickleValue, file: String) throws {
        guard let node = value.node, node.kind == .call("numpy.dtype"), let name = node.arguments.first?.text else {
            throw CheckpointError(file: file, problem: .malformed(reason: "a numpy array has no type"))
        }
        // State: (version, byte order, subtype, names, fields, ...).
        let state = node.state?.elements ?? []
        let order = state.count > 1 ? state[1].text ?? "|" : "|"
        if ["O8", "O", "O4"].contains(name) {
            self = .objects
        } else if let type = Self.types[name], order != ">" || type.size == 1, state.count < 5 || state[3].isNone {
            self = .numbers(type)
        } else {
            throw CheckpointError(
                file: file,
                problem: .unsupported(
                    reason: "numpy arrays of type \(order == ">" ? ">" : "")\(name) are not read; save it as float32"))
        }
    }
}
