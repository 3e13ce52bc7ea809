import EngineAPI
import ImageCore
import ScreenModel
import Testing

@testable import Explorer

@Suite("People and Saved") struct GalleryStories {
    static func favourite(
        _ id: Int64, _ name: String, tags: [String] = [], sigma: Float = 0.5, fingerprint: String = "f00d",
        thumbnail: [UInt8]? = nil
    ) -> Favourite {
        var settings = TestSpace.description().defaults
        settings.prompt = "photo of sks person, reading"
        settings.seed = 7
        return Favourite(
            id: id, name: name, tags: tags, created: 1_795_500_000,
            state: VisitedState(
                code: WeightCode(Array(repeating: 0.5 + 2 * sigma, count: 12)), settings: settings, spaceFingerprint: fingerprint,
                spaceName: fingerprint == "f00d" ? "town" : "elsewhere", step: "male +1.00", origin: "p00003"),
            lineage: ["p00003", "male +1.00"], thumbnail: thumbnail)
    }

    static func requested(_ story: Story) -> [RenderRequest] {
        guard let (_, command) = story.lastSubmitted(where: { if case .thumbnails = $0 { true } else { false } }),
            case .thumbnails(let requests) = command
        else { return [] }
        return requests
    }

    @Test("faces are asked for as they come into sight, one page ahead, and only once")
    func thumbnails() {
        var story = Story.opened(TestSpace.description(identities: 544))
        story.press("2")
        let layout = story.model.galleryLayout(.people, size: story.model.size)
        #expect(layout.count > 12)
        // The first person's picture is there already: it was the first face.
        #expect(Self.requested(story).count == 2 * layout.count - 1)
        story.press(.right)
        #expect(story.effects.isEmpty)
        story.finishThumbnails()
        story.press(.pageDown)
        let next = Self.requested(story)
        #expect(next.count == layout.count)
        let table = TestSpace.description(identities: 544).identities
        #expect(next.first?.subject == .code(table.code(at: 2 * layout.count)))
        // Nobody looks any more: the engine is for the large picture.
        story.press("1")
        #expect(story.effects.contains { if case .cancel = $0 { true } else { false } })
    }

    @Test("a face that is still to come is a grey place, and appears where it was")
    func placeholders() {
        var story = Story.opened()
        story.press("2")
        #expect(story.screen.contains("░"))
        let before = story.frame.placements.count
        story.finishThumbnails(4)
        #expect(story.frame.placements.count == before + 4)
    }

