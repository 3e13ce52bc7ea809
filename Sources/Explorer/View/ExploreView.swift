import EngineAPI
import ScreenModel

extension ExplorerModel {
    func drawExplore(on canvas: inout Canvas, size: Size) {
        let layout = exploreLayout(size: size)
        drawAxes(on: &canvas, in: layout.list)
        drawInfo(on: &canvas, in: layout.info)
        if contact != nil {
            drawContact(on: &canvas, in: layout.preview)
        } else if brood != nil {
            drawBrood(on: &canvas, in: layout.preview)
        } else {
            drawPreview(on: &canvas, in: layout.preview)
        }
        drawTrail(on: &canvas, in: layout.trail, layout.trailStyle)
        if showsWelcome { drawWelcome(on: &canvas, layout) }
    }

    // MARK: The axes

    private func drawAxes(on canvas: inout Canvas, in rect: Rect) {
        guard let index, let step = trail?.step else { return }
        let count = index.description.axes.isEmpty ? "none" : "\(index.active.count) of \(index.description.axes.count) active"
        let titles =
            axes.query.isEmpty
            ? ["Axes", count, "by \(axes.order.rawValue)"] : ["Axes", "/\(axes.query)", "\(axes.rows.count) match"]
        let inner = canvas.pane(rect, titles: titles, focused: brood == nil).inset(left: 1, right: 1)
        canvas.hit(rect, .pane(.explore))
        guard inner.columns >= 20, inner.rows > 0 else { return }
        if !index.hasCodes {
            let isModel = index.description.identities.count == 0
            canvas.centred(
                isModel ? "a model alone: nobody is in it, so no axes" : "this space has no weight VAE, so no axes to move",
                in: inner,
                row: inner.rows / 2 - 1, .dim)
            canvas.centred(
                isModel ? "w2w import makes a space of people" : "w2w train makes one · \(key(.showPeople)) shows its people",
                in: inner,
                row: inner.rows / 2, .dim)
            return
        }
        if axes.rows.isEmpty, directions.rows.isEmpty {
            drawNoAxes(on: &canvas, in: inner)
            return
        }
        let isFoldInList = foldsInList(rows: inner.rows)
        let fold = isFoldInList ? foldLine : nil
        let (rows, directionRows) = sliderRows(size: canvas.grid.size)
        let columns = AxisColumns(inner: inner, index: index, axes: axes.rows)
        for row in 0..<min(rows, max(0, axes.rows.count - axes.top)) {
            drawAxis(
                axes.rows[axes.top + row], isSelected: axes.top + row == axes.selected && !directions.hasFocus, y: inner.y + row,
                columns, index, step,
                on: &canvas)
        }
        if directionRows > 0 {
            let y = inner.y + (rows == 0 ? 0 : inner.rows - directionRows - 1 - (fold == nil ? 0 : 1))
            drawDirections(
                on: &canvas, in: Rect(x: inner.x, y: y, columns: inner.columns, rows: directionRows + 1), columns, index, step)
        }
        if let fold, inner.rows > 1, rows > 0 {
            canvas.text(fold, x: inner.x + 2, y: inner.maxY - 1, .dim, clip: inner)
            canvas.hit(Rect(x: inner.x, y: inner.maxY - 1, columns: inner.columns, rows: 1), .command(.collapsedAxes))
        }
        let hidden = axes.rows.count - axes.top - rows
        if let note = directionNote {
            canvas.note(note, on: rect)
        } else {
            let more = hidden > 0 ? "\(hidden) more ↓" : ""
            let words = [isFoldInList ? nil : foldLine, more].compactMap { $0 }.filter { !$0.isEmpty }
            canvas.note(words.joined(separator: " · "), on: rect)
        }
    }

    /// The columns of the list: they depend on the pane alone, so that nothing moves while values change.
    struct AxisColumns {
        var inner: Rect
        var numberX, nameX, nameColumns, sliderX, sliderColumns, valueX, effectX: Int
        var hasUnit: Bool
        private static let leastSlider = 11

