import GRDB

/// The tables of the library and how older files become today's.
enum LibrarySchema {
    /// Written into the file's header, so that another program's database is not taken for a library: "w2wL".
    static let applicationID = 0x7732_774C

    /// One step a version: `steps[0]` makes version 1 of an empty file. Steps are only ever added.
    static let steps: [String] = [version1]

    static var version: Int { steps.count }

    /// The columns of a `VisitedState`; both tables that hold states have them.
    static let stateColumns = [
        "code", "prompt", "negative_prompt", "seed", "steps", "guidance", "scheduler", "width", "height", "space_fingerprint",
        "space_name", "step", "origin",
    ]

    /// - `code`: little-endian float32; `seed`: the bits of the unsigned number; times: seconds since 1970.
    /// - A favourite is hidden rather than removed, a visit neither changed nor removed.
    private static let version1 = """
        CREATE TABLE favourite (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,
            created REAL NOT NULL,
            hidden REAL,
            \(stateDeclaration),
            lineage TEXT NOT NULL,
            thumbnail BLOB
        );
        CREATE TABLE tag (
            favourite INTEGER NOT NULL REFERENCES favourite(id) ON DELETE CASCADE,
            place INTEGER NOT NULL,
            name TEXT NOT NULL,
            PRIMARY KEY (favourite, place)
        ) WITHOUT ROWID;
        CREATE TABLE visit (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            session TEXT NOT NULL,
            time REAL NOT NULL,
            \(stateDeclaration)
        );
        CREATE INDEX visit_by_space ON visit (space_fingerprint, id);
        CREATE TRIGGER visit_is_never_changed BEFORE UPDATE ON visit
            BEGIN SELECT RAISE(ABORT, 'the session log is append-only'); END;
        CREATE TRIGGER visit_is_never_removed BEFORE DELETE ON visit
            BEGIN SELECT RAISE(ABORT, 'the session log is append-only'); END;
        """

    private static let stateDeclaration = """
        code BLOB NOT NULL,
        prompt TEXT NOT NULL,
        negative_prompt TEXT NOT NULL,
        seed INTEGER NOT NULL,
        steps INTEGER NOT NULL,
        guidance REAL NOT NULL,
        scheduler TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        space_fingerprint TEXT NOT NULL,
        space_name TEXT NOT NULL,
        step TEXT NOT NULL,
        origin TEXT NOT NULL
        """

    /// The version of a file, 0 for an empty one; writes nothing.
    /// - Throws: `LibraryProblem.newer` or `.foreign` for files that must not be touched, `DatabaseError`.
    static func inspect(_ db: Database) throws -> Int {
        let owner = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let objects = try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM sqlite_master") ?? 0
        if objects > 0 || found > 0 {
            guard owner == applicationID else { throw LibraryProblem.foreign }
            guard (0...version).contains(found) else { throw LibraryProblem.newer(found) }
        }
        return found
    }

    /// Brings a file to `version`; all steps or none.
    /// - Throws: as `inspect`; `DatabaseError` also when the file cannot be written.
    static func migrate(_ queue: DatabaseQueue) throws {
        try queue.inTransaction(.immediate) { db in
            let found = try inspect(db)
            for step in steps[found...] { try db.execute(sql: step) }
            // Written even when nothing changes: SQLite lets a transaction begin on a read-only file, and only a write tells.
            try db.execute(sql: "PRAGMA application_id = \(applicationID)")
            try db.execute(sql: "PRAGMA user_version = \(version)")
            return .commit
        }
    }
}

/// Why a file cannot be used as the library although nothing is broken.
enum LibraryProblem: Error {
    /// Its version is higher than this program knows.
    case newer(Int)
    /// Another program's database.
    case foreign
}
