extension RGBImage {
    /// Reads a PNG or JPEG file, told apart by their first bytes.
    /// - Parameter path: the file.
    /// - Throws: `ImageFileError` with the path.
    public init(contentsOfFile path: String) throws {
        do {
            try self.init(fileData: WholeFile.read(path))
        } catch let error as ImageFileError {
            throw error.at(path)
        }
    }

    /// Reads the bytes of a PNG or JPEG file, told apart by their first bytes.
    /// - Parameter bytes: the whole file.
    /// - Throws: `ImageFileError`.
    public init(fileData bytes: [UInt8]) throws {
        if bytes.starts(with: PNGChunk.signature) {
            try self.init(pngData: bytes)
        } else if bytes.starts(with: [0xFF, 0xD8]) {
            try self.init(jpegData: bytes)
        } else {
            throw ImageFileError(reason: bytes.isEmpty ? "an empty file" : "not a PNG or JPEG file")
        }
    }

    /// Writes a file of the kind that the name's ending tells: `.png`, `.jpg` or `.jpeg`.
    /// - Parameters:
    ///   - path: the file.
    ///   - text: lines of text to carry along in a PNG file; a JPEG file drops them.
    /// - Throws: `ImageFileError` with the path.
    public func write(to path: String, text: [PNGText] = []) throws {
        switch fileExtension(of: path) {
        case "png": try writePNG(to: path, text: text)
        case "jpg", "jpeg": try writeJPEG(to: path)
        default: throw ImageFileError(path: path, reason: "the name must end in .png or .jpg")
        }
    }
}

/// What follows the last dot of the last part of a path, in lower case; empty when there is none.
func fileExtension(of path: String) -> String {
    let name = path.split(separator: "/").last ?? ""
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return "" }
    return name[name.index(after: dot)...].lowercased()
}
