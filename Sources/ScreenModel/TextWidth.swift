/// How many columns text takes on a terminal, and which part of a grapheme a terminal cell can hold.
///
/// A cell holds one spacing character and the marks that sit on it (that is what curses stores). Sequences that a font may join into one
/// picture (flags, families, skin tones) differ from terminal to terminal, so only their first character is drawn.
public enum TextWidth {
    /// The most combining marks that a cell keeps.
    static let maximumMarks = 4

    /// Columns of one grapheme: 1 or 2. Control characters count as the one blank they are drawn as.
    public static func columns(of character: Character) -> Int {
        if character.isASCII { return 1 }
        guard let first = character.unicodeScalars.first else { return 1 }
        return isWide(first) ? 2 : 1
    }

    /// Columns of a text drawn in one line.
    public static func columns(of text: some StringProtocol) -> Int {
        var total = 0
        for character in text where !isInvisible(character) { total += columns(of: character) }
        return total
    }

    /// The longest beginning of `text` that fits into `columns`; when something is left out and there is room, it ends in `ellipsis`.
    public static func truncate(_ text: String, to columns: Int, ellipsis: String = "…") -> String {
        guard self.columns(of: text) > columns else { return text }
        guard columns > 0 else { return "" }
        let tail = self.columns(of: ellipsis) <= columns ? ellipsis : ""
        let room = columns - self.columns(of: tail)
        var used = 0
        var kept = ""
        for character in text where !isInvisible(character) {
            let width = self.columns(of: character)
            if used + width > room { break }
            used += width
            kept.append(character)
        }
        return kept + tail
    }

    /// `text` cut or filled with blanks on the right (left when `alignedRight`) to exactly `columns`.
    public static func pad(_ text: String, to columns: Int, alignedRight: Bool = false) -> String {
        let cut = truncate(text, to: columns)
        let blanks = String(repeating: " ", count: max(0, columns - self.columns(of: cut)))
        return alignedRight ? blanks + cut : cut + blanks
    }

