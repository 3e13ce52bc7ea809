import EngineAPI
import ScreenModel
import Testing

@testable import Explorer

@Suite("Explore") struct ExploreStories {
    @Test("a key changes the face at once: it is logged, then drawn")
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
        #expect(state.step.hasPrefix("male, beard "))
    }
}
