import Glibc

// What a signal handler touches. Plain variables with constant values: nothing here may be initialised lazily inside a handler, so
// `ProcessSignals.install` touches every one of them first.
nonisolated(unsafe) private var signalPipeWriteEnd: Int32 = -1
nonisolated(unsafe) private var pendingInterrupts: sig_atomic_t = 0
// The terminal, and nothing, through descriptions of our own: writing to neither can block.
nonisolated(unsafe) private var patientTerminal: Int32 = -1
nonisolated(unsafe) private var nothing: Int32 = -1
nonisolated(unsafe) private var loopThread = pthread_self()
nonisolated(unsafe) private var hasBeenTold: sig_atomic_t = 0
nonisolated(unsafe) private var hasAbandonedOutput: sig_atomic_t = 0
nonisolated(unsafe) private var standardErrorDuplicate: Int32 = -1
nonisolated(unsafe) private var originalSettings = termios()
nonisolated(unsafe) private var restoreText: UnsafeMutablePointer<UInt8>?
nonisolated(unsafe) private var restoreCount = 0
nonisolated(unsafe) private var previousActions: UnsafeMutablePointer<sigaction>?
nonisolated(unsafe) private var isArmed = false
nonisolated(unsafe) private var hasExitHandler = false

private let politeSignals = [SIGWINCH, SIGTSTP, SIGCONT, SIGTERM, SIGINT, SIGHUP]
/// How long the terminal may take nothing once the program has been told to end, in seconds.
private let endPatience: UInt32 = 1
private let crashSignals = [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGQUIT, SIGSYS]

/// Signals of a program that owns a terminal: the polite ones arrive through a pipe in the loop, after the others the terminal is put
/// back before the process ends as it would have ended anyway. A terminal that takes nothing more holds up neither.
enum ProcessSignals {
    /// The end of the pipe that the loop reads; one byte a signal, its number.
    nonisolated(unsafe) private(set) static var readEnd: Int32 = -1

    /// Remembers the terminal on standard output as it is now and takes the signals. To be called on the thread that writes to it.
    /// - Parameter standardError: duplicate of the original standard error, or -1.
    /// - Throws: `TerminalError.system` when there is no pipe to be had.
    static func install(standardError: Int32) throws {
        if signalPipeWriteEnd < 0 {
            let ends = try makePipe()
            readEnd = ends.read
            signalPipeWriteEnd = ends.write
        }
        standardErrorDuplicate = standardError
        pendingInterrupts = 0
        hasBeenTold = 0
        hasAbandonedOutput = 0
        loopThread = pthread_self()
        if patientTerminal < 0 {
            let terminal = openTerminal()
            patientTerminal = terminal < 0 ? 1 : terminal
            nothing = open("/dev/null", O_WRONLY | O_CLOEXEC)
        }
        tcgetattr(1, &originalSettings)
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
        previousActions.map { _ = sigaction(SIGALRM, nil, $0 + Int(SIGALRM)) }
        // No SA_RESTART: what waits to write must come back.
        handle(SIGALRM, alarmHandler, flags: 0)
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
        alarm(0)
        for signal in politeSignals + crashSignals + [SIGALRM] {
            previousActions.map { _ = sigaction(signal, $0 + Int(signal), nil) }
        }
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

    /// The program was told to end, and not by its own keys.
    static var mustEnd: Bool { hasBeenTold != 0 }

    /// The program was told to end, but the terminal took nothing: what is written to standard output goes nowhere from now on.
    static var hasAbandonedTerminal: Bool { hasAbandonedOutput != 0 }

    /// Puts the terminal back, whatever it was in the middle of, without waiting for it.
    static func putBack() { putTerminalBack() }

    /// The terminal through an open file description of its own: O_NONBLOCK on those that we were given would reach the shell's, too.
    /// - Returns: a descriptor for writing that never blocks, or -1.
    static func openTerminal() -> Int32 {
        let flags = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
        let descriptor = open("/dev/tty", flags)
        if descriptor < 0, let name = ttyname(1) { return open(name, flags) }
        return descriptor
    }

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
            // Here, because then the loop writes nothing behind our back.
            guard pthread_equal(pthread_self(), loopThread) != 0 else {
                pthread_kill(loopThread, signal)
                return
            }
            // A loop that hangs serves no interrupt: the fourth ends the process.
            pendingInterrupts += 1
            if pendingInterrupts > 3 {
                dup2(nothing, 1)
                putTerminalBack()
                previousActions.map { _ = sigaction(signal, $0 + Int(signal), nil) }
                raise(signal)
            }
        }
        if signal == SIGTERM || signal == SIGHUP {
            hasBeenTold = 1
            alarm(endPatience)
        }
        var byte = UInt8(truncatingIfNeeded: signal)
        _ = write(signalPipeWriteEnd, &byte, 1)
        errno = saved
    }

    /// Some time after the program was told to end. Where the terminal takes nothing, all further output goes nowhere, so that the program
    /// can end as it always does.
    private static let alarmHandler: @convention(c) (Int32) -> Void = { signal in
        let saved = errno
        if pthread_equal(pthread_self(), loopThread) == 0 {
            pthread_kill(loopThread, signal)
        } else if hasRoom(within: 0) {
            alarm(endPatience)
        } else {
            hasAbandonedOutput = 1
            dup2(nothing, 1)
        }
        errno = saved
    }

    private static let crashHandler: @convention(c) (Int32) -> Void = { signal in
        dup2(nothing, 1)
        putTerminalBack()
        // The previous handler (the Swift runtime's backtrace, or none) sees the same signal on a sane screen.
        previousActions.map { _ = sigaction(signal, $0 + Int(signal), nil) }
        raise(signal)
    }
}

// Only calls that are safe in a signal handler.

/// Whether the terminal takes something, or is gone and says so.
private func hasRoom(within milliseconds: Int32) -> Bool {
    var polls = pollfd(fd: patientTerminal, events: Int16(POLLOUT), revents: 0)
    return poll(&polls, 1, milliseconds) != 0
}

private func putTerminalBack() {
    isArmed = false
    // What a terminal has not taken by now is in the way of what puts it back.
    if !hasRoom(within: 200) { tcflush(patientTerminal, TCOFLUSH) }
    if let restoreText, write(patientTerminal, restoreText, restoreCount) != restoreCount {
        tcflush(patientTerminal, TCOFLUSH)
        _ = write(patientTerminal, restoreText, restoreCount)
    }
    tcsetattr(patientTerminal, TCSANOW, &originalSettings)
    if standardErrorDuplicate >= 0 { dup2(standardErrorDuplicate, 2) }
}
