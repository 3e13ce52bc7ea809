import Foundation

/// A file that `torch.save` wrote (zip with a pickle and the numbers beside it; also the older form that is a row of pickles), or a plain
/// pickle of arrays and tables. It is described, not executed; tensors stay mapped.
public struct TorchFile {
    /// Path of the file.
    public var path: String { file.path }
    /// What was saved.
    public let root: PickleValue
    let file: MappedFile
    /// Where the numbers of a storage lie, by its key.
    private let storages: [String: Range<Int>]

    /// First of the three numbers that begin the older form.
    private static let magicNumber: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]

    /// Whether a file begins as one of these does.
    public static func begins(_ bytes: UnsafeRawBufferPointer) -> Bool {
        ZipArchive.begins(bytes) || bytes.count > 2 && bytes[0] == 0x80 && (2...5).contains(bytes[1])
    }

    /// Opens a file.
    /// - Throws: `CheckpointError` that names what is refused or damaged.
    public init(_ url: URL) throws { try self.init(MappedFile(url)) }

    init(_ file: MappedFile) throws {
        self.file = file
        guard Self.begins(file.bytes) else {
            let isTar = file.bytes.count > 262 && file.bytes[257..<262].elementsEqual("ustar".utf8)
            throw CheckpointError(
                file: file.path,
                problem: isTar
                    ? .unsupported(reason: "is a tar archive of PyTorch before 0.2; load and save it with a newer PyTorch")
                    : .malformed(reason: "is no file of torch.save and no pickle"))
        }
        if ZipArchive.begins(file.bytes) {
            (root, storages) = try Self.readArchive(file)
        } else {
            (root, storages) = try Self.readPickles(file)
        }
    }

    private static func readArchive(_ file: MappedFile) throws -> (PickleValue, [String: Range<Int>]) {
        let archive = try ZipArchive(file)
        func malformed(_ reason: String) -> CheckpointError {
            CheckpointError(file: file.path, problem: .malformed(reason: reason))
        }
        let pickles = archive.members.filter { $0.name == "data.pkl" || $0.name.hasSuffix("/data.pkl") }
        guard let pickle = pickles.first, pickles.count == 1 else {
            throw malformed("is a zip archive, but not one of torch.save (\(pickles.count) members called data.pkl)")
        }
        let prefix = String(pickle.name.dropLast("data.pkl".count))
        if archive.members.contains(where: { $0.name == prefix + "constants.pkl" }) {
            throw CheckpointError(
                file: file.path,
                problem: .unsupported(reason: "is a TorchScript program; save its state dictionary with torch.save"))
        }
        if let order = archive.members.first(where: { $0.name == prefix + "byteorder" }),
            !file.bytes[order.range].elementsEqual("little".utf8)
        {
            throw CheckpointError(
                file: file.path, problem: .unsupported(reason: "holds big-endian numbers; save it on another machine"))
        }
        var storages = [String: Range<Int>]()
        for (name, range) in archive.members where name.hasPrefix(prefix + "data/") {
            storages[String(name.dropFirst(prefix.count + "data/".count))] = range
        }
        var reader = PickleReader(UnsafeRawBufferPointer(rebasing: file.bytes[pickle.range]), file: file.path)
        return (try reader.value(), storages)
    }

    private static func readPickles(_ file: MappedFile) throws -> (PickleValue, [String: Range<Int>]) {
        func malformed(_ reason: String) -> CheckpointError {
            CheckpointError(file: file.path, problem: .malformed(reason: reason))
        }
        var reader = PickleReader(file.bytes, file: file.path)
        let first = try reader.value()
        guard case .longInteger(let magic) = first, magic == magicNumber else {
            guard reader.position == file.bytes.count else { throw malformed("has bytes behind its pickle") }
            return (first, [:])
        }
        guard try reader.value().integer == 1001 else { throw malformed("the version of its format is not 1001") }
        guard case .bool(true) = try reader.value().node?["little_endian"] ?? .none else {
            throw CheckpointError(
                file: file.path, problem: .unsupported(reason: "holds big-endian numbers; save it on another machine"))
        }
        let root = try reader.value()
        // The keys of the storages in order, then for each the number of elements and the elements. How large an element is stands in the
        // references to it.
        guard let keys = try reader.value().elements?.map(\.text), let keys = keys as? [String] else {
            throw malformed("the list of its storages is missing")
        }
        let sizes = elementSizes(in: root)
        var storages = [String: Range<Int>]()
        var position = reader.position
        for key in keys {
            guard let size = sizes[key], let count = LittleEndianBytes(file.bytes).int64(position) else {
                throw malformed("the storage \"\(key)\" is missing")
            }
            let start = position + 8
            let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow, bytes <= file.bytes.count - start else {
                throw CheckpointError(
                    file: file.path,
                    problem: .truncated(expectedBytes: overflow ? Int.max : start + bytes, foundBytes: file.bytes.count))
            }
            guard storages.updateValue(start..<(start + bytes), forKey: key) == nil else {
                throw malformed("the storage \"\(key)\" stands twice")
            }
            position = start + bytes
        }
        guard position == file.bytes.count else {
            throw malformed("has \(file.bytes.count - position) bytes that belong to no storage")
        }
        return (root, storages)
    }

    /// Bytes of one element of each storage that is mentioned. Every node is visited once, however often it is shared.
    private static func elementSizes(in root: PickleValue) -> [String: Int] {
        var sizes = [String: Int]()
        var seen = Set<ObjectIdentifier>()
        var waiting = [root]
        while let value = waiting.popLast() {
            guard let node = value.node, seen.insert(ObjectIdentifier(node)).inserted else { continue }
            if node.kind == .persistent, let reference = StorageReference(node) { sizes[reference.key] = reference.elementSize }
            waiting += node.arguments + node.items + (node.state.map { [$0] } ?? [])
        }
        return sizes
    }

    /// A tensor of the file.
    /// - Parameters:
    ///   - value: what the pickle says of it: a tensor, a parameter or a numpy array.
    ///   - name: for the entry and for messages.
    /// - Returns: the tensor, its numbers still in the file; nil when the value is no tensor.
    /// - Throws: `CheckpointError` when shape, strides or storage cannot be right.
    public func tensor(_ value: PickleValue, name: String) throws -> TensorEntry? {
        guard let node = value.node, case .call(let function) = node.kind else { return nil }
        switch function {
        case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
            return try node.arguments.first.flatMap { try tensor($0, name: name) }
        case "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3":
            return try rebuild(node.arguments, isTyped: function.hasSuffix("v2"), name: name)
        case "numpy._reconstruct", "numpy._frombuffer":
            return try NumpyArray(value, file: path)?.entry(name: name, file: path)
        default: return nil
        }
    }

    /// As many elements as the largest tensor of Stable Diffusion has, and some more.
    private static let mostExpanded = 1 << 26

    private func rebuild(_ arguments: [PickleValue], isTyped: Bool, name: String) throws -> TensorEntry {
        func invalid(_ reason: String) -> CheckpointError {
            CheckpointError(file: path, problem: .invalidEntry(tensor: name, reason: reason))
        }
        guard arguments.count >= (isTyped ? 6 : 7), let node = arguments[0].node, let storage = StorageReference(node),
            let offset = arguments[1].integer, offset >= 0, let shape = arguments[2].sizes, let strides = arguments[3].sizes,
            shape.count == strides.count, shape.count <= 16
        else { throw invalid("its description is damaged") }
        var type = storage.elementType
        var typeName = storage.typeName
        if !isTyped {
            guard case .global(let given) = arguments[6], let known = PickleGlobals.types[given] else {
                throw invalid("has no type")
            }
            (type, typeName) = (known, given)
        }
        guard let type else { throw invalid("numbers of \(typeName) cannot be read; save it as float32") }
        guard storage.location != "meta" else { throw invalid("was saved without its numbers (device meta)") }
        guard let range = storages[storage.key] else { throw invalid("its storage \"\(storage.key)\" is missing") }
        let (bytes, overflow) = storage.count.multipliedReportingOverflow(by: isTyped ? type.size : 1)
        guard !overflow, bytes == range.count else {
            throw invalid("its storage should have \(storage.count) elements of \(typeName), the file holds \(range.count) bytes")
        }
        let elements = range.count / type.size
        var (count, last) = (1, offset)
        for (size, stride) in zip(shape, strides) {
            let (product, tooMany) = count.multipliedReportingOverflow(by: size)
            let (reach, tooFar) = stride.multipliedReportingOverflow(by: max(0, size - 1))
            let (sum, beyond) = last.addingReportingOverflow(reach)
            guard !tooMany, !tooFar, !beyond else { throw invalid("impossible shape \(shape) with strides \(strides)") }
            (count, last) = (product, sum)
        }
        guard count == 0 || last < elements else {
            throw invalid(
                "shape \(shape) with strides \(strides) from \(offset) on does not fit its storage of \(elements) elements")
        }
        // A few numbers may be seen as many (torch's expand), but not as more than memory holds.
        guard count <= max(elements, Self.mostExpanded) else {
            throw invalid(
                "\(elements) numbers are expanded to \(count), shape \(shape); save it with .contiguous()")
        }
        return TensorEntry(
            name: name, elementType: type, shape: shape, strides: strides, file: file,
            offset: range.lowerBound + (count == 0 ? 0 : offset * type.size))
    }
}

/// What a pickle says of a storage: `("storage", torch.FloatStorage, key, device, number of elements)`.
private struct StorageReference {
    let elementType: ElementType?
    let typeName: String
    let key: String
    let location: String
    /// Elements; bytes of an untyped storage.
    let count: Int

    var elementSize: Int { elementType?.size ?? 1 }

    init?(_ node: PickleNode) {
        guard node.kind == .persistent, let parts = node.arguments.first?.elements, parts.count >= 5, parts[0].text == "storage",
            case .global(let typeName) = parts[1], let key = parts[2].text, let location = parts[3].text,
            let count = parts[4].integer, count >= 0
        else { return nil }
        self.typeName = typeName
        if let known = PickleGlobals.storages[typeName] {
            elementType = known
        } else {
            guard typeName == "torch.UntypedStorage" else { return nil }
            elementType = nil
        }
        self.key = key
        self.location = location
        self.count = count
        // A part of another storage (the older form) would need the other's place.
        if parts.count > 5, !parts[5].isNone { return nil }
    }
}
