import Explorer
import Foundation
import Testing

/// The key table beside the README is the program's own. `W2W_RECORD=1` writes it anew and fails, so that nobody records by accident.
@Suite("README")
struct ReadmeTests {
    private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent(".readme/keys.md")

    @Test("the key table is that of the program")
    func keys() throws {
        let text = try String(contentsOf: Self.file, encoding: .utf8)
        let begin = try #require(text.range(of: "<!-- keys -->\n"))
        let end = try #require(text.range(of: "<!-- /keys -->"))
        let expected = KeyTable.standard.markdown()
        if ProcessInfo.processInfo.environment["W2W_RECORD"] != nil {
            let updated = text.replacingCharacters(in: begin.upperBound..<end.lowerBound, with: expected)
            try updated.write(to: Self.file, atomically: true, encoding: .utf8)
            Issue.record("recorded the key table in .readme/keys.md")
        }
        #expect(String(text[begin.upperBound..<end.lowerBound]) == expected, "record it with W2W_RECORD=1")
    }
}
