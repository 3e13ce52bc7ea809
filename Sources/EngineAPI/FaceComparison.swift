/// How alike faces are, as the face embedder of the space sees them.
public struct FaceComparison: Sendable, Hashable {
    /// How many faces were compared, N.
    public var count: Int
    /// Cosines of the faces' embeddings, [N, N] row-major, -1...1: 1 for the same face.
    public var likeness: [Float]
    /// The mean over photographs of one person, on people that the embedder's training never saw; nil when that is not on record.
    public var samePerson: Float?
    /// The mean over photographs of two different people, likewise.
    public var differentPeople: Float?

    public init(count: Int, likeness: [Float], samePerson: Float? = nil, differentPeople: Float? = nil) {
        precondition(likeness.count == count * count, "\(likeness.count) cosines of \(count) faces")
        self.count = count
        self.likeness = likeness
        self.samePerson = samePerson
        self.differentPeople = differentPeople
    }

    /// The mean likeness of a face to the others; nil for one face alone.
    public func meanLikeness(of place: Int) -> Float? {
        guard count > 1, (0..<count).contains(place) else { return nil }
        let others = (0..<count).filter { $0 != place }.map { likeness[place * count + $0] }
        return others.reduce(0, +) / Float(others.count)
    }

    /// The mean likeness over all pairs; nil for one face alone.
    public var meanLikeness: Float? {
        let all = (0..<count).compactMap { meanLikeness(of: $0) }
        return all.isEmpty ? nil : all.reduce(0, +) / Float(all.count)
    }
}
