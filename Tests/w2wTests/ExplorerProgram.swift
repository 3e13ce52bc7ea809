import BuiltPrograms
import Foundation
import Glibc
import PseudoTerminal
import Testing

/// `w2w` on a pseudo-terminal, with folders of its own, and words for what the tests do with it.
final class ExplorerProgram: Sendable {
    let session: Session
    private let home: Home

    /// Folders for what w2w keeps; gone with the last user.
    final class Home: Sendable {
        let path: String

        init() throws {
            path = FileManager.default.temporaryDirectory.appendingPathComponent("w2w-session-\(UUID().uuidString)").path
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        /// Nothing outside of the folder is read or written.
        var environment: [String: String] {
            [
                "HOME": path, "XDG_DATA_HOME": path + "/data", "XDG_CONFIG_HOME": path + "/config",
                "XDG_STATE_HOME": path + "/state", "XDG_CACHE_HOME": path + "/cache",
            ]
        }
    }

    static let path = BuiltPrograms.path(of: "w2w")

    init(
        _ behaviour: Behaviour = .sixel, home: Home? = nil, columns: Int = 100, rows: Int = 30,
        environment: [String: String] = [:],
        arguments: [String] = []
    ) throws {
        let home = try home ?? Home()
        self.home = home
        session = try Session(
            program: Self.path, arguments: arguments, behaviour: behaviour, columns: columns, rows: rows,
            environment: home.environment.merging(environment, uniquingKeysWith: { $1 }))
    }

    deinit { session.end() }

    /// Whether a face stands on the screen: a whole picture of some size, or blocks.
    static func showsFace(_ model: TerminalModel) -> Bool {
        largestPicture(model) != nil || model.text.contains("▀▀▀▀▀▀")
    }

    static func largestPicture(_ model: TerminalModel) -> TerminalModel.Picture? {
        model.intactPictures.filter { $0.columns * $0.rows > 60 }.max { $0.columns * $0.rows < $1.columns * $1.rows }
    }

    /// Pixels or blocks of the largest face, to tell one from another.
    static func look(_ model: TerminalModel) -> [Int] {
        if let picture = largestPicture(model) { return picture.image.pixels.map(Int.init) }
        return model.cells.filter { $0.character == "▀" }.map { cell in
            switch cell.attributes.foreground {
            case .standard: 0
            case .index(let index): index
            case .rgb(let red, let green, let blue): red << 16 | green << 8 | blue
            }
        }
    }

    /// Waits until the face in hand has been drawn to its end and is on the screen.
    func waitForFinishedFace(_ what: String = "a finished face") async throws {
        try await session.waitUntil(what) { Self.showsFace($0) && $0.text.contains(" steps · ") && $0.brokenPictures.isEmpty }
    }

    /// Waits until the face looks different.
    func waitForOtherFace(than before: [Int], _ what: String) async throws {
        try await session.waitUntil(what) {
            Self.showsFace($0) && $0.text.contains(" steps · ") && Self.look($0) != before
        }
    }

    /// Ends it with a key and looks at what it leaves behind.
    func quit() async throws {
        session.send("q")
        try await expectCleanEnd()
    }

    func expectCleanEnd(_ expected: Session.Ending = .exited(0)) async throws {
        let ending = try await session.waitForExit()
        #expect(ending == expected)
        let model = session.model
        #expect(!model.onAlternateScreen)
        #expect(model.cursorVisible)
        #expect(model.modes.isDisjoint(with: [1000, 1002, 1006, 2026, 1]))
        #expect(session.settingsAreRestored)
        #expect(session.leftoverInput().isEmpty, "answers that a shell would take for typing")
        #expect(model.unknown.isEmpty)
    }
}
