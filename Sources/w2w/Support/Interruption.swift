import Dispatch
import Foundation
import Synchronization

/// Ctrl-C, SIGTERM and SIGHUP (the terminal is gone) for the commands that take a while: the first asks the command to stop and keep what it has,
/// a second one ends the process at once.
final class Interruption: Sendable {
    static let shared = Interruption()

    private struct State {
        var count = 0
        var sources: [any DispatchSourceSignal] = []
        var handlers: [@Sendable () -> Void] = []
    }
    private let state = Mutex(State())

    /// Starts to listen, once. Without it Ctrl-C has its usual effect.
    /// - Parameter handler: Called on a background thread at the first signal; at once if one has come already.
    func listen(_ handler: @escaping @Sendable () -> Void = {}) {
        let late = state.withLock { state in
            state.handlers.append(handler)
            if state.sources.isEmpty {
                // Under nohup a run outlives its terminal.
                let hangUp = Self.isIgnored(SIGHUP) ? [] : [SIGHUP]
                // Whoever read the output (`| tee`) may be gone first; what the command has is kept nevertheless.
                signal(SIGPIPE, SIG_IGN)
                state.sources = ([SIGINT, SIGTERM] + hangUp).map { number in
                    signal(number, SIG_IGN)
                    let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                    source.setEventHandler { [self] in received() }
                    source.activate()
                    return source
                }
            }
            return state.count > 0
        }
        if late { handler() }
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(number, nil, &action) == 0 else { return false }
        #if os(Linux)
            return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
        #else
            return unsafeBitCast(action.__sigaction_u.__sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
        #endif
    }

    /// Whether somebody asked to stop.
    var isRequested: Bool { state.withLock { $0.count > 0 } }

    /// Throws `Cancelled` once somebody asked to stop.
    /// - Parameter kept: What the command leaves behind, for the last line.
    /// - Throws: `Cancelled`.
    func check(kept: String = "") throws {
        if isRequested { throw Cancelled(kept: kept) }
    }

    private func received() {
        let handlers = state.withLock { state -> [@Sendable () -> Void]? in
            state.count += 1
            return state.count == 1 ? state.handlers : nil
        }
        guard let handlers else {
            ProgressLine.clear()
            _exit(ExitStatus.cancelled.rawValue)
        }
        for handler in handlers { handler() }
    }
}
