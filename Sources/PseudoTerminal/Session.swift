import Foundation
import Glibc
import Synchronization

/// A program on a pseudo-terminal that a test or a benchmark plays: keys go in, the screen comes out.
public final class Session: Sendable {
    /// Something did not happen in time; carries the screen for the reader.
    public struct Timeout: Error, CustomStringConvertible {
        public var what: String
        public var screen: String
        public var description: String { "waited in vain for: \(what)\n--- screen ---\n\(screen)\n---" }
    }

    /// How the program ended: its exit code, or the signal that killed it.
    public enum Ending: Sendable, Equatable {
        case exited(Int32)
        case killed(Int32)
    }

    /// Keys that a terminal sends as more than their character.
    public enum SpecialKey: Sendable {
        case up, down, left, right, home, end, pageUp, pageDown, delete, shiftLeft, shiftRight, enter, escape, tab, backspace
        case control(Character)
    }

    private struct State {
        var model: TerminalModel
        var transcript: [UInt8] = []
        /// What the terminal has yet to send; `continues` marks the later pieces of an answer.
        var due: [(at: Double, bytes: [UInt8], continues: Bool)] = []
        var delay: Double
        /// The terminal takes nothing of what the program writes.
        var isStalled = false
        var shouldStop = false
        var hasStopped = false
        var isHungUp = false
        var ending: Ending?
        var watch: Watch?
    }

    /// A condition that is looked at after each piece of output, and when it came true.
    private struct Watch {
        var condition: @Sendable (TerminalModel) -> Bool
        var met: Double?
    }

    private let state: Mutex<State>
    private let master: Int32
    /// Kept open so that what is left in the terminal's input can be seen after the end.
    private let slave: Int32
    private let behaviour: Behaviour
    public let process: pid_t
    private let settingsBefore: termios

