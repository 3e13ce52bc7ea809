import BuiltPrograms
import Foundation
import Glibc
import PseudoTerminal
import Testing

/// A program on `Terminal` alone, played through a terminal that answers in all the ways that terminals do.
@Suite(.serialized) struct ScreenSessionTests {
    private func start(
        _ behaviour: Behaviour = .sixel, columns: Int = 90, rows: Int = 24, environment: [String: String] = [:],
        arguments: [String] = []
    ) throws -> Session {
        try Session(
            program: BuiltPrograms.path(of: "TerminalDemo"), arguments: arguments, behaviour: behaviour, columns: columns,
            rows: rows,
            environment: environment)
    }

    /// Nothing is left of the program: screen, modes, line settings, input.
    private func expectCleanEnd(_ session: Session, mayHaveScrolled: Bool = false) async throws {
        let ending = try await session.waitForExit()
        #expect(ending == .exited(0))
        let model = session.model
        #expect(!model.onAlternateScreen)
        #expect(model.cursorVisible)
        #expect(model.modes.isDisjoint(with: [1000, 1002, 1006, 2026, 1]))
        #expect(session.settingsAreRestored)
        #expect(session.leftoverInput().isEmpty, "answers that a shell would take for typing")
        #expect(model.unknown.isEmpty)
        // A picture that was on its way while the window shrank may reach its last row.
        #expect(mayHaveScrolled || model.pictureScrolls == 0)
    }

    @Test func aPictureComesAndIsNeverTouched() async throws {
        let session = try start()
        defer { session.end() }
        try await session.waitForText("graphics sixel")
        try await session.waitForPictures(1)
        try await session.waitForQuiet()
        let picture = try #require(session.model.intactPictures.first)
        #expect(picture.image.holes == 0 && !picture.image.usesUndefinedColours && picture.image.strangeBytes == 0)
        #expect(picture.image.height % 6 == 0 && picture.image.width == picture.image.height)
        #expect(picture.row + picture.rows < 24 && picture.column + picture.columns < 90)
        session.forgetTouches()
        for _ in 0..<6 { session.send(.right) }
        session.send(.down)
        for _ in 0..<9 { session.send(.left) }
        session.send(.up, .home)
        for _ in 0..<12 { session.send(.right) }
        try await session.waitForText("axis 0 100%")
        try await session.waitForText("final")
        try await session.waitForPictures(1)
        try await session.waitForQuiet()
        #expect(session.model.touches.isEmpty, "curses wrote over the picture")
        #expect(session.model.drawnPictureCount > 1)
        // The skin follows the slider: dark at the end.
        let face = try #require(session.model.intactPictures.first?.image)
        let centre = face.width / 2
        let skin = try #require(face.meanColour(x: (centre - 6)..<(centre + 6), y: (centre - 6)..<(centre + 6)))
        #expect(skin.red < 160)
        session.send("q")
        try await expectCleanEnd(session)
    }

    @Test func galleriesStripsAndOverlays() async throws {
        let session = try start(.synchronised)
        defer { session.end() }
        try await session.waitForPictures(1)
        session.send("g")
        try await session.waitForPictures(12)
        #expect(session.model.intactPictures.allSatisfy { $0.synchronised })
        session.send("o")
        try await session.waitForText("an overlay over the pictures")
        try await session.waitForPictures(0)
        session.send("o")
        try await session.waitForPictures(12)
        session.send("m")
        try await session.waitForPictures(10)
        session.forgetTouches()
        session.send(.right, .right, .left)
        try await session.waitForQuiet()
        try await session.waitForPictures(10)
        #expect(session.model.touches.isEmpty)
        session.send(.control("l"))
        try await session.waitForQuiet()
        try await session.waitForPictures(10)
        session.send("q")
        try await expectCleanEnd(session)
    }

