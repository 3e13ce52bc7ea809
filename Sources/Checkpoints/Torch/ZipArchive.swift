import Foundation

/// The stored (uncompressed) members of a zip archive, as `torch.save` writes it (PKWARE's APPNOTE.TXT 6.3.10, with zip64).
///
/// Only the central directory and the local headers are read; contents stay mapped. Compressed or encrypted members are refused, so that no
/// file can unfold into more than it is; so are members that overlap or leave the file.
struct ZipArchive {
    /// Names and places of the contents, in the order of the directory.
    let members: [(name: String, range: Range<Int>)]

    /// More members than any checkpoint has (torch writes one for each tensor).
    private static let maximumCount = 1 << 20

    /// Whether a file begins as a zip archive does.
    static func begins(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= 4 && bytes.starts(with: [0x50, 0x4B, 0x03, 0x04])
    }

    /// Reads the directory.
    /// - Throws: `CheckpointError` when something of it cannot be right, or a member is compressed.
    init(_ file: MappedFile) throws {
        let bytes = LittleEndianBytes(file.bytes)
        func malformed(_ reason: String) -> CheckpointError {
            CheckpointError(file: file.path, problem: .malformed(reason: reason))
        }
        let directory = try Self.directory(bytes) { malformed($0) }
        guard directory.count <= Self.maximumCount else { throw malformed("a zip archive of \(directory.count) members") }
        var members = [(name: String, range: Range<Int>)]()
        var spans = [(span: Range<Int>, name: String)]()
        var names = Set<String>()
        var position = directory.range.lowerBound
        for _ in 0..<directory.count {
            guard bytes.uint32(position) == 0x0201_4B50, let flags = bytes.uint16(position + 8),
                let method = bytes.uint16(position + 10), let packed = bytes.uint32(position + 20),
                let size = bytes.uint32(position + 24), let nameLength = bytes.uint16(position + 28),
                let extraLength = bytes.uint16(position + 30), let commentLength = bytes.uint16(position + 32),
                let local = bytes.uint32(position + 42),
                let nameBytes = bytes.slice(position + 46, nameLength),
                let extra = bytes.slice(position + 46 + nameLength, extraLength),
                position + 46 + nameLength + extraLength + commentLength <= directory.range.upperBound
            else { throw malformed("the directory of the zip archive ends too early") }
            guard let name = String(validating: nameBytes, as: UTF8.self) else { throw malformed("a member's name is not UTF-8") }
            position += 46 + nameLength + extraLength + commentLength
            guard names.insert(name).inserted else { throw malformed("the member \"\(name)\" stands twice") }
            if flags & 1 != 0 {
                throw CheckpointError(
                    file: file.path, problem: .unsupported(reason: "the member \"\(name)\" is encrypted; save the file without"))
            }
            guard method == 0 else {
                throw CheckpointError(
                    file: file.path,
                    problem: .unsupported(
                        reason: "the member \"\(name)\" is compressed (method \(method)); torch.save stores plainly: "
                            + "unpack and pack it again without compression (zip -0)"))
            }
            var place = Place(packed: packed, size: size, local: local)
            guard place.widen(from: LittleEndianBytes(extra)) else { throw malformed("\"\(name)\": the zip64 sizes are missing") }
            guard place.packed == place.size else { throw malformed("\"\(name)\": two sizes, \(place.packed) and \(place.size)") }
            let contents = try Self.contents(bytes, place, name: name, limit: directory.range.lowerBound) { malformed($0) }
            spans.append((place.local..<contents.upperBound, name))
            members.append((name, contents))
        }
        spans.sort { $0.span.lowerBound < $1.span.lowerBound }
        for (first, second) in zip(spans, spans.dropFirst()) where second.span.lowerBound < first.span.upperBound {
            throw malformed("the members \"\(first.name)\" and \"\(second.name)\" overlap")
        }
        self.members = members
    }

    /// Where a member lies according to the directory.
    private struct Place {
        var packed, size, local: Int

