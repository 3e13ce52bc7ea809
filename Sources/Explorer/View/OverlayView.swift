import EngineAPI
import ScreenModel

extension ExplorerModel {
    /// The middle of the window.
    func overlayRect(size: Size) -> Rect {
        let columns = min(size.columns - 4, max(56, size.columns * 6 / 10)).clamped(to: 1...96)
        let rows = min(size.rows - 4, max(16, size.rows * 7 / 10))
        return Rect(x: (size.columns - columns) / 2, y: max(1, (size.rows - rows) / 2), columns: columns, rows: max(0, rows))
    }

    func drawOverlay(on canvas: inout Canvas, size: Size) {
        let rect = overlayRect(size: size)
        switch overlay {
        case nil: return
        case .help(let filter, let top): drawHelp(filter, top, on: &canvas, in: rect)
        case .palette(let query, let selected): drawPalette(query, selected, on: &canvas, in: rect)
        }
    }

    // MARK: Help

    /// The columns of the keys in the help: what the longest of them need, up to a third.
    func helpKeyColumns(columns: Int) -> Int { min(18, columns / 3) }

    private func drawHelp(_ filter: String, _ top: Int, on canvas: inout Canvas, in rect: Rect) {
        canvas.cover(rect)
        let lines = helpLines(filter: filter)
        let inner = canvas.pane(rect, titles: ["Keys", filter.isEmpty ? "type to filter" : "/\(filter)"], focused: true).inset(
            left: 1, right: 1)
        if lines.isEmpty { canvas.centred("no key for “\(filter)”", in: inner, row: inner.rows / 2, .dim) }
        let keyColumns = helpKeyColumns(columns: inner.columns)
        for row in 0..<min(inner.rows, max(0, lines.count - top)) {
            let y = inner.y + row
            switch lines[top + row] {
            case .heading(let title): canvas.text(title, x: inner.x, y: y, .accent, bold: true, clip: inner)
            case .blank: break
            case .key(let keys, let words, let command):
                let isOff = command.map { disabledReason($0) != nil } ?? false
                canvas.field(keys, x: inner.x + 2, y: y, columns: keyColumns, isOff ? .dim : .text, bold: !isOff, clip: inner)
                canvas.field(
                    words, x: inner.x + keyColumns + 3, y: y, columns: max(0, inner.columns - keyColumns - 3),
                    isOff ? .dim : .text, clip: inner)
            }
        }
        let more = lines.count - top - inner.rows
        canvas.note(more > 0 ? "↓ \(more) more · Esc closes" : "Esc closes", on: rect)
        canvas.cursor = nil
    }

    // MARK: The palette

    private func drawPalette(_ query: String, _ selected: Int, on canvas: inout Canvas, in rect: Rect) {
        canvas.cover(rect)
        let inner = canvas.pane(rect, titles: ["Commands"], focused: true).inset(left: 1, right: 1)
        guard inner.rows >= 3 else { return }
        let x = canvas.text(": ", x: inner.x, y: inner.y, .accent, bold: true)
        let (end, _) = (canvas.text(TextWidth.truncate(query, to: max(0, inner.maxX - x - 1)), x: x, y: inner.y, clip: inner), 0)
        if query.isEmpty { canvas.text("what would you like to do", x: x + 1, y: inner.y, .dim, clip: inner) }
        canvas.cursor = Point(x: min(inner.maxX - 1, end), y: inner.y)
        canvas.text(String(repeating: "─", count: inner.columns), x: inner.x, y: inner.y + 1, .border, clip: inner)
        let entries = paletteEntries(query: query)
        let list = inner.inset(top: 2)
        if entries.isEmpty { canvas.centred("no command has these words", in: list, row: list.rows / 2, .dim) }
        let top = min(max(0, selected - list.rows + 3), max(0, entries.count - list.rows))
        for row in 0..<min(list.rows, entries.count - top) {
            drawPaletteRow(
                entries[top + row], place: top + row, isSelected: top + row == selected, y: list.y + row, on: &canvas, in: list)
        }
        canvas.note("↑↓ Enter · Esc closes", on: rect)
    }

    private func drawPaletteRow(
        _ entry: PaletteEntry, place: Int, isSelected: Bool, y: Int, on canvas: inout Canvas, in list: Rect
    ) {
        let row = Rect(x: list.x, y: y, columns: list.columns, rows: 1)
        canvas.hit(row, .paletteRow(place))
        if isSelected {
            canvas.grid.fill(row, with: Cell(" ", canvas.style(.text, selected: true)))
            canvas.text("▸", x: list.x, y: y, .accent, selected: true, bold: true)
        }
        var words: String
        var right: String
        var isOff = false
        switch entry {
        case .command(let command):
            words = command.title
            right = keys.keys(for: command, in: scope).map(KeyName.words).first ?? ""
            // Commands of other screens go there first, so only their own state counts.
            if let reason = disabledReason(command) {
                right = reason
                isOff = true
            }
        case .theme(let index):
            let theme = options.themes[index]
            words = "theme \(theme.name)\(theme.summary.isEmpty ? "" : ": \(theme.summary)")"
            right = theme.name == self.theme.name ? "in use" : ""
        }
        let rightColumns = min(TextWidth.columns(of: right), list.columns / 2)
        canvas.field(
            words, x: list.x + 2, y: y, columns: max(0, list.columns - 3 - rightColumns - 1),
            isOff ? .dim : isSelected ? .accent : .text,
            selected: isSelected)
        canvas.field(right, x: list.maxX - rightColumns, y: y, columns: rightColumns, .dim, selected: isSelected)
    }
}
