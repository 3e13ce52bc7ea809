import EngineAPI
import ScreenModel

extension ExplorerModel {
    /// Draws everything: the screen, what lies over it, and what the mouse can hit.
    func canvas(size: Size) -> Canvas {
        var canvas = Canvas(size: size, theme: theme, glyphs: options.glyphs)
        guard size.columns >= Self.leastSize.columns, size.rows >= Self.leastSize.rows else {
            drawTooSmall(on: &canvas)
            return canvas
        }
        drawTop(on: &canvas)
        let body = body(size: size)
        switch space {
        case .opening: drawOpening(on: &canvas, size: size)
        case .failed(let failure): drawFailure(failure, on: &canvas, in: body)
        case .open where trail == nil: drawOpening(on: &canvas, size: size)
        case .open:
            switch screen {
            case .explore: drawExplore(on: &canvas, size: size)
            case .people: drawPeople(on: &canvas, size: size)
            case .morph: drawMorph(on: &canvas, size: size)
            case .saved: drawSaved(on: &canvas, size: size)
            case .model: drawModel(on: &canvas, size: size)
            }
        }
        drawFoot(on: &canvas)
        drawOverlay(on: &canvas, size: size)
        return canvas
    }

    private func drawTooSmall(on canvas: inout Canvas) {
        let size = canvas.grid.size
        let words = "make the window at least \(Self.leastSize.columns)x\(Self.leastSize.rows) (now \(size.columns)x\(size.rows))"
        let lines = TextWidth.wrap(words, to: max(1, size.columns))
        let top = max(0, (size.rows - lines.count) / 2)
        for (row, line) in lines.enumerated() {
            canvas.centred(line, in: canvas.bounds, row: top + row)
        }
    }

    // MARK: The top line

    /// The key of a screen; nothing where it has none.
    private func tabKey(_ screen: ScreenName) -> String { keys.keys(for: screen.command).first.map(KeyName.words) ?? "·" }

    private func drawTop(on canvas: inout Canvas) {
        var x = canvas.text("w2w", x: 1, y: 0, .accent, bold: true) + 2
        for name in ScreenName.allCases {
            let isHere = name == screen
            let start = x
            x = canvas.text(" \(tabKey(name)) ", x: x, y: 0, isHere ? .accent : .dim, selected: isHere)
            x = canvas.text("\(name.title) ", x: x, y: 0, isHere ? .accent : .text, selected: isHere, bold: isHere)
            canvas.hit(Rect(x: start, y: 0, columns: x - start, rows: 1), .command(name.command))
            x += 1
        }
        guard let index, let trail else { return }
        let seed = "seed \(trail.step.settings.seed) \(isSeedLocked ? "locked" : "free")"
        let name = "space \(index.description.name)"
        let both = "\(name) · \(seed)"
        let words = TextWidth.columns(of: both) + x + 2 <= canvas.grid.size.columns ? both : seed
        let start = canvas.grid.size.columns - TextWidth.columns(of: words) - 1
        guard start > x else { return }
        canvas.text(words, x: start, y: 0, .dim)
        let seedStart = canvas.grid.size.columns - 1 - TextWidth.columns(of: seed)
        canvas.hit(Rect(x: seedStart, y: 0, columns: TextWidth.columns(of: seed), rows: 1), .command(.lockSeed))
    }

    // MARK: Before there is a space

    /// The panes of Explore, still empty, so that nothing jumps when the space is there.
    private func drawOpening(on canvas: inout Canvas, size: Size) {
        let layout = exploreLayout(size: size)
        canvas.pane(layout.list, titles: ["Axes"], focused: true)
        let inner = canvas.pane(layout.preview, titles: ["Preview"])
        if [.line, .faces, .column].contains(layout.trailStyle) { canvas.pane(layout.trail, titles: ["Trail"]) }
        canvas.centred("opening the space", in: inner, row: max(0, inner.rows / 2), .dim)
        guard case .opening(let progress?) = space, progress.total > 0 else { return }
        canvas.progress(Double(progress.done) / Double(progress.total), on: layout.preview)
        let left = progress.secondsLeft.map { $0 >= 1 ? " · \(Format.duration($0)) left" : "" } ?? ""
        canvas.note("\(progress.activity) \(progress.amount(between: "/"))\(left)", on: layout.preview, .text)
    }

