import Glibc
import ScreenModel

/// What a terminal says about itself, in words, for `w2w probe` and for people who report a fault.
public struct TerminalReport: Sendable {
    /// One fact.
    public struct Line: Sendable, Equatable {
        public var name: String
        public var value: String
    }

    /// How pictures would be shown.
    public let graphics: GraphicsMode
    /// Facts, most important first.
    public let lines: [Line]
    /// What a person could do to see real pictures; empty where they do.
    public let advice: [String]
    /// Pixels of a cell, where known.
    let cell: PixelSize?
    let answers: TerminalAnswers

    init(answers: TerminalAnswers, environment: [String: String], size: Size, window: PixelSize, timedOut: Bool) {
        self.answers = answers
        cell = answers.cellSize(columns: size.columns, rows: size.rows, window: window)
        graphics = answers.hasSixel && cell != nil ? .sixel : .blocks
        func value(_ name: String) -> String { environment[name].flatMap { $0.isEmpty ? nil : $0 } ?? "not set" }
        func pixels(_ size: PixelSize?) -> String { size.map { "\($0.width) x \($0.height)" } ?? "not told" }
        let attributes = answers.deviceAttributes.map { $0.map(String.init).joined(separator: " ") }
        let synchronised = answers.synchronisedOutput.map { $0 ? "yes" : "no" }
        var lines = [
            Line(name: "pictures", value: graphics == .sixel ? "sixel" : "half blocks"),
            Line(name: "terminal", value: answers.version ?? "does not give its name"),
            Line(name: "TERM", value: value("TERM")),
            Line(name: "COLORTERM", value: value("COLORTERM")),
            Line(
                name: "window",
                value: "\(size.columns) x \(size.rows) cells, \(pixels(window.width > 0 ? window : answers.textArea)) pixels"),
            Line(name: "cell", value: pixels(cell)),
            Line(name: "device attributes", value: attributes ?? (timedOut ? "no answer in 1.5 s" : "no answer")),
            Line(name: "sixel", value: answers.hasSixel ? "yes" : answers.deviceAttributes == nil ? "not known" : "no"),
            Line(name: "sixel colours", value: answers.colourRegisters.map(String.init) ?? "not told"),
            Line(name: "largest picture", value: pixels(answers.largestPicture)),
            Line(name: "synchronised output", value: synchronised ?? "not told"),
        ]
        if let light = answers.backgroundLuminance {
            lines.append(Line(name: "background", value: light > 0.5 ? "light" : "dark"))
        }
        for name in ["LC_ALL", "LC_CTYPE", "LANG", "NO_COLOR", TerminalOptions.graphicsVariable, "TMUX", "SSH_CONNECTION"]
        where environment[name] != nil {
            lines.append(Line(name: name, value: value(name)))
        }
        self.lines = lines
        advice = graphics == .sixel ? [] : Self.advice(answers, environment)
    }

    private static func advice(_ answers: TerminalAnswers, _ environment: [String: String]) -> [String] {
        let version = answers.version ?? ""
        if answers.isTmux || environment["TMUX"] != nil {
            return [
                "tmux shows pictures from version 3.4 on, if it was built with sixel and the terminal around it has sixel, too.",
                "Outside tmux, `w2w` may show them right away.",
            ]
        }
        if version.hasPrefix("XTerm") {
            return ["xterm can: start it as `xterm -ti vt340`, or put `XTerm*decGraphicsID: vt340` into ~/.Xresources."]
        }
        if answers.deviceAttributes == nil {
            return ["The terminal did not answer. If it can show sixel pictures all the same: `w2w --graphics sixel`."]
        }
        if answers.hasSixel {
            return ["The terminal has sixel but does not tell how large its characters are: try `w2w --graphics sixel`."]
        }
        return [
            "Terminals with sixel: xterm (-ti vt340), foot, WezTerm, Konsole, iTerm2, mlterm, contour, Windows Terminal (1.22),"
                + " the one of VS Code (setting terminal.integrated.enableImages)."
        ]
    }

    /// Asks the terminal on standard input without taking the screen over. Waits at most 1.5 seconds.
    /// - Parameter environment: the process environment.
    /// - Returns: what the terminal answered.
    /// - Throws: `TerminalError.notATerminal`.
    public static func collect(environment: [String: String]) throws -> TerminalReport {
        guard isatty(0) == 1, isatty(1) == 1 else { throw TerminalError.notATerminal }
        var before = termios()
        tcgetattr(0, &before)
        var raw = before
        cfmakeraw(&raw)
        // Ctrl-C still works.
        raw.c_lflag |= tcflag_t(ISIG)
        tcsetattr(0, TCSANOW, &raw)
        defer { tcsetattr(0, TCSAFLUSH, &before) }

        var answers = TerminalAnswers()
        var decoder = InputDecoder()
        decoder.expectsAnswer = true
        let question = environment["TERM"] == "linux" ? TerminalAnswers.modestQuestions : TerminalAnswers.questions
        let bytes = Array(question.utf8)
        _ = write(1, bytes, bytes.count)
        let end = monotonicMilliseconds() + 1500
        var buffer = [UInt8](repeating: 0, count: 1024)
        while answers.deviceAttributes == nil {
            let left = end - monotonicMilliseconds()
            guard left > 0 else { break }
            var polls = [pollfd(fd: 0, events: Int16(POLLIN), revents: 0)]
            guard Glibc.poll(&polls, 1, Int32(left.rounded(.up))) > 0 else { continue }
            let count = read(0, &buffer, buffer.count)
            guard count > 0 else { break }
            for case .answer(let sequence) in decoder.feed(buffer.prefix(count), at: monotonicMilliseconds()) {
                answers.absorb(sequence)
            }
        }
        var window = winsize()
        _ = ioctl(1, UInt(TIOCGWINSZ), &window)
        return TerminalReport(
            answers: answers, environment: environment, size: Size(columns: Int(window.ws_col), rows: Int(window.ws_row)),
            window: PixelSize(width: Int(window.ws_xpixel), height: Int(window.ws_ypixel)),
            timedOut: answers.deviceAttributes == nil)
    }
}
