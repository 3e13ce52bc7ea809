import Foundation
import Glibc
import PseudoTerminal
import Testing

/// Whole sessions with the real program, engine and library included.
@Suite(.takesTurns) struct SessionTests {
    /// Ways in which terminals answer.
    enum Kind: String, CaseIterable, Sendable {
        case sixel, synchronised, withoutSixel, slow, late, inPieces, silent

        var behaviour: Behaviour {
            switch self {
            case .sixel: .sixel
            case .synchronised: .synchronised
            case .withoutSixel: .noSixel
            case .slow: .slow(400_000)
            case .late: .late(0.7)
            case .inPieces: .fragmented
            case .silent: .silent
            }
        }

        var hasPictures: Bool { self != .withoutSixel && self != .silent }
    }

    @Test(arguments: Kind.allCases)
    func browseChangeSamplePickMorphSaveQuitReopen(kind: Kind) async throws {
        let home = try ExplorerProgram.Home()
        let program = try ExplorerProgram(kind.behaviour, home: home)
        let session = program.session

        // A face, drawn the way this terminal can.
        try await session.waitForText("1 Explore")
        try await program.waitForFinishedFace()
        if kind.hasPictures {
            // An answer that comes late finds the face there in blocks.
            try await session.waitUntil("a face in pixels") { ExplorerProgram.largestPicture($0) != nil }
        } else {
            #expect(session.model.drawnPictureCount == 0)
        }

        // Change: the value and the face follow the keys, undo brings both back.
        let before = ExplorerProgram.look(session.model)
        session.send(.shiftRight, .shiftRight)
        try await session.waitForText("+ 1 change")
        try await program.waitForOtherFace(than: before, "a changed face")
        session.send("u")
        try await session.waitUntil("the change is undone") { !$0.text.contains("+ 1 change") }
        session.send(.control("r"))
        try await session.waitForText("+ 1 change")

        // Sample: somebody new, the first end of a walk; somebody else, the second.
        let changed = ExplorerProgram.look(session.model)
        session.send("n")
        try await session.waitForText("sample ")
        try await program.waitForOtherFace(than: changed, "a new person")
        session.send("a")

        // Browse: a gallery that fills up.
        session.send("2")
        try await session.waitForText("in this space")
        if kind.hasPictures {
            try await session.waitUntil("a gallery of faces") { $0.intactPictures.count >= 3 }
        } else {
            try await session.waitUntil("a gallery of faces") { $0.text.components(separatedBy: "▀").count > 100 }
        }
        session.send(.right, .right, .down)
        session.send("b")

        // Walk.
        session.send("m")
        try await session.waitForText("Morph ─ sample ")
        try await session.waitUntil("all frames of the walk") { model in
            (0..<model.rows).contains { model.text(row: $0).hasPrefix("╰") && model.text(row: $0).contains(" 9 frames ") }
        }
        if kind.hasPictures { try await session.waitUntil("the strip") { $0.intactPictures.count >= 10 } }
        session.send(.right, .right, .right)
        session.send("p")
        session.send("p")

        // Keep, leave, come back.
        session.send("f")
        session.send("4")
        try await session.waitForText("Saved ─ 1 face")
        try await program.quit()

        let again = try ExplorerProgram(kind.behaviour, home: home)
        try await again.session.waitForText("1 Explore")
        try await again.waitForFinishedFace()
        again.session.send("4")
        try await again.session.waitForText("Saved ─ 1 face")
        again.session.send(.enter)
        try await again.session.waitForText("Preview ─")
        try await again.waitForFinishedFace("the saved face")
        try await again.quit()
    }

    @Test func theTextNeverTouchesAPicture() async throws {
        let program = try ExplorerProgram()
        let session = program.session
        try await program.waitForFinishedFace()
        try await session.waitForQuiet()
        session.forgetTouches()
        for _ in 0..<5 { session.send(.right, .down, .left, .left, .up) }
        try await session.waitForText(" change")
        try await program.waitForFinishedFace()
        try await session.waitForQuiet()
        #expect(session.model.touches.isEmpty)
        #expect(session.model.pictureScrolls == 0)
        for picture in session.model.intactPictures {
            #expect(picture.image.holes == 0 && !picture.image.usesUndefinedColours && picture.image.strangeBytes == 0)
        }
        session.send("?")
        try await session.waitForText("type to filter")
        session.send(.escape)
        try await program.waitForFinishedFace()
        try await program.quit()
    }

