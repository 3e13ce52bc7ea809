import Glibc

// What a signal handler touches. Plain variables with constant values: nothing here may be initialised lazily inside a handler, so
// `ProcessSignals.install` touches every one of them first.
nonisolated(unsafe) private var signalPipeWriteEnd: Int32 = -1
nonisolated(unsafe) private var pendingInterrupts: sig_atomic_t = 0
nonisolated(unsafe) private var terminalDescriptor: Int32 = -1
nonisolated(unsafe) private var standardErrorDuplicate: Int32 = -1
nonisolated(unsafe) private var originalSettings = termios()
nonisolated(unsafe) private var restoreText: UnsafeMutablePointer<UInt8>?
nonisolated(unsafe) private var restoreCount = 0
nonisolated(unsafe) private var previousActions: UnsafeMutablePointer<sigaction>?
nonisolated(unsafe) private var isArmed = false
nonisolated(unsafe) private var hasExitHandler = false

private let politeSignals = [SIGWINCH, SIGTSTP, SIGCONT, SIGTERM, SIGINT, SIGHUP]
private let crashSignals = [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGQUIT, SIGSYS]

/// Signals of a program that owns a terminal: the polite ones arrive through a pipe in the loop, after the others the terminal is put
/// back before the process ends as it would have ended anyway.
enum ProcessSignals {
    /// The end of the pipe that the loop reads; one byte a signal, its number.
    nonisolated(unsafe) private(set) static var readEnd: Int32 = -1

    /// Remembers the terminal as it is now and takes the signals.
    /// - Parameters:
    ///   - terminal: descriptor of the terminal.
    ///   - standardError: duplicate of the original standard error, or -1.
    /// - Throws: `TerminalError.system` when there is no pipe to be had.
    static func install(terminal: Int32, standardError: Int32) throws {
        if signalPipeWriteEnd < 0 {
            let ends = try makePipe()
            readEnd = ends.read
            signalPipeWriteEnd = ends.write
        }
        terminalDescriptor = terminal
        standardErrorDuplicate = standardError
        pendingInterrupts = 0
        tcgetattr(terminal, &originalSettings)
        if restoreText == nil {
            // CAN stops a half-sent control string, ST ends a sixel; then all modes that we set are left.
            let text = Array(
                ("\u{18}\u{1b}\\\u{1b}[?2026l\u{1b}[?1006l\u{1b}[?1002l\u{1b}[?1000l\u{1b}[0m\u{1b}[?1049l\u{1b}[?25h\u{1b}[?1l\u{1b}>"
                    + "\r").utf8)
            let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: text.count)
            copy.initialize(from: text, count: text.count)
            restoreText = copy
            restoreCount = text.count
            let actions = UnsafeMutablePointer<sigaction>.allocate(capacity: 65)
            actions.initialize(repeating: sigaction(), count: 65)
            previousActions = actions
            let stackSize = 1 << 16
            var stack = stack_t()
            stack.ss_sp = UnsafeMutableRawPointer.allocate(byteCount: stackSize, alignment: 16)
            stack.ss_size = stackSize
            sigaltstack(&stack, nil)
        }
        for signal in politeSignals {
            previousActions.map { _ = sigaction(signal, nil, $0 + Int(signal)) }
            handle(signal, politeHandler, flags: SA_RESTART)
        }
        for signal in crashSignals {
            previousActions.map { _ = sigaction(signal, nil, $0 + Int(signal)) }
            handle(signal, crashHandler, flags: Int32(SA_ONSTACK) | Int32(bitPattern: UInt32(SA_RESETHAND)))
        }
        isArmed = true
        if !hasExitHandler {
            hasExitHandler = true
            // Whoever calls exit() past us leaves a sane terminal, too.
            atexit { if isArmed { putTerminalBack() } }
        }
    }

    /// Gives all signals back to whoever had them.
    static func remove() {
        guard isArmed else { return }
        isArmed = false
        for signal in politeSignals + crashSignals { previousActions.map { _ = sigaction(signal, $0 + Int(signal), nil) } }
    }

    /// The signals that came since the last call.
    static func take() -> [Int32] {
        pendingInterrupts = 0
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = read(readEnd, &buffer, buffer.count)
        return count > 0 ? buffer.prefix(count).map(Int32.init) : []
    }

    /// Stops the process as Ctrl-Z does, and returns when it is continued.
    static func stopHere() {
        handle(SIGTSTP, SIG_DFL, flags: 0)
        raise(SIGTSTP)
        handle(SIGTSTP, politeHandler, flags: SA_RESTART)
    }

    /// The terminal's settings when we came.
    static var settingsBefore: termios { originalSettings }

    /// A pipe whose ends never block and are not inherited.
    static func makePipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw TerminalError.system(call: "pipe", reason: String(cString: strerror(errno))) }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        return (ends[0], ends[1])
    }

    private static func handle(_ signal: Int32, _ handler: (@convention(c) (Int32) -> Void)?, flags: Int32) {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = handler
        sigemptyset(&action.sa_mask)
        action.sa_flags = flags
        sigaction(signal, &action, nil)
    }

    private static let politeHandler: @convention(c) (Int32) -> Void = { signal in
        let saved = errno
        if signal == SIGINT {
            // A loop that hangs serves no interrupt: the fourth ends the process.
            pendingInterrupts += 1
            if pendingInterrupts > 3 {
                putTerminalBack()
                previousActions.map { _ = sigaction(signal, $0 + Int(signal), nil) }
                raise(signal)
            }
        }
        var byte = UInt8(truncatingIfNeeded: signal)
        _ = write(signalPipeWriteEnd, &byte, 1)
        errno = saved
    }

    private static let crashHandler: @convention(c) (Int32) -> Void = { signal in
        putTerminalBack()
        // The previous handler (the Swift runtime's backtrace, or none) sees the same signal on a sane screen.
        previousActions.map { _ = sigaction(signal, $0 + Int(signal), nil) }
        raise(signal)
    }
}

/// Only calls that are safe in a signal handler.
private func putTerminalBack() {
    isArmed = false
    if let restoreText { _ = write(terminalDescriptor, restoreText, restoreCount) }
    tcsetattr(terminalDescriptor, TCSANOW, &originalSettings)
    if standardErrorDuplicate >= 0 { dup2(standardErrorDuplicate, 2) }
}
