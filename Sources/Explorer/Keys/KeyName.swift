import ScreenModel

/// How keys are written.
public enum KeyName {
    /// "←", "Shift-→", "Ctrl-R", "Space", "PgUp".
    public static func words(for event: KeyEvent) -> String {
        var words = ""
        if event.control { words += "Ctrl-" }
        if event.alt { words += "Alt-" }
        if event.shift { words += "Shift-" }
        switch event.key {
        case .character(" "): words += "Space"
        case .character(let character): words += event.control ? character.uppercased() : String(character)
        case .up: words += "↑"
        case .down: words += "↓"
        case .left: words += "←"
        case .right: words += "→"
        case .home: words += "Home"
        case .end: words += "End"
        case .pageUp: words += "PgUp"
        case .pageDown: words += "PgDn"
        case .enter: words += "Enter"
        case .escape: words += "Esc"
        case .tab: words += "Tab"
        case .backspace: words += "Backspace"
        case .delete: words += "Del"
        case .insert: words += "Ins"
        case .function(let number): words += "F\(number)"
        }
        return words
    }

    private static let named: [String: Key] = [
        "space": .character(" "), "up": .up, "↑": .up, "down": .down, "↓": .down, "left": .left, "←": .left, "right": .right,
        "→": .right, "home": .home, "end": .end, "pgup": .pageUp, "pageup": .pageUp, "pgdn": .pageDown, "pagedown": .pageDown,
        "enter": .enter, "return": .enter, "esc": .escape, "escape": .escape, "tab": .tab, "backspace": .backspace,
        "del": .delete, "delete": .delete, "ins": .insert, "insert": .insert,
    ]

    /// Reads a key as a person writes it: one character, or a name (Space, Up, Down, Left, Right, Home, End, PgUp, PgDn, Enter, Esc, Tab,
    /// Backspace, Del, Ins, F1...F24, or the arrows ↑↓←→), after any of `Ctrl-`, `Alt-`, `Shift-`. Capitals do not matter in names; a letter
    /// with Shift is the capital letter.
    /// - Parameter text: the words.
    /// - Returns: the key, or nil when they are none.
    public static func event(named text: String) -> KeyEvent? {
        var event = KeyEvent(.escape)
        var rest = Substring(text)
        while rest.count > 2 {
            let lower = rest.lowercased()
            guard let modifier = ["ctrl-", "ctrl+", "alt-", "alt+", "shift-", "shift+"].first(where: lower.hasPrefix),
                rest.count > modifier.count
            else { break }
            switch modifier.first {
            case "c": event.control = true
            case "a": event.alt = true
            default: event.shift = true
            }
            rest = rest.dropFirst(modifier.count)
        }
        let name = rest.lowercased()
        if let key = named[name] {
            event.key = key
            if key == .character(" "), event.shift { return nil }
        } else if name.first == "f", name.count > 1, let number = Int(name.dropFirst()), (1...24).contains(number) {
            event.key = .function(number)
        } else if rest.count == 1, let character = rest.first, !character.isWhitespace, !character.isNewline {
            if event.control {
                // Terminals tell Ctrl with letters and little else, and never Shift with it.
                guard character.isASCII, !event.shift, let small = character.lowercased().first else { return nil }
                event.key = .character(small)
            } else if event.shift {
                guard let capital = character.uppercased().first, capital != character || character.isUppercase else {
                    return nil
                }
                event.key = .character(capital)
                event.shift = false
            } else {
                event.key = .character(character)
            }
        } else {
            return nil
        }
        return event
    }
}