    /// Starts a program with a terminal of its own.
    /// - Parameters:
    ///   - program: path of the executable.
    ///   - arguments: without the program's name.
    ///   - behaviour: how the terminal answers.
    ///   - columns: width of the window.
    ///   - rows: height of the window.
    ///   - environment: replaces or adds to this process's own; an empty value removes.
    /// - Throws: `POSIXError` when there is no pseudo-terminal or no such program.
    public init(
        program: String, arguments: [String] = [], behaviour: Behaviour = .sixel, columns: Int = 100, rows: Int = 30,
        environment: [String: String] = [:]
    ) throws {
        // Linux's own way; Swift's Glibc does not show posix_openpt and its family.
        let master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var unlock: Int32 = 0
        var number: Int32 = 0
        let (setLock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
        guard master >= 0, ioctl(master, setLock, &unlock) == 0, ioctl(master, getNumber, &number) == 0 else {
            throw POSIXError(.ENXIO)
        }
        let path = "/dev/pts/\(number)"
        self.master = master
        slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
        self.behaviour = behaviour
        let model = TerminalModel(
            columns: columns, rows: rows, cellWidth: 8, cellHeight: 16, decodesPictures: behaviour.decodesPictures)
        state = Mutex(State(model: model, delay: behaviour.delay))
        var settings = termios()
        tcgetattr(slave, &settings)
        settingsBefore = settings
        Self.setWindow(master, columns, rows, pixels: behaviour.tellsPixels)

        var variables = ProcessInfo.processInfo.environment
        for name in ["COLORTERM", "NO_COLOR", "TMUX", "LINES", "COLUMNS", "W2W_GRAPHICS", "LC_CTYPE", "LANG"] {
            variables[name] = nil
        }
        variables["TERM"] = "xterm-256color"
        variables["LC_ALL"] = "C.UTF-8"
        for (name, value) in behaviour.environment.merging(environment, uniquingKeysWith: { $1 }) {
            variables[name] = value.isEmpty ? nil : value
        }
        process = try Self.spawn(program, arguments, variables, terminal: path)
        Thread.detachNewThread { [self] in play() }
    }

    deinit {
        if !state.withLock({ $0.isHungUp }) { close(master) }
        close(slave)
    }

    // MARK: Doing

    /// Types text; while an answer of the terminal is under way, after it.
    public func send(_ text: String) {
        let bytes = Array(text.utf8)
        let isQueued = state.withLock { state -> Bool in
            // No terminal sends a key in the middle of an answer.
            guard state.due.first?.continues == true else { return false }
            let place = state.due.firstIndex { !$0.continues } ?? state.due.count
            state.due.insert((state.due[place - 1].at, bytes, true), at: place)
            return true
        }
        if !isQueued { _ = write(master, bytes, bytes.count) }
    }

    /// Sends keys as xterm would in the mode that the program has set.
    public func send(_ keys: SpecialKey...) {
        let application = state.withLock { $0.model.applicationCursorKeys }
        let introducer = application ? "\u{1b}O" : "\u{1b}["
        for key in keys {
            switch key {
            case .up: send(introducer + "A")
            case .down: send(introducer + "B")
            case .right: send(introducer + "C")
            case .left: send(introducer + "D")
            case .home: send(introducer + "H")
            case .end: send(introducer + "F")
            case .pageUp: send("\u{1b}[5~")
            case .pageDown: send("\u{1b}[6~")
            case .delete: send("\u{1b}[3~")
            case .shiftLeft: send("\u{1b}[1;2D")
            case .shiftRight: send("\u{1b}[1;2C")
            case .enter: send("\r")
            case .escape: send("\u{1b}")
            case .tab: send("\t")
            case .backspace: send("\u{7f}")
            case .control(let character):
                let value = character.asciiValue ?? 0
                send(String(UnicodeScalar(value & 0x1f)))
            }
        }
    }

    /// Presses and releases the left button on a cell, counted from 0.
    public func click(column: Int, row: Int) {
        send("\u{1b}[<0;\(column + 1);\(row + 1)M\u{1b}[<0;\(column + 1);\(row + 1)m")
    }

    /// Turns the wheel on a cell; up where `count` is positive.
    public func wheel(_ count: Int, column: Int, row: Int) {
        for _ in 0..<abs(count) { send("\u{1b}[<\(count > 0 ? 64 : 65);\(column + 1);\(row + 1)M") }
    }

    /// Gives the window another size, in cells, and tells the program (SIGWINCH).
    public func resize(columns: Int, rows: Int) {
        state.withLock { $0.model.resize(columns: columns, rows: rows) }
        Self.setWindow(master, columns, rows, pixels: behaviour.tellsPixels)
    }

    /// Takes nothing more of what the program writes, as a stopped tmux or a stalled link does, or goes on taking it.
    public func stall(_ stalls: Bool = true) {
        state.withLock { $0.isStalled = stalls }
    }

    /// Stalls, with no room for a single byte: whatever the program writes next, it waits for.
    /// - Throws: `POSIXError` when the terminal cannot be filled.
    public func choke() throws {
        stall()
        // DEL: terminals pass over it, and it is not what `waitUntilDrained` looks for.
        let nothing = [UInt8](repeating: 0x7f, count: 4096)
        guard let name = ttyname(slave) else { throw POSIXError(.ENOTTY) }
        let filler = open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard filler >= 0 else { throw POSIXError(.ENOTTY) }
        defer { close(filler) }
        // The kernel moves on what was written for a while.
        var refusals = 0
        while refusals < 10 {
            if write(filler, nothing, nothing.count) > 0 || write(filler, nothing, 1) > 0 {
                refusals = 0
            } else {
                refusals += 1
                usleep(10_000)
            }
        }
    }

    /// Answers all questions now, and those to come without delay.
    public func answerNow() {
        let now = Self.now()
        state.withLock { state in
            for index in state.due.indices { state.due[index].at = min(now, state.due[index].at) }
            state.delay = 0
        }
    }

    /// Closes the terminal under the program.
    public func hangUp() {
        state.withLock { $0.shouldStop = true }
        while !state.withLock({ $0.hasStopped }) { usleep(1000) }
        state.withLock { $0.isHungUp = true }
        close(master)
    }

    /// Sends the program a signal.
    public func signal(_ number: Int32) {
        kill(process, number)
    }

    /// Begins anew to note which cells are written.
    public func forgetTouches() {
        state.withLock { $0.model.forgetTouches() }
    }

    // MARK: Seeing

    public var model: TerminalModel { state.withLock { $0.model } }
    public var screenText: String { state.withLock { $0.model.text } }
    /// All that the program has written.
    public var transcript: [UInt8] { state.withLock { $0.transcript } }

    /// The processor time that the program has used so far.
    /// - Throws: when it has ended.
    public func processorSeconds() throws -> Double {
        let status = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        // The program's name, in brackets, is the second field; the times are the 14th and 15th.
        let fields = status.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { throw POSIXError(.ESRCH) }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Waits for a condition on the screen.
    /// - Throws: `Timeout` with the screen as it is then.
    public func waitUntil(
        _ what: String, timeout: Duration = .seconds(90), _ condition: @Sendable (TerminalModel) -> Bool
    ) async throws {
        var patience = Patience(timeout)
        while true {
            let hasEnded = reap() != nil
            // What a program wrote last may still be on its way through the terminal.
            if hasEnded { try await waitUntilDrained() }
            if state.withLock({ condition($0.model) }) { return }
            if hasEnded || patience.isOver() {
                throw Timeout(what: what + (hasEnded ? " (the program has ended)" : ""), screen: screenText)
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Does something and measures how long the screen takes to show it: the condition is looked at after each piece of output.
    /// - Parameters:
    ///   - what: for the error.
    ///   - timeout: in seconds.
    ///   - action: what starts the clock, usually a key.
    ///   - condition: what the screen must show; false until the action.
    /// - Returns: seconds.
    /// - Throws: `Timeout`, also when the program ends.
    public func seconds(
        until what: String, timeout: Double = 30, after action: () -> Void = {},
        _ condition: @escaping @Sendable (TerminalModel) -> Bool
    ) throws -> Double {
        let began = Self.now()
        state.withLock { $0.watch = Watch(condition: condition, met: condition($0.model) ? began : nil) }
        defer { state.withLock { $0.watch = nil } }
        action()
        while true {
            if let met = state.withLock({ $0.watch?.met }) { return met - began }
            let hasEnded = reap() != nil
            if hasEnded || Self.now() > began + timeout {
                throw Timeout(what: what + (hasEnded ? " (the program has ended)" : ""), screen: screenText)
            }
            usleep(1000)
        }
    }

    /// Waits for words on the screen.
    public func waitForText(_ words: String, timeout: Duration = .seconds(90)) async throws {
        try await waitUntil("\"\(words)\"", timeout: timeout) { $0.text.contains(words) }
    }

    /// Waits until so many whole pictures stand on the screen, and nothing but whole ones.
    public func waitForPictures(_ count: Int, timeout: Duration = .seconds(90)) async throws {
        try await waitUntil("\(count) pictures", timeout: timeout) {
            $0.intactPictures.count == count && $0.brokenPictures.isEmpty
        }
    }

    /// Waits until nothing has been written for a while.
    public func waitForQuiet(_ quiet: Duration = .milliseconds(400), timeout: Duration = .seconds(90)) async throws {
        var patience = Patience(timeout)
        var stillness = Patience(quiet)
        var seen = -1
        while !stillness.isOver() {
            if patience.isOver() { throw Timeout(what: "quiet", screen: screenText) }
            let now = state.withLock { $0.model.bytesSeen }
            if now != seen { (seen, stillness) = (now, Patience(quiet)) }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Waits for the end of the program, and until the terminal has drawn and answered all that came from it.
    public func waitForExit(timeout: Duration = .seconds(90)) async throws -> Ending {
        var patience = Patience(timeout)
        while true {
            if let ending = reap() {
                try await waitUntilDrained()
                return ending
            }
            if patience.isOver() { throw Timeout(what: "the end of the program", screen: screenText) }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// A byte of our own behind the program's last one shows when the terminal has taken that; then the answers are waited for.
    private func waitUntilDrained() async throws {
        guard !state.withLock({ $0.shouldStop || $0.isStalled }) else { return }
        let start = state.withLock { $0.transcript.count }
        var mark: UInt8 = 0
        guard write(slave, &mark, 1) == 1 else { return }
        var patience = Patience(.seconds(90))
        // Behind it may stand the echo of an answer that came too late.
        while !state.withLock({ $0.transcript[start...].contains(mark) && $0.due.allSatisfy { $0.at == .infinity } }) {
            if patience.isOver() { throw Timeout(what: "the end of what the program wrote", screen: screenText) }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// How the program ended; nil while it runs.
    private func reap() -> Ending? {
        state.withLock { state in
            if let ending = state.ending { return ending }
            var status: Int32 = 0
            guard waitpid(process, &status, WNOHANG) == process else { return nil }
            let signal = status & 0x7f
            state.ending = signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal)
            return state.ending
        }
    }

    /// What lies unread in the terminal's input: after the program's end a shell would take it for typing.
    public func leftoverInput() -> [UInt8] {
        var settings = termios()
        tcgetattr(slave, &settings)
        let before = settings
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
        tcsetattr(slave, TCSANOW, &settings)
        defer {
            var before = before
            tcsetattr(slave, TCSANOW, &before)
        }
        var polls = [pollfd(fd: slave, events: Int16(POLLIN), revents: 0)]
        guard poll(&polls, 1, 0) > 0, polls[0].revents & Int16(POLLIN) != 0 else { return [] }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(slave, &buffer, buffer.count)
        return Array(buffer.prefix(max(0, count)))
    }

    /// Whether the terminal's line settings are as they were before the program came.
    public var settingsAreRestored: Bool {
        var settings = termios()
        tcgetattr(slave, &settings)
        return settings.c_iflag == settingsBefore.c_iflag && settings.c_oflag == settingsBefore.c_oflag
            && settings.c_lflag == settingsBefore.c_lflag
    }

    /// Ends the program if it still runs.
    public func end() {
        let isRunning = state.withLock { state -> Bool in
            state.shouldStop = true
            return state.ending == nil
        }
        guard isRunning else { return }
        kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        state.withLock { $0.ending = .killed(SIGKILL) }
    }

    // MARK: The terminal's side

    private func play() {
        defer { state.withLock { $0.hasStopped = true } }
        var budget = 0.0
        var last = Self.now()
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let now = Self.now()
            let stop = state.withLock { state -> Bool in
                let ready = state.due.prefix { $0.at <= now }
                for answer in ready { _ = write(master, answer.bytes, answer.bytes.count) }
                state.due.removeFirst(ready.count)
                return state.shouldStop
            }
            if stop { return }
            if state.withLock({ $0.isStalled }) {
                usleep(2000)
                continue
            }
            var limit = buffer.count
            if let rate = behaviour.bytesPerSecond {
                budget = min(Double(rate) * 0.05, budget + (now - last) * Double(rate))
                last = now
                limit = Int(budget)
                if limit < 64 {
                    usleep(2000)
                    continue
                }
            }
            var polls = [pollfd(fd: master, events: Int16(POLLIN), revents: 0)]
            guard poll(&polls, 1, 5) > 0 else { continue }
            let count = read(master, &buffer, limit)
            if count <= 0 {
                if count < 0, errno == EINTR || errno == EAGAIN { continue }
                return
            }
            budget -= Double(count)
            take(buffer[..<count])
        }
    }

    private func take(_ bytes: ArraySlice<UInt8>) {
        state.withLock { state in
            state.transcript += bytes
            for question in state.model.feed(bytes) {
                guard let answer = behaviour.answers[question.text] else { continue }
                var at = Self.now() + state.delay
                if let previous = state.due.last, previous.at > at { at = previous.at }
                let all = Array(answer.utf8)
                guard let pieces = behaviour.pieces else {
                    state.due.append((at, all, false))
                    continue
                }
                for start in stride(from: 0, to: all.count, by: pieces.bytes) {
                    at += pieces.pause
                    state.due.append((at, Array(all[start..<min(all.count, start + pieces.bytes)]), start > 0))
                }
            }
            if let watch = state.watch, watch.met == nil, watch.condition(state.model) { state.watch?.met = Self.now() }
        }
    }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func setWindow(_ descriptor: Int32, _ columns: Int, _ rows: Int, pixels: Bool) {
        // xterm counts a border of two pixels in.
        var window = winsize(
            ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: UInt16(pixels ? columns * 8 + 4 : 0),
            ws_ypixel: UInt16(pixels ? rows * 16 + 4 : 0))
        _ = ioctl(descriptor, UInt(TIOCSWINSZ), &window)
    }

    /// A new session whose first open of the terminal makes it the controlling one.
    private static func spawn(
        _ program: String, _ arguments: [String], _ environment: [String: String], terminal: String
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        let setSession = 0x80  // POSIX_SPAWN_SETSID, which the importer does not show
        posix_spawnattr_setflags(&attributes, Int16(setSession | Int(POSIX_SPAWN_SETSIGDEF) | Int(POSIX_SPAWN_SETSIGMASK)))
        var argumentPointers = ([program] + arguments).map { strdup($0) } + [nil]
        var environmentPointers = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer {
            argumentPointers.forEach { free($0) }
            environmentPointers.forEach { free($0) }
        }
        var process: pid_t = 0
        let status = posix_spawn(&process, program, &actions, &attributes, &argumentPointers, &environmentPointers)
        guard status == 0 else { throw POSIXError(POSIXErrorCode(rawValue: status) ?? .EINVAL) }
        return process
    }
}
