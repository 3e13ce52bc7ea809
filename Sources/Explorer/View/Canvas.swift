import ScreenModel

/// What lies under a cell for the mouse.
enum HitTarget: Sendable, Hashable {
    case command(Command)
    /// A row of the axis list, by axis.
    case axis(Int)
    /// The cells of a slider, by axis.
    case slider(axis: Int, cells: Rect)
    /// A row of the directions, and its slider.
    case direction(Int)
    case directionSlider(Int, cells: Rect)
    case step(Int)
    case galleryCell(Int)
    case child(Int)
    /// A face of the seed test.
    case contact(Int)
    /// A face of the passport, by its stop.
    case passportFace(Int)
    case nearest(Int)
    case frame(Int)
    case paletteRow(Int)
    /// A pane that scrolls with the wheel.
    case pane(Scope)
    /// Inside an overlay, where nothing else is.
    case overlay
}

/// Where a view draws: cells, pictures and what the mouse can hit, in the colours of one theme.
struct Canvas {
    var grid: CellGrid
    var placements: [ImagePlacement] = []
    var hits: [(rect: Rect, target: HitTarget)] = []
    var cursor: Point?
    let theme: Theme
    let glyphs: GlyphSet

    init(size: Size, theme: Theme, glyphs: GlyphSet) {
        grid = CellGrid(size: size)
        self.theme = theme
        self.glyphs = glyphs
    }

    var bounds: Rect { grid.bounds }

    /// The style of a role, on a chosen row or not.
    func style(_ role: Theme.Role, selected: Bool = false, bold: Bool = false) -> Style {
        var style = theme[role]
        if bold { style.bold = true }
        if selected {
            let selection = theme[.selection]
            if selection.reverse {
                // In reverse each role would bring a ground of its own: one colour makes one bar.
                (style.foreground, style.background) = (theme[.accent].foreground, theme[.accent].background)
                (style.reverse, style.dim) = (true, false)
            } else if let background = selection.background {
                style.background = background
                style.reverse = false
            }
            if selection.bold { style.bold = true }
            if selection.underline { style.underline = true }
        }
        return style
    }

    /// Writes text and says where it ends.
    @discardableResult
    mutating func text(
        _ text: String, x: Int, y: Int, _ role: Theme.Role = .text, selected: Bool = false, bold: Bool = false, clip: Rect? = nil
    ) -> Int {
        grid.put(text, x: x, y: y, style: style(role, selected: selected, bold: bold), clip: clip)
    }

    /// Writes text into a field, cut or filled to its width.
    @discardableResult
    mutating func field(
        _ text: String, x: Int, y: Int, columns: Int, alignedRight: Bool = false, _ role: Theme.Role = .text,
        selected: Bool = false, bold: Bool = false, clip: Rect? = nil
    ) -> Int {
        grid.put(
            text, x: x, y: y, columns: columns, alignedRight: alignedRight,
            style: style(role, selected: selected, bold: bold), clip: clip)
    }

    mutating func centred(_ text: String, in rect: Rect, row: Int, _ role: Theme.Role = .text, bold: Bool = false) {
        guard row >= 0, row < rect.rows else { return }
        grid.putCentred(text, in: rect, row: row, style: style(role, bold: bold))
    }

    mutating func hit(_ rect: Rect, _ target: HitTarget) {
        let visible = rect.intersection(bounds)
        if !visible.isEmpty { hits.append((visible, target)) }
    }

    /// What was drawn last at a point.
    func target(at point: Point) -> HitTarget? {
        hits.last { $0.rect.contains(point) }?.target
    }

    /// Whether titles stand in a pane's edge without being cut.
    static func fits(_ titles: [String], in columns: Int) -> Bool { room(beside: titles, in: columns) >= -3 }

    /// The columns that one title more could have in a pane's edge.
    static func room(beside titles: [String], in columns: Int) -> Int {
        titles.reduce(columns - 5) { $1.isEmpty ? $0 : $0 - TextWidth.columns(of: $1) - 3 }
    }

