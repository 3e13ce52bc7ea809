import EngineAPI
import ScreenModel
import Testing

@testable import Explorer

@Suite("Directions beside the axes, drafts") struct DirectionStories {
    /// The town with two attribute directions that share half of their way.
    static func town() -> SpaceDescription {
        var town = TestSpace.description()
        // Deviation 2 on every axis: a step of 2 on one is one deviation.
        var smile = [Float](repeating: 0, count: 12)
        smile[0] = 2
        var glasses = smile
        glasses[1] = 2
        town.directions = [
            DirectionDescription(
                name: "Smiling", method: "logistic", attribute: "Smiling", step: smile, unit: .classGap, deviations: 1.5,
                accuracy: 0.9),
            DirectionDescription(
                name: "Eyeglasses", method: "least-squares", attribute: "Eyeglasses", step: glasses, unit: .deviation,
                deviations: 1),
        ]
        return town
    }

    private func reading(_ story: Story, _ place: Int) -> Float {
        guard let index = story.model.index, let step = story.step else { return .nan }
        return index.readings[place].value(of: step.code, axes: index.description.axes)
    }

    @Test("below the axes; v goes there and back, arrows go on into them, and they change the face in units of strength")
    func moving() throws {
        var story = Story.opened(Self.town())
        #expect(story.screen.contains("Directions") && story.screen.contains("smiling") && story.screen.contains("eyeglasses"))
        story.press("v")
        #expect(story.model.directions.selectedDirection == 0)
        #expect(story.screen.contains("1 = from without to with"))
        let before = reading(story, 0)
        let other = story.sigma(1)
        story.press(.right)
        #expect(abs(reading(story, 0) - before - 0.25) < 1e-4)
        #expect(story.sigma(1) == other)
        #expect(story.step?.label.hasPrefix("smiling ") == true)
        story.press("0")
        #expect(abs(reading(story, 0)) < 1e-5)
        story.press("=")
        story.type("1.5")
        story.press(.enter)
        #expect(abs(reading(story, 0) - 1.5) < 1e-4)
        story.press(" ")
        #expect(story.toast == "axes only can be silenced")
        story.press("u")
        #expect(abs(reading(story, 0) - 1.5) > 1e-3)
        story.press("v")
        #expect(story.model.directions.selectedDirection == nil)
        for _ in 0..<story.model.axes.rows.count { story.press(.down) }
        #expect(story.model.directions.selectedDirection == 0)
        story.press(.up)
        #expect(story.model.directions.selectedDirection == nil && story.model.axes.selected == story.model.axes.rows.count - 1)
        story.press(.end)
        #expect(story.model.directions.selectedDirection == 1)
    }

    @Test("a direction that is held keeps its reading while another one moves")
    func holding() throws {
        var story = Story.opened(Self.town())
        story.press("v")
        story.press("K")
        #expect(story.model.directions.held == ["Smiling"])
        story.press(.down)
        let (smile, glasses) = (reading(story, 0), reading(story, 1))
        story.press(KeyEvent(.right, shift: true))
        #expect(abs(reading(story, 0) - smile) < 1e-4)
        #expect(abs(reading(story, 1) - glasses - 1) < 1e-4)
        // Unheld, the one takes the other along.
        story.press(.up)
        story.press("K")
        story.press(.down)
        story.press(KeyEvent(.right, shift: true))
        #expect(abs(reading(story, 0) - smile) > 0.1)
    }

    @Test("two directions that say the same cannot be told apart: a word, and nothing moves")
    func inseparable() {
        var town = Self.town()
        town.directions[1].step = town.directions[0].step.map { $0 * 3 }
        var story = Story.opened(town)
        story.press("v")
        story.press("K")
        story.press(.down)
        let code = story.step?.code
        story.press(.right)
        #expect(story.step?.code == code)
        #expect(story.toast.contains("cannot be told from what is held"))
    }

