import CPNG

/// A line of text inside a PNG file: what the picture shows, its seed, its weight code.
public struct PNGText: Sendable, Hashable {
    /// 1 to 79 printable Latin-1 characters, for instance "w2w:seed" or "Description".
    public var keyword: String
    public var text: String

    public init(keyword: String, text: String) {
        self.keyword = keyword
        self.text = text
    }

    /// The texts of a PNG file (`tEXt`, `iTXt`, `zTXt`), in the file's order.
    /// - Parameter png: the whole file.
    /// - Returns: what can be read; a text whose compression is damaged is left out.
    /// - Throws: `ImageFileError` when it is not a PNG file or a chunk is cut off.
    public static func read(from png: [UInt8]) throws -> [PNGText] {
        var found: [PNGText] = []
        for chunk in try PNGChunk.parse(png) {
            switch chunk.type {
            case "tEXt": found.append(contentsOf: latin(chunk.data))
            case "zTXt": found.append(contentsOf: compressedLatin(chunk.data))
            case "iTXt": found.append(contentsOf: international(chunk.data))
            default: break
            }
        }
        return found
    }

    /// The texts of the PNG file at `path`.
    /// - Parameter path: the file.
    /// - Returns: as `read(from:)`.
    /// - Throws: `ImageFileError`.
    public static func read(fromFile path: String) throws -> [PNGText] {
        do {
            return try read(from: WholeFile.read(path))
        } catch let error as ImageFileError {
            throw error.at(path)
        }
    }

    /// The chunk that carries this text: `tEXt` for plain ASCII, which every reader knows, else `iTXt` in UTF-8.
    func chunk() throws -> PNGChunk {
        let key = keyword.unicodeScalars.map { UInt8(exactly: $0.value) ?? 0 }
        let printable = key.allSatisfy { ($0 >= 32 && $0 <= 126) || $0 >= 161 }
        guard (1...79).contains(key.count), printable, key.first != 32, key.last != 32 else {
            throw ImageFileError(reason: "\"\(keyword)\" cannot be a PNG keyword: 1 to 79 printable Latin-1 characters")
        }
        guard !text.utf8.contains(0) else { throw ImageFileError(reason: "a PNG text cannot hold a NUL (\(keyword))") }
        if text.utf8.allSatisfy({ $0 < 128 }) { return PNGChunk(type: "tEXt", data: key + [0] + Array(text.utf8)) }
        // keyword, NUL, not compressed, method 0, no language, no translated keyword
        return PNGChunk(type: "iTXt", data: key + [0, 0, 0, 0, 0] + Array(text.utf8))
    }

    private static func latin(_ data: ArraySlice<UInt8>) -> [PNGText] {
        guard let (key, rest) = split(data) else { return [] }
        return [PNGText(keyword: latinString(key), text: latinString(rest))]
    }

    private static func compressedLatin(_ data: ArraySlice<UInt8>) -> [PNGText] {
        guard let (key, rest) = split(data), rest.first == 0, let text = inflate(rest.dropFirst()) else { return [] }
        return [PNGText(keyword: latinString(key), text: latinString(text[...]))]
    }

    private static func international(_ data: ArraySlice<UInt8>) -> [PNGText] {
        guard let (key, rest) = split(data), rest.count >= 2 else { return [] }
        let compressed = rest[rest.startIndex] == 1
        guard let (_, translated) = split(rest.dropFirst(2)), let (_, body) = split(translated) else { return [] }
        guard let bytes = compressed ? inflate(body) : Array(body) else { return [] }
        return [PNGText(keyword: latinString(key), text: String(decoding: bytes, as: UTF8.self))]
    }

    private static func split(_ data: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, ArraySlice<UInt8>)? {
        guard let zero = data.firstIndex(of: 0) else { return nil }
        return (data[..<zero], data[(zero + 1)...])
    }

    private static func latinString(_ bytes: ArraySlice<UInt8>) -> String {
        var scalars = String.UnicodeScalarView()
        scalars.append(contentsOf: bytes.map { Unicode.Scalar($0) })
        return String(scalars)
    }

    /// Unpacks at most 16 MB; nil when the stream is damaged or longer.
    private static func inflate(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        let source = Array(bytes)
        var room = max(1024, source.count * 8)
        while room <= 1 << 24 {
            var size = uLongf(room)
            var target = [UInt8](repeating: 0, count: room)
            switch uncompress(&target, &size, source, uLong(source.count)) {
            case Z_OK: return Array(target[..<Int(size)])
            case Z_BUF_ERROR: room *= 4
            default: return nil
            }
        }
        return nil
    }
}

/// One chunk of a PNG file.
struct PNGChunk {
    /// Four ASCII letters.
    var type: String
    var data: ArraySlice<UInt8>

    init(type: String, data: some Sequence<UInt8>) {
        self.type = type
        self.data = ArraySlice(data)
    }

    static let signature: [UInt8] = [137, 80, 78, 71, 13, 10, 26, 10]

    /// Length, type, data, CRC: the chunk as it stands in a file.
    var bytes: [UInt8] {
        let body = Array(type.utf8) + data
        let checksum = crc32(0, body, uInt(body.count))
        return bigEndian(UInt32(data.count)) + body + bigEndian(UInt32(truncatingIfNeeded: checksum))
    }

    /// The chunks of a file; a checksum that fails is libpng's to report.
    static func parse(_ file: [UInt8]) throws -> [PNGChunk] {
        guard file.starts(with: signature) else { throw ImageFileError(reason: "not a PNG file") }
        var chunks: [PNGChunk] = []
        var at = signature.count
        while at < file.count {
            guard file.count - at >= 12 else { throw ImageFileError(reason: "cut off at byte \(file.count) of a PNG file") }
            let length = file[at..<(at + 4)].reduce(0) { $0 << 8 | Int($1) }
            guard length <= file.count - at - 12 else {
                throw ImageFileError(
                    reason: "a PNG chunk at byte \(at) claims \(length) bytes, \(file.count - at - 12) are there")
            }
            let type = String(decoding: file[(at + 4)..<(at + 8)], as: UTF8.self)
            chunks.append(PNGChunk(type: type, data: file[(at + 8)..<(at + 8 + length)]))
            if type == "IEND" { break }
            at += 12 + length
        }
        return chunks
    }
}

/// The four bytes of a number, highest first.
func bigEndian(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
}