    @Test func theWindowChanges() async throws {
        let program = try ExplorerProgram()
        let session = program.session
        try await program.waitForFinishedFace()
        session.resize(columns: 140, rows: 40)
        try await session.waitUntil("a larger face") { (ExplorerProgram.largestPicture($0)?.rows ?? 0) > 22 }
        session.resize(columns: 50, rows: 18)
        try await session.waitForText("make the window at least")
        try await session.waitForPictures(0)
        session.resize(columns: 80, rows: 24)
        try await program.waitForFinishedFace()
        let face = try #require(ExplorerProgram.largestPicture(session.model))
        #expect(face.column + face.columns <= 80 && face.row + face.rows < 24)
        try await program.quit()
    }

    @Test func leavingAtOnceLeavesNothing() async throws {
        for kind in [Kind.sixel, .late, .silent] {
            let program = try ExplorerProgram(kind.behaviour)
            program.session.send("q")
            try await program.expectCleanEnd()
        }
    }

    /// The engine computes on while the process ends: whatever takes the libraries down under it crashes now and then.
    @Test func leavingWhileDrawingTakesNoLibraryDown() async throws {
        let home = try ExplorerProgram.Home()
        let loader = home.path + "/loader"
        let program = try ExplorerProgram(home: home, environment: ["LD_DEBUG": "files", "LD_DEBUG_OUTPUT": loader])
        try await program.waitForFinishedFace()
        program.session.send("n")
        try await program.quit()
        let log = try String(contentsOfFile: "\(loader).\(program.session.process)", encoding: .utf8)
        #expect(log.contains("calling init: ") && log.contains("libdnnl"))
        #expect(!log.contains("calling fini: "))
    }

    /// Keys of somebody who knows what they want wait for the terminal's mode and for the space.
    @Test func keysTypedAtOnceAreNotLost() async throws {
        for kind in [Kind.sixel, .late, .silent] {
            let program = try ExplorerProgram(kind.behaviour)
            program.session.send(.right, .down, .right)
            try await program.session.waitForText("+ 2 changes")
            try await program.quit()
        }
    }

    @Test func interruptAndTerminate() async throws {
        let program = try ExplorerProgram()
        try await program.session.waitForText("1 Explore")
        program.session.send(.control("c"))
        let ending = try await program.session.waitForExit()
        #expect(ending == .exited(0) || ending == .exited(130))
        #expect(program.session.settingsAreRestored)
        #expect(!program.session.model.onAlternateScreen)

        let other = try ExplorerProgram()
        try await other.session.waitForText("1 Explore")
        other.session.signal(SIGTERM)
        _ = try await other.session.waitForExit()
        #expect(other.session.settingsAreRestored)
        #expect(!other.session.model.onAlternateScreen)
        #expect(other.session.leftoverInput().isEmpty)
    }

    /// What was typed while the terminal took nothing is done before the signal ends the program.
    @Test(arguments: [SIGTERM, SIGHUP]) func aStalledTerminalIsLeftAndNothingLost(signal: Int32) async throws {
        let home = try ExplorerProgram.Home()
        let program = try ExplorerProgram(home: home, arguments: ["--graphics", "none"])
        let session = program.session
        try await session.waitForText("final")
        try session.choke()
        session.send("2")
        try await Task.sleep(for: .milliseconds(200))
        session.send("1f")
        session.signal(signal)
        #expect(try await session.waitForExit(timeout: .seconds(15)) == .exited(0))
        #expect(session.settingsAreRestored)

        let again = try ExplorerProgram(home: home)
        try await again.waitForFinishedFace()
        again.session.send("4")
        try await again.session.waitForText("Saved ─ 1 face")
        try await again.quit()
    }