    @Test func linesThatMoveLeaveThePictureWhereItIs() async throws {
        let session = try start()
        defer { session.end() }
        try await session.waitForPictures(1)
        session.send("v")
        try await session.waitForText("from 10 on")
        try await session.waitForPictures(1)
        try await session.waitForQuiet()
        session.forgetTouches()
        let drawn = session.model.drawnPictureCount
        for (key, first) in [(Session.SpecialKey.pageDown, 15), (.pageDown, 20), (.pageUp, 15), (.pageUp, 10)] {
            session.send(key)
            try await session.waitForText("from \(first) on")
            try await session.waitForQuiet()
            #expect(session.model.text.contains("line \(first + 22) of"))
        }
        #expect(session.model.touches.isEmpty, "curses scrolled the picture or wrote over it")
        #expect(session.model.intactPictures.count == 1)
        #expect(session.model.drawnPictureCount == drawn, "a picture that stays is not sent again")
        session.send("q")
        try await expectCleanEnd(session)
    }

    @Test func withoutSixelThereAreBlocks() async throws {
        let session = try start(.noSixel)
        defer { session.end() }
        try await session.waitForText("graphics blocks: No pictures in this terminal")
        try await session.waitForText("▀▀▀▀")
        try await session.waitForQuiet()
        #expect(session.model.drawnPictureCount == 0)
        let colours = blockColours(session.model)
        #expect(colours.contains { if case .index = $0 { true } else { false } })
        #expect(!colours.contains { if case .rgb = $0 { true } else { false } })
        session.send("o")
        try await session.waitForText("an overlay")
        #expect(!session.model.text.contains("▀"))
        session.send("q")
        try await expectCleanEnd(session)
    }

    @Test func blocksIn24Bits() async throws {
        let session = try start(.noSixel, environment: ["COLORTERM": "truecolor"])
        defer { session.end() }
        try await session.waitForText("▀▀▀▀")
        #expect(blockColours(session.model).contains { if case .rgb = $0 { true } else { false } })
        session.send("q")
        try await expectCleanEnd(session)
    }

    @Test func noColourMeansNone() async throws {
        let session = try start(.noSixel, environment: ["NO_COLOR": "1"])
        defer { session.end() }
        try await session.waitForText("graphics blocks")
        try await session.waitUntil("a ramp of characters") { $0.text.contains("%%%") || $0.text.contains("***") }
        let model = session.model
        #expect(model.cells.allSatisfy { $0.attributes.foreground == .standard && $0.attributes.background == .standard })
        session.send("q")
        try await expectCleanEnd(session)
    }

    @Test func anASCIILocaleGetsASCII() async throws {
        let session = try start(.noSixel, environment: ["LC_ALL": "C"])
        defer { session.end() }
        try await session.waitForText("+ Sliders -")
        try await session.waitForText("-----o....")
        try await session.waitForText("graphics blocks")
        try await session.waitForQuiet()
        #expect(session.transcript.allSatisfy { $0 < 0x80 })
        session.send("q")
        try await expectCleanEnd(session)
    }

    @Test func aSilentTerminalIsUsableAtOnceAndGetsBlocksLater() async throws {
        let session = try start(.silent)
        defer { session.end() }
        try await session.waitForText("axis 0 30%")
        session.send(.right)
        try await session.waitForText("axis 0 35%")
        try await session.waitForText("does not say whether it shows pictures")
        try await session.waitForText("▀▀▀▀")
        session.send("q")
        try await expectCleanEnd(session)
    }

    @Test func aLateAnswerUpgradesAndIsNoTyping() async throws {
        let session = try start(.late(.infinity))
        defer { session.end() }
        try await session.waitForText("▀▀▀▀")
        session.answerNow()
        try await session.waitForText("graphics sixel")
        try await session.waitForPictures(1)
        #expect(!session.model.text.contains("▀"))
        #expect(session.model.text.contains("input: none"))
        session.send("q")
        try await expectCleanEnd(session)
    }

    @Test func answersInPiecesAreAnswers() async throws {
        let session = try start(.fragmented)
        defer { session.end() }
        try await session.waitForPictures(1)
        try await session.waitForQuiet()
        #expect(session.model.text.contains("input: none"))
        session.send(.right)
        try await session.waitForText("axis 0 35%")
        session.send("q")
        try await expectCleanEnd(session)
    }