    /// Lines of at most `columns`, broken at blanks where possible; line ends in `text` are kept. Never empty.
    public static func wrap(_ text: String, to columns: Int) -> [String] {
        guard columns > 0 else { return [""] }
        var lines: [String] = []
        for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
            var line = ""
            let before = lines.count
            for word in paragraph.split(separator: " ") {
                var rest = String(word)
                if !line.isEmpty, self.columns(of: line) + 1 + self.columns(of: rest) <= columns {
                    line += " " + rest
                    continue
                }
                if !line.isEmpty { lines.append(line) }
                while self.columns(of: rest) > columns {
                    var head = truncate(rest, to: columns, ellipsis: "")
                    // A wide character in a single column: it must go somewhere, or this would never end.
                    if head.isEmpty, let first = rest.first { head = String(first) }
                    // A path is broken behind one of its folders.
                    if let slash = head.dropLast().lastIndex(of: "/"), slash > head.startIndex { head = String(head[...slash]) }
                    lines.append(head)
                    rest = String(rest.dropFirst(head.count))
                }
                line = rest
            }
            if !line.isEmpty || lines.count == before { lines.append(line) }
        }
        return lines
    }

    /// What a cell shows for a grapheme: its first spacing character with the marks on it, a blank for a control character, nil for a
    /// grapheme without any width (a lone mark, a direction override).
    static func drawable(_ character: Character) -> Character? {
        if let ascii = character.asciiValue, ascii >= 0x20, ascii < 0x7f, character.utf8.count == 1 { return character }
        guard let first = character.unicodeScalars.first else { return nil }
        if isControl(first) { return " " }
        if isZeroWidth(first) { return nil }
        var scalars = String.UnicodeScalarView()
        scalars.append(first)
        for scalar in character.unicodeScalars.dropFirst() {
            // Joiners and a second spacing character start what terminals disagree about.
            guard isMark(scalar), scalars.count <= maximumMarks else { break }
            scalars.append(scalar)
        }
        return String(scalars).first
    }

    private static func isInvisible(_ character: Character) -> Bool {
        guard !character.isASCII, let first = character.unicodeScalars.first else { return false }
        return isZeroWidth(first) && !isControl(first)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (scalar.value >= 0x7f && scalar.value < 0xa0) || scalar.value == 0x2028 || scalar.value == 0x2029
    }

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: true
        default: false
        }
    }

    private static func isZeroWidth(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x300 { return scalar.value == 0xad }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .surrogate, .unassigned, .lineSeparator, .paragraphSeparator: return true
        default: return false
        }
    }

    /// East Asian wide and fullwidth, and the emoji that are wide by default (Unicode's EastAsianWidth W and F).
    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        let value = scalar.value
        if value < 0x1100 { return false }
        var low = 0
        var high = wideRanges.count
        while low < high {
            let middle = (low + high) / 2
            if wideRanges[middle].1 < value { low = middle + 1 } else { high = middle }
        }
        return low < wideRanges.count && wideRanges[low].0 <= value
    }

    private static let wideRanges: [(UInt32, UInt32)] = [
        (0x1100, 0x115f), (0x231a, 0x231b), (0x2329, 0x232a), (0x23e9, 0x23ec), (0x23f0, 0x23f0), (0x23f3, 0x23f3),
        (0x25fd, 0x25fe), (0x2614, 0x2615), (0x2648, 0x2653), (0x267f, 0x267f), (0x2693, 0x2693), (0x26a1, 0x26a1),
        (0x26aa, 0x26ab), (0x26bd, 0x26be), (0x26c4, 0x26c5), (0x26ce, 0x26ce), (0x26d4, 0x26d4), (0x26ea, 0x26ea),
        (0x26f2, 0x26f3), (0x26f5, 0x26f5), (0x26fa, 0x26fa), (0x26fd, 0x26fd), (0x2705, 0x2705), (0x270a, 0x270b),
        (0x2728, 0x2728), (0x274c, 0x274c), (0x274e, 0x274e), (0x2753, 0x2755), (0x2757, 0x2757), (0x2795, 0x2797),
        (0x27b0, 0x27b0), (0x27bf, 0x27bf), (0x2b1b, 0x2b1c), (0x2b50, 0x2b50), (0x2b55, 0x2b55), (0x2e80, 0x303e),
        (0x3041, 0x33ff), (0x3400, 0x4dbf), (0x4e00, 0xa4cf), (0xa960, 0xa97f), (0xac00, 0xd7a3), (0xf900, 0xfaff),
        (0xfe10, 0xfe19), (0xfe30, 0xfe6f), (0xff01, 0xff60), (0xffe0, 0xffe6), (0x16fe0, 0x18cff), (0x1aff0, 0x1b2ff),
        (0x1f004, 0x1f004), (0x1f0cf, 0x1f0cf), (0x1f18e, 0x1f18e), (0x1f191, 0x1f19a), (0x1f200, 0x1f320),
        (0x1f32d, 0x1f335), (0x1f337, 0x1f37c), (0x1f37e, 0x1f393), (0x1f3a0, 0x1f3ca), (0x1f3cf, 0x1f3d3),
        (0x1f3e0, 0x1f3f0), (0x1f3f4, 0x1f3f4), (0x1f3f8, 0x1f43e), (0x1f440, 0x1f440), (0x1f442, 0x1f4fc),
        (0x1f4ff, 0x1f53d), (0x1f54b, 0x1f54e), (0x1f550, 0x1f567), (0x1f57a, 0x1f57a), (0x1f595, 0x1f596),
        (0x1f5a4, 0x1f5a4), (0x1f5fb, 0x1f64f), (0x1f680, 0x1f6c5), (0x1f6cc, 0x1f6cc), (0x1f6d0, 0x1f6d2),
        (0x1f6d5, 0x1f6d7), (0x1f6dc, 0x1f6df), (0x1f6eb, 0x1f6ec), (0x1f6f4, 0x1f6fc), (0x1f7e0, 0x1f7eb),
        (0x1f7f0, 0x1f7f0), (0x1f90c, 0x1f93a), (0x1f93c, 0x1f945), (0x1f947, 0x1f9ff), (0x1fa70, 0x1faff),
        (0x20000, 0x3fffd),
    ]
}
