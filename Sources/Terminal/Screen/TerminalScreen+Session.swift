import CNcursesw
import Glibc
import ScreenModel

extension TerminalScreen {
    var isProbing: Bool {
        if case .asked = probe { true } else { false }
    }

    var probeDeadline: Double? {
        if case .asked(let began) = probe { began + Self.probeLimit } else { nil }
    }

    /// With `none` the terminal is asked nothing, for those that cannot bear questions.
    var asksQuestions: Bool { options.graphics != .none }

    /// Asks what the terminal can do. The first screen stands already; answers are taken as they come.
    func ask(_ now: Double) {
        tell(Self.mouseOn(options))
        guard asksQuestions else {
            probe = .answered
            return
        }
        probe = .asked(at: now)
        decoder.expectsAnswer = true
        tell(environment["TERM"] == "linux" ? TerminalAnswers.modestQuestions : TerminalAnswers.questions)
    }

    /// Chooses how pictures are shown, says so once, and draws the frame again if that changes something.
    func decideGraphics() {
        let old = graphics
        var note: String?
        if options.graphics == .auto {
            let cell = answers.cellSize(columns: size.columns, rows: size.rows, window: Self.windowSize().pixels)
            if answers.hasSixel, cell != nil {
                graphics = .sixel
            } else {
                graphics = .blocks
                note = probe == .silent ? Self.silentNote : Self.noPicturesNote(answers)
            }
        }
        if !hasAnnounced || graphics != old {
            hasAnnounced = true
            events.append(.graphics(graphics, note: note))
        }
        if pending == nil { pending = current }
    }

    private static let silentNote =
        "The terminal does not say whether it shows pictures, so these are blocks. Try --graphics sixel."

    private static func noPicturesNote(_ answers: TerminalAnswers) -> String {
        if answers.hasSixel { return "The terminal does not tell the size of its characters, so pictures are blocks." }
        if answers.isTmux { return "This tmux passes no pictures on, so these are blocks. `w2w probe` tells more." }
        return "No pictures in this terminal, so these are blocks. `w2w probe` tells more."
    }

    static func mouseOn(_ options: TerminalOptions) -> String {
        options.mouse ? "\u{1b}[?1000h\u{1b}[?1002h\u{1b}[?1006h" : ""
    }

    private static func mouseOff(_ options: TerminalOptions) -> String {
        options.mouse ? "\u{1b}[?1006l\u{1b}[?1002l\u{1b}[?1000l" : ""
    }

    /// Stops the program as Ctrl-Z does in a shell, and takes the screen back when it goes on.
    public func suspend() {
        guard isOpen else { return }
        giveBack()
        ProcessSignals.stopHere()
        // Raw mode before anything is asked, or the shell's echo would show the answers.
        curses.enter()
        _ = ProcessSignals.take()
        tell(Self.mouseOn(options))
        pictures.forgetConfirmations()
        pictures.screenWasCleared()
        shownGrid = nil
        adoptWindowSize()
        if probe != .answered, asksQuestions { probe = .notAsked }
        if pending == nil { pending = current }
    }

    /// Gives the terminal back as it was. Does nothing the second time.
    public func close() {
        guard isOpen else { return }
        isOpen = false
        giveBack()
        if ProcessSignals.hasAbandonedTerminal { ProcessSignals.putBack() }
        dup2(originalStandardError, 2)
        ProcessSignals.remove()
        pictures.close()
        Glibc.close(originalStandardError)
        // The pipe stays: an encoder that is still at work may write to it.
    }

    /// Leaves the screen clean, with no question open.
    private func giveBack() {
        if !isGone {
            pictures.stop(within: 1000)
            // Some terminals keep pixels when the other screen comes back.
            if !pictures.coveredCells.isEmpty { erase(pictures.coveredCells) }
            // An enlarged tmux leaves lines that reach the edge on the shell's screen unless they are erased.
            tell(Self.mouseOff(options) + "\u{1b}[m\u{1b}[2J")
            if asksQuestions, probe != .notAsked, !ProcessSignals.hasAbandonedTerminal { settle() }
        }
        curses.leave()
    }

    /// How long a last answer is waited for, in milliseconds: the wait ends with the answer, so only one that is lost costs so much.
    private var patience: Double {
        if ProcessSignals.mustEnd { return min(2000, max(1000, 1.5 * pictures.shortestAnswer)) }
        // A terminal that answered before will do so again; on a link, or a machine, on which everything takes long, late.
        if pictures.shortestAnswer > 0 { return min(6000, max(3000, 3 * pictures.shortestAnswer)) }
        // Left before it was known whether it answers.
        return isProbing ? 1500 : 500
    }

    /// Answers that are still under way would be typed into the shell: one last question, and all up to its answer is ours. It asks where the
    /// cursor is, as nothing else does, so that no late answer to another question is taken for its own.
    private func settle() {
        tell("\u{1b}[6n")
        var patience = patience
        var sequence: [UInt8] = []
        var hasAnswered = false
        var buffer = [UInt8](repeating: 0, count: 1024)
        while patience > 0, !hasAnswered, !ProcessSignals.hasAbandonedTerminal {
            let began = monotonicMilliseconds()
            var polls = [pollfd(fd: 0, events: Int16(POLLIN), revents: 0)]
            let slice = 50.0
            let ready = Glibc.poll(&polls, 1, Int32(slice))
            // Only time in which this process could have heard an answer counts: it, or the machine, may have stood still.
            patience -= min(slice, monotonicMilliseconds() - began)
            guard ready > 0 else { continue }
            let count = read(0, &buffer, buffer.count)
            guard count > 0 else { break }
            for byte in buffer.prefix(count) {
                if byte == 0x1b { sequence = [] } else if sequence.count < 16 { sequence.append(byte) }
                if byte == UInt8(ascii: "R"), sequence.first == UInt8(ascii: "["), sequence.contains(UInt8(ascii: ";")) {
                    hasAnswered = true
                }
            }
        }
        // Once all has been answered, what follows is typed for the shell.
        if !hasAnswered { tcflush(0, TCIFLUSH) }
        pictures.forgetConfirmations()
        if isProbing { probe = .silent }
    }
}
