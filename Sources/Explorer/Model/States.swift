import EngineAPI
import ScreenModel

/// How the space is doing.
enum SpaceState: Sendable {
    case opening(Progress?)
    case open(SpaceIndex)
    case failed(EngineFailure)
}

/// What a job of the engine is for.
enum JobPurpose: Sendable {
    case open
    case preview(RenderRequest)
    case thumbnails
    /// Somebody new, from this seed.
    case sample(seed: UInt64)
    case children(of: WeightCode)
    /// How alike these faces are.
    case compare([RenderRequest])
    case morph
    /// Another model of the space.
    case use(WeightModel)
    case findDirections
    /// A direction is kept under a name, or one is forgotten (no name).
    case keepDirection(String)
}

/// The large picture and the work on it.
struct Preview: Sendable {
    enum Phase: Sendable, Hashable {
        case idle, rendering, finished, cancelled
        /// A good draft is there, and more was not asked for.
        case drafted
        case failed(EngineFailure)
    }

    /// What should be seen.
    var wanted: RenderRequest?
    var phase: Phase = .idle
    /// The job under way for it.
    var job: JobID?
    /// Whether the engine works on it, not still on something else.
    var hasBegun = false
    var progress: Progress?

    /// Whether the full picture was asked for although drafts are enough otherwise.
    var isInFull = false

    /// What is seen.
    var shown: ImageKey?
    var shownRequest: RenderRequest?
    var shownStage: Picture.Stage?
    /// Pictures of jobs before this one come too late.
    var oldestJob = JobID(0)
    /// Time that the picture took.
    var seconds: Double?

    /// Whether the picture is one of an earlier request.
    var isStale: Bool { shown != nil && shownRequest != wanted }
    var isDraft: Bool { shownStage != .final }
}

/// How the axes are ordered.
enum AxisOrder: String, Sendable, CaseIterable {
    case effect, kl = "KL", variance, name
}

/// What the mouse drags.
enum DraggedSlider: Sendable, Hashable {
    case axis(Int)
    case direction(Int)
}

/// The list of axes.
struct AxisList: Sendable {
    var order = AxisOrder.effect
    var unfolded = false
    var query = ""
    /// Axes in the order shown.
    var rows: [Int] = []
    var selected = 0
    var top = 0

    var selectedAxis: Int? { rows.indices.contains(selected) ? rows[selected] : nil }
}

/// Eight children around the face that they come from, which stands in the middle.
struct Brood: Sendable {
    var parent: WeightCode
    /// Empty while they are drawn by lot.
    var codes: [WeightCode] = []
    var pictures: [Int: ImageKey] = [:]
    var settings: GenerationSettings
    /// 0..<9, row by row; 4 is the parent.
    var selected = 4
    /// How far they lie from the parent, in the space's deviations.
    static let spread: Float = 0.6
    static let count = 8

    /// The child at a place of the square; nil in the middle.
    static func child(at place: Int) -> Int? { place == 4 ? nil : place < 4 ? place : place - 1 }
}

/// An end of a morph.
struct MorphEnd: Sendable {
    var name: String
    var code: WeightCode
    /// A picture of it, until the morph has drawn its own.
    var picture: ImageKey?
}

enum EndName: Sendable, Hashable {
    case a, b
}

/// The walk between two people.
struct Morph: Sendable {
    struct Frame: Sendable {
        var position: Float
        var code: WeightCode
        var picture: ImageKey
    }

    var path = MorphPath.slerp
    var count = 9
    var request: MorphRequest?
    var job: JobID?
    var progress: Progress?
    var failure: EngineFailure?
    var wasCancelled = false
    var frames: [Frame?] = []
    /// Differences between neighbouring frames, where both are there: root mean square of the pixels' change, 0...1; of a finished walk
    /// what the engine measures, by the face embedder where the space has one.
    var stepSizes: [Float?] = []
    var selected = 0
    /// +1 towards B, -1 towards A while it plays.
    var playing: Int?
    var nextFrameAt = 0.0

    static let secondsPerFrame = 0.12
    static let counts = 2...65

    var finishedCount: Int { frames.count { $0 != nil } }

    /// Mean step over the largest one: 1 when every step changes the picture equally. Nil before all frames are there.
    var evenness: Float? {
        let sizes = stepSizes.compactMap { $0 }
        guard sizes.count == stepSizes.count, sizes.count > 1, let largest = sizes.max(), largest > 0 else { return nil }
        return sizes.reduce(0, +) / Float(sizes.count) / largest
    }
}

/// What lies over the screen.
enum Overlay: Sendable, Hashable {
    case help(filter: String, top: Int)
    case palette(query: String, selected: Int)
}

/// A line for a moment.
struct Toast: Sendable {
    enum Tone: Sendable, Hashable {
        case plain, good, warning
    }

    var text: String
    var tone: Tone
    var until: Double
    /// The screen that it speaks of and goes with; nil when it is as true on the others.
    var screen: ScreenName?
    /// The screen on which more of it is to be seen, and the words that lead there.
    var lead: (screen: ScreenName, words: String)?

    /// The line as somebody on a screen needs it: who is there already is not led there.
    func words(on screen: ScreenName) -> String {
        guard let lead, lead.screen != screen else { return text }
        return "\(text) · \(lead.words)"
    }
}

/// The screens that can be shown.
enum ScreenName: Int, Sendable, CaseIterable {
    case explore, people, morph, saved, model

    var title: String {
        switch self {
        case .explore: "Explore"
        case .people: "People"
        case .morph: "Morph"
        case .saved: "Saved"
        case .model: "Model"
        }
    }

    var command: Command {
        switch self {
        case .explore: .showExplore
        case .people: .showPeople
        case .morph: .showMorph
        case .saved: .showSaved
        case .model: .showModel
        }
    }

    var scope: Scope {
        switch self {
        case .explore: .explore
        case .people: .people
        case .morph: .morph
        case .saved: .saved
        case .model: .model
        }
    }
}
