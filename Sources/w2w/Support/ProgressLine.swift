import EngineAPI
import Foundation
import Synchronization

/// One line on standard error that shows how far a command is, redrawn in place; nothing when that is not a terminal.
enum ProgressLine {
    private struct State {
        var isShown = false
        var drawn = ContinuousClock.now - .seconds(1)
    }
    private static let state = Mutex(State())
    private static let isTerminal = isatty(STDERR_FILENO) == 1

    static func show(_ progress: EngineAPI.Progress) {
        guard isTerminal else { return }
        state.withLock { state in
            let now = ContinuousClock.now
            // A terminal need not be written more often than it is looked at.
            guard progress.done >= progress.total || now - state.drawn > .milliseconds(80) else { return }
            state.drawn = now
            state.isShown = true
            StandardStream.write("\r\u{1b}[K\(text(progress))")
        }
    }

    /// Takes the line away, so that other text can be written.
    static func clear() {
        state.withLock { state in
            guard state.isShown else { return }
            state.isShown = false
            StandardStream.write("\r\u{1b}[K")
        }
    }

    /// "sampling  3 of 8  [###.....]  12 s left"
    static func text(_ progress: EngineAPI.Progress) -> String {
        let total = max(progress.total, 1)
        let filled = min(20, max(0, progress.done * 20 / total))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled)
        var line = "\(progress.activity)  \(progress.amount)  [\(bar)]"
        if let seconds = progress.secondsLeft, seconds.isFinite, seconds >= 0 { line += "  \(duration(seconds)) left" }
        return line
    }

    /// A duration to read at a glance: "8 s", "3 min 20 s", "2 h 5 min".
    static func duration(_ seconds: Double) -> String {
        let whole = Int(min(seconds.rounded(.up), 1e9))
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3600) h \(whole % 3600 / 60) min"
    }
}