    private func drawFailure(_ failure: EngineFailure, on canvas: inout Canvas, in body: Rect) {
        let inner = canvas.pane(body, titles: ["The space could not be opened"], focused: true).inset(left: 2, top: 1, right: 2)
        var row = 0
        for line in TextWidth.wrap(failure.message, to: inner.columns) {
            canvas.text(line, x: inner.x, y: inner.y + row, .warning, clip: inner)
            row += 1
        }
        row += 1
        if !failure.advice.isEmpty {
            for line in TextWidth.wrap(failure.advice, to: inner.columns) {
                canvas.text(line, x: inner.x, y: inner.y + row, clip: inner)
                row += 1
            }
            row += 1
        }
        canvas.text("\(key(.drawAgain)) tries again · \(key(.quit)) leaves", x: inner.x, y: inner.y + row, .dim, clip: inner)
    }

    // MARK: The foot: a line being typed, or hints and a word on what happened

    private func drawFoot(on canvas: inout Canvas) {
        let row = canvas.grid.size.rows - 1
        let columns = canvas.grid.size.columns
        if let editor {
            drawEditor(editor, on: &canvas, row: row)
            return
        }
        var limit = columns - 1
        if let toast {
            let words = TextWidth.truncate(toast.words(on: screen), to: columns - 2)
            let width = TextWidth.columns(of: words)
            let role: Theme.Role = toast.tone == .good ? .good : toast.tone == .warning ? .warning : .text
            canvas.text(words, x: columns - 1 - width, y: row, role)
            limit = columns - 3 - width
        }
        var x = 1
        var hints = KeyTable.hints(in: index == nil ? .everywhere : scope)
        if index?.hasCodes == false {
            // What cannot be done here would crowd out what can.
            let needless = Self.needsCodes.union([.axisUp, .axisDown])
            hints.removeAll { needless.isSuperset(of: $0.commands) }
        }
        // What helps in any case is never left out.
        let closing = Array(hints.suffix(2))
        hints.removeLast(2)
        func width(_ hint: Hint) -> Int {
            TextWidth.columns(of: keyWords(hint)) + 1 + TextWidth.columns(of: hint.label) + 3
        }
        var room = limit - 1 - closing.reduce(0) { $0 + width($1) } + 3
        var shown: [Hint] = []
        for hint in hints {
            guard width(hint) <= room else { break }
            room -= width(hint)
            shown.append(hint)
        }
        for hint in shown + closing {
            guard x + width(hint) - 3 <= limit else { break }
            for (place, command) in hint.commands.enumerated() {
                guard let key = keys.keys(for: command, in: scope).first else { continue }
                if place > 0, !Self.joins(hint) { x += 1 }
                let start = x
                x = canvas.text(KeyName.words(for: key), x: x, y: row, .accent)
                canvas.hit(Rect(x: start, y: row, columns: x - start, rows: 1), .command(command))
            }
            x += 1
            let start = x
            x = canvas.text(hint.label, x: x, y: row, disabledReason(hint.commands.last ?? .help) == nil ? .text : .dim)
            if let last = hint.commands.last { canvas.hit(Rect(x: start, y: row, columns: x - start, rows: 1), .command(last)) }
            x += 3
        }
    }

    /// Arrows stand close together.
    private static func joins(_ hint: Hint) -> Bool { hint.commands.count > 2 || hint.label == "change" || hint.label == "axis" }

    private func keyWords(_ hint: Hint) -> String {
        hint.commands.compactMap { keys.keys(for: $0, in: scope).first.map(KeyName.words) }
            .joined(separator: Self.joins(hint) ? "" : " ")
    }

    private func drawEditor(_ editor: LineEditor, on canvas: inout Canvas, row: Int) {
        let columns = canvas.grid.size.columns
        let trailing = "Enter accept   Esc cancel"
        let trailingWidth = columns >= 90 ? TextWidth.columns(of: trailing) + 3 : 0
        var x = canvas.text(TextWidth.truncate(editor.label, to: columns / 3), x: 1, y: row, .accent, bold: true)
        x = canvas.text(" ▸ ", x: x, y: row, .dim)
        let room = columns - x - 1 - trailingWidth
        let (text, cursor) = editor.visible(columns: room)
        if text.isEmpty {
            canvas.field(editor.example, x: x + 1, y: row, columns: max(0, room - 1), .dim)
        } else {
            canvas.field(text, x: x, y: row, columns: room)
            if editor.isSuggestion { canvas.text(text, x: x, y: row, selected: true) }
        }
        if trailingWidth > 0 { canvas.text(trailing, x: columns - trailingWidth + 2, y: row, .dim) }
        canvas.cursor = Point(x: min(columns - 1, x + cursor), y: row)
    }
}