        init(inner: Rect, index: SpaceIndex, axes: [Int]) {
            self.inner = inner
            let digits = String(max(0, index.description.axes.count - 1)).count
            numberX = inner.x + 2
            nameX = numberX + digits + 2
            // In a narrow pane the names need the room of the unit.
            hasUnit = inner.columns >= 56
            effectX = inner.maxX - 1
            valueX = effectX - (hasUnit ? 11 : 8)
            let flexible = valueX - 1 - nameX
            let names = axes.prefix(200).map { index.axisNames[$0] }
            let longest = names.map { TextWidth.columns(of: $0) }.max() ?? 0
            // At least the first attribute of each name is whole, as long as the slider can still be read.
            let first = names.map { TextWidth.columns(of: ExplorerModel.fitting($0, 0)) }.max() ?? 0
            let shared = min(max(8, longest + 1), max(8, flexible * (hasUnit ? 9 : 11) / 20))
            let wished = max(shared, min(first + 1, flexible - Self.leastSlider))
            sliderColumns = Slider.width(fitting: flexible - wished)
            sliderX = valueX - 1 - sliderColumns
            nameColumns = max(0, sliderX - 1 - nameX)
        }
    }

    private func drawAxis(
        _ axis: Int, isSelected: Bool, y: Int, _ columns: AxisColumns, _ index: SpaceIndex, _ step: Step, on canvas: inout Canvas
    ) {
        let inner = columns.inner
        let description = index.description.axes[axis]
        let value = index.sigma(step.code, axis)
        let muted = step.muted[axis]
        let isZero = abs(value) < 0.005
        let row = Rect(x: inner.x, y: y, columns: inner.columns, rows: 1)
        if isSelected { canvas.grid.fill(row, with: Cell(" ", canvas.style(.text, selected: true))) }
        let plain: Theme.Role = description.isActive ? .text : .dim
        if isSelected { canvas.text("▸", x: inner.x, y: y, .accent, selected: true, bold: true) }
        canvas.text(index.number(of: axis), x: columns.numberX, y: y, .dim, selected: isSelected)
        canvas.field(
            Self.fitting(index.axisNames[axis], columns.nameColumns), x: columns.nameX, y: y, columns: columns.nameColumns,
            isSelected ? .accent : plain,
            selected: isSelected, bold: isSelected)
        let cells = Rect(x: columns.sliderX, y: y, columns: columns.sliderColumns, rows: 1)
        Slider.draw(
            on: &canvas, in: cells, value: value, ghost: muted, isSelected: isSelected, isActive: description.isActive && !isZero)
        if muted != nil {
            canvas.text("  silent", x: columns.valueX + 1, y: y, .dim, selected: isSelected)
        } else {
            let role: Theme.Role = abs(value) > Slider.range ? .warning : isSelected ? .accent : isZero ? .dim : plain
            canvas.field(
                Format.signed(value), x: columns.valueX, y: y, columns: 7, alignedRight: true, role, selected: isSelected,
                bold: isSelected)
            if columns.hasUnit { canvas.text("σ", x: columns.valueX + 8, y: y, .dim, selected: isSelected) }
        }
        canvas.text(
            Self.strength(description.effect), x: columns.effectX, y: y, isSelected ? .accent : .dim, selected: isSelected)
        canvas.hit(row, .axis(axis))
        canvas.hit(cells, .slider(axis: axis, cells: cells))
    }

    /// Both attributes of a name, or the stronger one alone where there is no room for both.
    static func fitting(_ name: String, _ columns: Int) -> String {
        guard TextWidth.columns(of: name) > columns, let comma = name.firstIndex(of: ",") else { return name }
        return String(name[..<comma])
    }

    /// How strongly an axis acts, as a bar of eighths.
    private static func strength(_ effect: Float) -> String { effect > 0.01 ? Canvas.level(effect) : " " }

