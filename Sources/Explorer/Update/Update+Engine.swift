import EngineAPI
import ImageCore
import ScreenModel

extension ExplorerModel {
    // MARK: What the engine tells

    mutating func take(_ event: EngineEvent) -> [ExplorerEffect] {
        let id = event.job
        guard let purpose = jobs[id] else { return [] }
        if event.isLast { jobs[id] = nil }
        if event.isLast, case .open = purpose { loading = nil }
        switch event {
        case .opened(_, let description):
            if case .use = purpose { return switched(to: description) }
            return opened(description)
        case .picture(_, let picture): return take(picture, of: id)
        case .thumbnail(_, let picture): takeThumbnail(picture)
        case .sampled(_, let codes): return take(codes, for: purpose)
        case .frame(_, let frame): takeFrame(frame, of: id)
        case .paced(_, let pacing): take(pacing, of: id)
        case .typicality(_, let gauge):
            guard case .open(var index) = space else { break }
            index.gauge = gauge
            space = .open(index)
        case .compared(_, let comparison):
            if case .compare(let requests) = purpose, contact?.requests == requests { contact?.comparison = comparison }
        case .directions(_, let found): take(found, for: purpose)
        case .progress(_, let progress):
            if case .open = purpose {
                if index == nil { space = .opening(progress) } else { loading = progress }
            }
            if id == preview.job { preview.progress = progress }
            if id == morph.job { morph.progress = progress }
        case .began: if id == preview.job { preview.hasBegun = true }
        case .finished: ended(id)
        case .cancelled: cancelled(id)
        case .failed(_, let failure): failed(id, purpose, failure)
        }
        return []
    }

    private mutating func ended(_ id: JobID) {
        if id == preview.job {
            preview.job = nil
            preview.progress = nil
            if preview.phase == .rendering { preview.phase = preview.isStale ? .cancelled : .finished }
        }
        if id == morph.job {
            morph.job = nil
            morph.progress = nil
        }
        if id == thumbnailJob { thumbnailJob = nil }
    }

    private mutating func cancelled(_ id: JobID) {
        if id == preview.job {
            preview.job = nil
            preview.progress = nil
            preview.phase = .cancelled
        }
        if id == morph.job {
            morph.job = nil
            morph.progress = nil
            morph.wasCancelled = true
        }
        if id == thumbnailJob { thumbnailJob = nil }
    }

    private mutating func failed(_ id: JobID, _ purpose: JobPurpose, _ failure: EngineFailure) {
        switch purpose {
        // Also when the space is shown already: without its models nothing of it can be drawn.
        case .open:
            space = .failed(failure)
            typedAhead = []
        case .preview:
            guard id == preview.job else { return }
            preview.job = nil
            preview.progress = nil
            preview.phase = .failed(failure)
            // Where an older picture stands, it hides the reason.
            if preview.shown != nil { say(Self.words(failure), .warning) }
        case .morph:
            guard id == morph.job else { return }
            morph.job = nil
            morph.progress = nil
            morph.failure = failure
        case .thumbnails:
            if id == thumbnailJob { thumbnailJob = nil }
            say(Self.words(failure), .warning)
        case .use, .findDirections, .keepDirection, .sample, .children, .compare:
            if case .children = purpose { brood = nil }
            say(Self.words(failure), .warning)
        }
    }

    private static func words(_ failure: EngineFailure) -> String {
        failure.advice.isEmpty ? failure.message : "\(failure.message) · \(failure.advice)"
    }

    // MARK: Opening

    private mutating func opened(_ description: SpaceDescription) -> [ExplorerEffect] {
        space = .open(SpaceIndex(description))
        axes = AxisList()
        directions = DirectionList()
        arrangeAxes()
        arrangeSaved()
        arrangePeople()
        guard options.resumesLastWalk, options.start == nil else { return begin(with: []) }
        // The walk of last time comes from the library, which answers at once or not at all.
        resumeDue = now + 0.25
        return [.library(.history(spaceFingerprint: description.fingerprint, count: 48))]
    }

    /// Shows the first face: where the last session ended, or else the space's first person.
    mutating func begin(with states: [VisitedState]) -> [ExplorerEffect] {
        guard let index, trail == nil else { return [] }
        resumeDue = nil
        let steps = Self.steps(
            of: states.filter { state in
                state.spaceFingerprint == index.description.fingerprint && state.code.count == index.description.latentDimension
            })
        if let record = options.start, record.spaceFingerprint == index.description.fingerprint,
            record.code.count == index.description.latentDimension
        {
            trail = Trail(
                start: Step(
                    code: WeightCode(record.code), settings: record.settings ?? index.description.defaults, label: record.name,
                    origin: record.name, startsWalk: true, earlier: record.lineage ?? [], time: now))
            say("from the file: \((record.lineage ?? [record.origin]).suffix(3).joined(separator: " · "))")
        } else if let walk = Trail(history: steps) {
            trail = walk
            say("where you were last time: \(walk.step.title)")
        } else {
            let table = index.description.identities
            let name = table.names.first ?? (index.hasCodes ? "average" : "base model")
            trail = Trail(
                start: Step(
                    code: table.count > 0 ? table.code(at: 0) : index.description.centre, settings: index.description.defaults,
                    label: name, origin: name, startsWalk: true, time: now))
        }
        if let record = options.start, trail?.step.origin != record.name {
            say(
                "the file belongs to the space '\(record.space)' (\(record.spaceFingerprint.prefix(8))): open that one with --space",
                .warning)
        }
        return arrive() + catchUp()
    }

