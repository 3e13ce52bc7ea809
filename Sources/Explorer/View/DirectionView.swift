import EngineAPI
import ScreenModel

extension ExplorerModel {
    /// How the rows of the list of sliders are shared between axes and directions; a row with a name stands between the two.
    func sliderRows(size: Size) -> (axes: Int, directions: Int) {
        let rows = max(0, exploreLayout(size: size).list.rows - 2)
        let axisRows = max(0, rows - (foldLine == nil || !foldsInList(rows: rows) ? 0 : 1))
        guard !directions.rows.isEmpty else { return (axisRows, 0) }
        guard rows >= 14 else { return directions.hasFocus ? (0, max(0, rows - 1)) : (axisRows, 0) }
        let count = min(directions.rows.count, max(3, rows / 3))
        return (max(1, axisRows - count - 1), count)
    }

    /// Whether the folded axes have a row of the list: in a low one they are named in its edge.
    func foldsInList(rows: Int) -> Bool { rows >= 10 }

    /// The sliders of the directions, below the axes.
    /// - Parameters:
    ///   - canvas: where to draw.
    ///   - area: the rows that they have, the first one for their name.
    ///   - columns: those of the axes, so that all sliders stand one above another.
    ///   - index: the space, with its directions.
    ///   - step: the place of the walk whose code is read.
    func drawDirections(on canvas: inout Canvas, in area: Rect, _ columns: AxisColumns, _ index: SpaceIndex, _ step: Step) {
        guard area.rows >= 2 else { return }
        let description = index.description
        let held = directions.held.isEmpty ? "" : " · \(directions.held.count) held"
        canvas.text("Directions\(held)", x: area.x, y: area.y, directions.hasFocus ? .accent : .text, bold: true, clip: area)
        let hint = directions.hasFocus ? "\(key(.hold)) holds" : "\(key(.toDirections)) to these"
        canvas.text(hint, x: area.maxX - TextWidth.columns(of: hint), y: area.y, .dim, clip: area)
        for row in 0..<min(area.rows - 1, max(0, directions.rows.count - directions.top)) {
            let place = directions.rows[directions.top + row]
            let direction = description.directions[place]
            let isSelected = directions.selectedDirection == place
            let y = area.y + 1 + row
            let line = Rect(x: area.x, y: y, columns: area.columns, rows: 1)
            if isSelected {
                canvas.grid.fill(line, with: Cell(" ", canvas.style(.text, selected: true)))
                canvas.text("▸", x: area.x, y: y, .accent, selected: true, bold: true)
            }
            let isHeld = directions.held.contains(direction.name)
            if isHeld { canvas.text("■", x: columns.numberX, y: y, .accent, selected: isSelected) }
            let nameX = columns.numberX + 2
            canvas.field(
                TextWidth.truncate(Self.words(direction), to: max(0, columns.sliderX - 1 - nameX)), x: nameX, y: y,
                columns: max(0, columns.sliderX - 1 - nameX), isSelected ? .accent : .text, selected: isSelected, bold: isSelected
            )
            let value = index.readings[place].value(of: step.code, axes: description.axes)
            let cells = Rect(x: columns.sliderX, y: y, columns: columns.sliderColumns, rows: 1)
            // The slider's ends are where people end: three of their deviations.
            Slider.draw(
                on: &canvas, in: cells, value: value * direction.deviations, isSelected: isSelected, isActive: abs(value) >= 0.005
            )
            let isBeyond = abs(value * direction.deviations) > Slider.range
            canvas.field(
                Format.signed(value), x: columns.valueX, y: y, columns: 7, alignedRight: true,
                isBeyond ? .warning : isSelected ? .accent : abs(value) < 0.005 ? .dim : .text, selected: isSelected,
                bold: isSelected)
            canvas.hit(line, .direction(place))
            canvas.hit(cells, .directionSlider(place, cells: cells))
        }
    }

    /// What the chosen direction's numbers mean, for the edge of the pane.
    var directionNote: String? {
        guard let index, let place = directions.selectedDirection else { return nil }
        let direction = index.description.directions[place]
        let unit = direction.unit == .classGap ? "1 = from without to with" : "1 = one deviation"
        let quality =
            direction.accuracy.map { " · \(Format.percent($0)) right" } ?? direction.correlation.map {
                " · r \(Format.similarity($0))"
            } ?? ""
        return "\(direction.method)\(quality) · \(unit)"
    }
}
