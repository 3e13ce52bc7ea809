import EngineAPI
import ScreenModel

/// A face in a gallery.
enum GalleryItem: Sendable, Hashable {
    /// Row of the space's table.
    case identity(Int)
    /// Row of the library.
    case favourite(Int64)
}

/// How People are ordered.
enum PeopleOrder: Sendable, Hashable {
    case name
    case similarity
    /// Column of the label table, the strongest first.
    case attribute(Int)
}

/// A gallery of faces: what is in it, what is chosen, how large the faces are.
struct Gallery: Sendable {
    var items: [GalleryItem] = []
    var selected = 0
    /// First row on the screen.
    var top = 0
    var query = ""
    /// Steps of the face's size from the ordinary one, -2...3.
    var zoom = 0
    /// Grows whenever `items` changes.
    private(set) var generation = 0

    var selectedItem: GalleryItem? { items.indices.contains(selected) ? items[selected] : nil }

    /// Shows other items and stays on the chosen one where it is among them.
    mutating func show(_ newItems: [GalleryItem], keepingSelection: Bool = true) {
        let chosen = keepingSelection ? selectedItem : nil
        items = newItems
        generation += 1
        if let chosen, let place = items.firstIndex(of: chosen) {
            selected = place
        } else {
            selected = keepingSelection ? min(selected, max(0, items.count - 1)) : 0
        }
    }

    mutating func move(by step: Int) {
        guard !items.isEmpty else { return }
        selected = min(max(0, selected + step), items.count - 1)
    }

    /// Moves by whole rows and stops in the last one rather than beyond it.
    mutating func move(rows: Int, columns: Int) {
        guard !items.isEmpty, columns > 0 else { return }
        let row = selected / columns
        let last = (items.count - 1) / columns
        let target = min(max(0, row + rows), last)
        selected = min(target * columns + selected % columns, items.count - 1)
    }

    /// Scrolls so that the chosen face is on the screen.
    mutating func scroll(_ layout: GalleryLayout) {
        guard layout.columns > 0, layout.rows > 0 else { return }
        let row = selected / layout.columns
        if row < top { top = row }
        if row >= top + layout.rows { top = row - layout.rows + 1 }
        let lastTop = max(0, (items.count + layout.columns - 1) / layout.columns - layout.rows)
        top = min(max(0, top), lastTop)
    }
}

/// Where the faces of a gallery stand.
struct GalleryLayout: Sendable, Hashable {
    /// Faces side by side and one above another that fit wholly.
    var columns: Int
    var rows: Int
    /// Height of a cell with its words, and size of the face in it.
    var cellRows: Int
    var face: Size
    var area: Rect

    /// - Parameters:
    ///   - area: inside of the pane.
    ///   - captionRows: lines of words below a face.
    ///   - zoom: steps larger or smaller than usual.
    ///   - aspect: height of a cell divided by its width.
    init(area: Rect, captionRows: Int, zoom: Int, aspect: Double) {
        self.area = area
        let wished = max(3, min(area.rows - captionRows, 5 + zoom * 2 + (area.rows >= 44 ? 1 : 0)))
        // As many rows as the wish allows, then faces as tall as these rows leave.
        rows = area.rows > captionRows ? max(1, area.rows / (max(1, wished) + captionRows)) : 0
        let faceRows = max(1, rows > 0 ? area.rows / rows - captionRows : 1)
        let faceColumns = max(1, Int((Double(faceRows) * aspect).rounded()))
        let least = max(faceColumns, 8) + 2
        columns = max(area.columns >= 6 ? 1 : 0, area.columns / least)
        cellRows = faceRows + captionRows
        face = Size(columns: max(0, min(faceColumns, columns > 0 ? area.columns / columns - 1 : 0)), rows: faceRows)
    }

    var count: Int { columns * rows }

    /// The cell of the face at a place of the page. Cells share the whole width: where it does not come out even, some are
    /// a column wider than others. A row is much larger than a column and would show, so rows stand at even distances and
    /// what is left stays below them.
    func rect(_ place: Int) -> Rect {
        guard columns > 0 else { return Rect(x: area.x, y: area.y, columns: 0, rows: 0) }
        let column = place % columns
        let left = area.columns * column / columns
        return Rect(
            x: area.x + left, y: area.y + cellRows * (place / columns), columns: area.columns * (column + 1) / columns - left,
            rows: cellRows)
    }

    /// The picture's rectangle within a cell.
    func faceRect(in rect: Rect) -> Rect {
        Rect(x: rect.x + max(0, (rect.columns - face.columns) / 2), y: rect.y, columns: face.columns, rows: face.rows)
    }
}
