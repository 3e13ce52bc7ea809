import ScreenModel

/// Where the panes of the Model screen stand: the axes, the passport of the chosen one, and what is known of the space.
struct ModelLayout: Sendable, Hashable {
    var list: Rect
    /// Empty where the space's pane has its room.
    var passport: Rect
    /// Empty where the passport has its room.
    var space: Rect

    /// - Parameters:
    ///   - body: between the top line and the hints.
    ///   - aspect: height of a cell divided by its width.
    ///   - showsSpace: which of the two a window shows that has no room for both.
    init(body: Rect, aspect: Double, showsSpace: Bool) {
        let empty = Rect(x: body.maxX, y: body.maxY, columns: 0, rows: 0)
        guard body.columns >= GalleryPanes.leastSideBySide else {
            let rows = max(9, body.rows / 2)
            let top = Rect(x: body.x, y: body.y, columns: body.columns, rows: min(rows, body.rows))
            list = Rect(x: body.x, y: top.maxY, columns: body.columns, rows: body.rows - top.rows)
            passport = showsSpace ? empty : top
            space = showsSpace ? top : empty
            return
        }
        let columns = min(92, body.columns / 2)
        list = Rect(x: body.x, y: body.y, columns: columns, rows: body.rows)
        let right = Rect(x: list.maxX, y: body.y, columns: body.columns - columns, rows: body.rows)
        if body.rows >= 26 {
            // As high as its faces and figures; the rest is for the space.
            let face = Int(Double((right.columns - 4) / Passport.stops.count - 1) / aspect)
            let rows = max(17, min(body.rows * 11 / 20, face + 9))
            passport = Rect(x: right.x, y: right.y, columns: right.columns, rows: rows)
            space = Rect(x: right.x, y: passport.maxY, columns: right.columns, rows: right.rows - rows)
        } else {
            passport = showsSpace ? empty : right
            space = showsSpace ? right : empty
        }
    }

    /// Whether both are on the screen.
    var showsBoth: Bool { !passport.isEmpty && !space.isEmpty }
}