    @Test(
        "people are found by name, attribute, number, and their opposites",
        arguments: [
            ("p0000", 9), ("glasses", 14), ("eyeglasses -beard", 10), ("beard", 10), ("-beard", 30), ("no_beard", 30),
            ("male>0.9", 8),
            ("male<0.1", 8), ("age>=50", 10), ("age>49 glasses", 4), ("xyzzy", 0), ("", 40), ("beard=1", 10), ("male>", 16),
        ])
    func find(query: String, count: Int) {
        var story = Story.opened()
        story.press("2")
        story.press("/")
        story.type(query)
        #expect(story.model.people.items.count == count)
        story.press(.enter)
        if !query.isEmpty { #expect(story.screen.contains("/\(query)")) }
        if count == 0 { #expect(story.screen.contains("nobody matches “xyzzy”")) }
        story.press(.escape)
        #expect(story.model.people.items.count == 40)
    }

    @Test("Enter opens a person in Explore with the prompt in hand")
    func open() {
        var story = Story.opened()
        story.press("2")
        story.press(.right)
        story.press(.right)
        story.press(.enter)
        #expect(story.model.screen == .explore)
        #expect(story.step?.title == "p00003")
        #expect(story.visits.last?.origin == "p00003")
        story.press("u")
        #expect(story.step?.title == "p00001")
    }

    @Test("people can be ordered by likeness to the face in Explore")
    func order() {
        var story = Story.opened()
        story.press("2")
        story.press("o")
        #expect(story.model.peopleOrder == .similarity)
        #expect(story.model.people.items.first == .identity(0))
        let index = story.model.index
        let similarities = story.model.people.items.compactMap { item -> Float? in
            guard case .identity(let row) = item, let index, let code = story.step?.code else { return nil }
            return index.similarity(index.description.identities.code(at: row), code)
        }
        #expect(zip(similarities, similarities.dropFirst()).allSatisfy { $0 >= $1 - 1e-5 })
        story.press("o")
        guard case .attribute = story.model.peopleOrder else {
            Issue.record("the next order is not an attribute")
            return
        }
    }

    @Test("the nearest people are looked for once a face has been chosen for a moment")
    func nearest() throws {
        var story = Story.opened()
        story.press("2")
        story.press(.right)
        #expect(story.model.nearest == nil)
        story.wait(0.5)
        let nearest = try #require(story.model.nearest)
        #expect(nearest.item == .identity(1))
        #expect(nearest.rows.count == 3)
        #expect(!nearest.rows.contains { $0.row == 1 })
        #expect(zip(nearest.rows, nearest.rows.dropFirst()).allSatisfy { $0.similarity >= $1.similarity })
    }

    @Test("f saves the face with its picture and the way that led to it; F with a name and tags")
    func save() throws {
        var story = Story.opened()
        story.press(.right)
        story.finishPreview()
        story.press("f")
        guard case .library(.save(let name, let tags, let state, let lineage, let png)) = try #require(story.effects.first) else {
            Issue.record("nothing is saved")
            return
        }
        #expect(name == "p00001 + 1")
        #expect(tags.isEmpty)
        #expect(state == story.visits.last)
        #expect(lineage == ["p00001", "male −0.75"])
        #expect(try RGBImage(pngData: try #require(png)) == TestSpace.picture(128, side: 128))
        story.press("F")
        // What is typed takes the place of the name that is suggested.
        story.type("Anna Maria #kind #kind #red")
        story.press(.enter)
        guard case .library(.save("Anna Maria", ["kind", "red"], _, _, _)) = try #require(story.effects.first) else {
            Issue.record("name and tags are not kept")
            return
        }
    }