    /// Over the lower end of the list, or where that is too small in place of a trail that is still to begin.
    private func drawWelcome(on canvas: inout Canvas, _ layout: ExploreLayout) {
        // A space without a weight VAE has no axes, and in a model alone there is nobody.
        let hasAxes = index?.hasCodes ?? true
        let hasPeople = index.map { $0.description.identities.count > 0 } ?? true
        var lines: [(String, String)] =
            hasAxes
            ? [
                (key(.less) + key(.more), "change the face"), (key(.axisUp) + key(.axisDown), "another axis"),
                (key(.sample), "somebody new"),
            ] : [(key(.prompt), "what is drawn"), (key(.rerollSeed), "another picture of it")]
        if hasPeople { lines.append((key(.showPeople), "everybody of this space")) }
        if hasAxes { lines.append(("\(key(.setA)) \(key(.setB))", "two faces, \(key(.walk)) walks between")) }
        lines.append((key(.help), "all keys"))
        let list = layout.list
        var card = Rect(
            x: list.x + 2, y: list.maxY - lines.count - 3, columns: min(48, list.columns - 4), rows: lines.count + 2)
        if card.y <= list.y + 3, layout.trailStyle == .column { card = layout.trail }
        guard card == layout.trail || card.y > list.y + 3, card.rows >= lines.count + 2, card.columns >= 28 else { return }
        canvas.grid.fill(card)
        let inner = canvas.pane(card, titles: ["Welcome"], focused: true).inset(left: 2)
        for (row, line) in lines.enumerated() {
            canvas.text(line.0, x: inner.x, y: inner.y + row, .accent, bold: true)
            canvas.text(line.1, x: inner.x + 5, y: inner.y + row, clip: inner)
        }
        canvas.note("any key begins", on: card)
    }

    // MARK: How typical, how alike, what is asked for

    private func drawInfo(on canvas: inout Canvas, in rect: Rect) {
        guard let index, let trail, rect.rows >= 1 else { return }
        let step = trail.step
        // A narrow place has a line for each: how typical, how alike, what is asked for.
        let isNarrow = rect.rows >= 3
        let typicalEnd = drawTypicality(index, step, on: &canvas, in: rect)
        let alike = Rect(x: rect.x, y: rect.y + (isNarrow ? 1 : 0), columns: rect.columns, rows: 1)
        var x = typicalEnd + 3
        if isNarrow, index.hasCodes {
            let hasEnds = ends.a != nil || ends.b != nil
            canvas.text(hasEnds ? "alike" : "walk", x: rect.x + 1, y: alike.y, .dim, clip: rect)
            x = rect.x + 9
            if !hasEnds {
                x = canvas.text("\(key(.setA)) \(key(.setB)) set ends", x: x, y: alike.y, .dim, clip: rect)
            }
        }
        for (letter, end, role) in [("A", ends.a, Theme.Role.endA), ("B", ends.b, Theme.Role.endB)] {
            guard let end else { continue }
            x = canvas.text(letter, x: x, y: alike.y, role, bold: true, clip: rect) + 1
            x = canvas.text(Format.similarity(index.similarity(step.code, end.code)), x: x, y: alike.y, clip: rect) + 2
        }
        let psi = "truncation \(Format.fixed(truncation, 1))"
        let psiX = rect.maxX - 1 - TextWidth.columns(of: psi)
        if index.hasCodes, psiX > x {
            canvas.text(psi, x: psiX, y: alike.y, .dim)
            canvas.hit(Rect(x: psiX, y: alike.y, columns: psi.count, rows: 1), .command(.truncationDown))
        }
        guard rect.rows >= 2 else { return }
        let prompt = Rect(x: rect.x, y: alike.y + 1, columns: rect.columns, rows: 1)
        let promptX = canvas.text("prompt", x: prompt.x + 1, y: prompt.y, .dim, clip: rect) + 2
        canvas.field(step.settings.prompt, x: promptX, y: prompt.y, columns: max(0, prompt.maxX - 1 - promptX), clip: rect)
        canvas.hit(prompt, .command(.prompt))
    }

    /// How ordinary the face is: the share of the people that lie as far out.
    /// - Returns: where it ends.
    private func drawTypicality(_ index: SpaceIndex, _ step: Step, on canvas: inout Canvas, in rect: Rect) -> Int {
        // Of nobody nothing is typical.
        guard index.hasCodes, index.description.identities.count > 0 else { return rect.x }
        let x = canvas.text("typical", x: rect.x + 1, y: rect.y, .dim, clip: rect) + 1
        guard let share = index.typicality(step.code) else { return x + 18 }
        let role: Theme.Role = share < 0.02 ? .warning : .text
        canvas.text(String(repeating: "─", count: 12), x: x, y: rect.y, .border, clip: rect)
        let line = canvas.glyphs == .unicode ? "━" : "="
        canvas.text(String(repeating: line, count: Int((share * 12).rounded())), x: x, y: rect.y, role, clip: rect)
        return canvas.field(Format.percent(share), x: x + 12, y: rect.y, columns: 6, alignedRight: true, role, clip: rect)
    }

