import ScreenModel
import Testing

@testable import Terminal

@Suite struct ColourDepthTests {
    @Test func greysStayVisibleWhereFewColoursAreLeft() {
        let border = Colour(index: 239, rgb: 0x4b5059)
        #expect(ColourDepth.eight.number(ofForeground: border) == 7)
        #expect(ColourDepth.sixteen.number(ofForeground: border) == 8)
        #expect(ColourDepth.palette.number(ofForeground: border) == 239)
        let selection = Colour(index: 236, rgb: 0x2c3038)
        #expect(ColourDepth.eight.number(ofBackground: selection) == -1)
        #expect(ColourDepth.palette.number(ofBackground: selection) == 236)
        // What is asked for as black is black.
        #expect(ColourDepth.eight.number(ofForeground: Colour(index: 0)) == 0)
        #expect(ColourDepth.eight.number(ofForeground: nil) == -1)
    }

    /// Accent, warning, ends and praise of the standard theme.
    @Test(
        arguments: [
            (0xe8a868, 3, 3), (0xef7a6d, 1, 9), (0x5fc9c9, 6, 6), (0xc98bd9, 5, 5), (0x8fc98f, 2, 2), (0x8a8f98, 7, 8),
        ] as [(UInt32, Int32, Int32)])
    func coloursThatMeanSomethingStayApart(_ rgb: UInt32, _ ofEight: Int32, _ ofSixteen: Int32) {
        let colour = Colour(index: 100, rgb: rgb)
        #expect(ColourDepth.eight.number(of: colour) == ofEight)
        #expect(ColourDepth.sixteen.number(of: colour) == ofSixteen)
    }
}

@Suite struct TerminalAnswersTests {
    private func answers(_ text: String) -> TerminalAnswers {
        var decoder = InputDecoder()
        var answers = TerminalAnswers()
        for case .answer(let sequence) in decoder.feed(Array(text.utf8), at: 0) { answers.absorb(sequence) }
        return answers
    }

    @Test func xtermWithSixel() {
        let xterm = answers(
            "\u{1b}P>|XTerm(379)\u{1b}\\\u{1b}[6;17;8t\u{1b}[4;680;960t\u{1b}[?1;0;256S\u{1b}[?2;0;960;680S\u{1b}[?2026;0$y"
                + "\u{1b}]11;rgb:ffff/ffff/ffff\u{1b}\\\u{1b}[?63;1;2;4;6;9;15;16;22;28c")
        #expect(xterm.hasSixel)
        #expect(xterm.version == "XTerm(379)")
        #expect(xterm.cell == PixelSize(width: 8, height: 17))
        #expect(xterm.textArea == PixelSize(width: 960, height: 680))
        #expect(xterm.colourRegisters == 256)
        #expect(xterm.largestPicture == PixelSize(width: 960, height: 680))
        #expect(xterm.synchronisedOutput == false)
        #expect(xterm.backgroundLuminance.map { $0 > 0.99 } == true)
        #expect(xterm.brandHasDirectColour)
    }

    /// Plain xterm answers the questions about graphics, and has none: only attribute 4 counts.
    @Test func graphicsGeometryIsNoSignOfSixel() {
        let plain = answers("\u{1b}[?1;0;256S\u{1b}[?2;0;960;680S\u{1b}[?64;1;2;6;9;15;16;17;18;21;22;28c")
        #expect(!plain.hasSixel)
        #expect(!answers("\u{1b}[?4c").hasSixel, "the first number is the class of terminal")
    }

    @Test func refusalsLeaveNothing() {
        let tmux = answers("\u{1b}P>|tmux 3.3a\u{1b}\\\u{1b}[?2;3;0S\u{1b}[?1;2;0c")
        #expect(tmux.isTmux)
        #expect(tmux.largestPicture == nil)
        #expect(!tmux.hasSixel)
        #expect(answers("\u{1b}]11;black\u{7}\u{1b}[6;0;0t\u{1b}[?2;0;0;0S") == TerminalAnswers())
    }

    @Test func cellSizesComeFromWhoeverKnowsBest() {
        var some = TerminalAnswers()
        let none = PixelSize(width: 0, height: 0)
        #expect(some.cellSize(columns: 120, rows: 40, window: none) == nil)
        // xterm counts its border in.
        #expect(
            some.cellSize(columns: 120, rows: 40, window: PixelSize(width: 964, height: 684)) == PixelSize(width: 8, height: 17))
        some.textArea = PixelSize(width: 1200, height: 800)
        #expect(some.cellSize(columns: 120, rows: 40, window: none) == PixelSize(width: 10, height: 20))
        some.cell = PixelSize(width: 9, height: 18)
        #expect(some.cellSize(columns: 120, rows: 40, window: none) == some.cell)
        // Some ssh clients invent the window's pixels; the terminal itself does not.
        #expect(some.cellSize(columns: 120, rows: 40, window: PixelSize(width: 640, height: 480)) == some.cell)
    }

    @Test func optionsHonourTheEnvironment() {
        #expect(TerminalOptions(environment: ["W2W_GRAPHICS": "blocks"]).graphics == .blocks)
        #expect(TerminalOptions(graphics: .sixel, environment: ["W2W_GRAPHICS": "blocks"]).graphics == .sixel)
        #expect(TerminalOptions(environment: ["W2W_GRAPHICS": "nonsense"]).graphics == .auto)
        #expect(TerminalOptions(environment: ["NO_COLOR": "1"]).noColour)
        #expect(!TerminalOptions(environment: ["NO_COLOR": ""]).noColour)
    }

    @Test func reportsSayWhatToDo() {
        func report(_ text: String, _ environment: [String: String] = ["TERM": "xterm-256color"]) -> TerminalReport {
            TerminalReport(
                answers: answers(text), environment: environment, size: Size(columns: 80, rows: 24),
                window: PixelSize(width: 640, height: 384), timedOut: text.isEmpty)
        }
        let good = report("\u{1b}P>|foot(1.16)\u{1b}\\\u{1b}[?62;4;22c")
        #expect(good.graphics == .sixel)
        #expect(good.advice.isEmpty)
        #expect(good.lines.contains(TerminalReport.Line(name: "cell", value: "8 x 16")))
        #expect(report("\u{1b}P>|XTerm(379)\u{1b}\\\u{1b}[?64;1c").advice.first?.contains("-ti vt340") == true)
        #expect(report("\u{1b}[?1;2c", ["TMUX": "/tmp/x"]).advice.first?.contains("tmux") == true)
        #expect(report("").advice.first?.contains("--graphics sixel") == true)
        #expect(report("").lines.contains(TerminalReport.Line(name: "device attributes", value: "no answer in 1.5 s")))
    }

    @Test(arguments: [
        (TerminalError.notATerminal, "w2w render"), (.unknownTerminal("vt9"), "TERM=vt9"),
        (.unknownTerminal(""), "TERM is not set"),
        (.noCursorAddressing("dumb"), "TERM=dumb"),
    ])
    func errorsSayWhatToDo(error: TerminalError, words: String) {
        #expect(error.description.contains(words))
        #expect(error.description.split(separator: "\n").count == 2)
    }
}
