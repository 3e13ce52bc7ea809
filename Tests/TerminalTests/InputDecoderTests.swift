import ScreenModel
import Testing

@testable import Terminal

@Suite struct InputDecoderTests {
    private func keys(_ text: String, at now: Double = 0) -> [InputDecoder.Token] {
        var decoder = InputDecoder()
        return decoder.feed(Array(text.utf8), at: now) + decoder.expire(at: now + 10_000)
    }

    @Test(arguments: [
        ("a", KeyEvent(.character("a"))), ("é", KeyEvent(.character("é"))), ("日", KeyEvent(.character("日"))),
        ("\r", KeyEvent(.enter)), ("\n", KeyEvent(.enter)), ("\t", KeyEvent(.tab)), ("\u{7f}", KeyEvent(.backspace)),
        ("\u{12}", KeyEvent(.character("r"), control: true)), ("\u{3}", KeyEvent(.character("c"), control: true)),
        ("\u{1b}", KeyEvent(.escape)), ("\u{1b}x", KeyEvent(.character("x"), alt: true)),
        ("\u{1b}[A", KeyEvent(.up)), ("\u{1b}OA", KeyEvent(.up)), ("\u{1b}[D", KeyEvent(.left)),
        ("\u{1b}[1;2C", KeyEvent(.right, shift: true)), ("\u{1b}[1;5D", KeyEvent(.left, control: true)),
        ("\u{1b}[1;4A", KeyEvent(.up, shift: true, alt: true)), ("\u{1b}[c", KeyEvent(.right, shift: true)),
        ("\u{1b}[H", KeyEvent(.home)), ("\u{1b}[1~", KeyEvent(.home)), ("\u{1b}[4~", KeyEvent(.end)),
        ("\u{1b}OF", KeyEvent(.end)),
        ("\u{1b}[5~", KeyEvent(.pageUp)), ("\u{1b}[6~", KeyEvent(.pageDown)), ("\u{1b}[3~", KeyEvent(.delete)),
        ("\u{1b}[3;2~", KeyEvent(.delete, shift: true)), ("\u{1b}[Z", KeyEvent(.tab, shift: true)),
        ("\u{1b}OP", KeyEvent(.function(1))), ("\u{1b}[15~", KeyEvent(.function(5))), ("\u{1b}[24~", KeyEvent(.function(12))),
        ("\u{1b}[[B", KeyEvent(.function(2))), ("\u{1b}OM", KeyEvent(.enter)), ("\u{1b}Ok", KeyEvent(.character("+"))),
        ("\u{1b}[97;5u", KeyEvent(.character("a"), control: true)),
        ("\u{1b}[27;5;114~", KeyEvent(.character("r"), control: true)),
    ])
    func sequencesBecomeKeys(text: String, key: KeyEvent) {
        #expect(keys(text) == [.key(key)])
    }

    @Test(arguments: [
        ("\u{1b}[<0;5;3M", MouseEvent(.press, at: Point(x: 4, y: 2))),
        ("\u{1b}[<0;5;3m", MouseEvent(.release, at: Point(x: 4, y: 2))),
        ("\u{1b}[<32;9;3M", MouseEvent(.drag, at: Point(x: 8, y: 2))),
        ("\u{1b}[<64;1;1M", MouseEvent(.wheelUp, at: Point(x: 0, y: 0))),
        ("\u{1b}[<65;200;1M", MouseEvent(.wheelDown, at: Point(x: 199, y: 0))),
        ("\u{1b}[M !!", MouseEvent(.press, at: Point(x: 0, y: 0))),
    ])
    func mouseReports(text: String, event: MouseEvent) {
        #expect(keys(text) == [.mouse(event)])
    }

    @Test(arguments: ["\u{1b}[<2;5;3M", "\u{1b}[<0;0;3M", "\u{1b}[<0;5M", "\u{1b}[I", "\u{1b}[200~", "\u{1b}[<;;M"])
    func otherReportsAreNeitherKeysNorClicks(text: String) {
        #expect(!keys(text).contains { if case .answer = $0 { false } else { true } })
    }

    @Test func aLoneEscapeWaitsShortly() {
        var decoder = InputDecoder()
        #expect(decoder.feed([0x1b], at: 100).isEmpty)
        #expect(decoder.deadline == 180)
        #expect(decoder.expire(at: 179).isEmpty)
        #expect(decoder.expire(at: 180) == [.key(KeyEvent(.escape))])
        #expect(decoder.deadline == nil)
    }