    @Test func quittingBeforeTheAnswersLeavesNothing() async throws {
        for delay in [0.0, 0.1, 0.3] {
            let session = try start(.late(delay))
            defer { session.end() }
            session.send("q")
            let ending = try await session.waitForExit()
            #expect(ending == .exited(0))
            try await Task.sleep(for: .seconds(delay))
            #expect(session.leftoverInput().isEmpty, "with a delay of \(delay) s")
            #expect(session.settingsAreRestored)
            #expect(!session.model.onAlternateScreen)
        }
    }

    /// The text must not wait for the picture; the picture must arrive in the end.
    @Test func aSlowTerminalShowsTextFirstAndThePictureInTheEnd() async throws {
        let session = try start(.slow(60_000))
        defer { session.end() }
        try await session.waitForText("axis 0 30%")
        try await session.waitForText("graphics sixel")
        for step in 1...8 {
            session.send(.right)
            try await session.waitForText("axis 0 \(30 + 5 * step)%")
        }
        try await session.waitForPictures(1)
        try await session.waitForQuiet(.milliseconds(800))
        try await session.waitForPictures(1)
        let picture = try #require(session.model.intactPictures.first)
        #expect(picture.image.holes == 0)
        session.send("q")
        try await expectCleanEnd(session)
    }

    @Test func theWindowChanges() async throws {
        let session = try start()
        defer { session.end() }
        try await session.waitForPictures(1)
        session.resize(columns: 70, rows: 20)
        try await session.waitForText("resized 70x20")
        try await session.waitForPictures(1)
        try await session.waitForQuiet()
        let picture = try #require(session.model.intactPictures.first)
        #expect(picture.row + picture.rows < 20 && picture.column + picture.columns < 70)
        session.resize(columns: 30, rows: 8)
        try await session.waitForText("make the window at least 50x12")
        try await session.waitForPictures(0)
        for width in 60..<80 {
            session.resize(columns: width, rows: 15 + width % 7)
            try await Task.sleep(for: .milliseconds(7))
        }
        session.resize(columns: 90, rows: 24)
        try await session.waitForText("resized 90x24")
        try await session.waitForPictures(1)
        session.send("q")
        try await expectCleanEnd(session, mayHaveScrolled: true)
    }

    @Test func aWindowWithoutPixelsIsAskedForItsCells() async throws {
        var behaviour = Behaviour.sixel
        behaviour.tellsPixels = false
        let session = try start(behaviour)
        defer { session.end() }
        try await session.waitForPictures(1)
        session.send("q")
        try await expectCleanEnd(session)

        behaviour.answers["[16t"] = nil
        behaviour.answers["[14t"] = nil
        let blind = try start(behaviour)
        defer { blind.end() }
        try await blind.waitForText("does not tell the size of its characters")
        try await blind.waitForText("▀▀▀▀")
        blind.send("q")
        try await expectCleanEnd(blind)
    }

    @Test(arguments: ["sixel", "blocks", "none"])
    func theChoiceOfAPersonCounts(choice: String) async throws {
        for behaviour in [Behaviour.sixel, .noSixel] {
            let session = try start(behaviour, environment: ["W2W_GRAPHICS": choice])
            defer { session.end() }
            try await session.waitForText("axis 0 30%")
            switch choice {
            case "sixel": try await session.waitForPictures(1)
            case "blocks": try await session.waitForText("▀▀▀▀")
            default:
                try await session.waitForQuiet(.milliseconds(300))
                #expect(!session.model.text.contains("▀") && session.model.drawnPictureCount == 0)
                #expect(!String(decoding: session.transcript, as: UTF8.self).contains("\u{1b}[c"), "nothing is asked")
            }
            session.send("q")
            try await expectCleanEnd(session)
        }
    }

