/// A key as a person thinks of it.
public enum Key: Sendable, Hashable {
    case character(Character)
    case up, down, left, right
    case home, end, pageUp, pageDown
    case enter, escape, tab, backspace, delete, insert
    case function(Int)
}

/// A key with its modifiers. Shift is only reported where it does not already change the character (arrows, Tab).
public struct KeyEvent: Sendable, Hashable {
    public var key: Key
    public var shift: Bool
    public var control: Bool
    public var alt: Bool

    public init(_ key: Key, shift: Bool = false, control: Bool = false, alt: Bool = false) {
        self.key = key
        self.shift = shift
        self.control = control
        self.alt = alt
    }
}

/// What the mouse did, in cells.
public struct MouseEvent: Sendable, Hashable {
    /// What happened; a drag is a move with the button down.
    public enum Action: Sendable, Hashable {
        case press, release, drag, wheelUp, wheelDown
    }

    public var action: Action
    public var position: Point

    public init(_ action: Action, at position: Point) {
        self.action = action
        self.position = position
    }
}

/// How pictures reach the screen.
public enum GraphicsMode: String, Sendable, Hashable, CaseIterable {
    /// Real pixels.
    case sixel
    /// Two pixels a cell as half blocks, in the deepest colour the terminal has.
    case blocks
    /// No pictures at all.
    case none
}

/// What a person or the terminal did.
public enum InputEvent: Sendable, Hashable {
    case key(KeyEvent)
    case mouse(MouseEvent)
    case resized(Size)
    /// The terminal has told, or failed to tell, how it shows pictures; `note` is a sentence for the status line, if there is
    /// something to say.
    case graphics(GraphicsMode, note: String?)
    /// A polite request to end: SIGTERM, SIGHUP, the terminal went away.
    case terminate
}
