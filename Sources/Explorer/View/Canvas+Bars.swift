import ScreenModel

extension Canvas {
    /// A level of 0...1 as one character, an eighth of a cell at least: "▁" to "█".
    static func level(_ share: Float) -> String {
        let bars = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        guard share.isFinite else { return " " }
        return bars[Int((share.clamped(to: 0...1) * 7).rounded())]
    }

    /// A bar from the left, as thin as a slider's line, its end in halves of a cell.
    /// - Parameters:
    ///   - share: 0...1 of the rectangle's width.
    ///   - rect: one row.
    ///   - role: its colour.
    ///   - selected: whether it stands on a chosen row.
    mutating func bar(_ share: Float, in rect: Rect, _ role: Theme.Role, selected: Bool = false) {
        guard rect.columns > 0, share.isFinite else { return }
        let halves = Int((share.clamped(to: 0...1) * Float(rect.columns * 2)).rounded())
        let line = glyphs == .unicode ? "━" : "="
        // Something small is still something.
        let words = String(repeating: line, count: halves / 2) + (halves % 2 == 1 ? glyphs == .unicode ? "╸" : "-" : "")
        text(words.isEmpty && share > 0 ? "╺" : words, x: rect.x, y: rect.y, role, selected: selected, clip: rect)
    }

    /// A bar from the middle: to the left for values below zero.
    /// - Parameters:
    ///   - value: -1...1 of half the rectangle's width.
    ///   - rect: one row.
    ///   - role: its colour.
    mutating func signedBar(_ value: Float, in rect: Rect, _ role: Theme.Role) {
        let half = (rect.columns - 1) / 2
        guard half >= 1, value.isFinite else { return }
        let middle = rect.x + half
        let count = Int((abs(value).clamped(to: 0...1) * Float(half)).rounded())
        let block = glyphs == .unicode ? "━" : "="
        text("┼", x: middle, y: rect.y, .border)
        text(String(repeating: block, count: count), x: value < 0 ? middle - count : middle + 1, y: rect.y, role, clip: rect)
    }
}