    @Test func mouseAndModifiersArrive() async throws {
        let session = try start()
        defer { session.end() }
        try await session.waitForPictures(1)
        session.click(column: 12, row: 7)
        try await session.waitForText("input: release 12,7")
        session.wheel(-1, column: 3, row: 4)
        try await session.waitForText("input: wheelDown 3,4")
        session.send(.shiftRight)
        try await session.waitForText("input: shift-right")
        session.send(.control("r"))
        try await session.waitForText("input: ctrl-r")
        session.send(.pageDown)
        try await session.waitForText("input: pageDown")
        session.send(.escape)
        try await session.waitForText("input: escape")
        session.send("é")
        try await session.waitForText("input: é")
        session.send(.control("c"))
        try await expectCleanEnd(session)
    }

    @Test(arguments: [SIGTERM, SIGHUP, SIGINT])
    func politeSignalsEndIt(signal: Int32) async throws {
        let session = try start()
        defer { session.end() }
        try await session.waitForPictures(1)
        session.signal(signal)
        try await expectCleanEnd(session)
    }

    /// Half a picture is on the wire and a changed slider waits for its end: there is nothing to do but to wait for the terminal.
    @Test func aTerminalThatTakesNothingCostsNothing() async throws {
        let session = try start(.slow(20_000), columns: 200, rows: 60)
        defer { session.end() }
        try await session.waitForText("graphics sixel")
        while !session.transcript.contains(Array("\u{1b}P".utf8)) { try await Task.sleep(for: .milliseconds(5)) }
        session.stall()
        session.send(.right)
        var share = 1.0
        for _ in 0..<10 where share > 0.2 {
            let (began, before) = (ContinuousClock.now, try session.processorSeconds())
            try await Task.sleep(for: .seconds(1))
            share = (try session.processorSeconds() - before) / ((ContinuousClock.now - began) / .seconds(1))
        }
        #expect(share <= 0.2, "of a core")
        session.stall(false)
        try await session.waitForText("axis 0 35%")
        session.send("q")
        try await expectCleanEnd(session)
    }

