import EngineAPI
import ScreenModel

/// Cells of equal size in a rectangle, as many columns as make the faces in them largest.
struct FaceGrid: Sendable, Hashable {
    var columns: Int
    var cells: [Rect]
    /// Size of the face in a cell; its caption stands below it.
    var face: Size

    init(count: Int, in area: Rect, aspect: Double) {
        var best = (columns: 1, rows: 0)
        // Side by side, unless one above another makes them clearly larger.
        for columns in (1...max(1, count)).reversed() {
            let lines = (count + columns - 1) / columns
            let rows = min(area.rows / lines - 1, Int(Double(area.columns / columns - 2) / aspect))
            if rows * 20 > best.rows * 23 { best = (columns, rows) }
        }
        columns = best.columns
        let lines = (count + columns - 1) / columns
        face = Size(columns: max(0, Int((Double(best.rows) * aspect).rounded())), rows: best.rows)
        // Together in the middle, the captions close to their faces.
        let width = min(area.columns / columns, face.columns + 4)
        let left = area.x + (area.columns - width * columns) / 2
        let top = area.y + max(0, (area.rows - lines * (best.rows + 1)) / 2)
        let grid = columns
        cells = (0..<count).map { place in
            Rect(
                x: left + place % grid * width, y: top + place / grid * (best.rows + 1), columns: width, rows: best.rows + 1)
        }
    }

    /// The picture's rectangle in a cell.
    func faceRect(_ place: Int) -> Rect {
        let cell = cells[place]
        return Rect(x: cell.x + max(0, (cell.columns - face.columns) / 2), y: cell.y, columns: face.columns, rows: face.rows)
    }
}

extension ExplorerModel {
    func contactGrid(in area: Rect) -> FaceGrid { FaceGrid(count: contact?.requests.count ?? 0, in: area, aspect: cellAspect) }

    /// The face in hand under several seeds.
    func drawContact(on canvas: inout Canvas, in rect: Rect) {
        guard let contact, let trail else { return }
        let inner = canvas.pane(rect, titles: ["Seeds", "of \(trail.step.shortTitle)"], focused: true)
        let grid = contactGrid(in: inner)
        guard grid.face.rows >= 2 else { return }
        let done = contact.requests.count { pictures.picture(of: $0) != nil }
        if done < contact.requests.count {
            canvas.note("\(done) of \(contact.requests.count)", on: rect, .text)
        } else if let comparison = contact.comparison {
            canvas.note(Self.words(comparison, columns: rect.columns - 6), on: rect)
        }
        // Four columns are for the mark of the chosen one.
        let captions = contact.captions(columns: (grid.cells.first?.columns ?? 0) - 4)
        for (place, request) in contact.requests.enumerated() {
            let cell = grid.cells[place]
            canvas.hit(cell, .contact(place))
            drawFace(request, slot: "contact \(place)", in: grid.faceRect(place), on: &canvas)
            let isSelected = place == contact.selected
            if isSelected { drawSelection(around: grid.faceRect(place), in: cell, on: &canvas) }
            drawCaption(
                captions[place], in: Rect(x: cell.x, y: cell.maxY - 1, columns: cell.columns, rows: 1),
                isSelected: isSelected, on: &canvas)
        }
    }

    /// What the likeness of the seeds says, and what to hold it against: photographs, since those are what the embedder was tested on.
    /// Where there is less room it is said shorter, and the yardstick is whole or not there.
    private static func words(_ comparison: FaceComparison, columns: Int) -> String {
        let mean = Format.similarity(comparison.meanLikeness ?? 1)
        let alone = "these alike \(mean)"
        guard let people = comparison.differentPeople.map(Format.similarity),
            let person = comparison.samePerson.map(Format.similarity)
        else { return alone }
        let forms = [
            "photos: two people \(people) · one \(person) · \(alone)", "two people \(people), one \(person) · here \(mean)",
        ]
        return forms.first { TextWidth.columns(of: $0) <= columns } ?? alone
    }

    /// The face in hand as the other models draw it, at the right of the preview or below it.
    /// - Returns: what is left for the preview itself.
    func drawOtherModels(on canvas: inout Canvas, in inner: Rect) -> Rect {
        let others = otherModels
        guard !others.isEmpty, inner.rows >= 6 else { return inner }
        let grid = FaceGrid(count: others.count + 1, in: inner, aspect: cellAspect)
        guard grid.face.rows >= 3 else { return inner }
        for (place, other) in others.enumerated() {
            let cell = grid.cells[place + 1]
            drawFace(other.request, slot: "model \(place)", in: grid.faceRect(place + 1), on: &canvas)
            canvas.centred(other.title, in: Rect(x: cell.x, y: cell.maxY - 1, columns: cell.columns, rows: 1), row: 0, .dim)
        }
        let own = grid.cells[0]
        canvas.centred(
            index?.description.model?.title ?? "", in: Rect(x: own.x, y: own.maxY - 1, columns: own.columns, rows: 1), row: 0,
            .accent, bold: true)
        return grid.faceRect(0)
    }

    /// A picture where it is there, its place where it is still to come.
    func drawFace(_ request: RenderRequest, slot: String, in rect: Rect, on canvas: inout Canvas) {
        guard showsPictures else { return }
        if let key = pictures.picture(of: request) {
            canvas.picture(key, slot: slot, in: rect)
        } else {
            canvas.placeholder(rect)
        }
    }
}