    @Test("directions are found, kept under a name, forgotten")
    func shelf() throws {
        var story = Story.opened(Self.town())
        story.press(":")
        story.type("jacobian")
        story.press(.enter)
        let (id, command) = try #require(story.lastSubmitted(where: { if case .findDirections = $0 { true } else { false } }))
        guard case .findDirections(.jacobian(8)) = command else {
            Issue.record("\(command)")
            return
        }
        var found = Self.town().directions[0]
        found.name = "jacobian 1"
        found.attribute = nil
        story.send(.engine(.directions(id, [found])))
        story.send(.engine(.finished(id)))
        #expect(story.model.index?.description.directions.count == 3)
        #expect(story.screen.contains("jacobian 1") && story.model.directions.selectedDirection == 2)
        story.press(":")
        story.type("keep this direction")
        story.press(.enter)
        story.press(KeyEvent(.character("u"), control: true))
        story.type("jaw")
        story.press(.enter)
        let kept = try #require(story.lastSubmitted(where: { if case .keepDirection = $0 { true } else { false } }))
        guard case .keepDirection(let direction) = kept.1 else { return }
        #expect(direction.name == "jaw" && direction.step == found.step)
        story.send(.engine(.directions(kept.0, [direction] + Self.town().directions)))
        story.send(.engine(.finished(kept.0)))
        #expect(story.model.index?.description.directions.map(\.name) == ["jaw", "Smiling", "Eyeglasses", "jacobian 1"])
        #expect(story.toast == "kept jaw")
    }

    @Test("the mouse drags a direction; the ends of its slider are three deviations of the people")
    func mouse() throws {
        var story = Story.opened(Self.town())
        let canvas = story.model.canvas(size: story.model.size)
        let hit = try #require(canvas.hits.first { if case .directionSlider(0, _) = $0.target { true } else { false } })
        guard case .directionSlider(_, let cells) = hit.target else { return }
        story.send(.input(.mouse(MouseEvent(.press, at: Point(x: cells.maxX - 1, y: cells.y)))))
        #expect(abs(reading(story, 0) - 2) < 1e-4)
        story.send(.input(.mouse(MouseEvent(.drag, at: Point(x: cells.x + cells.columns / 2, y: cells.y)))))
        #expect(abs(reading(story, 0)) < 1e-4)
    }

    @Test("in a small window the directions stand below the axes, and one of them can be chosen")
    func small() {
        var story = Story.opened(Self.town(), size: Size(columns: 60, rows: 20))
        func chosenRow() -> Substring? { story.screen.split(separator: "\n").first { $0.contains("▸") } }
        #expect(chosenRow()?.contains("smiling") == false)
        story.press("v")
        #expect(chosenRow()?.contains("smiling") == true)
    }

    @Test("drafts only: the job ends with the first good draft; Enter draws it in full")
    func drafts() throws {
        var story = Story.opened()
        story.press("d")
        story.press(.right)
        let preview = try #require(story.lastPreview)
        func send(_ stage: Picture.Stage, _ job: JobID) {
            story.send(
                .engine(
                    .picture(
                        job, Picture(request: preview.request, image: TestSpace.picture(70, side: 64), stage: stage, seconds: 1)))
            )
        }
        send(.draft(step: 2, of: 6), preview.id)
        #expect(story.model.preview.phase == .rendering)
        send(.draft(step: 6, of: 6), preview.id)
        #expect(story.model.preview.phase == .drafted)
        #expect(story.effects.contains { if case .cancel(preview.id) = $0 { true } else { false } })
        story.send(.engine(.cancelled(preview.id)))
        #expect(story.screen.contains("Enter draws it in full") && story.screen.contains("─ draft ─"))
        story.press(.enter)
        let again = try #require(story.lastPreview)
        #expect(again.id != preview.id && again.request == preview.request)
        send(.draft(step: 6, of: 6), again.id)
        #expect(story.model.preview.phase == .rendering)
        story.finishPreview()
        #expect(story.model.preview.phase == .finished && story.screen.contains("─ final ─"))
    }
}
