import Foundation
import ScreenModel
import Testing

@testable import Explorer

/// Screens as text, against the committed files in `Goldens`. `W2W_RECORD=1` writes them anew and fails, so that nobody records by accident.
@Suite("Screens as they are committed") struct SnapshotTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Goldens")

    private func check(_ name: String, _ story: Story) throws {
        let text = Story.picture(of: story.frame)
        let file = Self.folder.appendingPathComponent("\(name).txt")
        if ProcessInfo.processInfo.environment["W2W_RECORD"] != nil {
            try text.write(to: file, atomically: true, encoding: .utf8)
            Issue.record("\(name).txt was written anew: look at it, then run without W2W_RECORD")
            return
        }
        let golden = try String(contentsOf: file, encoding: .utf8)
        guard text != golden else { return }
        let lines = zip(
            text.split(separator: "\n", omittingEmptySubsequences: false),
            golden.split(separator: "\n", omittingEmptySubsequences: false))
        let first = lines.enumerated().first { $0.element.0 != $0.element.1 }
        Issue.record("\(name) differs from line \((first?.offset ?? 0) + 1) on:\n\(text)")
    }

    @Test("Explore at 120x34")
    func explore() throws {
        var story = Story.opened()
        story.press("a")
        story.press(KeyEvent(.right, shift: true))
        story.press(.down)
        story.press(.left)
        story.press("u")
        try check("explore-120x34", story)
    }

    @Test("Explore at 80x24 and in ASCII at 60x20")
    func small() throws {
        try check("explore-80x24", Story.opened(size: Size(columns: 80, rows: 24)))
        try check("explore-60x20-ascii", Story.opened(size: Size(columns: 60, rows: 20), glyphs: .ascii))
    }

    @Test("Explore in a high window shows faces on the trail")
    func high() throws {
        var story = Story.opened(size: Size(columns: 140, rows: 46))
        story.press(.right)
        story.finishPreview()
        story.press(.down)
        story.press(.right)
        try check("explore-140x46", story)
    }

    @Test("People, partly filled")
    func people() throws {
        var story = Story.opened()
        story.press("2")
        story.finishThumbnails(9)
        story.press(.down)
        story.wait(1)
        try check("people-120x34", story)
    }

    @Test("Morph, partly filled")
    func morph() throws {
        var story = MorphStories.begun()
        story.drawFrames([0, 8, 4])
        story.wait(5)
        try check("morph-120x34", story)
    }

    @Test("Saved, empty and not")
    func saved() throws {
        var story = Story.opened()
        story.press("4")
        try check("saved-empty-120x34", story)
        story.send(
            .library(
                .favourites([
                    GalleryStories.favourite(1, "Anna", tags: ["kind"]), GalleryStories.favourite(2, "Bert", fingerprint: "beef"),
                ])))
        story.finishThumbnails()
        try check("saved-120x34", story)
    }

    @Test("the Model screen and the seed test")
    func model() throws {
        var story = Story.opened()
        story.press("5")
        story.finishThumbnails(3)
        try check("model-120x34", story)
        story.press(.enter)
        story.press("x")
        story.finishThumbnails(4)
        story.wait(5)
        try check("seeds-120x34", story)
    }

    @Test("help and palette")
    func overlays() throws {
        var story = Story.opened()
        story.press("?")
        try check("help-120x34", story)
        story.press(.escape)
        story.press(":")
        story.type("save")
        try check("palette-120x34", story)
    }
}
