/// Why a picture could not be read or written: what, where and what to do.
public struct ImageFileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file, or nil for bytes in memory.
    public var path: String?
    /// What is wrong, without the path: "not a PNG or JPEG file".
    public var reason: String

    public init(path: String? = nil, reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { path.map { "\($0): \(reason)" } ?? reason }

    /// The same error, told of a file.
    func at(_ path: String) -> ImageFileError { ImageFileError(path: self.path ?? path, reason: reason) }
}

/// Bounds that keep a hostile file from taking all memory.
public enum ImageLimits {
    /// The longest side in pixels; also what GIF and JPEG can express.
    public static let maximumSide = 65_535
    /// 64 million pixels: 192 MB as `RGBImage`.
    public static let maximumPixels = 1 << 26
    /// The largest file that is read, in bytes.
    public static let maximumFileBytes = 1 << 28

    /// Refuses sizes outside the bounds.
    static func check(width: Int, height: Int) throws {
        guard width > 0, height > 0, width <= maximumSide, height <= maximumSide, width * height <= maximumPixels else {
            throw ImageFileError(
                reason: "a picture of \(width)x\(height) pixels; the limit is \(maximumPixels / 1_000_000) million pixels")
        }
    }
}
