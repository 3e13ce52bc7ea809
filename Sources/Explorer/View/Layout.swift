import ScreenModel

/// Where the panes of Explore stand.
struct ExploreLayout: Sendable, Hashable {
    enum TrailStyle: Sendable, Hashable {
        case none
        /// One line without a frame.
        case bare
        /// One line in a frame.
        case line
        /// Small faces in a frame.
        case faces
        /// One line for each step, in a frame.
        case column
    }

    var list: Rect
    /// Two lines: how typical the face is and how like A and B; the prompt. Three where it is narrow.
    var info: Rect
    var preview: Rect
    var trail: Rect
    var trailStyle: TrailStyle

    /// The narrowest that sliders can be read in.
    static let leastList = 42

    /// - Parameters:
    ///   - body: between the top line and the hints.
    ///   - aspect: height of a cell divided by its width.
    ///   - showsFaces: whether the trail may show pictures.
    init(body: Rect, aspect: Double, showsFaces: Bool) {
        let wide = Self.sideBySide(body: body, aspect: aspect, showsFaces: showsFaces)
        let tall = Self.stacked(body: body, aspect: aspect)
        // Side by side, unless the window is narrow or that makes the face clearly smaller.
        let gain = wide.faceRows(aspect) > 0 ? Double(tall.faceRows(aspect)) / Double(wide.faceRows(aspect)) : 2
        self = body.columns >= GalleryPanes.leastSideBySide && gain < 1.25 ? wide : tall
    }

    private init(list: Rect, info: Rect, preview: Rect, trail: Rect, trailStyle: TrailStyle) {
        self.list = list
        self.info = info
        self.preview = preview
        self.trail = trail
        self.trailStyle = trailStyle
    }

    /// Rows of a square picture in the preview.
    private func faceRows(_ aspect: Double) -> Int {
        max(0, min(preview.rows - 2, Int(Double(preview.columns - 2) / aspect)))
    }

    private static func sideBySide(body: Rect, aspect: Double, showsFaces: Bool) -> ExploreLayout {
        let style: TrailStyle = body.rows >= 40 && showsFaces ? .faces : body.rows >= 24 ? .line : .bare
        let trailRows = style == .faces ? 7 : style == .line ? 3 : 1
        let previewRows = body.rows - trailRows
        let face = Int((Double(max(0, previewRows - 2)) * aspect).rounded(.up)) + 2
        let columns = min(face, body.columns - leastList)
        // What a very wide window has left over widens the preview's pane rather than the sliders.
        let listColumns = min(body.columns - columns, max(leastList, body.columns * 6 / 10))
        let right = Rect(x: body.x + listColumns, y: body.y, columns: body.columns - listColumns, rows: body.rows)
        return ExploreLayout(
            list: Rect(x: body.x, y: body.y, columns: listColumns, rows: body.rows - 2),
            info: Rect(x: body.x, y: body.maxY - 2, columns: listColumns, rows: 2),
            preview: Rect(x: right.x, y: right.y, columns: right.columns, rows: previewRows),
            trail: Rect(x: right.x, y: right.y + previewRows, columns: right.columns, rows: trailRows), trailStyle: style)
    }

