import Foundation
import GRDB

/// Opens the library's file, whatever its state: always answers with a database that works.
struct LibraryFile {
    let queue: DatabaseQueue
    /// False for a library in memory, whose contents end with the process.
    let isKept: Bool
    /// What the person should know, one sentence each.
    let notices: [String]

    /// - Parameters:
    ///   - path: the file; its folder is made when it is missing.
    ///   - date: for the name of a damaged file that is put aside.
    ///   - patience: how long a write waits for other processes, in seconds.
    /// - Throws: `DatabaseError` only when not even a database in memory can be made.
    init(path: String, date: Date, patience: Double) throws {
        do {
            (queue, notices) = try Self.kept(path, date, patience)
            isKept = true
        } catch {
            isKept = false
            var copied: DatabaseQueue?
            if !(error is LibraryProblem) { copied = Self.copyInMemory(of: path) }
            queue = try copied ?? Self.inMemory()
            notices = [Self.sentence(for: error, path: path)]
        }
    }

    /// The file itself, or a new one in the place of a damaged one.
    private static func kept(_ path: String, _ date: Date, _ patience: Double) throws -> (DatabaseQueue, [String]) {
        let folder = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let lock = LibraryLock(path: path + ".lock")
        defer { lock.release() }
        do {
            return (try open(path, patience), [])
        } catch let error as DatabaseError where error.isDamage {
            let aside = try putAside(path, date: date)
            let queue = try open(path, patience)
            let saved = salvage(from: aside, into: queue)
            let rest = saved > 0 ? ", with \(saved) favourite\(saved == 1 ? "" : "s") from it" : ""
            return (queue, ["the library was damaged; it is kept as \(aside) and a new one begins\(rest)"])
        }
    }

    /// A library that ends with the process.
    private static func inMemory() throws -> DatabaseQueue {
        let queue = try DatabaseQueue(configuration: configuration(patience: 0))
        try LibrarySchema.migrate(queue)
        return queue
    }

    private static func configuration(patience: Double) -> Configuration {
        var configuration = Configuration()
        // Several w2w may write; a write takes well under a millisecond.
        configuration.busyMode = .timeout(patience)
        configuration.label = "library"
        configuration.prepareDatabase { db in
            // In WAL mode a commit survives a crash of the process without waiting for the disk.
            try db.execute(sql: "PRAGMA synchronous = NORMAL")
            // Checkpoints wait for the disk: when the last process closes the file, hardly ever in between.
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 10000")
        }
        return configuration
    }

