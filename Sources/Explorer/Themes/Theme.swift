import ScreenModel

/// Colours by role. A role says what something means; the theme says how it looks. Meaning never rests on colour alone.
public struct Theme: Sendable, Hashable {
    /// What a theme file can set.
    public enum Role: String, Sendable, Hashable, CaseIterable {
        case text, dim, border, accent
        /// The two ends of a morph.
        case endA = "end_a"
        case endB = "end_b"
        case good, warning
        /// What stands behind a chosen row.
        case selection
    }

    public var name: String
    /// One line for the palette.
    public var summary: String
    public var styles: [Role: Style]

    public init(name: String, summary: String = "", styles: [Role: Style]) {
        self.name = name
        self.summary = summary
        self.styles = styles
    }

    public subscript(role: Role) -> Style { styles[role] ?? .plain }

    /// Themes that need no file.
    public static let builtIn: [Theme] = [dusk, mono]

    /// Dark, the default.
    public static let dusk = Theme(
        name: "dusk", summary: "dark, amber accent",
        styles: [
            .text: .plain,
            .dim: Style(foreground: Colour(index: 245, rgb: 0x8a8f98)),
            .border: Style(foreground: Colour(index: 239, rgb: 0x4b5059)),
            .accent: Style(foreground: Colour(index: 215, rgb: 0xe8a868)),
            .endA: Style(foreground: Colour(index: 80, rgb: 0x5fc9c9)),
            .endB: Style(foreground: Colour(index: 176, rgb: 0xc98bd9)),
            .good: Style(foreground: Colour(index: 114, rgb: 0x8fc98f)),
            .warning: Style(foreground: Colour(index: 203, rgb: 0xef7a6d)),
            .selection: Style(background: Colour(index: 236, rgb: 0x2c3038)),
        ])

    /// No colour at all, for `NO_COLOR` and terminals without: attributes carry what little is left.
    public static let mono = Theme(
        name: "mono", summary: "no colours",
        styles: [
            .text: .plain,
            .dim: .plain,
            .border: Style(dim: true),
            .accent: Style(bold: true),
            .endA: .plain,
            .endB: .plain,
            .good: Style(underline: true),
            .warning: Style(reverse: true),
            .selection: Style(reverse: true),
        ])
}
