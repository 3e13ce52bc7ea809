import EngineAPI
import Foundation
import ImageCore
import ScreenModel
import Testing

@testable import Explorer

@Suite("Explore: new people, beginnings and ends") struct WalkStories {
    @Test("the program starts: the space is opened, the kept faces are listed, progress is shown")
    func start() throws {
        var story = Story()
        #expect(story.effects.contains { if case .submit(.open(.builtIn, model: nil), _) = $0 { true } else { false } })
        #expect(story.effects.contains { if case .library(.list) = $0 { true } else { false } })
        #expect(story.screen.contains("opening the space"))
        let (id, _) = try #require(story.lastSubmitted { if case .open = $0 { true } else { false } })
        story.send(.engine(.progress(id, Progress(activity: "loading", done: 2, total: 5))))
        #expect(story.screen.contains("loading 2/5"))
        story.press(.right)
        #expect(story.toast == "the space is still loading · what you type waits for it")
        story.press(.down)
        story.press(.right)
        story.press(.right)
        story.open()
        #expect(story.visits.first?.step == "p00001")
        #expect(story.screen.contains("+ 2 changes"))
        let face = TestSpace.description().identities.code(at: 0)
        let moved = try #require(story.lastPreview?.request.subject)
        #expect(moved != .code(face))
        story.press("u")
        story.press("u")
        #expect(story.lastPreview?.request.subject == .code(face))
    }

    @Test("leaving does not wait for the space, and a space that fails takes what was typed with it")
    func typedAhead() throws {
        var story = Story()
        story.press(.right)
        story.press("q")
        #expect(story.effects.contains { if case .quit = $0 { true } else { false } })
        let (id, _) = try #require(story.lastSubmitted { if case .open = $0 { true } else { false } })
        story.send(.engine(.failed(id, EngineFailure(message: "no such file", advice: "Look."))))
        story.press(.enter)
        story.open()
        #expect(!story.screen.contains("+ 1 change"))
    }

    @Test("a space that cannot be opened says so; Enter tries again")
    func openingFails() throws {
        var story = Story()
        let (id, _) = try #require(story.lastSubmitted { if case .open = $0 { true } else { false } })
        story.send(
            .engine(
                .failed(id, EngineFailure(message: "vae.safetensors: 3 tensors are missing", advice: "Train it with w2w train.")))
        )
        #expect(story.screen.contains("vae.safetensors: 3 tensors are missing"))
        #expect(story.screen.contains("Train it with w2w train."))
        story.press(.enter)
        #expect(story.effects.contains { if case .submit(.open, _) = $0 { true } else { false } })
        story.open()
        #expect(story.screen.contains("p00001"))
    }

    @Test("the walk of last time is taken up where it ended")
    func resume() throws {
        var story = Story(ExplorerOptions(size: Size(columns: 120, rows: 34)))
        let description = TestSpace.description()
        story.open(description)
        #expect(story.effects.contains { if case .library(.history("f00d", _)) = $0 { true } else { false } })
        #expect(story.lastPreview == nil)
        func state(_ sigma: Float, _ step: String, fingerprint: String = "f00d") -> VisitedState {
            VisitedState(
                code: WeightCode(Array(repeating: 0.5 + 2 * sigma, count: 12)), settings: description.defaults,
                spaceFingerprint: fingerprint, spaceName: "town", step: step, origin: "p00007")
        }
        story.send(
            .library(
                .history([
                    state(9, "p00007", fingerprint: "other"),
                    // Sessions that ended and began here.
                    state(0, "p00007"), state(0, "p00007"), state(0, "p00007"), state(0.25, "male +0.25"),
                    state(0.5, "male +0.50"),
                    state(1, "old +1.00"),
                ])))
        #expect(story.step?.title == "p00007 + 2 changes")
        #expect(abs(story.sigma(3) - 1) < 1e-5)
        #expect(story.lastPreview?.request.subject == .code(try #require(story.step?.code)))
        story.press("u")
        #expect(abs(story.sigma(3) - 0.5) < 1e-5)
        story.press("u")
        #expect(story.sigma(3) == 0)
        #expect(story.model.trail?.canUndo == false, "one place, however often it was noted")
    }

    @Test("a library that does not answer does not hold up the first face")
    func resumeWithoutAnswer() {
        var story = Story(ExplorerOptions(size: Size(columns: 120, rows: 34)))
        story.open()
        #expect(story.lastPreview == nil)
        story.wait(1)
        #expect(story.lastPreview != nil)
        #expect(story.step?.title == "p00001")
    }