    /// The preview above the list. What a face leaves of the width is for the trail and the words on the face; where it leaves little, they
    /// stand below.
    private static func stacked(body: Rect, aspect: Double) -> ExploreLayout {
        func faceColumns(_ rows: Int) -> Int { Int((Double(max(0, rows - 2)) * aspect).rounded(.up)) + 2 }
        // The face has three fifths of the height, the list not less than four sliders.
        let previewRows = max(0, min(body.rows * 3 / 5 + 1, body.rows - 6))
        let previewColumns = max(faceColumns(previewRows), body.columns / 2)
        let besideColumns = body.columns - previewColumns
        if besideColumns >= leastBeside {
            let preview = Rect(x: body.x, y: body.y, columns: previewColumns, rows: previewRows)
            let trail = Rect(x: preview.maxX, y: body.y, columns: besideColumns, rows: max(0, previewRows - 3))
            return ExploreLayout(
                list: Rect(x: body.x, y: preview.maxY, columns: body.columns, rows: body.rows - previewRows),
                info: Rect(x: preview.maxX, y: trail.maxY, columns: besideColumns, rows: min(3, previewRows)),
                preview: preview, trail: trail, trailStyle: trail.rows >= 3 ? .column : .none)
        }
        let trailRows = body.rows >= 24 ? 1 : 0
        let infoRows = min(2, body.rows)
        let rest = body.rows - trailRows - infoRows
        let face = Int((Double(body.columns - 2) / aspect).rounded(.down)) + 2
        let leastRows = min(rest, max(6, rest / 3))
        let rows = max(0, min(face, rest - leastRows))
        let preview = Rect(x: body.x, y: body.y, columns: body.columns, rows: rows)
        let list = Rect(x: body.x, y: preview.maxY, columns: body.columns, rows: rest - rows)
        let info = Rect(x: body.x, y: list.maxY, columns: body.columns, rows: infoRows)
        return ExploreLayout(
            list: list, info: info, preview: preview,
            trail: Rect(x: body.x, y: info.maxY, columns: body.columns, rows: trailRows),
            trailStyle: trailRows > 0 ? .bare : .none)
    }

    /// The narrowest that the trail and the words on the face can be read in beside the face.
    private static let leastBeside = 28
}

/// A gallery with the face in hand beside it, above it in a narrow window.
struct GalleryPanes: Sendable, Hashable {
    var gallery: Rect
    /// Empty where there is no room.
    var side: Rect
    /// Whether the face in hand stands above the gallery, with its words at its right.
    var isStacked: Bool

    /// The narrowest window in which a list has something beside it.
    static let leastSideBySide = 100

    init(body: Rect, aspect: Double) {
        isStacked = body.columns < Self.leastSideBySide
        if isStacked {
            // Half of the height, so that one row of faces stays below; the face leaves half of the width to the words.
            let face = Int(Double(body.columns / 2 - 2) / aspect)
            let rows = min(body.rows * 11 / 20, face + 2)
            side = Rect(x: body.x, y: body.y, columns: body.columns, rows: rows >= 7 ? rows : 0)
            gallery = Rect(x: body.x, y: side.maxY, columns: body.columns, rows: body.rows - side.rows)
        } else {
            let columns = min(max(30, body.columns * 3 / 10), Int(Double(body.rows - 10) * aspect) + 4).clamped(to: 26...64)
            gallery = Rect(x: body.x, y: body.y, columns: body.columns - columns, rows: body.rows)
            side = Rect(x: gallery.maxX, y: body.y, columns: columns, rows: body.rows)
        }
    }
}

/// Where the ends, the frame in hand and the strip of a morph stand.
struct MorphLayout: Sendable, Hashable {
    var pane: Rect
    var a: Rect
    var b: Rect
    var current: Rect
    /// Faces of the strip, with the frame that each one shows.
    var frames: [(index: Int, rect: Rect)]
    /// The lines of positions and of step sizes.
    var positionRow: Int
    var stepRow: Int

    static func == (left: MorphLayout, right: MorphLayout) -> Bool {
        left.pane == right.pane && left.current == right.current && left.frames.map(\.rect) == right.frames.map(\.rect)
    }

    func hash(into hasher: inout Hasher) { hasher.combine(pane) }

