import EngineAPI
import ImageCore
import ScreenModel
import Testing

@testable import Explorer

@Suite("Morph") struct MorphStories {
    /// A and B chosen among the people, and the walk begun.
    static func begun(size: Size = Size(columns: 120, rows: 34)) -> Story {
        var story = Story.opened(size: size)
        story.press("2")
        story.press("a")
        story.press(.right)
        story.press("b")
        story.press("m")
        return story
    }

    @Test("without ends the screen teaches, and a single end is shown")
    func teaches() {
        var story = Story.opened()
        story.press("m")
        #expect(story.screen.contains("A is not chosen yet"))
        #expect(story.lastSubmitted { if case .morph = $0 { true } else { false } } == nil)
        story.press("1")
        story.press("a")
        #expect(story.toast.contains("A is p00001"))
        story.press("3")
        #expect(story.screen.contains("A is p00001"))
        #expect(story.screen.contains("B is not chosen yet"))
        story.press("p")
        #expect(story.toast == "choose A and B first")
    }

    @Test("what teaches is whole in small windows", arguments: [Size(columns: 60, rows: 20), Size(columns: 80, rows: 24)])
    func teachesInSmallWindows(size: Size) {
        var story = Story.opened(size: size)
        story.press("3")
        let words = story.screen.split(whereSeparator: { $0.isWhitespace || $0 == "│" }).joined(separator: " ")
        #expect(words.contains("in People (2), in Saved (4) then the walk between them is drawn here"), "\(words)")
    }

    @Test("two ends begin a walk with the prompt and seed in hand")
    func begins() throws {
        let story = Self.begun()
        let (_, command) = try #require(story.lastSubmitted { if case .morph = $0 { true } else { false } })
        guard case .morph(let request) = command else { return }
        let table = TestSpace.description().identities
        #expect(request.from == table.code(at: 0))
        #expect(request.to == table.code(at: 1))
        #expect(request.frames == 9 && request.path == .slerp)
        #expect(request.settings == TestSpace.description().defaults)
    }

    @Test(
        "what is missing is said in words that fit",
        arguments: [(120, " frame 1 is still to be drawn "), (80, " still to be drawn ")])
    func missingFrame(columns: Int, words: String) {
        var story = Self.begun()
        story.send(.input(.resized(Size(columns: columns, rows: columns * 2 / 7))))
        #expect(story.screen.contains(words) && !story.screen.contains("still to be dra…"), "\(story.screen)")
    }