    @Test(
        "the hint of the first run goes with the first key, and is remembered",
        arguments: [Size(columns: 120, rows: 34), Size(columns: 80, rows: 24)])
    func welcome(size: Size) {
        var story = Story(ExplorerOptions(size: size, isFirstRun: true, resumesLastWalk: false))
        story.open()
        #expect(story.screen.contains("Welcome") && story.screen.contains("everybody of this space"))
        #expect(story.lastPreview != nil)
        story.press(.right)
        #expect(!story.screen.contains("Welcome"))
        #expect(story.effects.contains { if case .remember(.welcomeSeen) = $0 { true } else { false } })
        #expect(story.effects.contains { if case .submit(.preview, _) = $0 { true } else { false } })
    }

    @Test("the foot of a model alone shows what can be done with it")
    func footOfAModelAlone() {
        func foot(_ description: SpaceDescription) -> String {
            var story = Story(ExplorerOptions(size: Size(columns: 80, rows: 24), resumesLastWalk: false))
            story.open(description)
            return String(story.screen.split(separator: "\n").last ?? "")
        }
        let model = foot(TestSpace.description(identities: 0, axes: 0))
        for label in ["prompt", "seed", "save", "help"] { #expect(model.contains(label), "\(label): \(model)") }
        for label in ["change", "axis", " new", "ends"] { #expect(!model.contains(label), "\(label): \(model)") }
        #expect(foot(TestSpace.description()).contains("change"))
    }

    @Test("the hint of the first run speaks of what there is")
    func welcomeToAModelAlone() {
        func screen(_ description: SpaceDescription) -> String {
            var story = Story(ExplorerOptions(size: Size(columns: 120, rows: 34), isFirstRun: true, resumesLastWalk: false))
            story.open(description)
            return story.screen
        }
        let model = screen(TestSpace.description(identities: 0, axes: 0))
        #expect(model.contains("Welcome") && model.contains("what is drawn"))
        #expect(!model.contains("another axis") && !model.contains("everybody of this space"))
        let people = screen(TestSpace.description(axes: 0))
        #expect(!people.contains("another axis") && people.contains("everybody of this space"))
        #expect(screen(TestSpace.description()).contains("another axis"))
    }

    @Test("n draws somebody new with the truncation; the locked seed stays, the free one changes")
    func sample() throws {
        var story = Story.opened()
        story.press("t")
        story.press("t")
        story.press("n")
        guard case .submit(.sample(let request), _) = try #require(story.effects.first) else {
            Issue.record("no sample is asked for")
            return
        }
        #expect(abs(request.truncation - 0.8) < 1e-6)
        #expect(request.count == 1 && request.parent == nil)
        story.answerSample(0.5)
        #expect(story.step?.title == "sample \(request.seed)")
        #expect(story.step?.settings.seed == 88)
        #expect(story.visits.last?.step == "sample \(request.seed)")
        story.press("S")
        story.press("n")
        story.answerSample(-0.5)
        #expect(story.step?.settings.seed != 88)
        story.press("u")
        story.press("u")
        #expect(story.step?.title == "p00001")
    }

    @Test("N shows eight children around their parent; one is taken, or none")
    func children() throws {
        var story = Story.opened()
        story.press("N")
        guard case .submit(.sample(let request), _) = try #require(story.effects.first) else {
            Issue.record("no children are asked for")
            return
        }
        #expect(request.count == 8)
        #expect(request.parent == story.step?.code)
        story.answerSample(0.3)
        #expect(story.effects.contains { if case .submit(.thumbnails(let list), _) = $0 { list.count == 8 } else { false } })
        story.finishThumbnails(5)
        #expect(story.frame.placements.count == 6)
        #expect(story.screen.contains("5 of 8"))
        story.press(.right)
        story.press(.enter)
        #expect(story.step?.title == "p00001 + 1 change")
        #expect(story.step?.label == "child 5")
        #expect(story.model.brood == nil)
        story.press("N")
        story.press(.escape)
        #expect(story.model.brood == nil)
        #expect(story.step?.label == "child 5")
    }