    /// A recorded walk as steps: states that only went on along one axis are one step, and so is a place that was noted again when w2w came
    /// back to it.
    private static func steps(of states: [VisitedState]) -> [Step] {
        var steps: [Step] = []
        for state in states {
            var step = Step(
                code: state.code, settings: state.settings, label: state.step, origin: state.origin,
                startsWalk: state.step == state.origin, time: 0)
            if let before = steps.last, before.code == step.code, before.settings == step.settings, before.label == step.label {
                continue
            }
            if let before = steps.last, !step.startsWalk {
                if before.origin == step.origin { step.changes = before.changes + (before.code == step.code ? 0 : 1) }
                if before.origin == step.origin, !before.startsWalk, axisWords(before.label) == axisWords(step.label),
                    axisWords(step.label) != nil
                {
                    step.changes = before.changes
                    steps[steps.count - 1] = step
                    continue
                }
            }
            steps.append(step)
        }
        return steps
    }

    /// "male" of "male +1.25"; nil where the label does not end in a signed number.
    private static func axisWords(_ label: String) -> Substring? {
        guard let blank = label.lastIndex(of: " ") else { return nil }
        let number = label[label.index(after: blank)...]
        guard let sign = number.first, "+−".contains(sign) || number == "0.00" else { return nil }
        return label[..<blank]
    }

    // MARK: The large picture

    /// Logs the place of the trail and asks for its picture.
    mutating func arrive() -> [ExplorerEffect] {
        guard let visited, let trail else { return [] }
        compared = nil
        return [.library(.visit(visited))]
            + show(request(of: trail.step))
    }

    /// Wants another picture. The one on the screen stays until there is something of the new one.
    mutating func show(_ request: RenderRequest, again: Bool = false) -> [ExplorerEffect] {
        if preview.wanted == request, !again, preview.phase == .rendering || preview.phase == .finished { return [] }
        preview.wanted = request
        preview.progress = nil
        preview.isInFull = again
        if !again, let key = pictures.finishedPicture(of: request) {
            let running = preview.job
            replaceShown(by: key, request, .final)
            preview.oldestJob = JobID(nextJob)
            preview.phase = .finished
            preview.job = nil
            preview.seconds = nil
            pictures.touch(key)
            return running.map { [.cancel($0)] } ?? []
        }
        let id = newJob(.preview(request))
        preview.job = id
        preview.hasBegun = false
        preview.phase = .rendering
        return [.submit(.preview(request), as: id)]
    }

    private mutating func replaceShown(by key: ImageKey, _ request: RenderRequest, _ stage: Picture.Stage) {
        if let old = preview.shown, old != key { pictures.removeDraft(old) }
        preview.shown = key
        preview.shownRequest = request
        preview.shownStage = stage
    }

    private mutating func take(_ picture: Picture, of id: JobID) -> [ExplorerEffect] {
        guard case .preview = jobs[id] ?? .open else { return [] }
        let isFinal = picture.stage == .final
        guard id >= preview.oldestJob else {
            // Too late to be seen, not too late to be returned to.
            if isFinal, pictures.finishedPicture(of: picture.request) == nil {
                _ = pictures.add(picture.image, finishedFor: picture.request)
            }
            return []
        }
        preview.oldestJob = id
        let key = pictures.add(picture.image, finishedFor: isFinal ? picture.request : nil)
        replaceShown(by: key, picture.request, picture.stage)
        preview.seconds = picture.seconds
        if isFinal, id == preview.job { preview.phase = .finished }
        if draftsOnly, !preview.isInFull, id == preview.job, case .draft(let step, let all) = picture.stage, step >= all {
            preview.job = nil
            preview.progress = nil
            preview.phase = .drafted
            return [.cancel(id)]
        }
        guard isFinal else { return [] }
        return thumbnailsForKept(picture.request, key)
    }

    /// Faces that were kept before they were drawn get their picture.
    private mutating func thumbnailsForKept(_ request: RenderRequest, _ key: ImageKey) -> [ExplorerEffect] {
        guard let id = waitingForPicture.removeValue(forKey: request), let png = thumbnailFile(of: key) else { return [] }
        return [.library(.setThumbnail(id, png: png))]
    }

    // MARK: New people

    private mutating func take(_ codes: [WeightCode], for purpose: JobPurpose) -> [ExplorerEffect] {
        guard let trail else { return [] }
        switch purpose {
        case .sample(let seed):
            guard let code = codes.first else { return [] }
            var settings = trail.step.settings
            if !isSeedLocked { settings.seed = seeds.seed() }
            let name = "sample \(seed)"
            brood = nil
            return commit(Step(code: code, settings: settings, label: name, origin: name, startsWalk: true, time: now))
        case .children(let parent):
            guard brood?.parent == parent, brood?.codes.isEmpty == true else { return [] }
            brood?.codes = Array(codes.prefix(Brood.count))
            return []
        default: return []
        }
    }

    /// Goes to a new place of the trail.
    mutating func commit(_ step: Step) -> [ExplorerEffect] {
        trail?.push(step)
        return arrive()
    }
}
