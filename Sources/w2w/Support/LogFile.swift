import Foundation
import Library
import Logging
import Synchronization

/// The log of this program: a file under the XDG state folder, never the screen. A folder that cannot be written means no log.
enum LogFile {
    /// The logger that everything here writes to.
    static let logger: Logger = {
        let path = Directories().log
        return Logger(label: "w2w") { _ in FileLogHandler(file: LogTarget(path: path, limit: 1 << 20)) }
    }()

    static func note(_ message: String) {
        logger.info("\(message)")
    }
}

/// An append-only text file that starts anew when it has grown past a limit; the one before is kept as `.old`.
final class LogTarget: Sendable {
    private let path: String
    private let limit: Int
    private let descriptor = Mutex<Int32?>(nil)

    init(path: String, limit: Int) {
        self.path = path
        self.limit = limit
    }

    deinit {
        descriptor.withLock { if let open = $0, open >= 0 { close(open) } }
    }

    func append(_ line: String) {
        descriptor.withLock { stored in
            if stored == nil { stored = open() }
            guard let file = stored, file >= 0 else { return }
            let bytes = Array(line.utf8)
            // One write a line, so that two processes do not mix their lines.
            _ = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        }
    }

    /// - Returns: A file descriptor, or -1 when the file cannot be written.
    private func open() -> Int32 {
        let folder = (path as NSString).deletingLastPathComponent
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var status = stat()
        if stat(path, &status) == 0, status.st_size > limit { rename(path, path + ".old") }
        return Foundation.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
    }
}

/// Writes log lines to a `LogTarget`.
struct FileLogHandler: LogHandler {
    let file: LogTarget
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info

    init(file: LogTarget) {
        self.file = file
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        var stamp = [CChar](repeating: 0, count: 32)
        strftime(&stamp, stamp.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        let when = stamp.withUnsafeBufferPointer { $0.baseAddress.map(String.init(cString:)) ?? "" }
        let extra = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
            .joined()
        file.append("\(when) \(getpid()) \(event.level) \(event.message)\(extra)\n")
    }
}