    @Test("c shows A, then B, then the face in hand; an edit returns to it")
    func compare() {
        var story = Story.opened()
        story.press("c")
        #expect(story.toast.contains("no end is set"))
        story.press("a")
        story.press(KeyEvent(.right, shift: true))
        story.finishPreview()
        story.press("b")
        story.press(KeyEvent(.right, shift: true))
        story.finishPreview()
        let here = story.model.preview.shown
        story.press("c")
        #expect(story.screen.contains("A: p00001"))
        #expect(story.model.preview.phase == .finished)
        story.press("c")
        #expect(story.screen.contains("B: p00001 + 1"))
        story.press("c")
        #expect(story.model.preview.shown == here)
        story.press("c")
        story.press(.right)
        #expect(story.model.compared == nil)
        #expect(!story.screen.contains("A: p00001"))
    }

    @Test("U goes back to where the walk started")
    func toOrigin() {
        var story = Story.opened()
        story.press("n")
        story.answerSample(0.2)
        let name = story.step?.title
        story.press(.right)
        story.press(.down)
        story.press(.right)
        story.press("U")
        #expect(story.step?.title == name)
        story.press("U")
        #expect(story.toast.contains("where the walk started"))
    }

    @Test("the end: q, Ctrl-C from anywhere, a signal; Ctrl-Z and Ctrl-L")
    func ends() {
        func isQuit(_ story: Story) -> Bool { story.effects.contains { if case .quit = $0 { true } else { false } } }
        var story = Story.opened()
        story.press("q")
        #expect(isQuit(story))
        story.press("i")
        story.press("q")
        #expect(!isQuit(story))
        story.press(KeyEvent(.character("c"), control: true))
        #expect(isQuit(story))
        story.send(.input(.terminate))
        #expect(isQuit(story))
        story.press(KeyEvent(.character("z"), control: true))
        #expect(story.effects.contains { if case .suspend = $0 { true } else { false } })
        story.press(KeyEvent(.character("l"), control: true))
        #expect(story.effects.contains { if case .redraw = $0 { true } else { false } })
    }

    @Test("toasts go by themselves, and the explorer asks for no tick when nothing moves")
    func toasts() {
        var story = Story.opened()
        story.wait(10)
        #expect(story.model.nextTick == nil)
        story.press("o")
        #expect(!story.toast.isEmpty)
        #expect(story.model.nextTick != nil)
        story.wait(10)
        #expect(story.toast.isEmpty)
        #expect(story.model.nextTick == nil)
    }

    @Test("e writes the finished face with what it takes to draw it again")
    func export() throws {
        var story = Story.opened()
        story.press("e")
        #expect(story.model.editor?.text == "p00001.png")
        story.press(.enter)
        guard case .export(let request) = try #require(story.effects.first), case .picture(let image) = request.content else {
            Issue.record("nothing is exported")
            return
        }
        #expect(image == TestSpace.picture(128, side: 128))
        #expect(request.path == "p00001.png")
        let description = TestSpace.description()
        let drawn = RenderRequest(
            subject: .code(description.identities.code(at: 0)), settings: description.defaults)
        // Word for word what the commands write.
        #expect(
            try request.metadata == PictureMetadata.texts(for: drawn, in: description, name: "p00001", lineage: ["p00001"]))
        #expect(request.metadata.contains(PNGText(keyword: "w2w:seed", text: "88")))
        story.send(.exported(path: "p00001-2.png"))
        #expect(story.toast == "wrote p00001-2.png")
        story.press(.right)
        story.press("e")
        #expect(story.toast == "the picture is not finished yet")
        story.finishPreview()
        story.press("e")
        story.press(.enter)
        guard case .export(let changed) = try #require(story.effects.first) else {
            Issue.record("nothing is exported")
            return
        }
        let record = try #require(changed.metadata.first { $0.keyword == CodeRecord.keyword }?.text)
        let read = try JSONDecoder().decode(CodeRecord.self, from: Data(record.utf8))
        #expect(read.name == "p00001 + 1" && read.lineage?.count == 2 && read.lineage?.first == "p00001")
        #expect(read.settings == description.defaults && read.model == .vae)
        // Taken up from the file, it goes on with the steps that had led there.
        var later = Story(
            ExplorerOptions(size: Size(columns: 120, rows: 34), resumesLastWalk: false, start: read))
        later.open()
        #expect(later.step?.title == "p00001 + 1" && later.model.trail?.lineage == read.lineage)
        later.press(.down)
        later.press(.right)
        let lineage = try #require(later.model.trail?.lineage)
        #expect(lineage.count == 3 && Array(lineage.prefix(2)) == read.lineage, "\(lineage)")
    }
}
