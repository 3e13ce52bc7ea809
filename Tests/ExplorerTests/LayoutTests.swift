import EngineAPI
import ScreenModel
import Testing

@testable import Explorer

@Suite("Layout and looks") struct LayoutTests {
    /// Stories with something on every screen.
    static func stories(_ glyphs: GlyphSet = .unicode, _ graphics: GraphicsMode = .sixel) -> [(String, Story)] {
        var explore = Story.opened(glyphs: glyphs, graphics: graphics)
        explore.press("a")
        explore.press(KeyEvent(.right, shift: true))
        explore.press(.down)
        explore.press(KeyEvent(.left, shift: true))
        explore.press("u")
        var children = explore
        children.press("N")
        children.answerSample(0.4)
        children.finishThumbnails()
        var people = explore
        people.send(.library(.favourites([GalleryStories.favourite(1, "Ünï 日本 🙂", tags: ["kind"])])))
        people.press("2")
        people.press(.right)
        people.wait(1)
        people.finishThumbnails()
        people.press("b")
        var morph = people
        morph.press("3")
        morph.drawFrames([0, 8, 4, 3])
        var saved = people
        saved.press("4")
        saved.finishThumbnails()
        var help = explore
        help.press("?")
        var palette = people
        palette.press(":")
        var seeds = explore
        seeds.press("x")
        seeds.finishThumbnails(4)
        seeds.press(.right)
        var models = explore
        models.press("w")
        models.finishThumbnails()
        var model = explore
        model.press("5")
        model.finishThumbnails(3)
        var directed = Story.opened(DirectionStories.town(), glyphs: glyphs, graphics: graphics)
        directed.press("v")
        directed.press("K")
        var typing = explore
        typing.press("i")
        let loading = Story(ExplorerOptions(size: Size(columns: 120, rows: 34), glyphs: glyphs, resumesLastWalk: false))
        return [
            ("explore", explore), ("children", children), ("people", people), ("morph", morph), ("saved", saved), ("help", help),
            ("palette", palette), ("seeds", seeds), ("models", models), ("model", model), ("directions", directed),
            ("typing", typing),
            ("loading", loading),
        ]
    }

    static let sizes: [Size] = {
        var sizes: [Size] = []
        for columns in [0, 1, 7, 59, 60, 61, 80, 99, 100, 140, 300] {
            for rows in [0, 1, 19, 20, 24, 34, 61, 100] { sizes.append(Size(columns: columns, rows: rows)) }
        }
        return sizes
    }()

