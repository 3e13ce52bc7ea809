/// A line about a base model, for people to read: what it is about, and the facts in words.
public struct ModelFact: Sendable, Hashable {
    public var title: String
    public var words: String

    public init(_ title: String, _ words: String) {
        self.title = title
        self.words = words
    }
}
