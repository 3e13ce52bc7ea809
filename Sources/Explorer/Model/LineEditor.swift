import ScreenModel

/// One line of text being typed.
struct LineEditor: Sendable, Hashable {
    /// What the text is for when Enter comes.
    enum Purpose: Sendable, Hashable {
        case axisValue(Int)
        case directionValue(Int)
        case keepDirection
        case seed, prompt, negativePrompt, steps, pictureSize, guidance, frames
        case findAxes, findPeople, findSaved
        case keep
        case rename(Int64)
        case export(ExportKind)
    }

    var purpose: Purpose
    /// Stands before the text.
    var label: String
    /// Stands behind an empty text, dim: what can be typed.
    var example: String
    private(set) var characters: [Character]
    /// 0...characters.count
    private(set) var cursor: Int
    /// Whether the text is one that is only suggested: what is typed takes its place, except a tag, which goes behind it; other keys make it
    /// text like any other.
    private(set) var isSuggestion: Bool
    /// What stood there before, for Esc of a filter that acts while it is typed.
    let original: String

    init(_ purpose: Purpose, label: String, text: String = "", example: String = "", isSuggestion: Bool = false) {
        self.purpose = purpose
        self.label = label
        self.example = example
        characters = Array(text)
        cursor = characters.count
        original = text
        self.isSuggestion = isSuggestion && !text.isEmpty
    }

    var text: String { String(characters) }

    enum Outcome { case editing, accepted, cancelled, ignored }

    /// Takes a key in: characters, Backspace, Del, ←→, Home, End, Ctrl-A, Ctrl-E, Ctrl-U (all), Ctrl-W (a word), Enter, Esc.
    mutating func take(_ event: KeyEvent) -> Outcome {
        if isSuggestion { answerSuggestion(with: event) }
        if event.control {
            switch event.key {
            case .character("a"): cursor = 0
            case .character("e"): cursor = characters.count
            case .character("u"):
                characters.removeAll()
                cursor = 0
            case .character("w"):
                while cursor > 0, characters[cursor - 1] == " " { removeBefore() }
                while cursor > 0, characters[cursor - 1] != " " { removeBefore() }
            case .character("h"): if cursor > 0 { removeBefore() }
            default: return .ignored
            }
            return .editing
        }
        switch event.key {
        case .character(let character):
            guard !event.alt, !character.isNewline, characters.count < 2000 else { return .ignored }
            characters.insert(character, at: cursor)
            cursor += 1
        case .backspace: if cursor > 0 { removeBefore() }
        case .delete: if cursor < characters.count { characters.remove(at: cursor) }
        case .left: cursor = max(0, cursor - 1)
        case .right: cursor = min(characters.count, cursor + 1)
        case .home: cursor = 0
        case .end: cursor = characters.count
        case .enter: return .accepted
        case .escape: return .cancelled
        default: return .ignored
        }
        return .editing
    }

    private mutating func answerSuggestion(with event: KeyEvent) {
        isSuggestion = false
        guard !event.control, !event.alt else { return }
        switch event.key {
        case .character("#"): characters.append(" ")
        case .character(" "), .enter, .escape: break
        case .character(let character) where character.isNewline: break
        case .character, .backspace, .delete: characters.removeAll()
        default: break
        }
        cursor = characters.count
    }

    private mutating func removeBefore() {
        characters.remove(at: cursor - 1)
        cursor -= 1
    }

    /// The part of the text that fits, and the cursor's column in it.
    func visible(columns: Int) -> (text: String, cursor: Int) {
        guard columns > 1 else { return ("", 0) }
        var start = 0
        while start < cursor, TextWidth.columns(of: String(characters[start..<cursor])) > columns - 1 { start += 1 }
        let before = TextWidth.columns(of: String(characters[start..<cursor]))
        let shown = TextWidth.truncate(String(characters[start...]), to: columns)
        return (shown, before)
    }
}

/// What an export writes.
enum ExportKind: Sendable, Hashable {
    case picture, strip, animation
}