    /// A framed pane. The first title names it, the others tell of it.
    /// - Returns: the inside.
    @discardableResult
    mutating func pane(_ rect: Rect, titles: [String], focused: Bool = false) -> Rect {
        guard rect.columns >= 2, rect.rows >= 2 else { return Rect(x: rect.x, y: rect.y, columns: 0, rows: 0) }
        let line = style(focused ? .accent : .border)
        grid.border(rect, style: line)
        let clip = Rect(x: rect.x + 2, y: rect.y, columns: rect.columns - 4, rows: 1)
        var x = rect.x + 1
        for (index, title) in titles.enumerated() where !title.isEmpty {
            let room = max(0, rect.maxX - 4 - x - (index > 0 ? 1 : 0))
            let words = TextWidth.truncate(title, to: room)
            // A word alone is left out rather than cut.
            guard words == title || index == 0 || room >= 8 && title.contains(" ") else { break }
            if index > 0 { x = text("─", x: x, y: rect.y, focused ? .accent : .border, clip: clip) }
            x = text(
                " " + words + " ", x: x, y: rect.y, index == 0 ? (focused ? .accent : .text) : .dim, bold: index == 0,
                clip: bounds)
        }
        return rect.inset(by: 1)
    }

    /// Words set into the bottom edge of a pane from the right.
    mutating func note(_ words: String, on rect: Rect, _ role: Theme.Role = .dim) {
        // Where there is no room for all of it, what stands last counts most.
        var cut = words
        while TextWidth.columns(of: cut) > rect.columns - 6, let dot = cut.firstRange(of: " · ") {
            cut = String(cut[dot.upperBound...])
        }
        cut = TextWidth.truncate(cut, to: rect.columns - 6)
        let width = TextWidth.columns(of: cut) + 2
        guard !words.isEmpty, width >= 5, rect.rows >= 2 else { return }
        text(" " + cut + " ", x: rect.maxX - 2 - width, y: rect.maxY - 1, role)
    }

    /// The bottom edge of a pane as a progress bar, 0...1.
    mutating func progress(_ fraction: Double, on rect: Rect, _ role: Theme.Role = .accent) {
        guard rect.rows >= 2, rect.columns >= 4 else { return }
        let length = rect.columns - 2
        let done = Int((min(1, max(0, fraction)) * Double(length)).rounded())
        let line: Character = glyphs == .unicode ? "━" : "="
        text(String(repeating: line, count: done), x: rect.x + 1, y: rect.maxY - 1, role)
    }

    /// Places a picture and keeps the cells below it blank. Refused where it would leave the screen, touch its last row or another picture.
    @discardableResult
    mutating func picture(_ image: ImageKey, slot: String, in rect: Rect, isDraft: Bool = false) -> Bool {
        guard !rect.isEmpty, rect.x >= 0, rect.y >= 0, rect.maxX <= grid.size.columns, rect.maxY < grid.size.rows else {
            return false
        }
        guard !placements.contains(where: { $0.rect.intersects(rect) }) else { return false }
        grid.fill(rect)
        placements.append(ImagePlacement(slot: slot, rect: rect, image: image, isDraft: isDraft))
        return true
    }

    /// A place whose picture is still to come.
    mutating func placeholder(_ rect: Rect) {
        guard !rect.isEmpty else { return }
        grid.fill(rect, with: Cell("░", style(.border)))
    }

    /// Clears a rectangle for an overlay: no pictures, no hits below it.
    mutating func cover(_ rect: Rect) {
        placements.removeAll { $0.rect.intersects(rect) }
        hits.removeAll()
        grid.fill(rect)
        hit(bounds, .command(.back))
        hit(rect, .overlay)
    }

    /// What the terminal gets.
    func frame() -> Frame {
        var grid = grid
        if glyphs == .ascii {
            for y in 0..<grid.size.rows {
                for x in 0..<grid.size.columns where !grid[x, y].character.isASCII {
                    grid[x, y].character = glyphs.glyph(grid[x, y].character)
                }
            }
        }
        return Frame(grid: grid, placements: placements, cursor: cursor)
    }
}
