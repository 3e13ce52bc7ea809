import CJPEG

extension RGBImage {
    /// The picture as a JPEG file without colour subsampling.
    /// - Parameter quality: 1 to 100; values outside are moved in.
    /// - Returns: the bytes of the file.
    /// - Throws: `ImageFileError` with libjpeg-turbo's reason.
    public func jpegData(quality: Int = 92) throws -> [UInt8] {
        guard let handle = tjInitCompress() else { throw ImageFileError(reason: "libjpeg-turbo does not start") }
        defer { tjDestroy(handle) }
        var buffer: UnsafeMutablePointer<UInt8>?
        var size: UInt = 0
        defer { tjFree(buffer) }
        let status = tjCompress2(
            handle, pixels, Int32(width), 0, Int32(height), Int32(TJPF_RGB.rawValue), &buffer, &size,
            Int32(TJSAMP_444.rawValue), Int32(min(100, max(1, quality))), TJFLAG_ACCURATEDCT)
        guard status == 0, let buffer else {
            throw ImageFileError(reason: "libjpeg-turbo cannot write it: \(message(of: handle))")
        }
        return Array(UnsafeBufferPointer(start: buffer, count: Int(size)))
    }

    /// Writes a JPEG file, whole or not at all.
    /// - Parameters:
    ///   - path: the file.
    ///   - quality: 1 to 100.
    /// - Throws: `ImageFileError`.
    public func writeJPEG(to path: String, quality: Int = 92) throws {
        do {
            try WholeFile.write(jpegData(quality: quality), to: path)
        } catch let error as ImageFileError {
            throw error.at(path)
        }
    }

    /// Reads a JPEG file, grey or colour, turned upright after its Exif orientation.
    /// - Parameter jpeg: the whole file.
    /// - Throws: `ImageFileError` when the file is damaged, cut off, too large or in CMYK.
    public init(jpegData jpeg: [UInt8]) throws {
        guard let handle = tjInitDecompress() else { throw ImageFileError(reason: "libjpeg-turbo does not start") }
        defer { tjDestroy(handle) }
        var width: Int32 = 0
        var height: Int32 = 0
        var subsampling: Int32 = 0
        var colours: Int32 = 0
        guard tjDecompressHeader3(handle, jpeg, UInt(jpeg.count), &width, &height, &subsampling, &colours) == 0 else {
            throw ImageFileError(reason: "not a readable JPEG file: \(message(of: handle))")
        }
        try ImageLimits.check(width: Int(width), height: Int(height))
        guard colours != Int32(TJCS_CMYK.rawValue), colours != Int32(TJCS_YCCK.rawValue) else {
            throw ImageFileError(reason: "a JPEG file in CMYK; convert it to RGB first")
        }
        var pixels = [UInt8](repeating: 0, count: Int(width) * Int(height) * 3)
        let status = tjDecompress2(
            handle, jpeg, UInt(jpeg.count), &pixels, width, 0, height, Int32(TJPF_RGB.rawValue), TJFLAG_ACCURATEDCT)
        if status != 0 {
            // Stray bytes between markers are common and harmless; every other warning means lost pixels.
            let reason = message(of: handle)
            let harmless = tjGetErrorCode(handle) == Int32(TJERR_WARNING.rawValue) && reason.contains("extraneous bytes")
            guard harmless else { throw ImageFileError(reason: "damaged or cut off JPEG file: \(reason)") }
        }
        let image = RGBImage(width: Int(width), height: Int(height), pixels: pixels)
        self = image.turned(exifOrientation: ExifOrientation.read(from: jpeg))
    }
}

/// libjpeg-turbo's sentence about the last call.
private func message(of handle: tjhandle) -> String {
    tjGetErrorStr2(handle).map { String(cString: $0) } ?? "no reason given"
}
