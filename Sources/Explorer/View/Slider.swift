import ScreenModel

/// A slider over ±3 sigma: zero in the middle, filled from there to the value, so that its size can be seen at a glance.
enum Slider {
    static let range: Float = 3

    /// The value under a column of a slider's cells, in steps of 0.05 sigma.
    static func sigma(atColumn x: Int, of cells: Rect) -> Float {
        let half = Float(max(1, (cells.columns - 1) / 2))
        let offset = Float(x - cells.x) - half
        return ((offset / half * range).clamped(to: -range...range) * 20).rounded() / 20
    }

    /// An odd number of columns, at least 5, or 0.
    static func width(fitting columns: Int) -> Int {
        columns < 5 ? 0 : min(49, columns % 2 == 0 ? columns - 1 : columns)
    }

    /// Draws a slider.
    /// - Parameters:
    ///   - canvas: where to draw.
    ///   - cells: one row.
    ///   - value: in sigma.
    ///   - ghost: the value that a silenced axis gets back, if it is silenced.
    ///   - isSelected: whether its row is chosen: it is drawn as a bar with ends in eighths of a cell where the theme gives the row a colour.
    ///   - isActive: whether moving it changes anything.
    static func draw(
        on canvas: inout Canvas, in cells: Rect, value: Float, ghost: Float? = nil, isSelected: Bool, isActive: Bool = true
    ) {
        let half = (cells.columns - 1) / 2
        guard half >= 1, value.isFinite else { return }
        let middle = cells.x + half
        let track = canvas.glyphs == .unicode ? "·" : "."
        canvas.text(String(repeating: track, count: cells.columns), x: cells.x, y: cells.y, .border, selected: isSelected)
        canvas.text("┼", x: middle, y: cells.y, .dim, selected: isSelected)
        let isBeyond = abs(value) > range
        let role: Theme.Role = isBeyond ? .warning : isSelected ? .accent : isActive ? .text : .dim
        let position = (value / range).clamped(to: -1...1) * Float(half)
        // On a row in reverse, whole blocks would look like a hole in it.
        if isSelected, canvas.glyphs == .unicode, !canvas.theme[.selection].reverse {
            bar(on: &canvas, middle: middle, position: position, row: cells.y, role)
        } else {
            line(on: &canvas, middle: middle, position: position, row: cells.y, isSelected: isSelected, role)
        }
        if isBeyond {
            canvas.text(
                value > 0 ? "▸" : "◂", x: value > 0 ? cells.maxX - 1 : cells.x, y: cells.y, .warning, selected: isSelected,
                bold: true)
        }
        if let ghost {
            let place = middle + Int(((ghost / range).clamped(to: -1...1) * Float(half)).rounded())
            canvas.text("○", x: place, y: cells.y, .dim, selected: isSelected)
        }
    }

    /// A thin line with a knob.
    private static func line(
        on canvas: inout Canvas, middle: Int, position: Float, row: Int, isSelected: Bool, _ role: Theme.Role
    ) {
        let knob = middle + Int(position.rounded())
        let fill = canvas.glyphs == .unicode ? "━" : "="
        if knob > middle + 1 {
            canvas.text(String(repeating: fill, count: knob - middle - 1), x: middle + 1, y: row, role, selected: isSelected)
        } else if knob < middle - 1 {
            canvas.text(String(repeating: fill, count: middle - knob - 1), x: knob + 1, y: row, role, selected: isSelected)
        }
        canvas.text("●", x: knob, y: row, role, selected: isSelected)
    }

    /// A bar from the middle of the zero cell to the value.
    private static func bar(on canvas: inout Canvas, middle: Int, position: Float, row: Int, _ role: Theme.Role) {
        // Eighths of a cell from the middle of the zero cell.
        let eighths = Int((abs(position) * 8).rounded())
        guard eighths > 0 else {
            canvas.text("●", x: middle, y: row, role, selected: true)
            return
        }
        guard eighths >= 4 else {
            canvas.text("┃", x: middle, y: row, role, selected: true)
            return
        }
        let full = (eighths - 4) / 8
        let rest = (eighths - 4) % 8
        if position > 0 {
            canvas.text("▐", x: middle, y: row, role, selected: true)
            canvas.text(String(repeating: "█", count: full), x: middle + 1, y: row, role, selected: true)
            if rest > 0 { canvas.text(leftEighths[rest], x: middle + 1 + full, y: row, role, selected: true) }
        } else {
            canvas.text("▌", x: middle, y: row, role, selected: true)
            canvas.text(String(repeating: "█", count: full), x: middle - full, y: row, role, selected: true)
            // Blocks that begin at the right exist in halves and eighths only.
            if rest >= 2 { canvas.text(rest < 4 ? "▕" : "▐", x: middle - full - 1, y: row, role, selected: true) }
        }
    }

    private static let leftEighths = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"]
}