    @Test("a face that is saved before it is drawn gets its picture when it is there")
    func saveBeforeDrawn() throws {
        var story = Story.opened()
        story.press(.right)
        story.press("f")
        guard case .library(.save(let name, _, let state, let lineage, nil)) = try #require(story.effects.first) else {
            Issue.record("a picture is kept that is of another face")
            return
        }
        story.send(.library(.saved(Favourite(id: 5, name: name, created: 0, state: state, lineage: lineage))))
        let preview = try #require(story.lastPreview)
        let picture = Picture(request: preview.request, image: TestSpace.picture(70), stage: .final, seconds: 0.3)
        story.send(.engine(.picture(preview.id, picture)))
        #expect(story.effects.contains { if case .library(.setThumbnail(5, _)) = $0 { true } else { false } })
    }

    @Test("what is saved is listed with its own small picture, opened exactly, renamed, deleted and brought back")
    func saved() throws {
        var story = Story.opened()
        let png = try TestSpace.picture(33).pngData()
        let anna = Self.favourite(1, "Anna", tags: ["kind"], thumbnail: png)
        story.send(.library(.favourites([anna, Self.favourite(2, "Bert", sigma: -0.5)])))
        story.press("4")
        #expect(story.screen.contains("Anna") && story.screen.contains("#kind") && story.screen.contains("from p00003, 1 step"))
        #expect(story.frame.placements.count == 2)
        #expect(Self.requested(story).count == 1)

        story.press("r")
        #expect(story.model.editor?.text == "Anna #kind")
        story.type(" #old")
        story.press(.enter)
        #expect(story.effects.contains { if case .library(.rename(1, "Anna", ["kind", "old"])) = $0 { true } else { false } })

        story.press(.delete)
        #expect(story.effects.contains { if case .library(.delete(1)) = $0 { true } else { false } })
        #expect(story.toast == "deleted Anna · u brings it back")
        #expect(story.model.saved.items == [.favourite(2)])
        story.press("u")
        #expect(story.effects.contains { if case .library(.restore(1)) = $0 { true } else { false } })
        story.send(.library(.favourites([anna, Self.favourite(2, "Bert", sigma: -0.5)])))

        story.press("/")
        story.type("kind")
        #expect(story.model.saved.items == [.favourite(1)])
        story.press(.enter)
        story.press(.enter)
        #expect(story.model.screen == .explore)
        #expect(story.step?.code == anna.state.code)
        #expect(story.step?.settings == anna.state.settings)
        #expect(story.step?.title == "Anna")
        // The steps that had led to her are not lost when one goes on from her; who begins anew leaves them.
        #expect(story.model.trail?.lineage == anna.lineage)
        story.press("R")
        #expect(story.model.trail?.lineage == ["average"])
    }

    @Test("a face of another space is not opened as if it were one of this space")
    func otherSpace() {
        var story = Story.opened()
        story.send(.library(.favourites([Self.favourite(1, "Stranger", fingerprint: "beef")])))
        story.press("4")
        #expect(story.screen.contains("other space"))
        for key in [KeyEvent(.enter), KeyEvent(.character("a")), KeyEvent(.character("b"))] {
            story.press(key)
            #expect(story.toast.contains("made with the space “elsewhere”"))
            #expect(story.model.screen == .saved)
            #expect(story.model.ends.a == nil && story.model.ends.b == nil)
        }
        #expect(Self.requested(story).isEmpty)
        story.press("2")
        #expect(!story.model.people.items.contains(.favourite(1)))
    }

    @Test("nothing saved yet: the screen says how to begin, and no key is lost without a word")
    func empty() {
        var story = Story.opened()
        story.press("4")
        #expect(story.screen.contains("nothing saved yet"))
        #expect(story.screen.contains("press f on a face you like"))
        story.press(.enter)
        #expect(story.toast == "nothing is saved yet")
        story.press("u")
        #expect(story.toast == "nothing was deleted")
    }

    @Test("saved faces stand among the people too, with a star")
    func savedAmongPeople() {
        var story = Story.opened()
        story.send(.library(.favourites([Self.favourite(9, "Anna", tags: ["kind"])])))
        story.press("2")
        story.press(.home)
        #expect(story.model.people.items.first == .favourite(9))
        #expect(story.screen.contains("★"))
        #expect(story.screen.contains("40 in this space, 1 saved"))
        story.press("/")
        story.type("kind")
        #expect(story.model.people.items == [.favourite(9)])
    }

    @Test("words of the library reach the status line: read-only, damaged file put aside")
    func notices() {
        var story = Story.opened()
        story.send(.library(.notice("the data folder is read-only: nothing will be kept")))
        #expect(story.screen.contains("read-only: nothing will be kept"))
        story.send(.library(.failed("Anna could not be saved: the disk is full")))
        #expect(story.screen.contains("the disk is full"))
    }

    @Test("saving says where the faces are, but not to who looks at them")
    func savedIsSaidWhereItHelps() {
        var story = Story.opened()
        story.press("f")
        #expect(story.toast == "saved p00001 · 4 shows what you keep")
        story.press("4")
        #expect(story.toast == "saved p00001")
        #expect(story.screen.contains("saved p00001") && !story.screen.contains("4 shows"))
        story.press("2")
        #expect(story.toast == "saved p00001 · 4 shows what you keep")
    }

    @Test("where the library cannot be written, saving says for how long it lasts")
    func savedForTheSession() {
        var story = Story(ExplorerOptions(size: Size(columns: 120, rows: 34), keepsFaces: false, resumesLastWalk: false))
        story.open()
        story.press("f")
        #expect(story.toast == "saved p00001 · for this session only")
    }
}