    @Test func anArrowThatComesInPiecesStaysAnArrow() {
        var decoder = InputDecoder()
        #expect(decoder.feed([0x1b], at: 0).isEmpty)
        #expect(decoder.feed([0x5b], at: 60).isEmpty)
        #expect(decoder.feed([0x43], at: 400) == [.key(KeyEvent(.right))])
    }

    @Test func everySplitOfAnAnswerIsSwallowed() {
        let text =
            "\u{1b}P>|XTerm(379)\u{1b}\\\u{1b}[6;17;8t\u{1b}[?1;0;256S\u{1b}[?2026;2$y\u{1b}]11;rgb:ff/ff/ff\u{7}\u{1b}[?63;4c\u{1b}[0n"
        let bytes = Array(text.utf8)
        for cut in 1..<bytes.count {
            var decoder = InputDecoder()
            decoder.expectsAnswer = true
            var tokens = decoder.feed(bytes[..<cut], at: 0)
            tokens += decoder.feed(bytes[cut...], at: 150)
            #expect(tokens.count == 7, "cut at \(cut)")
            #expect(tokens.allSatisfy { if case .answer = $0 { true } else { false } }, "cut at \(cut)")
        }
    }

    @Test func anAnswerWhoseEscapeWasTakenForAKeyIsStillNoTyping() {
        for (rest, kind) in [("[?63;1;4c", "?63;1;4c"), ("[0n", "0n"), ("P>|foot\u{1b}\\", ">|foot")] {
            var decoder = InputDecoder()
            decoder.expectsAnswer = true
            var tokens = decoder.feed([0x1b], at: 0)
            tokens += decoder.feed(Array(rest.utf8), at: 900)
            #expect(tokens.first == .key(KeyEvent(.escape)))
            #expect(tokens.count == 2)
            if case .answer(let sequence)? = tokens.last { #expect(sequence.text == kind) } else { Issue.record("\(tokens)") }
        }
    }

    @Test func whatOnlyLooksLikeAnAnswerIsTyping() {
        var decoder = InputDecoder()
        decoder.expectsAnswer = true
        _ = decoder.feed([0x1b], at: 0)
        #expect(decoder.feed(Array("[".utf8), at: 500).map(name) == ["escape"])
        #expect(decoder.feed(Array("q".utf8), at: 520).map(name) == ["[", "q"])
        _ = decoder.feed([0x1b], at: 3000)
        #expect(decoder.feed(Array("P".utf8), at: 3500).map(name) == ["escape"])
        #expect(decoder.expire(at: 4000).map(name) == ["P"])
    }

    @Test func brokenSequencesAreForgotten() {
        var decoder = InputDecoder()
        #expect(decoder.feed(Array("\u{1b}[12;3".utf8), at: 0).isEmpty)
        #expect(decoder.expire(at: 2100).isEmpty)
        #expect(decoder.feed(Array("a".utf8), at: 2200).map(name) == ["a"])
        #expect(decoder.feed(Array("\u{1b}[1\u{18}b".utf8), at: 2300).map(name) == ["b"])
        #expect(decoder.feed(Array("\u{1b}Pabc\u{1b}[A".utf8), at: 2400).map(name) == ["up"])
        #expect(decoder.feed([0xc3, 0x61, 0xff, 0x62], at: 2500).map(name) == ["a", "b"])
        let endless = [0x1b, 0x5d] + [UInt8](repeating: 0x61, count: 20_000)
        _ = decoder.feed(endless, at: 2600)
        #expect(decoder.deadline == nil, "an endless string is given up, not kept")
    }

    /// Random bytes never trap and never leave the decoder without a way out.
    @Test func anyBytesAreTaken() {
        var generator = SystemRandomNumberGenerator()
        var decoder = InputDecoder()
        for round in 0..<300 {
            decoder.expectsAnswer = round % 2 == 0
            let bytes = (0..<100).map { _ in
                Bool.random(using: &generator)
                    ? UInt8.random(in: 0...255, using: &generator) : [0x1b, 0x5b, 0x50, 0x3b, 0x4f][round % 5]
            }
            _ = decoder.feed(bytes, at: Double(round) * 1000)
            _ = decoder.expire(at: Double(round) * 1000 + 990)
        }
        _ = decoder.expire(at: 1e9)
        #expect(decoder.feed(Array("z".utf8), at: 2e9).map(name).last == "z")
    }

    private func name(_ token: InputDecoder.Token) -> String {
        guard case .key(let key) = token else { return "\(token)" }
        if case .character(let character) = key.key { return String(character) }
        return "\(key.key)"
    }
}
