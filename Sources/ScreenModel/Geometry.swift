/// A cell's place on the screen, counted from 0 at the top left.
public struct Point: Sendable, Hashable {
    public var x: Int
    public var y: Int

    public init(x: Int, y: Int) {
        self.x = x
        self.y = y
    }
}

/// Columns and rows.
public struct Size: Sendable, Hashable {
    public var columns: Int
    public var rows: Int

    public init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
    }
}

/// A rectangle of cells; empty when it has no column or no row.
public struct Rect: Sendable, Hashable {
    public var x: Int
    public var y: Int
    public var columns: Int
    public var rows: Int

    public init(x: Int, y: Int, columns: Int, rows: Int) {
        self.x = x
        self.y = y
        self.columns = max(0, columns)
        self.rows = max(0, rows)
    }

    /// The column behind the last one.
    public var maxX: Int { x + columns }
    /// The row below the last one.
    public var maxY: Int { y + rows }
    public var isEmpty: Bool { columns == 0 || rows == 0 }
    public var size: Size { Size(columns: columns, rows: rows) }

    /// Whether a cell lies inside.
    public func contains(_ point: Point) -> Bool {
        point.x >= x && point.x < maxX && point.y >= y && point.y < maxY
    }

    /// Whether the two have a cell in common; an empty one has none.
    public func intersects(_ other: Rect) -> Bool {
        !isEmpty && !other.isEmpty && x < other.maxX && other.x < maxX && y < other.maxY && other.y < maxY
    }

    /// The rectangle that is left when `left`, `right` columns and `top`, `bottom` rows are taken away.
    public func inset(left: Int = 0, top: Int = 0, right: Int = 0, bottom: Int = 0) -> Rect {
        Rect(x: x + left, y: y + top, columns: columns - left - right, rows: rows - top - bottom)
    }

    /// The rectangle with the same amount taken from all four sides.
    public func inset(by amount: Int) -> Rect {
        inset(left: amount, top: amount, right: amount, bottom: amount)
    }
}

extension Rect {
    /// The cells that both rectangles share; empty (but placed inside this one) when there are none.
    public func intersection(_ other: Rect) -> Rect {
        let left = min(max(x, other.x), maxX)
        let top = min(max(y, other.y), maxY)
        return Rect(x: left, y: top, columns: min(maxX, other.maxX) - left, rows: min(maxY, other.maxY) - top)
    }

    /// The rectangle cut at column `columns` (counted from its left side) into a left and a right part.
    public func split(column columns: Int) -> (left: Rect, right: Rect) {
        let width = min(max(0, columns), self.columns)
        return (
            Rect(x: x, y: y, columns: width, rows: rows),
            Rect(x: x + width, y: y, columns: self.columns - width, rows: rows)
        )
    }

    /// The rectangle cut at row `rows` (counted from its top) into an upper and a lower part.
    public func split(row rows: Int) -> (top: Rect, bottom: Rect) {
        let height = min(max(0, rows), self.rows)
        return (
            Rect(x: x, y: y, columns: columns, rows: height),
            Rect(x: x, y: y + height, columns: columns, rows: self.rows - height)
        )
    }
}
