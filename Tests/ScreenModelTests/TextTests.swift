import ScreenModel
import Testing

@Suite struct TextTests {
    @Test(arguments: [
        ("hello", 5, "hello"), ("hello", 4, "hel…"), ("hello", 1, "…"), ("hello", 0, ""), ("日本語", 5, "日本…"), ("日本語", 4, "日…"),
    ])
    func truncationKeepsWholeCharacters(text: String, columns: Int, expected: String) {
        #expect(TextWidth.truncate(text, to: columns) == expected)
    }

    @Test func fieldsAreFilled() {
        #expect(TextWidth.pad("ab", to: 4) == "ab  ")
        #expect(TextWidth.pad("ab", to: 4, alignedRight: true) == "  ab")
        #expect(TextWidth.pad("日本", to: 3) == "日…")
    }

    @Test func linesBreakAtBlanks() {
        #expect(TextWidth.wrap("one two three", to: 7) == ["one two", "three"])
        #expect(TextWidth.wrap("abcdefghij", to: 4) == ["abcd", "efgh", "ij"])
        #expect(TextWidth.wrap("a\n\nb", to: 4) == ["a", "", "b"])
        #expect(TextWidth.wrap("日本", to: 1) == ["日", "本"])
        #expect(TextWidth.wrap("", to: 3) == [""])
    }

    @Test func asciiSubstitutesKeepTheirWidth() {
        for character in "╭─╮│╰╯┼●━·▸▶σ…−é★█░▏▌⠋" {
            let plain = GlyphSet.ascii.glyph(character)
            #expect(plain.isASCII, "\(character)")
            #expect(GlyphSet.unicode.glyph(character) == character)
        }
        #expect(GlyphSet.ascii.glyph("日") == "?")
        #expect(GlyphSet.ascii.glyph("é") == "e")
    }

    @Test func rectanglesMeet() {
        let rect = Rect(x: 2, y: 1, columns: 6, rows: 4)
        #expect(rect.intersection(Rect(x: 0, y: 0, columns: 4, rows: 3)) == Rect(x: 2, y: 1, columns: 2, rows: 2))
        #expect(rect.intersection(Rect(x: 20, y: 0, columns: 4, rows: 3)).isEmpty)
        #expect(rect.split(column: 9).right.isEmpty)
        #expect(rect.split(row: 1).bottom == Rect(x: 2, y: 2, columns: 6, rows: 3))
        #expect(!rect.contains(Point(x: 8, y: 1)))
    }
}
