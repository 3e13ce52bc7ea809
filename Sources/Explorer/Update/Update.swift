import EngineAPI
import ImageCore
import ScreenModel

extension ExplorerModel {
    /// Takes in what happened.
    /// - Parameters:
    ///   - message: what happened.
    ///   - now: seconds since 1970; must not run backwards.
    /// - Returns: what shall be done, in order.
    public mutating func update(_ message: ExplorerMessage, at now: Double) -> [ExplorerEffect] {
        self.now = now
        if let toast, toast.until <= now { self.toast = nil }
        var effects: [ExplorerEffect]
        switch message {
        case .start: effects = start()
        case .input(let event): effects = take(event)
        case .engine(let event): effects = take(event)
        case .library(let event): effects = take(event)
        case .tick: effects = []
        case .cellAspect(let aspect):
            if aspect.isFinite { cellAspect = aspect.clamped(to: 1...4) }
            effects = []
        case .exported(let path):
            say("wrote \(path)", .good)
            effects = []
        case .exportFailed(let words):
            say(words, .warning)
            effects = []
        case .notice(let words):
            say(words)
            effects = []
        }
        effects += whatIsDue()
        effects += settle()
        return effects
    }

    private mutating func start() -> [ExplorerEffect] {
        if let notice = options.notice { say(notice, .warning) }
        return [.library(.list)] + open()
    }

    /// Opens the space, again after a failure.
    mutating func open() -> [ExplorerEffect] {
        space = .opening(nil)
        return [.submit(.open(options.space, model: options.weightModel), as: newJob(.open))]
    }

    // MARK: Input

    private mutating func take(_ event: InputEvent) -> [ExplorerEffect] {
        switch event {
        case .key(let key): return take(key)
        case .mouse(let mouse): return take(mouse)
        case .resized(let size):
            self.size = size
            return []
        case .graphics(let mode, let note):
            graphics = mode
            if let note { say(note) }
            return []
        case .terminate: return [.quit]
        }
    }

    private mutating func take(_ event: KeyEvent) -> [ExplorerEffect] {
        // These three mean the same wherever one is.
        switch keys.command(for: event, in: .everywhere) {
        case .quitNow: return [.quit]
        case .redraw: return [.redraw]
        case .suspend: return [.suspend]
        default: break
        }
        if waitsForSpace(event) {
            if typedAhead.count < 100 { typedAhead.append(event) }
            say("the space is still loading · what you type waits for it")
            return []
        }
        return act(on: event)
    }

    /// Whether a key needs the space that is being opened, or was typed after one that does; leaving needs nothing.
    private func waitsForSpace(_ event: KeyEvent) -> Bool {
        guard trail == nil else { return false }
        if case .failed = space { return false }
        guard editor == nil, overlay == nil else { return false }
        let command = keys.command(for: event, in: scope)
        return command != .quit && (!typedAhead.isEmpty || command.map(disabledReason) == Self.stillLoading)
    }

    /// Does what was typed while the space was being opened.
    mutating func catchUp() -> [ExplorerEffect] {
        guard !typedAhead.isEmpty else { return [] }
        toast = nil
        defer { typedAhead = [] }
        return typedAhead.flatMap { act(on: $0) }
    }

    private mutating func act(on event: KeyEvent) -> [ExplorerEffect] {
        var effects = dismissWelcome()
        if editor != nil {
            effects += edit(event)
        } else if overlay != nil {
            effects += takeInOverlay(event)
        } else if let command = keys.command(for: event, in: scope) {
            effects += perform(command)
        } else if case .character(let character) = event.key, !event.control, !event.alt {
            say(
                "\(KeyName.words(for: KeyEvent(.character(character)))) does nothing here · \(key(.help)) lists the keys",
                here: true)
        }
        return effects
    }

    /// The hint of the first run goes with the first key that is not a look around.
    private mutating func dismissWelcome() -> [ExplorerEffect] {
        guard showsWelcome, index != nil else { return [] }
        showsWelcome = false
        return [.remember(.welcomeSeen)]
    }

    // MARK: The library

    private mutating func take(_ event: LibraryEvent) -> [ExplorerEffect] {
        switch event {
        case .favourites(let list):
            // What was just saved elsewhere is what one looks for here.
            let hasGrown = list.count > favourites.count
            favourites = list
            favouriteRows = Dictionary(list.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
            arrangeSaved(keepingSelection: screen == .saved || !hasGrown)
            arrangePeople()
        case .saved(let favourite):
            guard favourite.thumbnail == nil else { break }
            let request = RenderRequest(subject: .code(favourite.state.code), settings: favourite.state.settings)
            if let key = pictures.finishedPicture(of: request), let png = thumbnailFile(of: key) {
                return [.library(.setThumbnail(favourite.id, png: png))]
            }
            waitingForPicture[request] = favourite.id
        case .history(let states):
            return begin(with: states)
        case .failed(let words):
            say(words, .warning)
            if resumeDue != nil { return begin(with: []) }
        case .notice(let words):
            say(words)
        }
        return []
    }

    /// A picture as a small PNG file for the library.
    func thumbnailFile(of key: ImageKey) -> [UInt8]? {
        guard let image = pictures.image(key) else { return nil }
        let side = 128
        let small =
            max(image.width, image.height) > side
            ? image.resized(
                width: max(1, image.width * side / max(image.width, image.height)),
                height: max(1, image.height * side / max(image.width, image.height)))
            : image
        return try? small.pngData(fast: true)
    }

    // MARK: Time

    private mutating func whatIsDue() -> [ExplorerEffect] {
        var effects: [ExplorerEffect] = []
        if let due = resumeDue, due <= now { effects += begin(with: []) }
        if let due = nearestDue, due <= now {
            nearestDue = nil
            findNearest()
        }
        if screen == .morph { advanceMorph() }
        return effects
    }

    // MARK: After everything

    /// What follows from the state as it now is: scrolling, pictures that are wanted, pictures that are not.
    private mutating func settle() -> [ExplorerEffect] {
        guard index != nil else { return [] }
        if screen == .explore || screen == .model { scrollAxes() }
        preparePassport()
        var effects = wantMorph()
        effects += wantThumbnails()
        effects += wantComparison()
        restForNearest()
        pictures.trim(keeping: visiblePictures)
        return effects
    }

    /// Pictures that must not go: those in hand and those on the screen.
    private var visiblePictures: Set<ImageKey> {
        guard pictures.bytes > pictures.budget else { return [] }
        var kept = Set(morph.frames.compactMap { $0?.picture })
        for key in [preview.shown, ends.a?.picture, ends.b?.picture] {
            if let key { kept.insert(key) }
        }
        if let brood { kept.formUnion(brood.pictures.values) }
        kept.formUnion(loosePictures.compactMap { pictures.picture(of: $0) })
        for item in visibleItems(pagesAhead: 0) {
            if let key = thumbnails[item] { kept.insert(key) }
        }
        return kept
    }
}
