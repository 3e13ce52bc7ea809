import Foundation

/// Reader of the safetensors container: 8 bytes of header length, a JSON header, then the numbers
/// (https://github.com/huggingface/safetensors, format section of its README).
///
/// The file is mapped, not read. Checked on opening: bounds, types, shapes against byte counts, overlaps, gaps and trailing bytes.
struct SafetensorsFile {
    let entries: [TensorEntry]
    let metadata: [String: String]

    /// The reference implementation refuses longer headers too.
    private static let maximumHeaderLength = 100_000_000

    init(_ url: URL) throws {
        let file = try MappedFile(url)
        let bytes = file.bytes
        func fail(_ problem: CheckpointError.Problem) -> CheckpointError { CheckpointError(file: file.path, problem: problem) }
        guard bytes.count >= 8 else { throw fail(.truncated(expectedBytes: 8, foundBytes: bytes.count)) }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard length <= Self.maximumHeaderLength else {
            throw fail(Self.otherKind(bytes) ?? .malformed(reason: "is no safetensors file (header of \(length) bytes)"))
        }
        let start = 8 + Int(length)
        guard start <= bytes.count else { throw fail(.truncated(expectedBytes: start, foundBytes: bytes.count)) }
        let header = try JSONConfiguration(bytes: UnsafeRawBufferPointer(rebasing: bytes[8..<start]), file: file.path)

        var metadata = [String: String]()
        var entries = [(entry: TensorEntry, range: Range<Int>)]()
        for member in header.members {
            if member.key == "__metadata__" {
                let object = try header.object(member.key)
                for item in object.members { metadata[item.key] = try object.require(item.key, as: String.self) }
            } else {
                entries.append(try Self.entry(member.key, header.object(member.key), dataStart: start, file: file))
            }
        }
        entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        var end = 0
        for (entry, range) in entries {
            guard range.lowerBound == end else {
                let kind = range.lowerBound < end ? "overlaps the tensor before it" : "leaves a gap before it"
                throw fail(
                    .invalidEntry(tensor: entry.name, reason: "\(kind) (bytes \(range.lowerBound) to \(range.upperBound))"))
            }
            end = range.upperBound
        }
        guard start + end == bytes.count else {
            throw fail(.malformed(reason: "has \(bytes.count - start - end) bytes that belong to no tensor"))
        }
        self.entries = entries.map(\.entry)
        self.metadata = metadata
    }

    /// What often lies in the place of weights that were not fetched.
    private static func otherKind(_ bytes: UnsafeRawBufferPointer) -> CheckpointError.Problem? {
        let start = bytes.prefix(64)
        if start.starts(with: "version https://git-lfs".utf8) {
            return .unsupported(reason: "is a Git LFS pointer, not the weights themselves; `git lfs pull` fetches them")
        }
        if start.starts(with: "GGUF".utf8) {
            return .unsupported(reason: "is a GGUF file, which is not read; choose the model's .safetensors or .ckpt")
        }
        if start.starts(with: [0x89, 0x50, 0x4E, 0x47]) || start.starts(with: [0xFF, 0xD8, 0xFF]) {
            return .unsupported(reason: "is a picture, not weights")
        }
        return start.first == UInt8(ascii: "<") ? .malformed(reason: "is a web page, not the weights themselves") : nil
    }

    private static func entry(
        _ name: String, _ object: JSONConfiguration, dataStart: Int, file: MappedFile
    ) throws -> (TensorEntry, Range<Int>) {
        func invalid(_ reason: String) -> CheckpointError {
            CheckpointError(file: file.path, problem: .invalidEntry(tensor: name, reason: reason))
        }
        let typeName = try object.require("dtype", as: String.self)
        guard let type = ElementType(rawValue: typeName) else {
            let known = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
            throw invalid("numbers of type \(typeName) cannot be read (\(known) can)")
        }
        let shape = try object.require("shape", as: [Int].self)
        let offsets = try object.require("data_offsets", as: [Int].self)
        guard shape.count <= 16, shape.allSatisfy({ $0 >= 0 }) else { throw invalid("impossible shape \(shape)") }
        var byteCount = type.size
        for dimension in shape {
            let (product, overflow) = byteCount.multipliedReportingOverflow(by: dimension)
            // A dimension of 0 elsewhere must not hide an overflow: no product of the dimensions may overflow on the way.
            guard !overflow else { throw invalid("impossible shape \(shape)") }
            byteCount = product
        }
        guard offsets.count == 2, offsets[0] >= 0, offsets[1] >= offsets[0] else {
            throw invalid("impossible data_offsets \(offsets)")
        }
        guard offsets[1] - offsets[0] == byteCount else {
            throw invalid("shape \(shape) of \(typeName) needs \(byteCount) bytes, data_offsets give \(offsets[1] - offsets[0])")
        }
        guard offsets[1] <= file.bytes.count - dataStart else {
            throw CheckpointError(
                file: file.path,
                problem: .truncated(
                    expectedBytes: dataStart.addingReportingOverflow(offsets[1]).partialValue, foundBytes: file.bytes.count,
                    tensor: "\"\(name)\" \(typeName) \(shape)"))
        }
        let entry = TensorEntry(
            name: name, elementType: type, shape: shape, file: file, offset: dataStart + offsets[0])
        return (entry, offsets[0]..<offsets[1])
    }
}
