import Foundation
import Testing

/// The explorer in a real tmux, as far as one is installed.
@Suite(.takesTurns, .enabled(if: Tmux.path != nil, "tmux is not installed")) struct TmuxTests {
    @Test func aSessionInTmux() async throws {
        let home = try ExplorerProgram.Home()
        let tmux = try Tmux(home: home)
        defer { tmux.end() }
        try await tmux.waitFor("1 Explore")
        try await tmux.waitFor("▀▀▀▀")
        try await tmux.waitFor(" steps · ")
        tmux.send("Right")
        try await tmux.waitFor("+ 1 change")
        tmux.send("f")
        tmux.send("2")
        try await tmux.waitFor("in this space")
        tmux.send("4")
        try await tmux.waitFor("Saved ─ 1 face")
        tmux.run(["resize-window", "-x", "90", "-y", "26"])
        try await tmux.waitFor("Saved ─ 1 face")
        tmux.run(["resize-window", "-x", "120", "-y", "36"])
        tmux.send("1")
        try await tmux.waitFor("s seed")
        tmux.send("q")
        try await tmux.waitFor("ended with 0")
        let rest = tmux.screen().split(separator: "\n").filter { !$0.isEmpty }
        #expect(!rest.contains { $0.contains("[?") || $0.contains("▀") || $0.contains("│") }, "something is left: \(rest)")
        tmux.end()
        var patience = 100
        while tmux.isRunning, patience > 0 {
            try await Task.sleep(for: .milliseconds(50))
            patience -= 1
        }
        #expect(!tmux.isRunning, "the server outlives its test")
    }
}

/// A tmux server of our own.
final class Tmux: Sendable {
    static let path = ["/usr/bin/tmux", "/usr/local/bin/tmux", "/bin/tmux", "/opt/homebrew/bin/tmux"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let socket = "w2w-test-\(UUID().uuidString)"
    private let environment: [String: String]

    init(home: ExplorerProgram.Home) throws {
        var variables = ProcessInfo.processInfo.environment.merging(home.environment, uniquingKeysWith: { $1 })
        for name in ["TMUX", "COLORTERM", "NO_COLOR", "W2W_GRAPHICS"] { variables[name] = nil }
        variables["LC_ALL"] = "C.UTF-8"
        variables["TERM"] = "xterm-256color"
        variables["SHELL"] = "/bin/sh"
        environment = variables
        let script = "'\(ExplorerProgram.path)'; echo ended with $?; sleep 600"
        run(["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", script])
    }

    @discardableResult
    func run(_ arguments: [String]) -> String {
        let process = Process()
        process.executableURL = Self.path.map { URL(fileURLWithPath: $0) }
        process.arguments = ["-L", socket] + arguments
        process.environment = environment
        let output = Pipe()
        // The server is a child of the first command and keeps what it inherits open: waiting for that one's end, or for the end of a pipe,
        // would take as long as the server lives.
        let starts = arguments.contains("new-session")
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = starts ? FileHandle.nullDevice : output
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return "" }
        let data = starts ? Data() : output.fileHandleForReading.readDataToEndOfFile()
        if !starts { process.waitUntilExit() }
        return String(decoding: data, as: UTF8.self)
    }

    func send(_ keys: String...) { run(["send-keys"] + keys) }
    func screen() -> String { run(["capture-pane", "-p"]) }
    /// A server without a session ends; `kill-server` would be a signal, which the server may have inherited blocked.
    func end() { run(["kill-session"]) }
    var isRunning: Bool { !run(["display-message", "-p", "here"]).isEmpty }

    func waitFor(_ words: String, timeout: Duration = .seconds(90)) async throws {
        let end = ContinuousClock.now + timeout
        while true {
            let text = screen()
            if text.contains(words) { return }
            if ContinuousClock.now > end { throw Failure(description: "waited in vain for \"\(words)\"\n\(text)") }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}
