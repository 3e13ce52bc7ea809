import ScreenModel
import Testing

@Suite struct CellGridTests {
    @Test func textIsPlacedAndClipped() {
        var grid = CellGrid(size: Size(columns: 6, rows: 2))
        #expect(grid.put("abcdefgh", x: 4, y: 0) == 12)
        #expect(grid.put("xyz", x: -1, y: 1) == 2)
        grid.put("never", x: 0, y: 2)
        grid.put("never", x: 0, y: -1)
        #expect(grid.text == "    ab\nyz")
    }

    @Test func clipRectangleProtectsItsSurroundings() {
        var grid = CellGrid(size: Size(columns: 8, rows: 1))
        grid.put("--------", x: 0, y: 0)
        grid.put("abcdefgh", x: 0, y: 0, clip: Rect(x: 2, y: 0, columns: 3, rows: 1))
        #expect(grid.text == "--cde---")
    }

    @Test func wideCharactersTakeTwoCells() {
        var grid = CellGrid(size: Size(columns: 6, rows: 1))
        #expect(grid.put("日本x", x: 0, y: 0) == 5)
        #expect(grid[0, 0].character == "日")
        #expect(grid[1, 0].character == Cell.continuation)
        #expect(grid[4, 0].character == "x")
    }

    @Test func aWideCharacterAcrossAnEdgeLeavesABlank() {
        var grid = CellGrid(size: Size(columns: 3, rows: 1))
        grid.put("...", x: 0, y: 0)
        grid.put("日本", x: 0, y: 0)
        #expect(grid[2, 0].character == " ")
        grid.put("日", x: -1, y: 0)
        #expect(grid[0, 0].character == " ")
        #expect(grid[1, 0].character == " ", "the half that lost its beginning is blank")
    }

    @Test func overwritingHalfAWideCharacterBlanksTheOtherHalf() {
        var grid = CellGrid(size: Size(columns: 4, rows: 1))
        grid.put("日本", x: 0, y: 0)
        grid.put("a", x: 1, y: 0)
        #expect(grid.text == " a本")
        grid.put("b", x: 2, y: 0)
        #expect(grid.text == " ab")
        #expect(!grid.cells.contains { $0.character == Cell.continuation })
    }

    @Test(arguments: [
        ("e\u{301}", 1, "e\u{301}"), ("\u{1f1e9}\u{1f1ea}", 1, "\u{1f1e9}"), ("👩‍👩‍👧", 2, "👩"), ("\u{202e}abc", 3, "abc"),
        ("a\u{7}b\nc", 5, "a b c"), ("\r\n", 1, ""), ("ｗ", 2, "ｗ"), ("─┼●", 3, "─┼●"),
    ])
    func onlyWhatACellCanHoldIsDrawn(text: String, columns: Int, drawn: String) {
        var grid = CellGrid(size: Size(columns: 10, rows: 1))
        #expect(grid.put(text, x: 0, y: 0) == columns)
        #expect(grid.text == drawn)
        #expect(TextWidth.columns(of: text) == columns)
    }

    @Test func framesCarryTitleAndNote() {
        var grid = CellGrid(size: Size(columns: 14, rows: 3))
        grid.border(grid.bounds, title: "Axes", note: "6/12")
        #expect(grid.text == "╭ Axes ──────╮\n│            │\n╰───── 6/12 ─╯")
        grid.border(grid.bounds, title: "much too long a title")
        #expect(grid.text(row: 0) == "╭ much to… ──╮")
        grid.border(Rect(x: 0, y: 0, columns: 1, rows: 1))
        #expect(grid[0, 0].character == "╭", "too small for a frame: nothing changes")
    }

    @Test func fillAndCopyStayInside() {
        var grid = CellGrid(size: Size(columns: 4, rows: 2))
        grid.fill(Rect(x: -2, y: -2, columns: 4, rows: 3), with: Cell("#"))
        #expect(grid.text == "##\n")
        var small = CellGrid(size: Size(columns: 3, rows: 1))
        small.put("日x", x: 0, y: 0)
        grid.draw(small, at: Point(x: 3, y: 1))
        #expect(grid.text == "##\n")
        grid.draw(small, at: Point(x: 1, y: 1))
        #expect(grid.text == "##\n 日x")
        grid.draw(small, at: Point(x: 40, y: -7))
    }

    @Test func emptyGridsTakeEverything() {
        var grid = CellGrid(size: Size(columns: -3, rows: 0))
        grid.put("x", x: 0, y: 0)
        grid.fill(Rect(x: 0, y: 0, columns: 5, rows: 5), with: Cell("x"))
        grid.border(Rect(x: 0, y: 0, columns: 5, rows: 5))
        #expect(grid.cells.isEmpty)
    }
}
