import Foundation

/// A file that appears whole or not at all. It is written without a name where the file system can do that (`O_TMPFILE`), so that a process which
/// is killed leaves nothing behind; elsewhere under another name beside its place. Flushed to the disk, it takes its name.
public struct AtomicFile: ~Copyable {
    private let path: String
    /// Nil while the file has no name at all.
    private let temporaryPath: String?
    private let descriptor: Int32

    private init(path: String, isNameless: Bool) throws {
        self.path = path
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        if isNameless, let descriptor = Self.nameless(in: folder) {
            (temporaryPath, self.descriptor) = (nil, descriptor)
            return
        }
        let name = Self.temporaryName(path)
        temporaryPath = name
        descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw CheckpointError(file: path, problem: .unwritable(reason: String(cString: strerror(errno))))
        }
    }

    private static func temporaryName(_ path: String) -> String { path + ".\(getpid())-\(UInt32.random(in: 0 ... .max)).part" }

    /// A file without a name, or nil where that cannot be had; whatever else is wrong shows when it is tried with a name.
    private static func nameless(in folder: String) -> Int32? {
        #if os(Linux)
            // O_TMPFILE, which Swift does not import.
            let descriptor = open(folder, O_WRONLY | 0o20_000_000 | O_DIRECTORY | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else { return nil }
            // Without /proc it would never get a name.
            guard access(handle(descriptor), F_OK) == 0 else {
                close(descriptor)
                return nil
            }
            return descriptor
        #else
            return nil
        #endif
    }

    private static func handle(_ descriptor: Int32) -> String { "/proc/self/fd/\(descriptor)" }

    /// Writes a file through `body`; when anything fails, what stood at `url` before is untouched.
    /// - Throws: `CheckpointError.Problem.unwritable` or `.diskFull`, or what `body` throws.
    public static func write(to url: URL, _ body: (borrowing AtomicFile) throws -> Void) throws {
        try write(to: url, isNameless: true, body)
    }

    static func write(to url: URL, isNameless: Bool, _ body: (borrowing AtomicFile) throws -> Void) throws {
        let file = try AtomicFile(path: url.path, isNameless: isNameless)
        do {
            try body(file)
            // What was reserved and not written is none of it.
            guard ftruncate(file.descriptor, lseek(file.descriptor, 0, SEEK_CUR)) == 0 else { throw file.failure() }
            guard fsync(file.descriptor) == 0 else { throw file.failure() }
            try file.appear()
        } catch {
            close(file.descriptor)
            if let name = file.temporaryPath { unlink(name) }
            throw error
        }
        close(file.descriptor)
        // The new name itself reaches the disk with the folder; a file system that cannot do that loses no content.
        let folder = open(url.deletingLastPathComponent().path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    /// Gives the whole file its name.
    private func appear() throws {
        if let temporaryPath {
            guard rename(temporaryPath, path) == 0 else { throw failure() }
            return
        }
        let handle = Self.handle(descriptor)
        if linkat(AT_FDCWD, handle, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 { return }
        guard errno == EEXIST else { throw failure() }
        // A link replaces nothing, a rename does: the whole file has another name for an instant.
        let name = Self.temporaryName(path)
        guard linkat(AT_FDCWD, handle, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0 else { throw failure() }
        guard rename(name, path) == 0 else {
            let failure = failure()
            unlink(name)
            throw failure
        }
    }

    /// Takes the room for bytes that are about to come, so that a full disk is found before the first of them is written. Nothing happens where
    /// that cannot be had.
    /// - Throws: `CheckpointError.Problem.diskFull`.
    public func reserve(_ bytes: Int) throws {
        #if os(Linux)
            let code = bytes > 0 ? posix_fallocate(descriptor, 0, bytes) : 0
            if code == ENOSPC || code == EDQUOT { throw failure(code, needed: bytes) }
        #endif
    }

    /// Appends bytes.
    /// - Throws: `CheckpointError.Problem.diskFull` or `.unwritable`.
    public func append(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while let base = rest.baseAddress, rest.count > 0 {
            let written = Foundation.write(descriptor, base, min(rest.count, 1 << 30))
            if written < 0 {
                if errno == EINTR { continue }
                throw failure()
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
    }

    /// Appends text as UTF-8.
    /// - Throws: `CheckpointError.Problem.diskFull` or `.unwritable`.
    public func append(_ text: String) throws {
        var text = text
        try text.withUTF8 { try append(UnsafeRawBufferPointer($0)) }
    }

    private func failure(_ code: Int32 = errno, needed: Int? = nil) -> CheckpointError {
        guard code == ENOSPC || code == EDQUOT else {
            return CheckpointError(file: path, problem: .unwritable(reason: String(cString: strerror(code))))
        }
        let free = DiskSpace.free(at: URL(fileURLWithPath: path))
        return CheckpointError(file: path, problem: .diskFull(neededBytes: needed, freeBytes: free))
    }
}
