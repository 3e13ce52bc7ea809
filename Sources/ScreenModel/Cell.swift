/// A colour of a theme: what each depth of terminal shows for it.
public struct Colour: Sendable, Hashable {
    /// 24-bit value `0xRRGGBB`, or nil where the theme names only a palette entry.
    public var rgb: UInt32?
    /// Entry of the xterm 256-colour palette; below 16 it is one of the terminal's own colours.
    public var index: UInt8

    public init(index: UInt8, rgb: UInt32? = nil) {
        self.index = index
        self.rgb = rgb
    }
}

/// How a cell is drawn. `nil` colours are the terminal's own.
public struct Style: Sendable, Hashable {
    public var foreground: Colour?
    public var background: Colour?
    public var bold: Bool
    public var dim: Bool
    public var underline: Bool
    public var reverse: Bool

    public init(
        foreground: Colour? = nil, background: Colour? = nil, bold: Bool = false, dim: Bool = false, underline: Bool = false,
        reverse: Bool = false
    ) {
        self.foreground = foreground
        self.background = background
        self.bold = bold
        self.dim = dim
        self.underline = underline
        self.reverse = reverse
    }

    /// The terminal's own colours without any attribute.
    public static let plain = Style()
}

/// One cell of the screen. A wide character fills its cell and leaves a `continuation` in the next.
public struct Cell: Sendable, Hashable {
    /// One grapheme of width 1 or 2; `"\0"` marks the second half of a wide one.
    public var character: Character
    public var style: Style

    public init(_ character: Character = " ", _ style: Style = .plain) {
        self.character = character
        self.style = style
    }

    public static let blank = Cell()
    /// The right half of a wide character.
    public static let continuation: Character = "\0"
}
