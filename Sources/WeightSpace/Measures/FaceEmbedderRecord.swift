import Checkpoints

/// What the training of a face embedder says of itself in `embedder.json`.
public struct FaceEmbedderRecord: Sendable, Equatable {
    /// Settings and results as they stand in the file.
    public let members: [JSONValue.Member]

    init(members: [JSONValue.Member]) {
        self.members = members
    }

    /// The record in an `embedder.json`, or nil when it has none.
    init?(_ json: JSONConfiguration) throws {
        guard json["training"] != nil else { return nil }
        members = try json.object("training").members
    }

    /// d' of one person's pictures against those of two, on people that the training never saw; nil when it was not measured.
    public var dPrime: Double? { number("test", "d_prime") }

    /// The same against pairs of people with equal skin and hair.
    public var hardDPrime: Double? { number("test_same_skin_and_hair", "d_prime") }

    /// Mean likeness of two pictures of one person, on people that the training never saw; nil when it was not measured.
    public var samePerson: Double? { number("test", "same_mean") }

    /// Mean likeness of pictures of two people, likewise.
    public var differentPeople: Double? { number("test", "different_mean") }

    /// Names of the identities that were kept aside for "validation" or "test".
    public func heldOut(_ part: String) -> [String] {
        members.first { $0.key == "split" }?.value[part].flatMap { [String](json: $0) } ?? []
    }

    private func number(_ group: String, _ name: String) -> Double? {
        members.first { $0.key == group }?.value[name].flatMap { Double(json: $0) }
    }
}
