import ScreenModel

/// Where a picture stands: whole cells, and its size in the pixels of whatever draws it.
struct PictureFit: Hashable, Sendable {
    /// Cells that the picture covers, wholly or in part.
    var cells: Rect
    /// Pixels of the picture as drawn: real ones for sixel; for blocks, one per column and two per row.
    var pixels: PixelSize

    /// Rows of pixels in one sixel.
    static let band = 6

    /// The largest picture of the given shape in a rectangle of cells, centred.
    /// - Parameters:
    ///   - source: size of the picture; only its shape counts.
    ///   - rect: cells that may be used.
    ///   - cell: pixels of a cell.
    ///   - limit: largest picture that the terminal takes.
    /// - Returns: nil where not even one band of pixels fits.
    static func sixel(_ source: PixelSize, in rect: Rect, cell: PixelSize, limit: PixelSize?) -> PictureFit? {
        guard source.width > 0, source.height > 0, cell.width > 0, cell.height > 0, !rect.isEmpty else { return nil }
        var width = rect.columns * cell.width
        var height = rect.rows * cell.height
        if let limit {
            width = min(width, limit.width)
            height = min(height, limit.height)
        }
        // Whole bands: a terminal rounds up, and the rest of a band would reach over the rectangle.
        var fittedHeight = min(height, width * source.height / source.width) / band * band
        var fittedWidth = fittedHeight * source.width / source.height
        if fittedWidth > width {
            fittedWidth = width
            fittedHeight = width * source.height / source.width / band * band
        }
        guard fittedHeight >= band, fittedWidth >= 1 else { return nil }
        let pixels = PixelSize(width: fittedWidth, height: fittedHeight)
        let columns = (fittedWidth + cell.width - 1) / cell.width
        let rows = (fittedHeight + cell.height - 1) / cell.height
        return PictureFit(cells: centred(columns, rows, in: rect), pixels: pixels)
    }

    /// The same with a cell as two pixels, one above the other.
    static func blocks(_ source: PixelSize, in rect: Rect) -> PictureFit? {
        guard source.width > 0, source.height > 0, !rect.isEmpty else { return nil }
        let width = rect.columns
        let height = rect.rows * 2
        var fittedHeight = min(height, max(1, width * source.height / source.width))
        var fittedWidth = min(width, max(1, fittedHeight * source.width / source.height))
        fittedHeight = max(2, (fittedHeight + 1) / 2 * 2)
        if fittedHeight > height { fittedHeight = height }
        fittedWidth = max(1, fittedWidth)
        let pixels = PixelSize(width: fittedWidth, height: fittedHeight)
        return PictureFit(cells: centred(fittedWidth, fittedHeight / 2, in: rect), pixels: pixels)
    }

    private static func centred(_ columns: Int, _ rows: Int, in rect: Rect) -> Rect {
        Rect(x: rect.x + (rect.columns - columns) / 2, y: rect.y + (rect.rows - rows) / 2, columns: columns, rows: rows)
    }
}
