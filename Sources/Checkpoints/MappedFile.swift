import Foundation

/// A regular file mapped into memory, read-only. Pages come in as they are touched.
///
/// `@unchecked Sendable`: the mapping is made in `init`, never written and unmapped only in `deinit`.
public final class MappedFile: @unchecked Sendable {
    public let path: String
    /// The content; valid while the object lives.
    public let bytes: UnsafeRawBufferPointer
    let isMapped: Bool

    /// Maps a file.
    /// - Throws: `CheckpointError.Problem.unreadable` when it cannot be opened or is not a regular file.
    public init(_ url: URL) throws {
        path = url.path
        isMapped = true
        func unreadable(_ reason: String) -> CheckpointError {
            CheckpointError(file: url.path, problem: .unreadable(reason: reason))
        }
        // Non-blocking, or a named pipe would hold us here for ever.
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw unreadable(String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable(String(cString: strerror(errno))) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw unreadable("not a regular file") }
        let count = Int(status.st_size)
        if count == 0 {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
            guard errno == ENOMEM else { throw unreadable(String(cString: strerror(errno))) }
            throw CheckpointError(
                file: url.path,
                problem: .unsupported(
                    reason:
                        "there is no room for its \(DiskSpace.text(count)) in memory; close other programs, or raise the limit "
                        + "(ulimit -v)"))
        }
        bytes = UnsafeRawBufferPointer(start: base, count: count)
    }

    /// Bytes that came out of a file, in memory of their own.
    /// - Parameters:
    ///   - content: the bytes.
    ///   - path: of the file that they came from, for messages.
    init(_ content: [UInt8], path: String) {
        self.path = path
        isMapped = false
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: content.count, alignment: 64)
        content.withUnsafeBytes { copy.copyMemory(from: $0) }
        bytes = UnsafeRawBufferPointer(copy)
    }

    /// Lets the memory of whole pages inside a range of bytes go; they come in again when they are touched.
    public func letGo(_ range: Range<Int>) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let (first, end) = ((range.lowerBound + page - 1) / page * page, range.upperBound / page * page)
        guard isMapped, let base = bytes.baseAddress, first < end, end <= bytes.count else { return }
        madvise(UnsafeMutableRawPointer(mutating: base + first), end - first, MADV_DONTNEED)
    }

    /// Says that few bytes here and there will be read, so that the system reads no neighbours along.
    func expectScatteredReads() {
        guard isMapped, let base = bytes.baseAddress else { return }
        madvise(UnsafeMutableRawPointer(mutating: base), bytes.count, MADV_RANDOM)
    }

    deinit {
        guard isMapped else { return bytes.deallocate() }
        if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
    }
}
