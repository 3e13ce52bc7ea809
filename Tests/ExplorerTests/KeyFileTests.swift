import ScreenModel
import Testing

@testable import Explorer

@Suite("Keys of one's own") struct KeyFileTests {
    static func parse(_ text: String) -> (keys: KeyTable, problems: [KeyTable.Problem]) {
        KeyTable.parse(text, file: "keys.toml")
    }

    static func key(_ words: String) -> KeyEvent { KeyName.event(named: words) ?? KeyEvent(.function(99)) }

    @Test("an action gets other keys and loses its old ones; what is not named stays")
    func rebinding() {
        let (keys, problems) = Self.parse(
            """
            # mine
            [explore]
            sample = "y"
            less = ["Left", "Alt-x"]
            zero-all = []

            [people]
            left = "Ctrl-B"
            """)
        #expect(problems.isEmpty)
        #expect(keys.command(for: Self.key("y"), in: .explore) == .sample)
        #expect(keys.command(for: Self.key("n"), in: .explore) == nil)
        #expect(keys.command(for: Self.key("alt-X"), in: .explore) == nil)
        #expect(keys.command(for: Self.key("Alt-x"), in: .explore) == .less)
        #expect(keys.command(for: Self.key("h"), in: .explore) == nil)
        #expect(keys.keys(for: .zeroAll).isEmpty)
        #expect(keys.command(for: Self.key("Ctrl-b"), in: .people) == .galleryLeft)
        #expect(keys.command(for: Self.key("h"), in: .saved) == .galleryLeft)
        #expect(keys.command(for: Self.key("u"), in: .explore) == .undo)
    }

    @Test("two actions may change their keys with each other")
    func swap() {
        let (keys, problems) = Self.parse("[explore]\nless = \"l\"\nmore = \"h\"\n")
        #expect(problems.isEmpty)
        #expect(keys.command(for: Self.key("l"), in: .explore) == .less)
        #expect(keys.command(for: Self.key("h"), in: .explore) == .more)
    }

    @Test(
        "what cannot be is told with file and line, and counts as not there",
        arguments: [
            ("[explore]\n\nsampel = \"y\"\n", "keys.toml:3: unknown action “sampel”"),
            ("[explroe]\nsample = \"y\"\n", "keys.toml:1: unknown screen “explroe”"),
            ("[people]\nsample = \"y\"\n", "keys.toml:2: sample belongs to [explore]"),
            ("[explore]\nsteps = \"y\"\n", "keys.toml:2: steps has no key of its own; the palette has it"),
            ("[explore]\nsample = 3\n", "keys.toml:2: sample is not a key"),
            ("[explore]\nsample = \"Hyper-y\"\n", "keys.toml:2: sample: “Hyper-y” is no key"),
            ("[explore]\nsample = \"u\"\n", "keys.toml:2: u for sample is undo in [explore] already (as it comes)"),
            ("[explore]\nsample = \"q\"\n", "keys.toml:2: q for sample is quit in [everywhere] already (as it comes)"),
            ("[everywhere]\nquit = \"u\"\n", "keys.toml:2: u for quit is undo in [explore] already (as it comes)"),
            ("[explore]\nsample = \"y\"\nundo = \"y\"\n", "keys.toml:3: y for undo is sample in [explore] already (on line 2)"),
            ("[everywhere]\nquit-now = []\n", "keys.toml:2: quit-now needs a key"),
            ("[everywhere]\nsuspend = \"y\"\n", "keys.toml:2: suspend: y alone cannot be it"),
            ("[explore\n", "keys.toml:1: "), ("explore = 3\n", "keys.toml:1: explore is not a table"),
        ])
    func problems(text: String, expected: String) {
        let (keys, problems) = Self.parse(text)
        #expect(problems.count == 1)
        #expect(problems.first?.description.hasPrefix(expected) == true, "\(problems)")
        // All that was wrong in these is one line or two, of which the first holds.
        if !text.contains("undo = ") { #expect(keys == .standard) }
    }

    @Test("the line is found in its own table, not in another with the same action")
    func lines() {
        let (_, problems) = Self.parse("[people]\nleft = \"y\"\n[saved]\n left = \"d\"\n")
        #expect(problems.map(\.line) == [4])
    }

    @Test("a file that gives everything one key leaves a table without clashes")
    func everythingOnOneKey() {
        var text = ""
        for scope in Scope.allCases {
            text += "[\(scope.rawValue)]\n"
            for binding in KeyTable.standard.bindings(in: scope) { text += "\(binding.command.rawValue) = \"Ctrl-X\"\n" }
        }
        let (keys, problems) = Self.parse(text)
        #expect(!problems.isEmpty)
        for scope in Scope.allCases {
            let all = keys.bindings(in: scope).flatMap(\.keys)
            #expect(Set(all).count == all.count, "\(scope)")
        }
    }

    @Test("every key of the standard table can be written", arguments: Scope.allCases)
    func names(scope: Scope) {
        for binding in KeyTable.standard.bindings(in: scope) {
            for key in binding.keys { #expect(KeyName.event(named: KeyName.words(for: key)) == key) }
        }
    }

    @Test(
        "keys that no terminal tells apart are refused",
        arguments: ["", "Ctrl-", "Shift-Ctrl-a", "Shift-Space", "ab", "F0", "F25", "Ctrl-ß"])
    func noKeys(text: String) {
        #expect(KeyName.event(named: text) == nil)
    }

    @Test("keys act, and hints, help, palette, welcome and sentences speak of the ones in use")
    func inUse() {
        let (keys, problems) = Self.parse(
            "[explore]\nsample = \"y\"\n[everywhere]\nwalk = \"M\"\nsave = []\npeople = \"F5\"\n")
        #expect(problems.isEmpty)
        var story = Story(
            ExplorerOptions(size: Size(columns: 120, rows: 34), keys: keys, isFirstRun: true, resumesLastWalk: false))
        story.open()
        story.finishPreview()
        #expect(story.screen.contains("y new"))
        #expect(story.screen.contains("y    somebody new"))
        #expect(story.screen.contains(" F5 People"))
        story.press("n")
        #expect(story.toast.hasPrefix("n does nothing here"))
        story.press("y")
        #expect(story.effects.contains { if case .submit(.sample, _) = $0 { true } else { false } })
        story.press("a")
        story.press("b")
        #expect(story.toast.contains("M walks from A to B"))
        story.press("4")
        #expect(story.screen.contains("press : save on a face"))
        story.press("?")
        story.type("walk from")
        #expect(story.screen.contains("M   ") && !story.screen.contains(" m "))
        story.press(.escape)
        story.press(":")
        story.type("draw somebody")
        #expect(story.screen.contains("y "))
    }
}