        /// Takes the 64-bit values of the zip64 field for those that 32 bits could not hold.
        mutating func widen(from extra: LittleEndianBytes) -> Bool {
            let escape = Int(UInt32.max)
            guard packed == escape || size == escape || local == escape else { return true }
            var position = 0
            while let identifier = extra.uint16(position), let length = extra.uint16(position + 2) {
                if identifier == 1 {
                    var at = position + 4
                    let end = at + length
                    func next() -> Int? {
                        guard at + 8 <= end, let value = extra.int64(at) else { return nil }
                        at += 8
                        return value
                    }
                    if size == escape { if let value = next() { size = value } else { return false } }
                    if packed == escape { if let value = next() { packed = value } else { return false } }
                    if local == escape { if let value = next() { local = value } else { return false } }
                    return true
                }
                position += 4 + length
            }
            return false
        }
    }

    /// Number and place of the directory's entries, from the record at the file's end.
    private static func directory(
        _ bytes: LittleEndianBytes, _ malformed: (String) -> CheckpointError
    ) throws -> (count: Int, range: Range<Int>) {
        // The record is 22 bytes and a comment of at most 65,535.
        let earliest = max(0, bytes.count - 22 - 0xFFFF)
        var end = bytes.count - 22
        while end >= earliest, bytes.uint32(end) != 0x0605_4B50 { end -= 1 }
        guard end >= earliest, var count = bytes.uint16(end + 10), var size = bytes.uint32(end + 12),
            var offset = bytes.uint32(end + 16)
        else { throw malformed("the zip archive has no end record, it was cut off") }
        var limit = end
        if count == 0xFFFF || size == Int(UInt32.max) || offset == Int(UInt32.max) {
            // The locator of the wide record stands right before the narrow one.
            guard bytes.uint32(end - 20) == 0x0706_4B50, let record = bytes.int64(end - 12), bytes.uint32(record) == 0x0606_4B50,
                let wideCount = bytes.int64(record + 32), let wideSize = bytes.int64(record + 40),
                let wideOffset = bytes.int64(record + 48)
            else { throw malformed("the zip64 end record is missing") }
            (count, size, offset, limit) = (wideCount, wideSize, wideOffset, record)
        }
        guard offset <= limit, size <= limit - offset, count <= size / 46 else {
            throw malformed("the directory of the zip archive lies outside the file")
        }
        return (count, offset..<(offset + size))
    }

    /// The bytes of a member behind its local header.
    private static func contents(
        _ bytes: LittleEndianBytes, _ place: Place, name: String, limit: Int, _ malformed: (String) -> CheckpointError
    ) throws -> Range<Int> {
        guard place.local <= limit, bytes.uint32(place.local) == 0x0403_4B50, let nameLength = bytes.uint16(place.local + 26),
            let extraLength = bytes.uint16(place.local + 28)
        else { throw malformed("\"\(name)\" has no header where the directory says") }
        let start = place.local + 30 + nameLength + extraLength
        guard start <= limit, place.size <= limit - start else {
            throw malformed("\"\(name)\" reaches beyond the archive's contents")
        }
        return start..<(start + place.size)
    }
}

/// Little-endian numbers at given places; nil outside.
struct LittleEndianBytes {
    let bytes: UnsafeRawBufferPointer
    var count: Int { bytes.count }

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    func slice(_ offset: Int, _ length: Int) -> UnsafeRawBufferPointer? {
        guard offset >= 0, length >= 0, offset <= bytes.count, length <= bytes.count - offset else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + length)])
    }

    func uint16(_ offset: Int) -> Int? { load(offset, UInt16.self).map { Int(UInt16(littleEndian: $0)) } }
    func uint32(_ offset: Int) -> Int? { load(offset, UInt32.self).map { Int(UInt32(littleEndian: $0)) } }
    /// A whole number of 64 bits, from 0 on.
    func int64(_ offset: Int) -> Int? {
        load(offset, Int64.self).map { Int(Int64(littleEndian: $0)) }.flatMap { $0 >= 0 ? $0 : nil }
    }

    private func load<Number: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: Number.Type) -> Number? {
        guard offset >= 0, offset <= bytes.count - MemoryLayout<Number>.size else { return nil }
        return bytes.loadUnaligned(fromByteOffset: offset, as: Number.self)
    }
}