    @Test("from 1x1 to 300x100: pictures inside, none over another, none in the last row, blank cells below them")
    func placements() {
        for (name, var story) in Self.stories() {
            for size in Self.sizes {
                story.send(.input(.resized(size)))
                let frame = story.model.view(size: size)
                #expect(frame.grid.size == size)
                for (place, placement) in frame.placements.enumerated() {
                    let rect = placement.rect
                    #expect(
                        rect.x >= 0 && rect.y >= 0 && rect.maxX <= size.columns && rect.maxY < size.rows && !rect.isEmpty,
                        "\(name) \(size): \(placement)")
                    #expect(
                        !frame.placements[(place + 1)...].contains { $0.rect.intersects(rect) }, "\(name) \(size): \(placement)")
                    #expect(story.model.image(for: placement.image) != nil, "\(name) \(size): \(placement.slot) has no pixels")
                    var isBlank = true
                    for y in rect.y..<rect.maxY {
                        for x in rect.x..<rect.maxX where frame.grid[x, y].character != " " { isBlank = false }
                    }
                    #expect(isBlank, "\(name) \(size): words below \(placement.slot)")
                }
                #expect(Set(frame.placements.map(\.slot)).count == frame.placements.count, "\(name) \(size): a slot twice")
                if let cursor = frame.cursor { #expect(frame.grid.bounds.contains(cursor), "\(name) \(size)") }
            }
        }
    }

    @Test("mouse and keys at every size do not trap")
    func mouseEverywhere() {
        for (_, var story) in Self.stories() {
            for size in [Size(columns: 1, rows: 1), Size(columns: 60, rows: 20), Size(columns: 111, rows: 41)] {
                story.send(.input(.resized(size)))
                for y in stride(from: 0, to: size.rows, by: 4) {
                    for x in stride(from: 0, to: size.columns, by: 9) {
                        var copy = story
                        copy.send(.input(.mouse(MouseEvent(.wheelDown, at: Point(x: x, y: y)))))
                        copy.click(Point(x: x, y: y))
                        copy.send(.input(.mouse(MouseEvent(.drag, at: Point(x: x + 3, y: y)))))
                    }
                }
            }
        }
    }

    @Test("a window that is too small says how large it must be")
    func tooSmall() {
        var story = Story.opened()
        let size = Size(columns: 52, rows: 18)
        story.send(.input(.resized(size)))
        #expect(story.screen.contains("make the window at least 60x20 (now 52x18)"))
        #expect(story.frame.placements.isEmpty)
    }

    @Test("without UTF-8 every character is ASCII")
    func ascii() {
        for (name, story) in Self.stories(.ascii) {
            for size in [Size(columns: 120, rows: 34), Size(columns: 60, rows: 20)] {
                let cells = story.model.view(size: size).grid.cells
                #expect(cells.allSatisfy { $0.character.isASCII }, "\(name)")
            }
        }
    }

    @Test("without pictures nothing is placed, and the screen says what to do")
    func noGraphics() {
        for (name, story) in Self.stories(.unicode, .none) { #expect(story.frame.placements.isEmpty, "\(name)") }
        #expect(Story.opened(graphics: .none).screen.contains("w2w probe"))
    }

    @Test(
        "the face is the hero: it takes at least a third of the window's height, and grows with it",
        arguments: [
            (60, 20), (80, 24), (80, 40), (100, 30), (120, 34), (160, 50), (200, 60), (300, 100),
        ])
    func hero(columns: Int, rows: Int) {
        let layout = Story.opened().model.exploreLayout(size: Size(columns: columns, rows: rows))
        let face = min(layout.preview.rows - 2, (layout.preview.columns - 2) / 2)
        #expect(face * 3 >= rows, "\(face) rows of \(rows)")
        #expect(layout.list.columns >= min(columns, 42) && layout.list.rows >= 5)
    }

    @Test(
        "galleries: the face in hand beside the list from 100 columns on, above it below; faces fill the width to within two cells",
        arguments: [(60, 20), (80, 24), (99, 30), (100, 30), (120, 34), (160, 45), (200, 60), (240, 67)])
    func galleries(columns: Int, rows: Int) throws {
        let size = Size(columns: columns, rows: rows)
        for (name, var story) in Self.stories() where name == "people" || name == "saved" {
            story.send(.input(.resized(size)))
            let panes = GalleryPanes(body: story.model.body(size: size), aspect: 2)
            if columns >= 100 {
                #expect(panes.side.x == panes.gallery.maxX && panes.side.maxX == columns)
            } else {
                #expect(panes.side.maxY == panes.gallery.y && panes.side.columns == columns)
            }
            let side = try #require(story.frame.placements.first { $0.slot == "side" }, "\(name): no face in hand")
            #expect(panes.side.contains(Point(x: side.rect.x, y: side.rect.y)))
            let layout = story.model.galleryLayout(name == "people" ? .people : .saved, size: size)
            #expect(layout.rows >= 1 && layout.columns >= 3)
            let last = layout.rect(layout.columns - 1)
            #expect(last.maxX == layout.area.maxX)
            #expect(panes.gallery.maxX - last.maxX <= 2)
            // The face in hand is the larger one.
            #expect(min(side.rect.rows, side.rect.columns / 2) >= layout.face.rows, "\(side.rect) \(layout.face)")
        }
    }

    @Test("nothing jumps: the panes stand where they stood while values and pictures change")
    func nothingJumps() {
        var story = Story.opened()
        let before = story.frame.placements.map(\.rect)
        func frameCharacters(_ story: Story) -> [Int] {
            let grid = story.frame.grid
            return grid.cells.indices.filter { "╭╮╰╯│".contains(grid.cells[$0].character) }
        }
        let lines = frameCharacters(story)
        for key in [KeyEvent(.right), KeyEvent(.right, shift: true), KeyEvent(.down), KeyEvent(.left), KeyEvent(.character("a"))]
        {
            story.press(key)
            #expect(story.frame.placements.map(\.rect) == before)
            #expect(frameCharacters(story) == lines)
        }
    }

    @Test("sliders: zero in the middle, ends at three sigma, the mouse finds the value that is drawn")
    func sliders() {
        let cells = Rect(x: 10, y: 0, columns: 21, rows: 1)
        #expect(Slider.sigma(atColumn: 20, of: cells) == 0)
        #expect(Slider.sigma(atColumn: 10, of: cells) == -3)
        #expect(Slider.sigma(atColumn: 30, of: cells) == 3)
        #expect(Slider.sigma(atColumn: 500, of: cells) == 3)
        func drawn(_ value: Float, glyphs: GlyphSet = .unicode, isSelected: Bool = false) -> String {
            var canvas = Canvas(size: Size(columns: 31, rows: 1), theme: .dusk, glyphs: glyphs)
            Slider.draw(on: &canvas, in: cells, value: value, isSelected: isSelected)
            return String(canvas.frame().grid.text(row: 0).dropFirst(10))
        }
        #expect(drawn(0) == "··········●··········")
        #expect(drawn(1.5) == "··········┼━━━━●·····")
        #expect(drawn(-3) == "●━━━━━━━━━┼··········")
        #expect(drawn(4.2) == "··········┼━━━━━━━━━▸")
        #expect(drawn(1.5, glyphs: .ascii) == "..........|====o.....")
        #expect(drawn(1.5, isSelected: true) == "··········▐████▌·····")
        #expect(drawn(-1.5, isSelected: true) == "·····▐████▌··········")
    }

    @Test("a chosen slider's bar is never empty", arguments: [Theme.dusk, .mono], [Float(4.2), -4.2, 1.5])
    func barIsFilled(theme: Theme, value: Float) throws {
        var canvas = Canvas(size: Size(columns: 31, rows: 1), theme: theme, glyphs: .unicode)
        Slider.draw(on: &canvas, in: Rect(x: 0, y: 0, columns: 31, rows: 1), value: value, isSelected: true)
        let grid = canvas.frame().grid
        let blocks = (0..<31).map { grid[$0, 0] }.filter { "█━".contains($0.character) }
        #expect(blocks.count > 5)
        #expect(blocks.allSatisfy { ($0.character == "█") != $0.style.reverse }, "a block in reverse is a hole in the row")
        let track = try #require((0..<31).map { grid[$0, 0] }.first { $0.character == "·" })
        for block in blocks {
            #expect(ThemeTests.ground(of: track) != ThemeTests.ground(of: block, swapped: true), "\(block)")
        }
    }

    @Test("drag and wheel move a slider, a click chooses")
    func mouse() throws {
        var story = Story.opened()
        let canvas = story.model.canvas(size: story.model.size)
        let axis = story.model.axes.rows[3]
        let hit = try #require(canvas.hits.first { if case .slider(axis, _) = $0.target { true } else { false } })
        guard case .slider(_, let cells) = hit.target else { return }
        let middle = Point(x: cells.x + cells.columns / 2, y: cells.y)
        story.send(.input(.mouse(MouseEvent(.press, at: middle))))
        #expect(story.model.axes.selectedAxis == axis)
        #expect(story.sigma(axis) == 0)
        story.send(.input(.mouse(MouseEvent(.drag, at: Point(x: cells.maxX - 1, y: 0)))))
        #expect(abs(story.sigma(axis) - 3) < 1e-5)
        story.send(.input(.mouse(MouseEvent(.release, at: middle))))
        story.send(.input(.mouse(MouseEvent(.drag, at: middle))))
        #expect(abs(story.sigma(axis) - 3) < 1e-5)
        story.send(.input(.mouse(MouseEvent(.wheelDown, at: middle))))
        #expect(abs(story.sigma(axis) - 2.75) < 1e-5)
        // The second tab of the top line.
        let tab = try #require(canvas.hits.first { $0.target == .command(.showPeople) })
        story.click(Point(x: tab.rect.x, y: tab.rect.y))
        #expect(story.model.screen == .people)
        let cell = try #require(story.model.canvas(size: story.model.size).hits.first { $0.target == .galleryCell(4) })
        story.click(Point(x: cell.rect.x + 1, y: cell.rect.y + 1))
        #expect(story.model.people.selected == 4)
        story.click(Point(x: cell.rect.x + 1, y: cell.rect.y + 1))
        #expect(story.model.screen == .explore)
        #expect(story.step?.title == "p00005")
    }

    @Test("rows of a gallery stand at even distances and inside of it, whatever its size")
    func evenGallery() {
        for columns in [6, 11, 40, 79, 82, 117, 203] {
            for rows in [3, 8, 15, 30, 31, 53] {
                for zoom in -2...3 {
                    let area = Rect(x: 3, y: 2, columns: columns, rows: rows)
                    let layout = GalleryLayout(area: area, captionRows: 2, zoom: zoom, aspect: 2)
                    let cells = (0..<layout.count).map(layout.rect)
                    for (place, cell) in cells.enumerated() {
                        #expect(cell.x >= area.x && cell.maxX <= area.maxX && cell.y >= area.y && cell.maxY <= area.maxY)
                        if place % layout.columns > 0 { #expect(cell.x == cells[place - 1].maxX) }
                        if place >= layout.columns { #expect(cell.y - cells[place - layout.columns].y == layout.cellRows) }
                        #expect(abs(cell.columns - cells[0].columns) <= 1)
                    }
                }
            }
        }
    }

    @Test("an axis is named by a whole attribute beside three measures at 120 columns")
    func wholeAxisNames() {
        var description = TestSpace.description()
        description.axes[0].correlations = [.init(attribute: "Wearing_Lipstick", value: 0.97)]
        var story = Story.opened(description)
        story.press("5")
        let line = story.screen.split(separator: "\n").first { $0.contains("wearing lipstick") && $0.contains("━") }
        #expect(line != nil)
        #expect(story.screen.contains("effect") && story.screen.contains("KL nats") && story.screen.contains("variance"))
    }

    @Test("large variances of principal components stay clear of their bars")
    func largeVariances() {
        var description = TestSpace.description()
        description.axes[0].variance = 1393.58
        var story = Story.opened(description)
        story.press("5")
        #expect(story.screen.contains("━  1394"))
        description.axes[0].variance = 393.58
        story = Story.opened(description)
        story.press("5")
        #expect(story.screen.contains("━ 393.6"))
    }
}