    /// Looks before it writes: a file that must not be touched, or is to be put aside, stays as it is.
    private static func open(_ path: String, _ patience: Double) throws -> DatabaseQueue {
        // SQLite takes a file of a few bytes for an empty one.
        if let head = FileHandle(forReadingAtPath: path) {
            let start = try head.read(upToCount: 16) ?? Data()
            try head.close()
            if !start.isEmpty, start != Data("SQLite format 3\0".utf8) { throw DatabaseError(resultCode: .SQLITE_NOTADB) }
        }
        let queue = try DatabaseQueue(path: path, configuration: configuration(patience: patience))
        _ = try queue.inDatabase { db in try LibrarySchema.inspect(db) }
        // Small files are examined whole; of large ones damage shows when a page is read, which leaves a mark for the next start.
        let mark = damageMark(path)
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        if size < 1 << 23 || FileManager.default.fileExists(atPath: mark) {
            let verdict = try queue.inDatabase { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }
            try? FileManager.default.removeItem(atPath: mark)
            if verdict != "ok" { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: verdict) }
        }
        try LibrarySchema.migrate(queue)
        // Readers and writers of several processes then do not wait for each other, and a commit does not wait for the disk.
        try queue.inDatabase { try $0.execute(sql: "PRAGMA journal_mode = WAL") }
        return queue
    }

    /// The file whose presence asks the next start for a thorough look.
    static func damageMark(_ path: String) -> String { path + ".look" }

    /// Renames a damaged file and its companions.
    private static func putAside(_ path: String, date: Date) throws -> String {
        let stem = path.hasSuffix(".sqlite") ? String(path.dropLast(7)) : path
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "UTC")
        formatter.dateFormat = "yyyy-MM-dd-HHmmss"
        let base = "\(stem).damaged-\(formatter.string(from: date))"
        var aside = "\(base).sqlite"
        var number = 2
        while FileManager.default.fileExists(atPath: aside) {
            aside = "\(base)-\(number).sqlite"
            number += 1
        }
        try FileManager.default.moveItem(atPath: path, toPath: aside)
        for companion in ["-wal", "-shm"] where FileManager.default.fileExists(atPath: path + companion) {
            try FileManager.default.moveItem(atPath: path + companion, toPath: aside + companion)
        }
        return aside
    }

    /// Copies what can still be read of the favourites; works on a copy, the damaged file stays as it is.
    private static func salvage(from aside: String, into queue: DatabaseQueue) -> Int {
        let saved = withCopy(of: aside) { copy in
            let damaged = try DatabaseQueue(path: copy)
            var rows: [Row] = []
            var tags: [Row] = []
            try damaged.read { db in
                // Row by row: what stands before the damage is kept.
                do {
                    let cursor = try Row.fetchCursor(db, sql: "SELECT * FROM favourite ORDER BY id")
                    while let row = try cursor.next() { rows.append(row.copy()) }
                } catch {}
                tags = (try? Row.fetchAll(db, sql: "SELECT * FROM tag")) ?? []
            }
            return try queue.write { db in
                for row in rows { try insert(row, into: "favourite", db) }
                let known = Set(rows.map { $0["id"] as Int64 })
                for tag in tags where known.contains(tag["favourite"]) { try insert(tag, into: "tag", db) }
                return rows.count
            }
        }
        return saved ?? 0
    }

    private static func insert(_ row: Row, into table: String, _ db: Database) throws {
        let names = row.columnNames.joined(separator: ", ")
        let marks = row.columnNames.map { _ in "?" }.joined(separator: ", ")
        try db.execute(
            sql: "INSERT INTO \(table) (\(names)) VALUES (\(marks))", arguments: StatementArguments(row.databaseValues))
    }

    /// What a file that cannot be written holds, in memory; nil when it cannot be read either.
    private static func copyInMemory(of path: String) -> DatabaseQueue? {
        withCopy(of: path) { copy in
            let source = try DatabaseQueue(path: copy)
            try LibrarySchema.migrate(source)
            let target = try DatabaseQueue(configuration: configuration(patience: 0))
            try source.backup(to: target)
            return target
        }
    }

    /// A copy of a database in a folder of its own, together with what its write-ahead log holds.
    private static func withCopy<Result>(of path: String, _ body: (String) throws -> Result) -> Result? {
        let folder = NSTemporaryDirectory() + "/w2w-library-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            let copy = folder + "/copy.sqlite"
            for ending in ["", "-wal"] where FileManager.default.fileExists(atPath: path + ending) {
                // Contents only: a copy of a read-only file must be writable.
                try Data(contentsOf: URL(fileURLWithPath: path + ending)).write(to: URL(fileURLWithPath: copy + ending))
            }
            guard FileManager.default.fileExists(atPath: copy) else { return nil }
            return try body(copy)
        } catch {
            return nil
        }
    }

    private static func sentence(for error: any Error, path: String) -> String {
        let reason =
            switch error {
            case LibraryProblem.newer(let found):
                "\(path) was written by a newer w2w (format \(found), this one knows \(LibrarySchema.version)); update w2w"
            case LibraryProblem.foreign:
                "\(path) is another program's database; move it away"
            case let error as DatabaseError where error.resultCode == .SQLITE_BUSY:
                "\(path) is in use by another w2w that does not let go; end it and start again"
            case let error as DatabaseError:
                unwritable(path, error.message ?? "SQLite error \(error.resultCode.rawValue)")
            default: unwritable(path, systemReason(of: error))
            }
        return "nothing will be kept in this session: \(reason)"
    }

    /// What to do comes first: a narrow status line cuts the end off.
    private static func unwritable(_ path: String, _ reason: String) -> String {
        "set XDG_DATA_HOME to a writable folder (\(path): \(reason))"
    }

    /// The system's words for a Foundation error: "Permission denied" rather than a domain and a number.
    private static func systemReason(of error: any Error) -> String {
        let error = error as NSError
        if let inner = error.userInfo[NSUnderlyingErrorKey] as? NSError, inner.domain == NSPOSIXErrorDomain {
            return String(cString: strerror(Int32(inner.code)))
        }
        return error.localizedDescription
    }
}

extension DatabaseError {
    /// The file is not a sound database.
    var isDamage: Bool { resultCode == .SQLITE_CORRUPT || resultCode == .SQLITE_NOTADB }
}

/// One process at a time opens, migrates or puts aside; afterwards SQLite's own locks suffice.
private struct LibraryLock {
    private let descriptor: Int32

    /// Waits up to two seconds, then goes on without: a stuck process must not keep others out.
    init(path: String) {
        descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        for _ in 0..<200 {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
            usleep(10_000)
        }
    }

    func release() {
        if descriptor >= 0 { close(descriptor) }
    }
}