    @Test("frames appear as they come; the edge says how far it is")
    func fills() {
        var story = Self.begun()
        story.drawFrames([0, 8, 4])
        #expect(story.screen.contains("3 of 9"))
        #expect(
            Set(story.frame.placements.map(\.slot)).isSuperset(of: ["end A", "end B", "frame", "strip 0", "strip 4", "strip 8"]))
        story.drawFrames()
        #expect(story.screen.contains("9 frames · evenness 1.00"))
        // Ten grey levels of 255 each.
        #expect(story.model.morph.stepSizes.allSatisfy { abs(($0 ?? 0) - 10.0 / 255) < 1e-4 })
    }

    @Test("the frames of an even walk tell where on the way they really stand")
    func evenPlaces() throws {
        var story = Self.begun()
        story.press("y")
        story.press("y")
        let walk = try #require(story.lastSubmitted(where: { if case .morph = $0 { true } else { false } }))
        #expect(story.screen.contains(".13") && story.model.morph.path == .even)
        story.send(
            .engine(
                .frame(
                    walk.0,
                    MorphFrame(index: 1, position: 0.31, code: WeightCode([0.5]), image: TestSpace.picture(60)))))
        #expect(story.screen.contains(".31") && !story.screen.contains(".13"), "\(story.screen)")
    }

    @Test("the face that a walk begins with is still seen in Explore afterwards")
    func backToTheFace() throws {
        var story = Self.begun()
        let walk = try #require(story.lastSubmitted(where: { if case .morph = $0 { true } else { false } }))
        guard case .morph(let request) = walk.1 else { return }
        story.send(
            .engine(
                .frame(walk.0, MorphFrame(index: 0, position: 0, code: request.from, image: TestSpace.picture(128, side: 128)))))
        story.press("1")
        #expect(story.frame.placements.contains { $0.slot == "preview" })
    }

    @Test("playing goes there and back over the finished frames only")
    func plays() {
        var story = Self.begun()
        story.press("p")
        #expect(story.toast == "no two frames are there yet")
        story.drawFrames([0, 8, 4])
        story.press("p")
        var seen: [Int] = []
        for _ in 0..<8 {
            story.wait(Morph.secondsPerFrame)
            seen.append(story.model.morph.selected)
        }
        #expect(seen == [4, 8, 4, 0, 4, 8, 4, 0])
        story.press("p")
        story.wait(1)
        #expect(story.model.morph.selected == 0)
        #expect(story.model.morph.playing == nil)
    }

    @Test("leaving the screen stops the player")
    func leaving() {
        var story = Self.begun()
        story.drawFrames()
        story.press("p")
        story.press("1")
        story.wait(10)
        #expect(story.model.nextTick == nil)
    }

    @Test("frames, path and ends can be changed; each makes another walk, older frames are not mixed in")
    func changes() throws {
        var story = Self.begun()
        let (first, _) = try #require(story.lastSubmitted { if case .morph = $0 { true } else { false } })
        story.press("+")
        #expect(story.effects.contains { if case .submit(.morph(let request), _) = $0 { request.frames == 11 } else { false } })
        story.press("y")
        #expect(story.effects.contains { if case .submit(.morph(let request), _) = $0 { request.path == .lerp } else { false } })
        story.press("x")
        #expect(
            story.effects.contains {
                if case .submit(.morph(let request), _) = $0 {
                    request.from == TestSpace.description().identities.code(at: 1)
                } else {
                    false
                }
            })
        let late = MorphFrame(index: 0, position: 0, code: TestSpace.description().centre, image: TestSpace.picture())
        story.send(.engine(.frame(first, late)))
        #expect(story.model.morph.finishedCount == 0)
        for _ in 0..<10 { story.press("-") }
        #expect(story.model.morph.count >= 2)
        #expect(story.toast == "a walk has two ends" || story.model.morph.count > 2)
    }

    @Test("a frame is opened, saved, or made an end")
    func frame() throws {
        var story = Self.begun()
        story.drawFrames([0, 8])
        story.press("]")
        story.press(.enter)
        #expect(story.toast == "this frame is still to be drawn")
        story.press("[")
        story.press(.end)
        story.press("f")
        guard case .library(.save(let name, _, let state, _, let png)) = try #require(story.effects.first) else {
            Issue.record("nothing is saved")
            return
        }
        // The end of a walk is who stands there.
        #expect(name == "p00002")
        #expect(png != nil)
        story.press(.enter)
        #expect(story.model.screen == .explore)
        #expect(story.step?.code == state.code)
        #expect(story.visits.last?.step == "p00002")
        story.press("3")
        story.drawFrames([4])
        for _ in 0..<4 { story.press("[") }
        story.press(.enter)
        #expect(story.visits.last?.step == "p00001 → p00002 at 0.50")
    }

    @Test("strip and animation are written once the walk is finished; the animation comes back without a jump")
    func export() throws {
        var story = Self.begun()
        story.drawFrames([0, 8])
        story.press("e")
        #expect(story.toast == "the walk is not finished: 2 of 9 frames")
        story.drawFrames()
        story.press("e")
        story.press(.enter)
        guard case .export(let strip) = try #require(story.effects.first), case .strip(let images) = strip.content else {
            Issue.record("no strip is written")
            return
        }
        #expect(images.count == 9)
        #expect(strip.path == "p00001-p00002-strip.png")
        story.press("E")
        story.press(.enter)
        guard case .export(let animation) = try #require(story.effects.first), case .animation(let frames, _) = animation.content
        else {
            Issue.record("no animation is written")
            return
        }
        #expect(frames.count == 16)
        #expect(animation.path == "p00001-p00002.gif")
        // Word for word what `w2w morph` writes, of the walk that was drawn.
        let walk = try #require(story.model.morph.request)
        let texts = PictureMetadata.texts(for: walk, from: "p00001", to: "p00002", in: TestSpace.description())
        #expect(strip.metadata == texts && animation.metadata == texts)
        #expect(texts.contains(PNGText(keyword: "Title", text: "p00001 to p00002, slerp, 9 frames")))
    }

    @Test("Esc stops the walk and keeps what is there; a failure is told with what to do")
    func stops() throws {
        var story = Self.begun()
        story.drawFrames([0, 8])
        let job = try #require(story.model.morph.job)
        story.press(.escape)
        #expect(story.effects.contains { if case .cancel(let id) = $0 { id == job } else { false } })
        story.send(.engine(.cancelled(job)))
        #expect(story.screen.contains("stopped · 2 of 9 kept"))
        story.press("]")
        story.press(.enter)
        let again = try #require(story.model.morph.job)
        #expect(again != job)
        story.press("y")
        story.press("[")
        let second = try #require(story.model.morph.job)
        story.send(.engine(.failed(second, EngineFailure(message: "The decoder failed.", advice: "Try fewer frames."))))
        #expect(story.screen.contains("The decoder failed."))
        #expect(story.screen.contains("failed · Enter tries again"))
        #expect(story.screen.contains("Try fewer frames."))
    }

    @Test("many frames scroll around the one in hand")
    func manyFrames() {
        var story = Self.begun()
        story.press(":")
        story.type("number of frames")
        story.press(.enter)
        story.type("33")
        story.press(.enter)
        #expect(story.model.morph.count == 33)
        story.drawFrames()
        story.press(.end)
        #expect(story.frame.placements.contains { $0.slot == "frame" })
        #expect(story.model.morphLayout(size: story.model.size).frames.last?.index == 32)
    }
}
