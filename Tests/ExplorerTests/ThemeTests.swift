import Foundation
import ScreenModel
import Testing

@testable import Explorer

@Suite("Themes") struct ThemeTests {
    /// The package's `themes` folder.
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
        .appendingPathComponent("themes")

    static func shipped(_ name: String) throws -> (theme: Theme, problems: [Theme.Problem]) {
        let text = try String(contentsOf: folder.appendingPathComponent("\(name).toml"), encoding: .utf8)
        return Theme.parse(text, file: "\(name).toml", name: name)
    }

    @Test(
        "the shipped themes are read without a word and name every role they change",
        arguments: ["dusk", "paper", "high-contrast", "mono"])
    func shippedThemes(name: String) throws {
        let (theme, problems) = try Self.shipped(name)
        #expect(problems.isEmpty)
        #expect(theme.name == name)
        #expect(!theme.summary.isEmpty)
        #expect(Set(theme.styles.keys) == Set(Theme.Role.allCases))
    }

    @Test("the compiled-in themes are those of the files", arguments: Theme.builtIn)
    func builtIn(theme: Theme) throws {
        #expect(try Self.shipped(theme.name).theme == theme)
    }

    /// What is seen behind a character, or with `swapped` in its strokes: a colour that was named, or the terminal's own of either kind.
    static func ground(of cell: Cell, swapped: Bool = false) -> String {
        let isInk = cell.style.reverse != swapped
        let colour = isInk ? cell.style.foreground : cell.style.background
        return colour.map { "\($0)" } ?? (isInk ? "ink" : "paper")
    }

    @Test(
        "a chosen row is one even bar over name, slider and number, on every screen that has rows",
        arguments: ["dusk", "paper", "high-contrast", "mono"], [Float(0), 1.3, -2, 4.2])
    func chosenRow(name: String, value: Float) throws {
        var story = Story.opened(DirectionStories.town())
        story.model.theme = try Self.shipped(name).theme
        story.press("=")
        story.type("\(value)")
        story.press(.enter)
        let axis = try #require(story.model.axes.selectedAxis)
        func expectEven(_ where: String, _ isRow: (HitTarget) -> Bool) throws {
            let canvas = story.model.canvas(size: story.model.size)
            let row = try #require(canvas.hits.first { isRow($0.target) }?.rect)
            let cells = (row.x..<row.maxX).map { canvas.grid[$0, row.y] }
            let grounds = Set(cells.map { Self.ground(of: $0) })
            #expect(grounds.count == 1, "\(`where`): \(grounds)")
            // It is told from its surroundings, and not by a weaker ink in places.
            #expect(grounds != ["paper"], "\(`where`)")
            #expect(!cells.contains { $0.style.reverse && $0.style.dim }, "\(`where`)")
        }
        try expectEven("Explore") { $0 == .axis(axis) }
        story.press("5")
        try expectEven("Model") { $0 == .axis(axis) }
        story.press(":")
        try expectEven("the palette") { $0 == .paletteRow(0) }
        story.press(.escape)
        story.press("1")
        story.press("v")
        let direction = try #require(story.model.directions.selectedDirection)
        #expect(story.model.directions.hasFocus)
        try expectEven("attributes") { $0 == .direction(direction) }
    }

    @Test("the theme without colour has none")
    func mono() {
        #expect(Theme.mono.styles.values.allSatisfy { $0.foreground == nil && $0.background == nil })
    }

    @Test("a theme names any subset and inherits the rest")
    func subset() {
        let (theme, problems) = Theme.parse("[roles]\naccent = \"#ff0000 underline\"\n", file: "mine.toml", name: "mine")
        #expect(problems.isEmpty)
        #expect(theme[.accent] == Style(foreground: Colour(index: 196, rgb: 0xff0000), underline: true))
        #expect(theme[.dim] == Theme.dusk[.dim])
    }

    @Test(
        "what is wrong is told with file and line, and the default is used",
        arguments: [
            ("[roles]\naccnt = \"11\"\n", "mine.toml:2: unknown role “accnt”"),
            ("[roles]\n\naccent = \"#ff00\"\n", "mine.toml:3: accent: “#ff00” is no colour"),
            ("[roles]\naccent = \"300\"\n", "mine.toml:2: accent: palette entries are 0 to 255, not 300"),
            ("[roles]\naccent = \"shiny\"\n", "mine.toml:2: accent: “shiny” is neither a colour nor"),
            ("[roles]\naccent = 3\n", "mine.toml:2: accent is not a text"),
            ("colour = \"red\"\n", "mine.toml:1: unknown key “colour”"),
            ("inherits = \"dawn\"\n", "mine.toml:1: no theme dawn to inherit from"),
            ("roles = 3\n", "mine.toml:1: roles is not a table"),
            ("[roles]\naccent = \"11\n", "mine.toml:2: "),
        ])
    func problems(text: String, message: String) {
        let (theme, problems) = Theme.parse(text, file: "mine.toml", name: "mine")
        #expect(problems.count == 1)
        #expect(problems.first?.description.hasPrefix(message) == true, "\(problems)")
        #expect(theme[.accent] == Theme.dusk[.accent])
    }

    @Test(
        "24-bit colours have the nearest entry of the palette",
        arguments: [
            (UInt32(0x000000), UInt8(16)), (0xffffff, 231), (0xff0000, 196), (0x5fafd7, 74), (0x808080, 244), (0x303030, 236),
        ])
    func nearest(rgb: UInt32, index: UInt8) {
        #expect(Colour.nearest(to: rgb) == index)
    }
}
