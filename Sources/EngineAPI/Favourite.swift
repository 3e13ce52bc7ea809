/// A place where somebody has been: enough to draw the same picture again.
public struct VisitedState: Sendable, Hashable, Codable {
    public var code: WeightCode
    public var settings: GenerationSettings
    /// `SpaceDescription.fingerprint` of the space it belongs to: elsewhere the same numbers show another face.
    public var spaceFingerprint: String
    public var spaceName: String
    /// How one came here, in a few words: "p00042", "a07 +1.25", "sample 12", "morph p00042 p00317 at 0.50".
    public var step: String
    /// The name that the walk started from ("p00042", "sample 12").
    public var origin: String

    public init(
        code: WeightCode, settings: GenerationSettings, spaceFingerprint: String, spaceName: String, step: String, origin: String
    ) {
        self.code = code
        self.settings = settings
        self.spaceFingerprint = spaceFingerprint
        self.spaceName = spaceName
        self.step = step
        self.origin = origin
    }
}

/// A face that somebody kept.
public struct Favourite: Sendable, Hashable, Identifiable {
    /// The row in the library; stable for the life of the favourite.
    public var id: Int64
    public var name: String
    public var tags: [String]
    /// Seconds since 1970.
    public var created: Double
    public var state: VisitedState
    /// Steps that led here, oldest first.
    public var lineage: [String]
    /// A small PNG file, or nil when it was kept before it was drawn.
    public var thumbnail: [UInt8]?

    public init(
        id: Int64, name: String, tags: [String] = [], created: Double, state: VisitedState, lineage: [String] = [],
        thumbnail: [UInt8]? = nil
    ) {
        self.id = id
        self.name = name
        self.tags = tags
        self.created = created
        self.state = state
        self.lineage = lineage
        self.thumbnail = thumbnail
    }
}

/// What the library can be asked to do; requests are carried out in order.
public enum LibraryRequest: Sendable {
    /// Notes where somebody is, before it is drawn.
    case visit(VisitedState)
    /// Keeps a face. The answer is `.saved`.
    case save(name: String, tags: [String], state: VisitedState, lineage: [String], thumbnail: [UInt8]?)
    case rename(Int64, name: String, tags: [String])
    case setThumbnail(Int64, png: [UInt8])
    /// Hides a favourite; `restore` brings it back.
    case delete(Int64)
    case restore(Int64)
    /// Everything that is kept, newest first: `.favourites`. Also sent by itself after each change.
    case list
    /// The last visited states of a space, oldest first, at most `count`: `.history`.
    case history(spaceFingerprint: String, count: Int)
}

/// What the library answers.
public enum LibraryEvent: Sendable {
    case favourites([Favourite])
    case saved(Favourite)
    case history([VisitedState])
    /// Something could not be kept; one sentence with what to do.
    case failed(String)
    /// Something worth a line in the status bar: read-only, a damaged file put aside.
    case notice(String)
}
