import CNcursesw
import Glibc
import ScreenModel

/// The text of the screen: curses keeps what the terminal shows and sends only what differs.
@MainActor final class CursesScreen {
    /// Stands in cells that belong to a picture. It looks like a blank, but curses takes it for text: it never erases such cells as the
    /// blank end of a line, nor moves the cursor by writing them while other text is written.
    static let pictureCell = Cell(" ", Style(bold: true))

    private(set) var size: Size
    let depth: ColourDepth
    private let glyphs: GlyphSet
    private var pairs: [UInt64: Int32] = [:]
    private var scalarCache: [Character: [UInt32]] = [:]
    /// What curses was told last; nil after a repaint.
    private var shown: CellGrid?

    /// Opens the screen. Signals must already be ours: curses replaces only handlers that nobody has set.
    /// - Parameters:
    ///   - glyphs: which characters may be used.
    ///   - noColour: attributes instead of colours.
    ///   - environment: TERM and COLORTERM choose the terminfo entry.
    /// - Throws: `TerminalError` when the terminal is unknown or cannot hold a screen.
    init(glyphs: GlyphSet, noColour: Bool, environment: [String: String]) throws {
        let type = try Self.terminalType(environment: environment, noColour: noColour)
        // An ESC is told from a sequence by our own decoder; curses' wait would block the loop.
        set_escdelay(1)
        guard w2w_newterm(type) != nil, let window = w2w_stdscr() else { throw TerminalError.unknownTerminal(type) }
        self.glyphs = glyphs
        cbreak()
        noecho()
        nonl()
        keypad(window, true)
        // A refresh is never put off because keys are waiting.
        typeahead(-1)
        idlok(window, false)
        idcok(window, false)
        scrollok(window, false)
        leaveok(window, true)
        curs_set(0)
        if !noColour, has_colors() {
            start_color()
            use_default_colors()
            depth = ColourDepth(curses: Int(w2w_colors()))
        } else {
            depth = .none
        }
        size = Size(columns: Int(getmaxx(window)), rows: Int(getmaxy(window)))
        Self.tameLineDiscipline()
    }

    /// The terminfo entry to use. Where the environment promises 24-bit colour, one that can say so is taken if this machine has it.
    private static func terminalType(environment: [String: String], noColour: Bool) throws -> String {
        let name = environment["TERM"] ?? ""
        guard !name.isEmpty else { throw TerminalError.unknownTerminal("") }
        var candidates: [String] = []
        let colourTerm = environment["COLORTERM"] ?? ""
        if !noColour, colourTerm == "truecolor" || colourTerm == "24bit" {
            let family = name.hasSuffix("-256color") ? String(name.dropLast(9)) : name
            candidates.append(family + "-direct")
            if name == "xterm" { candidates.append("xterm-256color") }
        }
        candidates.append(name)
        for candidate in candidates {
            var status: Int32 = 0
            guard setupterm(candidate, 1, &status) == OK else { continue }
            defer { del_curterm(w2w_cur_term()) }
            if w2w_tigetstr("cup") != nil { return candidate }
            if candidate == name { throw TerminalError.noCursorAddressing(name) }
        }
        throw TerminalError.unknownTerminal(name)
    }

    /// Ctrl-S, Ctrl-Q and Ctrl-V become keys; Ctrl-C and Ctrl-Z stay signals but throw no output away, which may be half a picture.
    private static func tameLineDiscipline() {
        var settings = termios()
        guard tcgetattr(0, &settings) == 0 else { return }
        settings.c_iflag &= ~tcflag_t(IXON | ICRNL | INLCR | IGNCR)
        settings.c_lflag &= ~tcflag_t(IEXTEN)
        settings.c_lflag |= tcflag_t(NOFLSH)
        tcsetattr(0, TCSANOW, &settings)
        def_prog_mode()
    }

    /// Sends what differs from the last screen.
    /// - Parameters:
    ///   - grid: the text, with `pictureCell` where pictures are.
    ///   - cursor: where the text cursor blinks, nil to hide it.
    ///   - keepsLines: whether lines that have moved are written anew rather than scrolled, since pictures would go with them.
    func show(_ grid: CellGrid, cursor: Point?, keepsLines: Bool) {
        let window = w2w_stdscr()
        let area = grid.bounds.intersection(Rect(x: 0, y: 0, columns: size.columns, rows: size.rows))
        if shown?.size != grid.size { shown = nil }
        let isRepaint = shown == nil
        if isRepaint { werase(window) }
        // Whatever `idlok` says, curses scrolls a part of the screen when it finds a line of the old screen elsewhere in the new one and
        // nowhere else. Of one changed line at a time it finds none: what the line takes over still stands in its old place, too.
        let isRowByRow = keepsLines && shown.map { Self.hasMovedLines(from: $0, to: grid) } ?? false
        var hasUnsent = false
        for y in 0..<area.rows where differs(row: y, columns: area.columns, grid: grid) {
            if hasUnsent, isRowByRow {
                leaveok(window, true)
                curs_set(0)
                wnoutrefresh(window)
                doupdate()
            }
            update(row: y, columns: area.columns, grid: grid)
            hasUnsent = true
        }
        shown = grid
        if let cursor, grid.bounds.contains(cursor) {
            leaveok(window, false)
            wmove(window, Int32(cursor.y), Int32(cursor.x))
            curs_set(1)
        } else {
            leaveok(window, true)
            curs_set(0)
        }
        wnoutrefresh(window)
        doupdate()
    }