    /// Text is written until the terminal has taken it, a picture when there is room: a signal must reach a program that waits for either.
    @Test(arguments: [SIGTERM, SIGHUP, SIGINT, SIGSEGV], ["none", "sixel"])
    func signalsEndItThoughTheTerminalTakesNothing(signal: Int32, graphics: String) async throws {
        let isText = graphics == "none"
        let session = try start(
            columns: 200, rows: 60, environment: ["SWIFT_BACKTRACE": "enable=no"], arguments: [graphics])
        defer { session.end() }
        try await session.waitForText("axis 0")
        if isText { session.send("v") }
        try await session.waitForQuiet()
        try session.choke()
        session.send(isText ? .pageDown : .left)
        try await Task.sleep(for: .milliseconds(200))
        // Each time that the loop takes an interrupt it has earned three more.
        for _ in 0..<(signal == SIGINT ? 12 : 1) {
            session.signal(signal)
            try await Task.sleep(for: .milliseconds(20))
        }
        // A second for the terminal, the rest for a busy machine.
        let ending = try await session.waitForExit(timeout: .seconds(15))
        if [SIGTERM, SIGHUP].contains(signal) { #expect(ending == .exited(0)) }
        if signal == SIGSEGV || signal == SIGINT && isText { #expect(ending == .killed(signal)) }
        #expect(session.settingsAreRestored)
        // Whoever looks again finds a sane screen.
        session.stall(false)
        try await session.waitUntil("the shell's screen") { !$0.onAlternateScreen && $0.cursorVisible }
        #expect(session.model.modes.isDisjoint(with: [1000, 1002, 1006, 2026, 1]))
    }

    @Test func aTerminalThatHasGoneEndsIt() async throws {
        // Told by the signal or by what is read; told by what is written alone.
        for key in ["", "L"] {
            let session = try start()
            defer { session.end() }
            try await session.waitForPictures(1)
            session.send(key)
            session.hangUp()
            #expect(try await session.waitForExit() == .exited(0), "after '\(key)'")
        }
    }

    @Test func aCrashPutsTheTerminalBack() async throws {
        for signal in [SIGSEGV, SIGABRT, SIGILL] {
            let session = try start(environment: ["SWIFT_BACKTRACE": "enable=no"])
            defer { session.end() }
            try await session.waitForPictures(1)
            session.signal(signal)
            let ending = try await session.waitForExit()
            #expect(ending == .killed(signal))
            #expect(session.settingsAreRestored)
            #expect(!session.model.onAlternateScreen)
            #expect(session.model.cursorVisible)
            #expect(session.model.modes.isDisjoint(with: [1000, 1002, 1006]))
        }
    }

    @Test func exitPastTheScreenPutsTheTerminalBack() async throws {
        let session = try start()
        defer { session.end() }
        try await session.waitForPictures(1)
        session.send("E")
        let ending = try await session.waitForExit()
        #expect(ending == .exited(3))
        #expect(session.settingsAreRestored)
        #expect(!session.model.onAlternateScreen)
    }

    @Test func aHangingProgramCanBeInterrupted() async throws {
        let session = try start()
        defer { session.end() }
        try await session.waitForPictures(1)
        session.send("H")
        try await session.waitForQuiet()
        for _ in 0..<5 {
            session.send(.control("c"))
            try await Task.sleep(for: .milliseconds(100))
        }
        let ending = try await session.waitForExit()
        #expect(ending == .killed(SIGINT))
        #expect(session.settingsAreRestored)
        #expect(!session.model.onAlternateScreen)
    }

    @Test func suspendedAndResumedInAShell() async throws {
        let session = try Session(
            program: "/bin/bash", arguments: ["--norc", "--noprofile", "-i"], behaviour: .late(0.05), columns: 90, rows: 24,
            environment: ["PS1": "shell> ", "HISTFILE": "/dev/null", "DEMO": BuiltPrograms.path(of: "TerminalDemo")])
        defer { session.end() }
        try await session.waitForText("shell>")
        session.send("\"$DEMO\"\r")
        try await session.waitForPictures(1)
        for round in 1...2 {
            session.send(.control("z"))
            try await session.waitUntil("the shell") { !$0.onAlternateScreen && $0.text.contains("Stopped") }
            #expect(session.model.modes.isDisjoint(with: [1000, 1002, 1006]))
            session.send("echo back-$((\(round)+1))\r")
            try await session.waitForText("back-\(round + 1)")
            session.resize(columns: 90 - round, rows: 24)
            session.send("fg\r")
            try await session.waitUntil("the program") { $0.onAlternateScreen && $0.text.contains("Sliders") }
            try await session.waitForText("resized \(90 - round)x24")
            try await session.waitForPictures(1)
            session.send(.right)
            try await session.waitForText("axis 0 \(30 + 5 * round)%")
        }
        session.send("q")
        try await session.waitUntil("the shell's prompt") { !$0.onAlternateScreen }
        session.send("echo done-$((1+1))\r")
        try await session.waitForText("done-2")
        let lines = session.screenText.split(separator: "\n")
        #expect(!lines.contains { $0.contains("63;1;2;4") || $0.contains("0n") || $0.contains("XTerm") }, "answers in the shell")
        session.send("exit\r")
        _ = try await session.waitForExit()
    }

    @Test(arguments: [("dumb", "cannot place its cursor"), ("no-such-terminal", "is unknown on this machine")])
    func terminalsThatCannotAreRefusedInWords(name: String, words: String) async throws {
        let session = try start(environment: ["TERM": name])
        defer { session.end() }
        let ending = try await session.waitForExit()
        #expect(ending == .exited(2))
        #expect(session.screenText.contains(words))
        #expect(session.settingsAreRestored)
    }

    private func blockColours(_ model: TerminalModel) -> [TerminalModel.Colour] {
        model.cells.filter { $0.character == "▀" }.map(\.attributes.foreground)
    }
}