    init(body: Rect, aspect: Double, count: Int, selected: Int) {
        pane = body
        let inner = body.inset(by: 1)
        let least = 7
        let slots = max(1, min(count, inner.columns / least))
        let slotColumns = max(1, inner.columns / slots)
        let stripRows = max(1, min(Int(Double(slotColumns - 1) / aspect), inner.rows / 3, 8))
        let faceColumns = max(1, min(slotColumns - 1, Int((Double(stripRows) * aspect).rounded())))
        let first = min(max(0, selected - slots / 2), max(0, count - slots))
        let left = inner.x + (inner.columns - slots * slotColumns) / 2
        let top = inner.maxY - 2 - stripRows
        frames = (first..<(first + slots)).map { index in
            (
                index,
                Rect(
                    x: left + (index - first) * slotColumns + (slotColumns - faceColumns) / 2, y: top, columns: faceColumns,
                    rows: stripRows)
            )
        }
        positionRow = top + stripRows
        stepRow = positionRow + 1
        let upper = Rect(x: inner.x, y: inner.y, columns: inner.columns, rows: max(0, top - 1 - inner.y))
        let currentRows = max(0, min(upper.rows, Int(Double(inner.columns) * 0.44 / aspect)))
        let currentColumns = Int((Double(currentRows) * aspect).rounded())
        current = Rect(
            x: upper.x + (upper.columns - currentColumns) / 2, y: upper.y + (upper.rows - currentRows) / 2,
            columns: currentColumns,
            rows: currentRows)
        let sideColumns = max(0, current.x - upper.x - 3)
        // One row under each end for its name.
        let endRows = max(0, min(upper.rows - 2, Int(Double(sideColumns) / aspect), currentRows * 3 / 4))
        let endColumns = Int((Double(endRows) * aspect).rounded())
        let endY = upper.y + max(0, (upper.rows - endRows - 1) / 2)
        a = Rect(x: upper.x + 1 + (sideColumns - endColumns) / 2, y: endY, columns: endColumns, rows: endRows)
        b = Rect(x: current.maxX + 2 + (sideColumns - endColumns) / 2, y: endY, columns: endColumns, rows: endRows)
    }
}

extension ExplorerModel {
    static let leastSize = Size(columns: 60, rows: 20)

    /// Between the top line and the hints.
    func body(size: Size) -> Rect {
        Rect(x: 0, y: 1, columns: size.columns, rows: max(0, size.rows - 2))
    }

    func exploreLayout(size: Size) -> ExploreLayout {
        ExploreLayout(body: body(size: size), aspect: cellAspect, showsFaces: showsPictures)
    }

    /// Rows of the axis list that show axes: the last one may tell of folded axes.
    func axisRows(size: Size) -> Int {
        sliderRows(size: size).axes
    }

    /// What the last line of the list says.
    var foldLine: String? {
        guard let index, axes.query.isEmpty else { return nil }
        let silent = index.description.axes.count - index.active.count
        guard silent > 0 else { return nil }
        return axes.unfolded
            ? "all shown · \(key(.collapsedAxes)) folds the \(silent) silent ones"
            : "\(silent) silent ax\(silent == 1 ? "is" : "es") folded · \(key(.collapsedAxes))"
    }

    /// Why the list of axes is empty, and what fills it.
    var noAxes: (reason: String, remedy: String) {
        axes.query.isEmpty
            ? ("every axis of this space is silent", "\(key(.collapsedAxes)) shows them")
            : ("no axis goes along with “\(axes.query)”", "\(key(.back)) shows all")
    }

    func drawNoAxes(on canvas: inout Canvas, in rect: Rect) {
        canvas.centred(noAxes.reason, in: rect, row: rect.rows / 2, .dim)
        canvas.centred(noAxes.remedy, in: rect, row: rect.rows / 2 + 1, .dim)
    }

    /// Rows of the list of axes on the screen at hand.
    var listRows: Int { screen == .model ? modelListRows(size: size) : axisRows(size: size) }

    func galleryLayout(_ screen: ScreenName, size: Size) -> GalleryLayout {
        let panes = GalleryPanes(body: body(size: size), aspect: cellAspect)
        let gallery = screen == .saved ? saved : people
        return GalleryLayout(
            area: panes.gallery.inset(left: 2, top: 1, right: 2, bottom: 1), captionRows: screen == .saved ? 3 : 2,
            zoom: gallery.zoom,
            aspect: cellAspect)
    }

    func morphLayout(size: Size) -> MorphLayout {
        MorphLayout(body: body(size: size), aspect: cellAspect, count: morph.count, selected: morph.selected)
    }
}
