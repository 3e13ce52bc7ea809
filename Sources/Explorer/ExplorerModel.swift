import EngineAPI
import ImageCore
import ScreenModel

/// The whole explorer as a value: what happened goes in through `update`, what shall be done comes out as effects, `view` draws.
/// Nothing here touches the terminal, a file, a clock or a model.
///
/// The loop around it: send `.start`; then for every event call `update`, carry out the effects in order, and draw `view` at most once
/// per round; when `nextTick` has passed, send `.tick`.
public struct ExplorerModel: Sendable {
    public let options: ExplorerOptions

    // What is on the screen.
    var size: Size
    var cellAspect: Double
    var theme: Theme
    /// Nil until the terminal has told.
    var graphics: GraphicsMode?
    let keys: KeyTable
    var screen = ScreenName.explore
    var overlay: Overlay?
    var editor: LineEditor?
    var toast: Toast?
    var showsWelcome: Bool
    /// The slider that the mouse holds.
    var dragged: (slider: DraggedSlider, cells: Rect)?

    // What it is about.
    var space = SpaceState.opening(nil)
    /// How far the models of an open space are loaded; nil once they are there.
    var loading: Progress?
    var trail: Trail?
    var axes = AxisList()
    var directions = DirectionList()
    var preview = Preview()
    var brood: Brood?
    var ends: (a: MorphEnd?, b: MorphEnd?) = (nil, nil)
    /// The end that is looked at instead of the face in hand.
    var compared: EndName?
    var truncation: Float = 1
    /// Other seeds of the face in hand, side by side.
    var contact: Contact?
    /// Whether the other models of the space draw the face in hand beside it.
    var showsModels = false
    var passport: Passport?
    /// What the Model screen shows beside the axes where there is no room for both: the space instead of the passport.
    var showsSpacePane = false
    /// Walks in the coordinates of the models that are not in use.
    var otherTrails: [WeightModel: Trail] = [:]
    var isSeedLocked = true
    /// Whether a face is drawn no further than to a good draft, where there is one, until somebody asks.
    var draftsOnly = false
    var morph = Morph()
    var people = Gallery()
    var peopleOrder = PeopleOrder.name
    var saved = Gallery()
    var favourites: [Favourite] = []
    var favouriteRows: [Int64: Int] = [:]
    var deleted: [Favourite] = []
    /// Favourites kept before their picture was there.
    var waitingForPicture: [RenderRequest: Int64] = [:]
    /// The nearest people of the chosen face, once one has rested on it.
    var nearest: (item: GalleryItem, rows: [(row: Int, similarity: Float)])?
    var nearestItem: GalleryItem?
    var nearestDue: Double?
    var resumeDue: Double?
    /// Keys that wait for the space, in order.
    var typedAhead: [KeyEvent] = []

    // Pictures and jobs.
    var pictures = PictureStore()
    var thumbnails: [GalleryItem: ImageKey] = [:]
    var thumbnailJob: JobID?
    /// The places that a picture fills: two people may have the same code.
    var thumbnailItems: [RenderRequest: Set<GalleryItem>] = [:]
    var thumbnailChildren: [RenderRequest: Int] = [:]
    var thumbnailLoose: Set<RenderRequest> = []
    var thumbnailWindow: ThumbnailWindow?
    var jobs: [JobID: JobPurpose] = [:]
    var nextJob: UInt64 = 1
    var seeds: SeedSource
    /// The clock of the message at hand.
    var now = 0.0

    public init(options: ExplorerOptions) {
        self.options = options
        size = options.size
        cellAspect = options.cellAspect
        keys = options.keys
        theme = options.themes.first ?? .dusk
        showsWelcome = options.isFirstRun
        seeds = SeedSource(options.randomSeed)
    }

    /// When the explorer wants a `.tick`, in the seconds of `update`'s clock; nil when nothing moves.
    public var nextTick: Double? {
        var times: [Double] = []
        if let toast { times.append(toast.until) }
        if screen == .morph, morph.playing != nil { times.append(morph.nextFrameAt) }
        if let nearestDue { times.append(nearestDue) }
        if let resumeDue { times.append(resumeDue) }
        return times.min()
    }