    @Test func aCrashPutsTheTerminalBackAndLosesNothing() async throws {
        let home = try ExplorerProgram.Home()
        let program = try ExplorerProgram(home: home, environment: ["SWIFT_BACKTRACE": "enable=no"])
        try await program.waitForFinishedFace()
        program.session.send("f")
        program.session.send("4")
        try await program.session.waitForText("Saved ─ 1 face")
        program.session.signal(SIGSEGV)
        let ending = try await program.session.waitForExit()
        #expect(ending == .killed(SIGSEGV))
        #expect(program.session.settingsAreRestored)
        #expect(!program.session.model.onAlternateScreen)
        #expect(program.session.model.cursorVisible)

        let again = try ExplorerProgram(home: home)
        try await again.session.waitForText("1 Explore")
        try await again.waitForFinishedFace()
        again.session.send("4")
        try await again.session.waitForText("Saved ─ 1 face")
        try await again.quit()
    }

    @Test func suspendedAndResumedInAShell() async throws {
        let home = try ExplorerProgram.Home()
        let session = try Session(
            program: "/bin/bash", arguments: ["--norc", "--noprofile", "-i"], behaviour: .late(0.03), columns: 100, rows: 30,
            environment: home.environment.merging(
                ["PS1": "shell> ", "HISTFILE": "/dev/null", "PROGRAM": ExplorerProgram.path], uniquingKeysWith: { $1 }))
        defer { session.end() }
        try await session.waitForText("shell>")
        session.send("\"$PROGRAM\"\r")
        try await session.waitUntil("a face") { ExplorerProgram.showsFace($0) && $0.text.contains(" steps · ") }
        session.send(.control("z"))
        try await session.waitUntil("the shell") { !$0.onAlternateScreen && $0.text.contains("Stopped") }
        #expect(session.model.modes.isDisjoint(with: [1000, 1002, 1006]))
        session.send("echo back-$((1+1))\r")
        try await session.waitForText("back-2")
        session.send("fg\r")
        try await session.waitUntil("the screen again") { $0.onAlternateScreen }
        session.send(.right)
        try await session.waitForText("+ 1 change")
        try await session.waitUntil("the face again", ExplorerProgram.showsFace)
        session.send("q")
        try await session.waitUntil("the shell again") { !$0.onAlternateScreen }
        session.send("echo done-$((1+1))\r")
        try await session.waitForText("done-2")
        #expect(!session.screenText.contains("63;1;2;4") && !session.screenText.contains("XTerm"), "answers in the shell")
        session.send("exit\r")
        _ = try await session.waitForExit()
    }

    @Test func withoutATerminalItSaysWhatToUse() async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: ExplorerProgram.path)
        let output = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        while process.isRunning { try await Task.sleep(for: .milliseconds(5)) }
        #expect(process.terminationStatus == 2)
        #expect(text.contains("needs a terminal") && text.contains("w2w render"))
    }

    @Test(arguments: [("dumb", "cannot place its cursor"), ("no-such-terminal", "is unknown on this machine")])
    func terminalsThatCannotAreRefusedInWords(name: String, words: String) async throws {
        let program = try ExplorerProgram(environment: ["TERM": name])
        let ending = try await program.session.waitForExit()
        #expect(ending == .exited(1) || ending == .exited(2))
        #expect(program.session.screenText.contains(words))
        #expect(program.session.settingsAreRestored)
    }

    @Test func noColourAndASCII() async throws {
        let program = try ExplorerProgram(.noSixel, environment: ["NO_COLOR": "1", "LC_ALL": "C"])
        try await program.session.waitForText("1 Explore")
        try await program.session.waitForText(" steps ")
        try await program.session.waitForQuiet()
        #expect(program.session.transcript.allSatisfy { $0 < 0x80 })
        let model = program.session.model
        #expect(model.cells.allSatisfy { $0.attributes.foreground == .standard && $0.attributes.background == .standard })
        try await program.quit()
    }
    @Test func aTerminalWithoutColours() async throws {
        let program = try ExplorerProgram(.noSixel, environment: ["TERM": "vt100"])
        try await program.session.waitForText("1 Explore")
        try await program.session.waitForQuiet()
        let model = program.session.model
        let bar = (0..<model.columns).map { model[$0, 0] }
        let first = try #require(bar.indices.first { String(bar.dropFirst($0).prefix(7).map(\.character)) == "Explore" })
        // The theme without colours marks the open tab by attributes, and it alone.
        #expect(bar[first].attributes.reverse)
        #expect(bar.filter(\.attributes.reverse).count < 16)
        try await program.quit()
    }
}
