import EngineAPI
import Foundation
import ImageCore
import ScreenModel
import Testing

@testable import Explorer

@Suite("Explore: sliders, the face and the trail") struct ExploreStories {
    @Test("a key changes the face at once: the state is logged, then drawn")
    func keyChangesFace() throws {
        var story = Story.opened()
        story.press(.right)
        guard case .library(.visit(let state)) = try #require(story.effects.first) else {
            Issue.record("the state is not logged first")
            return
        }
        guard case .submit(.preview(let request), _) = try #require(story.effects.dropFirst().first) else {
            Issue.record("no preview is asked for")
            return
        }
        #expect(request.subject == .code(state.code))
        #expect(state.origin == "p00001")
        #expect(state.step == "male −0.75")
        #expect(state.spaceFingerprint == "f00d")
        #expect(story.effects.count == 2)
    }

    static let sliderKeys: [(KeyEvent, Float)] = [
        (KeyEvent(.right), 0.25), (KeyEvent(.left), -0.25), (KeyEvent(.character("l")), 0.25), (KeyEvent(.character("h")), -0.25),
        (KeyEvent(.right, shift: true), 1), (KeyEvent(.left, shift: true), -1), (KeyEvent(.character("L")), 1),
        (KeyEvent(.character("H")), -1), (KeyEvent(.character(".")), 0.05), (KeyEvent(.character(",")), -0.05),
    ]

    @Test("steps: arrows a quarter, shift one, comma and point a twentieth of sigma", arguments: sliderKeys)
    func steps(key: KeyEvent, change: Float) {
        var story = Story.opened()
        let before = story.sigma(0)
        story.press(key)
        #expect(abs(story.sigma(0) - before - change) < 1e-5)
        #expect(abs(story.sigma(1) - Story.opened().sigma(1)) < 1e-6)
    }

    @Test("a value can be typed, with a point or a comma; what is no number changes nothing")
    func typedValue() {
        var story = Story.opened()
        story.press("=")
        story.type("-1,5")
        story.press(.enter)
        #expect(abs(story.sigma(0) + 1.5) < 1e-6)
        #expect(story.step?.label == "male −1.50")
        story.press("=")
        story.type("much")
        story.press(.enter)
        #expect(abs(story.sigma(0) + 1.5) < 1e-6)
        #expect(story.toast.contains("“much” is no number"))
        #expect(story.effects.isEmpty)
        story.press("=")
        story.type("2")
        story.press(.escape)
        #expect(abs(story.sigma(0) + 1.5) < 1e-6)
    }

    @Test("zero, silence and its undoing, and all to zero")
    func zeroAndMute() {
        var story = Story.opened()
        let start = story.sigma(0)
        story.press(" ")
        #expect(story.sigma(0) == 0)
        #expect(story.step?.label == "male silenced")
        #expect(story.screen.contains("silent"))
        story.press(" ")
        #expect(abs(story.sigma(0) - start) < 1e-6)
        story.press("0")
        #expect(story.sigma(0) == 0)
        story.press(.down)
        story.press("R")
        #expect((0..<12).allSatisfy { story.sigma($0) == 0 })
        #expect(story.step?.title == "average")
        story.press("u")
        #expect(abs(story.sigma(1) - Story.opened().sigma(1)) < 1e-6)
    }

    @Test("undo and redo name the step; quick moves on one axis are one step, a pause begins another")
    func undoNamesSteps() {
        var story = Story.opened()
        let start = story.sigma(0)
        story.press(.right)
        story.press(.right)
        story.press(.right)
        #expect(story.step?.title == "p00001 + 1 change")
        story.wait(3)
        story.press(.right)
        #expect(story.step?.title == "p00001 + 2 changes")
        story.press("u")
        #expect(story.toast == "undid male 0.00")
        #expect(abs(story.sigma(0) - start - 0.75) < 1e-5)
        story.press("u")
        #expect(abs(story.sigma(0) - start) < 1e-6)
        story.press("u")
        #expect(story.toast == "nothing to take back")
        #expect(story.effects.isEmpty)
        story.press(KeyEvent(.character("r"), control: true))
        #expect(story.toast == "did male −0.25 again")
        #expect(abs(story.sigma(0) - start - 0.75) < 1e-5)
    }

    @Test("going back and elsewhere keeps the other branch within reach of a click")
    func branches() throws {
        var story = Story.opened()
        story.press(.right)
        story.press("u")
        story.press(.down)
        story.press(.right)
        #expect(story.model.trail?.count == 3)
        let first = try #require(story.model.trail?[1].code)
        _ = story.model.update(.tick, at: story.now)
        story.effects = story.model.jump(to: 1)
        #expect(story.step?.code == first)
        // Redo leads back where one came from only along the same branch.
        story.press("u")
        #expect(story.step?.title == "p00001")
    }

    @Test("a step back to a face that was drawn shows it at once, and ends the work on the other")
    func undoShowsKeptPicture() throws {
        var story = Story.opened()
        let first = try #require(story.model.preview.shown)
        story.press(.right)
        let running = try #require(story.model.preview.job)
        story.press("u")
        #expect(story.model.preview.shown == first)
        #expect(!story.model.preview.isDraft)
        #expect(story.effects.contains { if case .cancel(let id) = $0 { id == running } else { false } })
        #expect(!story.effects.contains { if case .submit = $0 { true } else { false } })
        // The picture that still comes from the ended work is not shown.
        let request = RenderRequest(subject: .base, settings: try #require(story.step?.settings))
        story.send(
            .engine(.picture(running, Picture(request: request, image: TestSpace.picture(9), stage: .firstLook, seconds: 0.1))))
        #expect(story.model.preview.shown == first)
    }

    @Test(
        "the last picture stays, marked stale, until something of the new face is there; older pictures never replace newer ones")
    func newestWins() throws {
        var story = Story.opened()
        let shown = try #require(story.model.preview.shown)
        story.press(.right)
        let first = try #require(story.lastPreview)
        story.press(.right)
        let second = try #require(story.lastPreview)
        #expect(first.id < second.id)
        #expect(story.model.preview.shown == shown)
        #expect(story.screen.contains("stale"))
        func picture(_ request: RenderRequest, _ shade: UInt8, _ stage: Picture.Stage) -> Picture {
            Picture(request: request, image: TestSpace.picture(shade), stage: stage, seconds: 0.04)
        }
        // A held key: the first look of the older request still moves the face.
        story.send(.engine(.picture(first.id, picture(first.request, 1, .firstLook))))
        #expect(story.model.preview.shownRequest == first.request)
        #expect(story.screen.contains("stale"))
        story.send(.engine(.picture(second.id, picture(second.request, 2, .firstLook))))
        #expect(!story.screen.contains("stale"))
        #expect(story.frame.placements.first?.isDraft == true)
        story.send(.engine(.picture(first.id, picture(first.request, 3, .draft(step: 6, of: 12)))))
        #expect(story.model.preview.shownRequest == second.request)
        story.send(.engine(.cancelled(first.id)))
        #expect(story.model.preview.phase == .rendering)
        story.send(.engine(.progress(second.id, Progress(activity: "rendering", done: 6, total: 12))))
        #expect(story.screen.contains("rendering 6/12 · 40 ms"))
        story.send(.engine(.progress(second.id, Progress(activity: "rendering", done: 7, total: 12, secondsLeft: 21.6))))
        #expect(story.screen.contains("rendering 7/12 · 22 s left"))
        story.send(.engine(.picture(second.id, picture(second.request, 4, .final))))
        story.send(.engine(.finished(second.id)))
        #expect(story.model.preview.phase == .finished)
        #expect(story.frame.placements.first?.isDraft == false)
    }

    @Test("queued until the engine has begun, then rendering: the preview's edge alone says it")
    func queuedOrRendering() throws {
        func count(_ word: String) -> Int { story.screen.components(separatedBy: word).count - 1 }
        var story = Story()
        story.send(.input(.graphics(.sixel, note: nil)))
        story.open()
        let first = try #require(story.model.preview.job)
        #expect(count("queued") == 1 && count("rendering") == 0)
        // The first evaluation of a slow model takes long and has told nothing of its progress yet.
        story.send(.engine(.began(first)))
        #expect(count("queued") == 0 && count("rendering") == 1)
        story.finishPreview()
        story.press(.right)
        #expect(count("queued") == 1 && count("rendering") == 0 && count("stale") == 1)
        // An older job's beginning is not this one's.
        story.send(.engine(.began(first)))
        #expect(count("queued") == 1)
        story.send(.engine(.began(try #require(story.model.preview.job))))
        #expect(count("queued") == 0 && count("rendering") == 1 && count("stale") == 1)
    }

    @Test("drafts are dropped, finished faces kept")
    func draftsAreDropped() throws {
        var story = Story.opened()
        let count = story.model.pictures.count
        story.press(.right)
        let preview = try #require(story.lastPreview)
        for step in 1...8 {
            let picture = Picture(
                request: preview.request, image: TestSpace.picture(UInt8(step)), stage: .draft(step: step, of: 12), seconds: 0.1)
            story.send(.engine(.picture(preview.id, picture)))
        }
        #expect(story.model.pictures.count == count + 1)
        story.finishPreview()
        #expect(story.model.pictures.count == count + 1)
    }

    @Test("Esc stops the drawing and says how to go on; Enter draws again")
    func cancel() throws {
        var story = Story.opened()
        story.press(.right)
        let job = try #require(story.model.preview.job)
        story.press(.escape)
        #expect(story.effects.contains { if case .cancel(let id) = $0 { id == job } else { false } })
        story.send(.engine(.cancelled(job)))
        #expect(story.screen.contains("stopped · Enter draws it"))
        story.press(.enter)
        #expect(story.model.preview.phase == .rendering)
        story.finishPreview()
        #expect(story.model.preview.phase == .finished)
    }

    @Test("a failure says what, why and the next key, and keeps the last face")
    func failure() throws {
        var story = Story.opened()
        story.press(.right)
        let job = try #require(story.model.preview.job)
        story.send(
            .engine(.failed(job, EngineFailure(message: "No memory is left for the U-Net.", advice: "Close other programs."))))
        #expect(story.screen.contains("failed · Enter tries again"))
        #expect(story.frame.placements.contains { $0.slot == "preview" })
        story.press(.enter)
        #expect(story.model.preview.phase == .rendering)
    }

    @Test("a failure before the first face stands where the face would be")
    func earlyFailure() throws {
        var story = Story()
        story.open()
        let job = try #require(story.model.preview.job)
        story.send(
            .engine(.failed(job, EngineFailure(message: "No memory is left for the U-Net.", advice: "Close other programs."))))
        #expect(story.screen.contains("No memory is left for the U-Net."))
        #expect(story.screen.contains("Close other programs."))
    }

    @Test("far out, a warning; on an axis that does nothing, a word")
    func warnings() {
        var story = Story.opened()
        story.press("=")
        story.type("4.2")
        story.press(.enter)
        #expect(story.toast.contains("+4.20 σ: nobody is this far out"))
        #expect(story.screen.contains("▸"))
        story.press("z")
        story.press(.end)
        story.press(.right)
        #expect(story.toast.contains("is silent"))
    }

    @Test("words on a slider go with its screen, words on what was done stay")
    func wordsGoWithTheirScreen() {
        for key: Character in ["2", "3", "4", "5"] {
            var story = Story.opened()
            story.press("=")
            story.type("4.2")
            story.press(.enter)
            #expect(story.toast.contains("nobody is this far out"))
            story.press("1")
            #expect(story.toast.contains("nobody is this far out"))
            story.press(key)
            #expect(story.toast.isEmpty, "on screen \(key)")
        }
        var story = Story.opened()
        story.press("f")
        #expect(story.toast.contains("saved"))
        story.press("4")
        #expect(story.toast.contains("saved"))
        // What a key cannot do is said on the screen that it leads to.
        story.press(":")
        story.type("play")
        story.press(.enter)
        #expect(story.model.screen == .morph && story.toast.contains("choose A and B first"))
    }

    @Test("the warning of values far out says the way back in the narrowest window that has room for it")
    func warningIsWhole() {
        var description = TestSpace.description()
        // The longest of the names that faces usually have.
        description.axes[0].correlations = [.init(attribute: "Wearing_Necklace", value: 0.9)]
        var story = Story.opened(description, size: Size(columns: 80, rows: 24))
        story.press("=")
        story.type("-4.2")
        story.press(.enter)
        #expect(story.toast.hasPrefix("wearing necklace"))
        #expect(story.screen.contains("faces may break · 0 resets"))
    }

    @Test("prompt, seed and sampler are steps too; the person stays")
    func settings() throws {
        var story = Story.opened()
        let code = try #require(story.step?.code)
        story.press("i")
        story.press(KeyEvent(.character("u"), control: true))
        story.type("photo of sks person, laughing")
        story.press(.enter)
        #expect(story.step?.settings.prompt == "photo of sks person, laughing")
        #expect(story.lastPreview?.request.settings.prompt == "photo of sks person, laughing")
        story.press("#")
        story.type("1234")
        story.press(.enter)
        #expect(story.step?.settings.seed == 1234)
        story.press("s")
        #expect(story.step?.settings.seed != 1234)
        #expect(story.step?.code == code)
        #expect(story.step?.title == "p00001")
        for _ in 0..<3 { story.press("u") }
        #expect(story.step?.settings == TestSpace.description().defaults)
    }

    @Test(
        "the picture's size is a step too, found by its words",
        arguments: [
            ("256", 256, 256), ("512x384", 512, 384), ("64 × 128", 64, 128), ("500", 128, 128), ("512x", 512, 512),
            ("big", 128, 128),
            ("8x8", 128, 128), ("1x2x3", 128, 128), ("99999999999999999999", 128, 128),
        ])
    func pictureSize(text: String, width: Int, height: Int) throws {
        var story = Story.opened()
        story.press(":")
        story.type("picture size")
        story.press(.enter)
        #expect(story.screen.contains("128x128, sides divisible by 8"))
        story.type(text)
        story.press(.enter)
        let settings = try #require(story.step?.settings)
        #expect(settings.width == width && settings.height == height)
        #expect(story.toast.contains(width == 128 ? "sides are 32 to 2048" : "this space draws at 128×128"))
    }

    @Test(
        "steps and guidance have the limits of the command line",
        arguments: [
            ("steps", "1000", true), ("steps", "1001", false), ("steps", "0", false), ("guidance", "50", true),
            ("guidance", "50.1", false), ("guidance", "-1", false), ("guidance", "nan", false), ("guidance", "0", true),
        ])
    func limits(command: String, text: String, isTaken: Bool) throws {
        var story = Story.opened()
        let before = try #require(story.step?.settings)
        story.effects = story.model.perform(command == "steps" ? .steps : .guidance)
        let words = command == "steps" ? GenerationSettings.stepsInWords : GenerationSettings.guidanceInWords
        #expect(story.screen.contains(words))
        story.type(text)
        story.press(.enter)
        let settings = try #require(story.step?.settings)
        #expect((settings != before) == isTaken)
        #expect(isTaken || story.toast.hasSuffix(words))
    }

    @Test("the list is ordered, filtered and unfolded, and keeps the chosen axis")
    func list() {
        var story = Story.opened()
        #expect(story.model.axes.rows.count == 9)
        #expect(story.screen.contains("3 silent axes folded · z"))
        story.press(.down)
        let chosen = story.model.axes.selectedAxis
        story.press("o")
        #expect(story.model.axes.order == .kl)
        #expect(story.model.axes.selectedAxis == chosen)
        story.press("z")
        #expect(story.model.axes.rows.count == 12)
        story.press("/")
        story.type("beard")
        #expect(story.model.axes.rows == [0, 1])
        story.press(.enter)
        #expect(story.screen.contains("/beard"))
        story.press(.escape)
        #expect(story.model.axes.rows.count == 12)
        story.press("/")
        story.type("xyzzy")
        #expect(story.screen.contains("no axis goes along with “xyzzy”"))
        story.press(.enter)
        story.press(.right)
        #expect(story.toast == "no axis goes along with “xyzzy” · Esc shows all")
    }

    @Test("a space whose axes are all silent says so on every screen, and z shows them")
    func collapsedSpace() {
        var description = TestSpace.description()
        for axis in description.axes.indices { description.axes[axis].isActive = false }
        var story = Story.opened(description)
        #expect(story.screen.contains("every axis of this space is silent") && story.screen.contains("z shows them"))
        story.press(.right)
        #expect(story.toast == "every axis of this space is silent · z shows them")
        story.press("5")
        #expect(story.screen.contains("every axis of this space is silent") && story.screen.contains("no axis is chosen"))
        // Nothing tells people apart, so nobody is near to anybody.
        story.press("2")
        story.wait(1)
        #expect(!story.screen.contains("nearest"))
        story.press("1")
        story.press("z")
        story.wait(9)
        #expect(!story.screen.contains("every axis of this space is silent") && story.model.axes.rows.count == 12)
    }
}
