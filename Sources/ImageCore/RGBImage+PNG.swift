import CPNG

extension RGBImage {
    /// The picture as a PNG file: 8-bit RGB, sRGB.
    /// - Parameters:
    ///   - text: lines of text to carry along.
    ///   - fast: less compression for less time; for thumbnails.
    /// - Returns: the bytes of the file.
    /// - Throws: `ImageFileError` when a keyword is not allowed or libpng refuses.
    public func pngData(text: [PNGText] = [], fast: Bool = false) throws -> [UInt8] {
        var image = png_image()
        image.version = png_uint_32(PNG_IMAGE_VERSION)
        image.width = png_uint_32(width)
        image.height = png_uint_32(height)
        image.format = png_uint_32(PNG_FORMAT_FLAG_COLOR)
        if fast { image.flags = png_uint_32(PNG_IMAGE_FLAG_FAST) }
        // Stored (incompressible) rows, zlib's and the chunks' overhead, the chunks before the pixels.
        let raw = (width * 3 + 1) * height
        var size = png_alloc_size_t(raw + raw / 8 + raw / 64 + 65_536)
        var status: Int32 = 0
        var bytes = [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
            status = png_image_write_to_memory(&image, buffer.baseAddress, &size, 0, pixels, 0, nil)
            count = status == 0 ? 0 : Int(size)
        }
        guard status != 0 else { throw ImageFileError(reason: "libpng cannot write it: \(message(of: image))") }
        if !text.isEmpty {
            // After the signature (8 bytes) and IHDR (25 bytes).
            bytes.insert(contentsOf: try text.flatMap { try $0.chunk().bytes }, at: 33)
        }
        return bytes
    }

    /// Writes a PNG file, whole or not at all.
    /// - Parameters:
    ///   - path: the file.
    ///   - text: lines of text to carry along.
    /// - Throws: `ImageFileError`.
    public func writePNG(to path: String, text: [PNGText] = []) throws {
        do {
            try WholeFile.write(pngData(text: text), to: path)
        } catch let error as ImageFileError {
            throw error.at(path)
        }
    }

    /// Reads a PNG file; any kind, converted to 8-bit sRGB, transparent parts over `background`.
    /// - Parameters:
    ///   - png: the whole file.
    ///   - background: what shows through, a grey level.
    /// - Throws: `ImageFileError` when the file is damaged, cut off or too large.
    public init(pngData png: [UInt8], background: UInt8 = 0) throws {
        var image = png_image()
        image.version = png_uint_32(PNG_IMAGE_VERSION)
        defer { png_image_free(&image) }
        let outcome: (width: Int, height: Int, pixels: [UInt8]) = try png.withUnsafeBytes { source in
            guard png_image_begin_read_from_memory(&image, source.baseAddress, source.count) != 0 else {
                throw ImageFileError(reason: "not a readable PNG file: \(message(of: image))")
            }
            let width = Int(image.width)
            let height = Int(image.height)
            try ImageLimits.check(width: width, height: height)
            image.format = png_uint_32(PNG_FORMAT_FLAG_COLOR)
            image.flags |= png_uint_32(PNG_IMAGE_FLAG_16BIT_sRGB)
            var grey = png_color(red: background, green: background, blue: background)
            var pixels = [UInt8](repeating: 0, count: width * height * 3)
            guard png_image_finish_read(&image, &grey, &pixels, png_int_32(width * 3), nil) != 0 else {
                throw ImageFileError(reason: "damaged or cut off PNG file: \(message(of: image))")
            }
            return (width, height, pixels)
        }
        self.init(width: outcome.width, height: outcome.height, pixels: outcome.pixels)
    }
}

/// libpng's sentence about the last call.
private func message(of image: png_image) -> String {
    withUnsafeBytes(of: image.message) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}