    // MARK: The face

    private func drawPreview(on canvas: inout Canvas, in rect: Rect) {
        guard rect.rows >= 3, let trail else { return }
        var inner = canvas.pane(rect, titles: previewTitles(trail.step, columns: rect.columns))
        if showsModels { inner = drawOtherModels(on: &canvas, in: inner) }
        if let key = preview.shown, pictures.contains(key), showsPictures {
            canvas.picture(key, slot: "preview", in: inner, isDraft: preview.isDraft)
        } else if !showsPictures {
            drawWithoutPictures(on: &canvas, in: inner)
        }
        if case .failed(let failure) = preview.phase {
            drawPreviewFailure(failure, on: &canvas, pane: rect, inner: inner)
            return
        }
        drawPreviewEdge(on: &canvas, in: rect)
    }

    /// Who is seen and how finished the picture is, in words that fit: what the picture is counts more than how one came there.
    private func previewTitles(_ step: Step, columns: Int) -> [String] {
        let letter = compared == .a ? "A" : "B"
        let other: String? = compared.flatMap { end($0) }.map { "\(letter): \($0.name)" }
        let tag = previewTag
        let (long, short) = (other ?? step.title, other ?? step.shortTitle)
        for titles in [["Preview", long, tag], ["Preview", short, tag], ["Preview", short]]
        where Canvas.fits(titles, in: columns) && (titles.count == 3 || tag == "final") {
            return titles
        }
        let room = Canvas.room(beside: ["Preview", tag], in: columns)
        return room >= 4 ? ["Preview", TextWidth.truncate(short, to: room), tag] : ["Preview", tag]
    }

    /// What the picture is: of what is wanted and finished or not, or of what was wanted before. What is done about it says the edge alone.
    private var previewTag: String {
        guard preview.shown != nil else { return "" }
        guard preview.isStale else { return preview.isDraft ? "draft" : "final" }
        return "stale"
    }

    private func drawPreviewEdge(on canvas: inout Canvas, in rect: Rect) {
        switch preview.phase {
        case .rendering:
            // Until the models are loaded that is what the picture waits for.
            let progress = loading ?? preview.progress
            if let progress, progress.total > 0 { canvas.progress(Double(progress.done) / Double(progress.total), on: rect) }
            var words =
                progress.map { "\($0.activity) \($0.amount(between: "/"))" } ?? (preview.hasBegun ? "rendering" : "queued")
            if let left = progress?.secondsLeft, left >= 1 {
                words += " · \(Format.duration(left)) left"
            } else if !preview.isStale, let seconds = preview.seconds {
                words += " · \(Format.duration(seconds))"
            }
            canvas.note(words, on: rect, .text)
        case .finished:
            if let seconds = preview.seconds, let steps = preview.shownRequest?.settings.steps {
                canvas.note("\(steps) steps · \(Format.duration(seconds))", on: rect)
            }
        case .drafted: canvas.note("\(key(.drawAgain)) draws it in full", on: rect)
        case .cancelled: canvas.note("stopped · \(key(.drawAgain)) draws it", on: rect, .warning)
        case .idle, .failed: break
        }
    }

    private func drawPreviewFailure(_ failure: EngineFailure, on canvas: inout Canvas, pane: Rect, inner: Rect) {
        canvas.note("failed · \(key(.drawAgain)) tries again", on: pane, .warning)
        guard canvas.placements.isEmpty else { return }
        let area = inner.inset(left: 2, right: 2)
        var row = max(0, inner.rows / 2 - 2)
        for line in TextWidth.wrap(failure.message, to: max(1, area.columns)) {
            canvas.centred(line, in: area, row: row, .warning)
            row += 1
        }
        for line in TextWidth.wrap(failure.advice, to: max(1, area.columns)) where !line.isEmpty {
            canvas.centred(line, in: area, row: row + 1)
            row += 1
        }
    }

