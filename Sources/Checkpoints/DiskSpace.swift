import Foundation

/// How much room there is on a disk.
public enum DiskSpace {
    /// Bytes that can still be written to the disk on which a file or folder lies, or would lie; nil when the system does not say.
    /// - Parameter url: need not exist yet.
    /// - Returns: bytes.
    public static func free(at url: URL) -> Int? {
        var place = url.standardizedFileURL
        var status = statvfs()
        while statvfs(place.path, &status) != 0 {
            guard errno == ENOENT || errno == ENOTDIR, place.path != "/" else { return nil }
            place.deleteLastPathComponent()
        }
        return Int(clamping: UInt64(status.f_bavail) &* UInt64(status.f_frsize))
    }

    /// A number of bytes to read at a glance: "9.9 GB", "12 MB", "1 kB".
    public static func text(_ bytes: Int) -> String {
        let value = Double(bytes)
        if value >= 1e9 { return String(format: "%.1f GB", value / 1e9) }
        if value >= 1e6 { return String(format: "%.0f MB", value / 1e6) }
        return String(format: "%.0f kB", (value / 1e3).rounded(.up))
    }
}
