import EngineAPI
import Foundation
import GRDB
import ImageCore
import Synchronization

/// What a person keeps between sessions: favourites with tags, lineage and thumbnails, and an append-only log of every place visited.
///
/// Requests are carried out at once and in order on the calling thread; a visit takes about a tenth of a millisecond, so the
/// thread of the user interface may call. Safe to call from several threads: GRDB's queue lets one in at a time. Several processes may
/// use one file. A commit survives a crash of the process; after a power cut the last moments may be missing, the file stays sound.
public final class Library: Sendable {
    /// The file.
    public let path: String
    /// False when the file could not be used and everything ends with the process; a notice has said why.
    public let isKept: Bool
    /// What happened on opening, to be shown once: `.notice` events.
    public let notices: [LibraryEvent]

    private let queue: DatabaseQueue
    private let session = UUID().uuidString
    private let clock: @Sendable () -> Double
    private let pending = PendingVisits()

    /// Opens the library, or makes it.
    ///
    /// Never in the way: a damaged file is renamed and a new one begun; where nothing can be written, or a newer program wrote the file,
    /// the library lives in memory (with a copy of what could be read). `notices` tells of it.
    /// - Parameters:
    ///   - path: the file; by default in the user's data folder.
    ///   - patience: how long a write waits for other processes, in seconds; a visit that cannot be noted is noted later.
    ///   - clock: seconds since 1970.
    /// - Throws: only when SQLite cannot even make a database in memory.
    public init(
        path: String = Directories().library, patience: Double = 2,
        clock: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }
    ) throws {
        let file = try LibraryFile(path: path, date: Date(timeIntervalSince1970: clock()), patience: patience)
        self.path = path
        self.clock = clock
        queue = file.queue
        isKept = file.isKept
        notices = file.notices.map { .notice($0) }
    }

    /// Carries out one request.
    /// - Parameter request: what to do.
    /// - Returns: the answers, in order; nothing for a visit that was noted.
    public func perform(_ request: LibraryRequest) -> [LibraryEvent] {
        do {
            switch request {
            case .visit(let state):
                return visit(state)
            case .save(let name, let tags, let state, let lineage, let thumbnail):
                return try save(name: name, tags: tags, state: state, lineage: lineage, thumbnail: thumbnail)
            case .rename(let id, let name, let tags):
                guard let name = tidied(name) else { return [.failed("a favourite needs a name")] }
                return try change(id) { db in
                    try db.execute(sql: "UPDATE favourite SET name = ? WHERE id = ?", arguments: [name, id])
                    try setTags(tags, of: id, db)
                }
            case .setThumbnail(let id, let png):
                guard let small = thumbnail(from: png) else { return [.failed("the thumbnail is not a PNG file")] }
                return try change(id) { db in
                    try db.execute(sql: "UPDATE favourite SET thumbnail = ? WHERE id = ?", arguments: [Data(small), id])
                }
            case .delete(let id):
                return try change(id) { db in
                    try db.execute(
                        sql: "UPDATE favourite SET hidden = ? WHERE id = ? AND hidden IS NULL", arguments: [clock(), id])
                }
            case .restore(let id):
                return try change(id) { db in
                    try db.execute(sql: "UPDATE favourite SET hidden = NULL WHERE id = ?", arguments: [id])
                }
            case .list:
                return try list()
            case .history(let fingerprint, let count):
                return try history(of: fingerprint, count: count)
            }
        } catch let error as DatabaseError {
            return [.failed(sentence(for: error))]
        } catch {
            return [.failed("the library could not do that: \(error)")]
        }
    }

    /// Writes what waits and closes the file; later requests fail.
    public func close() {
        try? queue.write { db in try flush(db) }
        try? queue.close()
    }

    // MARK: Visits

    private func visit(_ state: VisitedState) -> [LibraryEvent] {
        pending.append(PendingVisits.Visit(state: state, time: clock()))
        do {
            try queue.write { db in try flush(db) }
            return []
        } catch {
            // Kept in memory and tried again with the next request; a person hears of it once.
            guard pending.shouldComplain() else { return [] }
            return [.failed((error as? DatabaseError).map(sentence(for:)) ?? "a step was not noted: \(error)")]
        }
    }

    private func flush(_ db: Database) throws {
        let visits = pending.all
        guard !visits.isEmpty else { return }
        let columns = LibrarySchema.stateColumns
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO visit (session, time, \(columns.joined(separator: ", ")))
                VALUES (?, ?, \(columns.map { _ in "?" }.joined(separator: ", ")))
                """)
        for visit in visits {
            try statement.execute(
                arguments: StatementArguments([session, visit.time] + LibraryRows.arguments(of: visit.state)))
        }
        db.afterNextTransaction(onCommit: { [pending] _ in pending.drop(visits.count) })
    }

    private func history(of fingerprint: String, count: Int) throws -> [LibraryEvent] {
        let states = try queue.write { db in
            try flush(db)
            return try Row.fetchAll(
                db, sql: "SELECT * FROM visit WHERE space_fingerprint = ? ORDER BY id DESC LIMIT ?",
                arguments: [fingerprint, max(0, count)]
            ).compactMap(LibraryRows.state(of:))
        }
        return [.history(states.reversed())]
    }

    // MARK: Favourites

    private func save(
        name: String, tags: [String], state: VisitedState, lineage: [String], thumbnail png: [UInt8]?
    ) throws -> [LibraryEvent] {
        guard let name = tidied(name) else { return [.failed("a favourite needs a name")] }
        let small = png.flatMap(thumbnail(from:))
        let created = clock()
        let columns = LibrarySchema.stateColumns
        let text = try LibraryRows.text(of: lineage)
        let favourite = try queue.write { db in
            try flush(db)
            let values: [(any DatabaseValueConvertible)?] = [name, created, text, small.map { Data($0) }]
            try db.execute(
                sql: """
                    INSERT INTO favourite (name, created, lineage, thumbnail, \(columns.joined(separator: ", ")))
                    VALUES (?, ?, ?, ?, \(columns.map { _ in "?" }.joined(separator: ", ")))
                    """,
                arguments: StatementArguments(values + LibraryRows.arguments(of: state)))
            let id = db.lastInsertedRowID
            return Favourite(
                id: id, name: name, tags: try setTags(tags, of: id, db), created: created, state: state, lineage: lineage,
                thumbnail: small)
        }
        var events: [LibraryEvent] = [.saved(favourite)]
        if png != nil, small == nil { events.append(.notice("kept without its picture: the thumbnail is not a PNG file")) }
        return try events + list()
    }

    private func list() throws -> [LibraryEvent] {
        let (favourites, unknown) = try queue.read { db in
            var tags: [Int64: [String]] = [:]
            let tagRows = try Row.fetchCursor(db, sql: "SELECT favourite, name FROM tag ORDER BY favourite, place")
            while let row = try tagRows.next() { tags[row[0], default: []].append(row[1]) }
            var favourites: [Favourite] = []
            var unknown = 0
            let rows = try Row.fetchCursor(
                db, sql: "SELECT * FROM favourite WHERE hidden IS NULL ORDER BY created DESC, id DESC")
            while let row = try rows.next() {
                if let favourite = LibraryRows.favourite(of: row, tags: tags[row["id"]] ?? []) {
                    favourites.append(favourite)
                } else {
                    unknown += 1
                }
            }
            return (favourites, unknown)
        }
        guard unknown > 0 else { return [.favourites(favourites)] }
        let count = unknown == 1 ? "1 favourite uses" : "\(unknown) favourites use"
        return [.favourites(favourites), .notice("\(count) settings that this w2w does not know; kept, not shown")]
    }

    /// Changes one favourite; answers with the list, or says that there is none.
    private func change(_ id: Int64, _ body: (Database) throws -> Void) throws -> [LibraryEvent] {
        let exists = try queue.write { db in
            try flush(db)
            guard try Bool.fetchOne(db, sql: "SELECT 1 FROM favourite WHERE id = ?", arguments: [id]) == true else {
                return false
            }
            try body(db)
            return true
        }
        return exists ? try list() : [.failed("there is no favourite number \(id) in \(path)")]
    }

    @discardableResult
    private func setTags(_ tags: [String], of id: Int64, _ db: Database) throws -> [String] {
        var kept: [String] = []
        for tag in tags.compactMap(tidied) where !kept.contains(tag) { kept.append(tag) }
        try db.execute(sql: "DELETE FROM tag WHERE favourite = ?", arguments: [id])
        for (place, tag) in kept.enumerated() {
            try db.execute(sql: "INSERT INTO tag (favourite, place, name) VALUES (?, ?, ?)", arguments: [id, place, tag])
        }
        return kept
    }

    // MARK: Values

    /// Without space at the ends and control characters; nil when nothing is left.
    private func tidied(_ text: String) -> String? {
        let plain = text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : String($0) }.joined()
        let trimmed = plain.trimmingCharacters(in: .whitespaces)
        return trimmed.isEmpty ? nil : trimmed
    }

    /// At most 128 pixels a side, so that the whole list stays small; nil when it is no picture.
    private func thumbnail(from png: [UInt8]) -> [UInt8]? {
        guard let image = try? RGBImage(pngData: png) else { return nil }
        if image.width <= 128, image.height <= 128 { return png }
        return try? image.fitted(width: 128, height: 128).pngData(fast: true)
    }

    private func sentence(for error: DatabaseError) -> String {
        let reason = error.message ?? "SQLite error \(error.resultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return "not kept: another w2w is using \(path); try again"
        case .SQLITE_FULL:
            return "not kept: the disk of \(path) is full; make room and try again"
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            try? WholeFile.write([], to: LibraryFile.damageMark(path))
            return "\(path) is damaged (\(reason)); start w2w again: it puts the file aside and saves what can be read"
        default:
            return "not kept: \(path) cannot be written (\(reason))"
        }
    }
}

/// Visits that are not in the file yet: one, as a rule, for the length of its transaction.
private final class PendingVisits: Sendable {
    struct Visit {
        var state: VisitedState
        var time: Double
    }

    private struct State {
        var visits: [Visit] = []
        var complained = false
    }
    private let state = Mutex(State())

    var all: [Visit] { state.withLock { $0.visits } }

    func append(_ visit: Visit) { state.withLock { $0.visits.append(visit) } }

    func drop(_ count: Int) {
        state.withLock {
            $0.visits.removeFirst(min(count, $0.visits.count))
            $0.complained = false
        }
    }

    /// True the first time after things went well.
    func shouldComplain() -> Bool {
        state.withLock { state in
            defer { state.complained = true }
            return !state.complained
        }
    }
}