    private func drawWithoutPictures(on canvas: inout Canvas, in inner: Rect) {
        let area = inner.inset(left: 2, right: 2)
        let lines =
            TextWidth.wrap("This terminal shows no pictures.", to: max(1, area.columns))
            + TextWidth.wrap(
                "w2w --graphics blocks draws faces with coloured characters; w2w probe tells what this terminal can do.",
                to: max(1, area.columns))
        var row = max(0, (area.rows - lines.count) / 2)
        for line in lines {
            canvas.centred(line, in: area, row: row, .dim)
            row += 1
        }
    }

    // MARK: Children

    private func drawBrood(on canvas: inout Canvas, in rect: Rect) {
        guard let brood else { return }
        let inner = canvas.pane(rect, titles: ["Children", "of \(trail?.step.shortTitle ?? "")"], focused: true)
        let words = brood.codes.isEmpty ? "drawing lots" : "\(brood.pictures.count) of \(brood.codes.count)"
        if brood.pictures.count < Brood.count { canvas.note(words, on: rect, .text) }
        let cellColumns = inner.columns / 3
        let cellRows = inner.rows / 3
        guard cellRows >= 3, cellColumns >= 6 else { return }
        let faceRows = min(cellRows - 1, Int(Double(cellColumns - 2) / cellAspect))
        let faceColumns = min(cellColumns - 2, Int((Double(faceRows) * cellAspect).rounded()))
        for place in 0..<9 {
            let cell = Rect(
                x: inner.x + (inner.columns - cellColumns * 3) / 2 + place % 3 * cellColumns, y: inner.y + place / 3 * cellRows,
                columns: cellColumns, rows: cellRows)
            let face = Rect(x: cell.x + (cellColumns - faceColumns) / 2, y: cell.y, columns: faceColumns, rows: faceRows)
            let child = Brood.child(at: place)
            let key = child.map { brood.pictures[$0] } ?? preview.shown
            canvas.hit(cell, .child(place))
            if let key, pictures.contains(key), showsPictures {
                canvas.picture(key, slot: "child \(place)", in: face, isDraft: child == nil && preview.isDraft)
            } else {
                canvas.placeholder(face)
            }
            let label = child.map { "child \($0 + 1)" } ?? "parent"
            let isSelected = place == brood.selected
            if isSelected { drawSelection(around: face, in: cell, on: &canvas) }
            drawCaption(
                label, in: Rect(x: cell.x, y: cell.y + faceRows, columns: cellColumns, rows: 1), isSelected: isSelected,
                on: &canvas)
        }
    }

    /// Words below a face; the chosen one stands between marks.
    func drawCaption(_ words: String, in rect: Rect, isSelected: Bool, _ role: Theme.Role = .dim, on canvas: inout Canvas) {
        guard isSelected else {
            canvas.centred(words, in: rect, row: 0, role)
            return
        }
        let cut = TextWidth.truncate(words, to: max(0, rect.columns - 4))
        let text = "▌\(cut)▐"
        let x = rect.x + (rect.columns - TextWidth.columns(of: text)) / 2
        canvas.text(text, x: x, y: rect.y, .accent, bold: true, clip: rect)
        canvas.text(cut, x: x + 1, y: rect.y, .accent, selected: true, bold: true, clip: rect)
    }

    // MARK: The trail

    private func drawTrail(on canvas: inout Canvas, in rect: Rect, _ style: ExploreLayout.TrailStyle) {
        guard let trail, !rect.isEmpty else { return }
        switch style {
        case .none: return
        case .bare:
            let start = canvas.text("trail", x: rect.x + 1, y: rect.y, .dim, clip: rect)
            drawTrailLine(trail, on: &canvas, in: rect.inset(left: start - rect.x + 1, right: 1))
        case .line:
            let inner = canvas.pane(rect, titles: ["Trail"])
            drawTrailLine(trail, on: &canvas, in: inner.inset(left: 1, right: 1))
        case .column:
            let inner = canvas.pane(rect, titles: trailTitles(trail))
            drawTrailColumn(trail, on: &canvas, in: inner.inset(left: 1, right: 1))
        case .faces:
            let inner = canvas.pane(rect, titles: trailTitles(trail))
            drawTrailFaces(trail, on: &canvas, in: inner.inset(left: 1, right: 1))
        }
    }