    /// The pixels of a picture that a frame of this model places; nil when it has been dropped since.
    public func image(for key: ImageKey) -> RGBImage? { pictures.image(key) }

    /// Draws the screen at a size. Pictures are named by keys; `image(for:)` has their pixels.
    public func view(size: Size) -> Frame { canvas(size: size).frame() }
}

// MARK: - What several parts ask

extension ExplorerModel {
    var index: SpaceIndex? {
        if case .open(let index) = space { return index }
        return nil
    }

    var scope: Scope {
        screen != .explore ? screen.scope : brood != nil ? .children : contact != nil ? .contact : .explore
    }

    /// Whether pictures can be expected at all.
    var showsPictures: Bool { graphics != GraphicsMode.none }

    /// The state in hand, as the library keeps it.
    var visited: VisitedState? {
        guard let index, let trail else { return nil }
        return state(of: trail.step, in: index)
    }

    func state(of step: Step, in index: SpaceIndex) -> VisitedState {
        VisitedState(
            code: step.code, settings: step.settings, spaceFingerprint: index.description.fingerprint,
            spaceName: index.description.name, step: step.label, origin: step.origin)
    }

    /// The picture of a place of the trail.
    func request(of step: Step) -> RenderRequest {
        RenderRequest(subject: index?.subject(step.code, name: step.origin) ?? .code(step.code), settings: step.settings)
    }

    mutating func newJob(_ purpose: JobPurpose) -> JobID {
        let id = JobID(nextJob)
        nextJob += 1
        jobs[id] = purpose
        return id
    }

    /// The key of a command as a sentence names it: "Ctrl-R"; ": redo" where it has none, for the palette finds it by that.
    func key(_ command: Command, in scope: Scope? = nil) -> String {
        keys.keys(for: command, in: scope).first.map(KeyName.words) ?? ": \(command.rawValue)"
    }

    /// Puts a line into the status bar: long enough to read it.
    /// - Parameters:
    ///   - text: the line.
    ///   - tone: how it is coloured.
    ///   - here: whether it speaks of this screen, or of keys that mean something else on others; then it goes with the screen.
    ///   - lead: the screen on which more of it is to be seen, and the words that lead there.
    mutating func say(
        _ text: String, _ tone: Toast.Tone = .plain, here: Bool = false, lead: (screen: ScreenName, words: String)? = nil
    ) {
        var toast = Toast(text: text, tone: tone, until: now, screen: here ? screen : nil, lead: lead)
        toast.until += max(tone == .warning ? 4 : 2, Double(toast.words(on: screen).count) / 14)
        self.toast = toast
    }

    func favourite(_ id: Int64) -> Favourite? {
        favouriteRows[id].map { favourites[$0] }
    }

    func end(_ name: EndName) -> MorphEnd? { name == .a ? ends.a : ends.b }

    /// How a gallery item is called.
    func name(of item: GalleryItem) -> String {
        switch item {
        case .identity(let row): index?.description.identities.names[row] ?? ""
        case .favourite(let id): favourite(id)?.name ?? ""
        }
    }

    /// What a gallery item's picture shows.
    func request(for item: GalleryItem) -> RenderRequest? {
        guard let index else { return nil }
        switch item {
        case .identity(let row):
            return RenderRequest(
                subject: index.subject(index.description.identities.code(at: row), name: index.description.identities.names[row]),
                settings: index.description.defaults)
        case .favourite(let id):
            guard let favourite = favourite(id), isOfThisSpace(favourite) else { return nil }
            return RenderRequest(
                subject: index.subject(favourite.state.code, name: favourite.state.origin), settings: favourite.state.settings)
        }
    }

    /// Whether a favourite's numbers mean the same face here.
    func isOfThisSpace(_ favourite: Favourite) -> Bool {
        guard let index else { return false }
        return favourite.state.spaceFingerprint == index.description.fingerprint
            && favourite.state.code.count == index.description.latentDimension
    }
}
