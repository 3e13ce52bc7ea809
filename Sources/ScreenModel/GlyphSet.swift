/// Which characters a terminal can show.
public enum GlyphSet: Sendable, Hashable {
    /// Everything that its font has.
    case unicode
    /// 7-bit characters only (no UTF-8 locale).
    case ascii

    /// The character to draw where `character` was meant. Always of the same width, so a view can be written once.
    public func glyph(_ character: Character) -> Character {
        if self == .unicode || character.isASCII { return character }
        if let plain = Self.substitutes[character] { return plain }
        // An accent is lost rather than the letter below it.
        guard let base = character.unicodeScalars.first else { return "?" }
        if let letter = Self.letters[base] { return letter }
        return base.isASCII ? Character(base) : "?"
    }

    /// Frames, sliders, bars and marks. `┼` is the zero of a slider.
    private static let substitutes: [Character: Character] = {
        let groups: [(String, Character)] = [
            ("─━╌┄┅═╸╺", "-"), ("│┃╎┆▏▕▌▐║", "|"), ("┼╂╋", "|"), ("╭╮╯╰┌┐└┘├┤┬┴┏┓┗┛", "+"),
            ("●◉◆◍", "o"), ("○◦◌◇", "o"), ("·∙•⋅", "."), ("▸▶►❯›→⇒", ">"), ("◂◀◄❮‹←⇐", "<"), ("▴▲↑⇧", "^"), ("▾▼↓⇩", "v"),
            ("★✦✶", "*"), ("☆✧", "*"), ("✓✔", "+"), ("✗✘×✕", "x"), ("…", "."), ("−–—‑", "-"), ("±", "+"), ("≈", "~"),
            ("█▉▊", "#"), ("▋▍▎", "="), ("▓▒", "#"), ("░", ":"), ("▁▂", "_"), ("▃▄▅", "-"), ("▆▇▀", "="), ("■▣", "#"), ("□", "o"),
            ("“”„«»", "\""), ("‘’‚", "'"), ("\u{a0}", " "), ("σ", "s"), ("β", "b"), ("µμ", "u"), ("²", "2"), ("°", "o"),
            ("↵⏎", "<"),
            ("⟳↻↺", "@"), ("⏸", "="), ("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "*"),
        ]
        var table: [Character: Character] = [:]
        for (from, to) in groups {
            for character in from { table[character] = to }
        }
        return table
    }()

    private static let letters: [Unicode.Scalar: Character] = {
        let rows: [(String, Character)] = [
            ("ÀÁÂÃÄÅ", "A"), ("àáâãäå", "a"), ("Ç", "C"), ("ç", "c"), ("ÈÉÊË", "E"), ("èéêë", "e"), ("ÌÍÎÏ", "I"), ("ìíîï", "i"),
            ("Ñ", "N"), ("ñ", "n"), ("ÒÓÔÕÖØ", "O"), ("òóôõöø", "o"), ("ÙÚÛÜ", "U"), ("ùúûü", "u"), ("Ýý", "y"), ("ß", "s"),
        ]
        var table: [Unicode.Scalar: Character] = [:]
        for (from, to) in rows {
            for scalar in from.unicodeScalars { table[scalar] = to }
        }
        return table
    }()
}
