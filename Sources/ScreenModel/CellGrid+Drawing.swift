/// Text, areas and frames. Everything is clipped to the grid (and to `clip`, where there is one) and never fails.
extension CellGrid {
    /// Writes one line of text from `x` on.
    ///
    /// Graphemes that only half fit at an edge leave a blank there. A wide character that is partly overwritten loses its other half.
    /// - Parameters:
    ///   - text: any text; control characters become blanks, marks without a base are left out.
    ///   - x: column of the first grapheme, may lie outside.
    ///   - y: row, may lie outside.
    ///   - style: how it looks.
    ///   - clip: cells that may change; the whole grid if nil.
    /// - Returns: the column behind the text, whether or not it was visible.
    @discardableResult
    public mutating func put(_ text: some StringProtocol, x: Int, y: Int, style: Style = .plain, clip: Rect? = nil) -> Int {
        let area = clip.map { bounds.intersection($0) } ?? bounds
        var column = x
        let rowIsVisible = y >= area.y && y < area.maxY
        for character in text {
            guard let drawable = TextWidth.drawable(character) else { continue }
            let width = TextWidth.columns(of: drawable)
            if rowIsVisible, column < area.maxX, column + width > area.x {
                if column >= area.x, column + width <= area.maxX {
                    set(column, y, Cell(drawable, style))
                    if width == 2 { set(column + 1, y, Cell(Cell.continuation, style)) }
                } else {
                    // A wide character across the edge: its visible half is blank.
                    set(column >= area.x ? column : column + 1, y, Cell(" ", style))
                }
            }
            column += width
        }
        return column
    }

    /// Writes text into a field of `columns`, cut with an ellipsis where it is too long, the rest of the field filled with blanks.
    /// - Returns: the column behind the field.
    @discardableResult
    public mutating func put(
        _ text: String, x: Int, y: Int, columns: Int, alignedRight: Bool = false, style: Style = .plain, clip: Rect? = nil
    ) -> Int {
        guard columns > 0 else { return x }
        put(TextWidth.pad(text, to: columns, alignedRight: alignedRight), x: x, y: y, style: style, clip: clip)
        return x + columns
    }

    /// Writes text in the middle of a row of `rect`, cut where it is too long.
    /// - Parameters:
    ///   - text: one line.
    ///   - rect: the text stays inside.
    ///   - row: counted from the top of `rect`.
    ///   - style: how it looks.
    public mutating func putCentred(_ text: String, in rect: Rect, row: Int, style: Style = .plain) {
        let cut = TextWidth.truncate(text, to: rect.columns)
        put(cut, x: rect.x + (rect.columns - TextWidth.columns(of: cut)) / 2, y: rect.y + row, style: style, clip: rect)
    }

    /// Fills a rectangle with one cell of width 1.
    public mutating func fill(_ rect: Rect, with cell: Cell = .blank) {
        let area = bounds.intersection(rect)
        for y in area.y..<area.maxY {
            for x in area.x..<area.maxX { set(x, y, cell) }
        }
    }

    /// Draws a thin frame along the inside edge of `rect`, with words set into its edges. The inside is left as it is.
    /// - Parameters:
    ///   - rect: outer size; nothing is drawn below 2 x 2 cells.
    ///   - style: of the lines.
    ///   - title: set into the top edge from the left; cut where it is too long.
    ///   - titleStyle: as `style` where nil.
    ///   - note: set into the bottom edge at the right; left out where it does not fit.
    ///   - noteStyle: as `style` where nil.
    public mutating func border(
        _ rect: Rect, style: Style = .plain, title: String = "", titleStyle: Style? = nil, note: String = "",
        noteStyle: Style? = nil
    ) {
        guard rect.columns >= 2, rect.rows >= 2 else { return }
        let inner = rect.columns - 2
        let (left, right, top, bottom) = (rect.x, rect.maxX - 1, rect.y, rect.maxY - 1)
        put("╭" + String(repeating: "─", count: inner) + "╮", x: left, y: top, style: style)
        put("╰" + String(repeating: "─", count: inner) + "╯", x: left, y: bottom, style: style)
        for y in (top + 1)..<max(top + 1, bottom) {
            put("│", x: left, y: y, style: style)
            put("│", x: right, y: y, style: style)
        }
        if !title.isEmpty, inner >= 5 {
            let words = " " + TextWidth.truncate(title, to: inner - 4) + " "
            put(words, x: left + 1, y: top, style: titleStyle ?? style)
        }
        let width = TextWidth.columns(of: note) + 2
        if !note.isEmpty, width + 2 <= inner {
            put(" " + note + " ", x: right - 1 - width, y: bottom, style: noteStyle ?? style)
        }
    }

    /// Copies another grid so that its top left cell lies at `origin`.
    public mutating func draw(_ other: CellGrid, at origin: Point) {
        let area = bounds.intersection(Rect(x: origin.x, y: origin.y, columns: other.size.columns, rows: other.size.rows))
        for y in area.y..<area.maxY {
            for x in area.x..<area.maxX {
                let cell = other[x - origin.x, y - origin.y]
                if cell.character == Cell.continuation, x == area.x { continue }
                if TextWidth.columns(of: cell.character) == 2, x + 1 >= area.maxX {
                    set(x, y, Cell(" ", cell.style))
                } else {
                    set(x, y, cell)
                }
            }
        }
    }

    /// The text of one row without its trailing blanks; for tests and for people who read them.
    public func text(row y: Int) -> String {
        guard y >= 0, y < size.rows else { return "" }
        var line = ""
        for x in 0..<size.columns where self[x, y].character != Cell.continuation { line.append(self[x, y].character) }
        while line.last == " " { line.removeLast() }
        return line
    }

    /// All rows, one a line, without trailing blanks.
    public var text: String {
        (0..<size.rows).map { text(row: $0) }.joined(separator: "\n")
    }

    /// Writes a cell and blanks the lost half of any wide character that it cuts.
    private mutating func set(_ x: Int, _ y: Int, _ cell: Cell) {
        let old = self[x, y]
        if old.character == Cell.continuation, cell.character != Cell.continuation, x > 0 {
            self[x - 1, y].character = " "
        } else if x + 1 < size.columns, self[x + 1, y].character == Cell.continuation, old.character != Cell.continuation {
            self[x + 1, y].character = " "
        }
        self[x, y] = cell
    }
}