    private func trailTitles(_ trail: Trail) -> [String] {
        ["Trail", trail.canUndo ? "\(key(.undo)) undo" : "", trail.canRedo ? "\(key(.redo)) redo" : ""]
    }

    /// The steps one below another, the newest last.
    private func drawTrailColumn(_ trail: Trail, on canvas: inout Canvas, in rect: Rect) {
        guard rect.rows > 0 else { return }
        let (steps, position) = trail.line(limit: rect.rows)
        for (place, step) in steps.enumerated() {
            let y = rect.y + place
            let isHere = place == position
            let isAhead = place > position
            canvas.text(isHere ? "◉" : isAhead ? "○" : "●", x: rect.x, y: y, isHere ? .accent : .dim, clip: rect)
            canvas.text(
                Format.step(trail[step].label, columns: max(0, rect.columns - 2)), x: rect.x + 2, y: y,
                isHere ? .accent : isAhead ? .dim : .text, bold: isHere, clip: rect)
            canvas.hit(Rect(x: rect.x, y: y, columns: rect.columns, rows: 1), .step(step))
        }
    }

    private func drawTrailLine(_ trail: Trail, on canvas: inout Canvas, in rect: Rect) {
        guard rect.columns >= 8 else { return }
        let (steps, position) = trail.line(limit: max(1, rect.columns / 6))
        func width(_ step: Int) -> Int { min(22, TextWidth.columns(of: trail[step].label)) + 2 }
        // As many places around the present one as there is room for, the past first.
        var first = position
        var last = position
        var used = width(steps[position])
        while true {
            if last + 1 < steps.count, last - position < 2, used + width(steps[last + 1]) + 2 <= rect.columns - 2 {
                last += 1
                used += width(steps[last]) + 2
            } else if first > 0, used + width(steps[first - 1]) + 2 <= rect.columns - 2 {
                first -= 1
                used += width(steps[first]) + 2
            } else {
                break
            }
        }
        var x = rect.x
        if first > 0 { x = canvas.text("…", x: x, y: rect.y, .dim, clip: rect) + 1 }
        for place in first...last {
            let step = steps[place]
            let isHere = place == position
            let isAhead = place > position
            let start = x
            x = canvas.text(isHere ? "◉" : isAhead ? "○" : "●", x: x, y: rect.y, isHere ? .accent : .dim, clip: rect) + 1
            let label = Format.step(trail[step].label, columns: 22)
            x = canvas.text(label, x: x, y: rect.y, isHere ? .accent : isAhead ? .dim : .text, bold: isHere, clip: rect)
            canvas.hit(Rect(x: start, y: rect.y, columns: x - start, rows: 1).intersection(rect), .step(step))
            x += 2
        }
    }

    private func drawTrailFaces(_ trail: Trail, on canvas: inout Canvas, in rect: Rect) {
        let faceRows = rect.rows - 1
        let faceColumns = Int((Double(faceRows) * cellAspect).rounded())
        let cellColumns = max(faceColumns + 2, 20)
        let count = rect.columns / cellColumns
        guard count > 0 else { return }
        let (steps, position) = trail.line(limit: count)
        for (place, step) in steps.enumerated() {
            let cell = Rect(x: rect.x + place * cellColumns, y: rect.y, columns: cellColumns, rows: rect.rows)
            let face = Rect(x: cell.x + (cellColumns - faceColumns) / 2, y: cell.y, columns: faceColumns, rows: faceRows)
            let isHere = place == position
            canvas.hit(cell, .step(step))
            let request = self.request(of: trail[step])
            if let key = pictures.finishedPicture(of: request) {
                canvas.picture(key, slot: "trail \(place)", in: face)
            } else {
                canvas.centred(isHere ? "◉" : "●", in: face, row: faceRows / 2, isHere ? .accent : .dim)
            }
            let caption = Rect(x: cell.x, y: cell.maxY - 1, columns: cellColumns - 1, rows: 1)
            let mark = place > position ? "○ " : isHere ? "◉ " : ""
            canvas.centred(
                mark + Format.step(trail[step].label, columns: caption.columns - mark.count), in: caption, row: 0,
                isHere ? .accent : place > position ? .dim : .text, bold: isHere)
        }
    }
}
