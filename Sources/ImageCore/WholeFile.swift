import Glibc

/// Files that are read at once, and written whole or not at all.
public enum WholeFile {
    /// The bytes of a regular file.
    /// - Parameters:
    ///   - path: the file.
    ///   - limit: the largest size accepted, in bytes.
    /// - Returns: its contents.
    /// - Throws: `ImageFileError` with the path and the system's reason.
    public static func read(_ path: String, limit: Int = ImageLimits.maximumFileBytes) throws -> [UInt8] {
        // O_NONBLOCK: a named pipe must not make us wait for a writer; it is refused below.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(path, "cannot be opened") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(path, "cannot be examined") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw ImageFileError(path: path, reason: "not a regular file") }
        let size = Int(status.st_size)
        guard size <= limit else {
            throw ImageFileError(path: path, reason: "\(size) bytes; at most \(limit) are read")
        }
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size, let base = buffer.baseAddress {
                let got = Glibc.read(descriptor, base + count, size - count)
                if got > 0 {
                    count += got
                } else if got == 0 {
                    break
                } else if errno != EINTR {
                    code = errno
                    break
                }
            }
        }
        guard code == 0 else { throw failure(path, "cannot be read", code) }
        return bytes
    }

    /// Writes beside `path`, without a name where the file system can do that, and gives it the name at the end, so that a reader sees the old file or
    /// the whole new one, never a part, and a killed process leaves nothing.
    /// - Parameters:
    ///   - bytes: the contents.
    ///   - path: the file; an existing one is replaced and keeps nothing but its name.
    /// - Throws: `ImageFileError` with the path and the system's reason; then nothing is left behind.
    public static func write(_ bytes: [UInt8], to path: String) throws {
        let temporary = "\(path).\(getpid())-\(UInt32.random(in: 0 ... .max)).part"
        var folder = path.last == "/" ? "" : String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        if folder.isEmpty { folder = path.first == "/" ? "/" : "." }
        // O_TMPFILE, which Swift does not import.
        var descriptor = open(folder, O_WRONLY | 0o20_000_000 | O_DIRECTORY | O_CLOEXEC, 0o666)
        let handle = "/proc/self/fd/\(descriptor)"
        let isNameless = descriptor >= 0 && access(handle, F_OK) == 0
        if !isNameless {
            if descriptor >= 0 { close(descriptor) }
            descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        }
        guard descriptor >= 0 else { throw failure(path, "cannot be written") }
        var code: Int32 = 0
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count, let base = buffer.baseAddress {
                let put = Glibc.write(descriptor, base + done, buffer.count - done)
                if put >= 0 {
                    done += put
                } else if errno != EINTR {
                    code = errno
                    return
                }
            }
        }
        if code == 0, isNameless, linkat(AT_FDCWD, handle, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) != 0 { code = errno }
        if close(descriptor) != 0, code == 0 { code = errno }
        if code == 0, rename(temporary, path) != 0 { code = errno }
        if code != 0 {
            unlink(temporary)
            throw failure(path, "cannot be written", code)
        }
    }

    private static func failure(_ path: String, _ what: String, _ code: Int32 = errno) -> ImageFileError {
        ImageFileError(path: path, reason: "\(what): \(String(cString: strerror(code)))")
    }
}
