/// Names a picture without holding its pixels. The explorer hands out the numbers; a new picture always gets a new number.
public struct ImageKey: Sendable, Hashable {
    public let rawValue: UInt64

    public init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// A picture that stands on the screen.
public struct ImagePlacement: Sendable, Hashable {
    /// Which place of the layout this is (the preview, a cell of a gallery, frame 3 of a strip): a new picture in the same slot and
    /// rectangle is drawn over the old one without clearing it first.
    public var slot: String
    /// Cells that the picture may use. It is scaled, keeping its shape, to the largest size that fits, and centred.
    public var rect: Rect
    public var image: ImageKey
    /// Whether this picture is expected to be replaced at once (a draft): it is encoded for speed rather than for looks.
    public var isDraft: Bool

    public init(slot: String, rect: Rect, image: ImageKey, isDraft: Bool = false) {
        self.slot = slot
        self.rect = rect
        self.image = image
        self.isDraft = isDraft
    }
}

/// All that a screen shows at one moment: what a view returns and what a terminal presents.
public struct Frame: Sendable, Hashable {
    public var grid: CellGrid
    /// Pictures, none overlapping another. Cells below a picture are blank in `grid`.
    public var placements: [ImagePlacement]
    /// Where the text cursor blinks, or nil to hide it.
    public var cursor: Point?

    public init(grid: CellGrid, placements: [ImagePlacement] = [], cursor: Point? = nil) {
        self.grid = grid
        self.placements = placements
        self.cursor = cursor
    }
}