    /// The next `show` paints everything anew.
    func repaint() {
        clearok(w2w_curscr(), true)
        shown = nil
    }

    /// Takes over a new window size.
    func resize(to newSize: Size) {
        resizeterm(Int32(newSize.rows), Int32(newSize.columns))
        size = Size(columns: Int(getmaxx(w2w_stdscr())), rows: Int(getmaxy(w2w_stdscr())))
        repaint()
    }

    /// Gives the terminal back to the shell.
    func leave() {
        endwin()
    }

    /// Takes the terminal back from the shell.
    func enter() {
        reset_prog_mode()
        repaint()
    }

    /// Whether curses might find a line that has moved: the text of one changed line, and of no other, stood elsewhere and nowhere else. Like
    /// curses' own search (its `hashmap.c`) this looks at characters only.
    private static func hasMovedLines(from old: CellGrid, to new: CellGrid) -> Bool {
        guard old.size == new.size else { return false }
        func hashes(_ grid: CellGrid) -> [Int] {
            let columns = grid.size.columns
            return (0..<grid.size.rows).map { row in
                var hasher = Hasher()
                for cell in grid.cells[(row * columns)..<((row + 1) * columns)] {
                    hasher.combine(cell.character.unicodeScalars.first?.value ?? 0)
                }
                return hasher.finalize()
            }
        }
        func places(_ hashes: [Int]) -> [Int: Int] {
            Dictionary(hashes.enumerated().map { ($1, $0) }, uniquingKeysWith: { _, _ in -1 })
        }
        let before = places(hashes(old))
        return places(hashes(new)).contains { hash, place in
            guard place >= 0, let other = before[hash] else { return false }
            return other >= 0 && other != place
        }
    }

    private func differs(row y: Int, columns: Int, grid: CellGrid) -> Bool {
        guard let shown else { return true }
        let start = y * grid.size.columns
        return shown.cells[start..<(start + columns)] != grid.cells[start..<(start + columns)]
    }

    private func update(row y: Int, columns: Int, grid: CellGrid) {
        let start = y * grid.size.columns
        var first = 0
        var last = columns - 1
        if let shown {
            while first <= last, shown.cells[start + first] == grid.cells[start + first] { first += 1 }
            if first > last { return }
            while last > first, shown.cells[start + last] == grid.cells[start + last] { last -= 1 }
            // Half a wide character cannot be written: begin and end with whole ones, old and new.
            while first > 0, isContinuation(shown, y, first) || isContinuation(grid, y, first) { first -= 1 }
            while last + 1 < columns, isContinuation(shown, y, last + 1) || isContinuation(grid, y, last + 1) { last += 1 }
        }
        for x in first...max(first, last) {
            let cell = grid[x, y]
            if cell.character == Cell.continuation { continue }
            write(cell, x, y)
        }
    }

    private func isContinuation(_ grid: CellGrid, _ y: Int, _ x: Int) -> Bool {
        grid[x, y].character == Cell.continuation
    }

    private func write(_ cell: Cell, _ x: Int, _ y: Int) {
        var attributes: attr_t = 0
        if cell.style.bold { attributes |= w2w_bold() }
        if cell.style.dim { attributes |= w2w_dim() }
        if cell.style.underline { attributes |= w2w_underline() }
        if cell.style.reverse { attributes |= w2w_reverse() }
        let pair = pair(for: cell.style)
        let scalars = scalars(of: cell.character)
        w2w_put_cell(w2w_stdscr(), Int32(y), Int32(x), scalars, Int32(scalars.count), attributes, pair)
    }

    /// What curses is given for a character. Where the C library thinks otherwise about its width, a sign of the width that the layout
    /// counted on.
    private func scalars(of character: Character) -> [UInt32] {
        if let known = scalarCache[character] { return known }
        let drawn = glyphs.glyph(character)
        var scalars = drawn.unicodeScalars.map(\.value)
        let width = TextWidth.columns(of: character)
        if let first = scalars.first, first >= 0x80 || width == 2 {
            if Int(w2w_width(first)) != width {
                // A wide sign that is missing here shows as one sign and leaves its second column as it was.
                scalars = [width == 2 && glyphs == .unicode ? 0xff1f : 0x3f]
            }
        }
        if scalarCache.count > 4096 { scalarCache.removeAll() }
        scalarCache[character] = scalars
        return scalars
    }

    private func pair(for style: Style) -> Int32 {
        let foreground = depth.number(ofForeground: style.foreground)
        let background = depth.number(ofBackground: style.background)
        if foreground == -1, background == -1 { return 0 }
        let key = UInt64(UInt32(bitPattern: foreground)) << 32 | UInt64(UInt32(bitPattern: background))
        if let known = pairs[key] { return known }
        let number = Int32(pairs.count + 1)
        guard number < min(w2w_color_pairs(), 65_000), init_extended_pair(number, foreground, background) == OK else { return 0 }
        pairs[key] = number
        return number
    }
}
