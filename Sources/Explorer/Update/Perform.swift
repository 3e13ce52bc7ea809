import EngineAPI
import ImageCore
import ScreenModel

extension ExplorerModel {
    /// Why a command cannot be done now, in words; nil when it can.
    func disabledReason(_ command: Command) -> String? {
        switch command {
        case .quit, .quitNow, .help, .palette, .redraw, .suspend, .back, .nextScreen, .previousScreen, .showExplore, .showPeople,
            .showMorph, .showSaved, .showModel, .walk:
            return nil
        case .drawAgain:
            if case .failed = space { return nil }
            guard index != nil else { return Self.stillLoading }
            return preview.phase == .rendering ? "it is being drawn already" : nil
        default: break
        }
        guard index != nil, let trail else {
            if case .failed = space { return "no space is open" }
            return Self.stillLoading
        }
        if index?.hasCodes == false, Self.needsCodes.contains(command) {
            return "this space has no weight VAE, so no codes · w2w train makes one"
        }
        switch command {
        case .undo: return trail.canUndo ? nil : "nothing to take back"
        case .redo: return trail.canRedo ? nil : "nothing to do again"
        case .toOrigin: return trail.step.startsWalk ? "this is where the walk started" : nil
        case .less, .more, .lessFine, .moreFine, .lessCoarse, .moreCoarse, .zero, .mute, .typeValue:
            return reasonForSlider(command)
        case .toDirections, .hold, .keepDirection, .forgetDirection: return reasonForDirection(command)
        case .passport: return axes.selectedAxis == nil ? "no axis is chosen" : nil
        case .useModel, .compareModels: return reasonForModels(command)
        case .spacePane: return modelLayout(size: size).showsBoth ? "both are on the screen" : nil
        case .seedTest: return brood == nil ? nil : "choose among the children first"
        case .contactLeft, .contactRight, .contactUp, .contactDown, .takeContact:
            return contact == nil ? "\(key(.seedTest)) shows other seeds first" : nil
        case .collapsedAxes: return foldLine == nil ? "every axis of this space acts" : nil
        case .flip: return ends.a == nil && ends.b == nil ? "no end is set yet · \(key(.setA)) makes this face end A" : nil
        case .childLeft, .childRight, .childUp, .childDown, .takeChild, .otherChildren:
            return brood == nil ? "\(key(.children)) shows children first" : nil
        case .setA, .setB, .open, .keep, .keepNamed, .export: return reasonForFace(command)
        case .rename, .delete: return screen == .saved && saved.selectedItem == nil ? "nothing is saved yet" : nil
        case .restore: return deleted.isEmpty ? "nothing was deleted" : nil
        case .play, .frameBack, .frameForward, .frameFirst, .frameLast, .openFrame:
            if ends.a == nil || ends.b == nil { return "choose A and B first" }
            if command == .play { return morph.finishedCount > 1 ? nil : "no two frames are there yet" }
            if command == .openFrame {
                if morph.failure != nil || morph.wasCancelled { return nil }
                return morph.frames.indices.contains(morph.selected) && morph.frames[morph.selected] != nil
                    ? nil : "this frame is still to be drawn"
            }
            return nil
        case .swapEnds: return ends.a == nil && ends.b == nil ? "choose A and B first" : nil
        case .moreFrames where ends.a == nil || ends.b == nil, .fewerFrames where ends.a == nil || ends.b == nil:
            return "choose A and B first"
        case .moreFrames: return morph.count >= Morph.counts.upperBound ? "\(morph.count) frames are the most" : nil
        case .fewerFrames: return morph.count <= Morph.counts.lowerBound ? "a walk has two ends" : nil
        case .exportStrip, .exportAnimation:
            if ends.a == nil || ends.b == nil { return "choose A and B first" }
            return morph.frames.isEmpty || morph.finishedCount < morph.frames.count
                ? "the walk is not finished: \(morph.finishedCount) of \(morph.count) frames" : nil
        case .truncationUp: return truncation >= 1.995 ? "2.0 is the most" : nil
        case .truncationDown: return truncation <= 0.005 ? "0 is the average face" : nil
        default: return nil
        }
    }

    static let stillLoading = "the space is still loading"

    /// What moves through the space rather than among the people in it.
    static let needsCodes: Set<Command> = [
        .findJacobian, .findSeFa, .less, .more, .lessFine, .moreFine, .lessCoarse, .moreCoarse, .typeValue, .zero, .mute,
        .zeroAll, .sample, .children,
        .flip,
        .setA, .setB,
    ]

    /// The commands that move a slider.
    private func reasonForSlider(_ command: Command) -> String? {
        guard chosenAxis == nil, directions.selectedDirection == nil || command == .mute else { return nil }
        if command == .mute, directions.hasFocus { return "axes only can be silenced" }
        return axes.rows.isEmpty ? "\(noAxes.reason) · \(noAxes.remedy)" : "no axis is chosen"
    }

    /// The commands that need a face on the present screen.
    private func reasonForFace(_ command: Command) -> String? {
        switch screen {
        case .explore, .model:
            if command == .open { return "this face is open" }
        case .people, .saved:
            guard let item = (screen == .people ? people : saved).selectedItem else {
                return screen == .saved ? "nothing is saved yet" : "nobody is chosen"
            }
            if case .favourite(let id) = item {
                if command == .keep || command == .keepNamed { return "it is saved already · \(key(.rename)) renames it" }
                if command != .export, let favourite = favourite(id), !isOfThisSpace(favourite) {
                    return "made with the space “\(favourite.state.spaceName)”: here its numbers would show another face"
                }
            }
        case .morph:
            if command == .open { return nil }
            guard faceInHand() != nil else {
                return ends.a == nil || ends.b == nil ? "choose A and B first" : "this frame is still to be drawn"
            }
        }
        if command == .export, faceInHand()?.picture == nil { return "the picture is not finished yet" }
        return nil
    }

    /// Does what a key, a click or the palette asks for.
    mutating func perform(_ command: Command) -> [ExplorerEffect] {
        goWhereItBelongs(command)
        if let reason = disabledReason(command) {
            say(reason, .warning, here: true)
            return []
        }
        switch command {
        case .showExplore, .showPeople, .showMorph, .showSaved, .showModel, .walk, .nextScreen, .previousScreen: show(command)
        case .palette: overlay = .palette(query: "", selected: 0)
        case .help: overlay = .help(filter: "", top: 0)
        case .back: return goBack()
        case .redraw: return [.redraw]
        case .suspend: return [.suspend]
        case .quit, .quitNow: return [.quit]

        case .axisUp: moveSlider(by: -1)
        case .axisDown: moveSlider(by: 1)
        case .axisPageUp: moveSlider(by: -max(1, listRows - 1))
        case .axisPageDown: moveSlider(by: max(1, listRows - 1))
        case .axisFirst: moveSlider(by: -axes.rows.count - directions.rows.count)
        case .axisLast: moveSlider(by: axes.rows.count + directions.rows.count)
        case .less: return changeSlider(by: -0.25)
        case .more: return changeSlider(by: 0.25)
        case .lessFine: return changeSlider(by: -0.05)
        case .moreFine: return changeSlider(by: 0.05)
        case .lessCoarse: return changeSlider(by: -1)
        case .moreCoarse: return changeSlider(by: 1)
        case .zero: return zeroSlider()
        case .toDirections: directions.hasFocus.toggle()
        case .hold: toggleHold()
        case .findJacobian: return findDirections(.jacobian(count: 8))
        case .findSeFa: return findDirections(.sefa(count: 8))
        case .forgetDirection: return forgetDirection()
        case .mute: return toggleMute()
        case .zeroAll: return zeroAll()
        case .undo: return undo()
        case .redo: return redo()
        case .toOrigin: return jump(to: trail?.origin ?? 0)
        case .sample: return sample()
        case .children, .otherChildren: return makeChildren()
        case .truncationUp, .truncationDown: changeTruncation(command == .truncationUp ? 0.1 : -0.1)
        case .rerollSeed: return setSeed(seeds.seed())
        case .lockSeed:
            isSeedLocked.toggle()
            say(isSeedLocked ? "seed locked: every face is drawn from the same noise" : "seed free: every new person gets a seed")
        case .draftsOnly:
            draftsOnly.toggle()
            say(draftsOnly ? "drafts only · \(key(.drawAgain)) draws one in full" : "every face is drawn in full")
            if !draftsOnly, preview.phase == .drafted { return preview.wanted.map { show($0, again: true) } ?? [] }
        case .scheduler: return switchScheduler()
        case .flip: return flip()
        case .axisOrder: nextAxisOrder()
        case .collapsedAxes:
            axes.unfolded.toggle()
            arrangeAxes()
        case .drawAgain:
            if index == nil { return open() }
            return preview.wanted.map { show($0, again: true) } ?? []

        case .passport: go(to: .model)
        case .openAxis: go(to: .explore)
        case .spacePane: showsSpacePane.toggle()
        case .useModel: return useOtherModel()
        case .compareModels: toggleCompareModels()
        case .seedTest: toggleSeedTest()
        case .contactLeft: moveContact(x: -1, y: 0)
        case .contactRight: moveContact(x: 1, y: 0)
        case .contactUp: moveContact(x: 0, y: -1)
        case .contactDown: moveContact(x: 0, y: 1)
        case .takeContact: return takeContact()

        case .childLeft: moveChild(x: -1, y: 0)
        case .childRight: moveChild(x: 1, y: 0)
        case .childUp: moveChild(x: 0, y: -1)
        case .childDown: moveChild(x: 0, y: 1)
        case .takeChild: return takeChild()

        case .galleryLeft, .galleryRight, .galleryUp, .galleryDown, .galleryFirst, .galleryLast, .galleryPageUp,
            .galleryPageDown, .larger, .smaller:
            moveInGallery(command)
        case .open: return screen == .morph ? openFrame() : openChosen()
        case .peopleOrder: nextPeopleOrder()
        case .similarOrder:
            peopleOrder = .similarity
            arrangePeople(keepingSelection: false)
        case .delete: return deleteChosen()
        case .restore: return restoreDeleted()

        case .setA: setEnd(.a)
        case .setB: setEnd(.b)
        case .keep: return keep(name: "", tags: [])

        case .play: togglePlay()
        case .frameBack: moveFrame(by: -1)
        case .frameForward: moveFrame(by: 1)
        case .frameFirst: moveFrame(by: -morph.count)
        case .frameLast: moveFrame(by: morph.count)
        case .moreFrames: setFrameCount(morph.count + 2)
        case .fewerFrames: setFrameCount(morph.count - 2)
        case .path:
            switch morph.path {
            case .slerp:
                morph.path = .lerp
                say("lerp: straight through")
            case .lerp:
                morph.path = .even
                say("even: along the arc, in steps that change the face equally")
            case .even:
                morph.path = .slerp
                say("slerp: along the arc")
            }
        case .swapEnds: ends = (ends.b, ends.a)
        case .openFrame: return openFrame()

        case .typeValue, .typeSeed, .prompt, .negativePrompt, .steps, .pictureSize, .guidance, .typeFrames, .findAxes,
            .findPeople, .findSaved, .keepNamed, .keepDirection, .rename, .export, .exportStrip, .exportAnimation:
            editor = makeEditor(command)
        }
        return []
    }

    /// A command of another screen (from the palette) goes to its screen first.
    private mutating func goWhereItBelongs(_ command: Command) {
        let home: ScreenName? =
            switch command {
            case .negativePrompt, .steps, .pictureSize, .guidance, .scheduler, .findJacobian, .findSeFa, .keepDirection,
                .forgetDirection:
                .explore
            case .typeFrames: .morph
            case .axisUp, .axisDown, .axisFirst, .axisLast, .axisPageUp, .axisPageDown, .axisOrder, .collapsedAxes, .findAxes:
                screen == .model ? nil : .explore
            case .similarOrder: .people
            case .larger, .smaller, .open, .galleryLeft, .galleryRight, .galleryUp, .galleryDown, .galleryFirst, .galleryLast,
                .galleryPageUp, .galleryPageDown:
                screen == .saved || screen == .morph && command == .open ? nil : .people
            default:
                switch keys.scope(of: command) {
                case .explore: .explore
                case .people: .people
                case .morph: .morph
                case .saved: .saved
                case .model: .model
                case .contact: .explore
                case .children, .everywhere, nil: nil
                }
            }
        guard let home, home != screen, index != nil else { return }
        if keys.bindings.contains(where: { $0.command == command && $0.scope == screen.scope }) { return }
        go(to: home)
    }

    private mutating func show(_ command: Command) {
        let all = ScreenName.allCases
        let place = all.firstIndex(of: screen) ?? 0
        switch command {
        case .showExplore: go(to: .explore)
        case .showPeople: go(to: .people)
        case .showMorph, .walk: go(to: .morph)
        case .showSaved: go(to: .saved)
        case .showModel: go(to: .model)
        case .nextScreen: go(to: all[(place + 1) % all.count])
        default: go(to: all[(place + all.count - 1) % all.count])
        }
    }

    mutating func go(to screen: ScreenName) {
        if screen != .morph { morph.playing = nil }
        if let spokenOf = toast?.screen, spokenOf != screen { toast = nil }
        self.screen = screen
        if screen != .explore { contact = nil }
        if screen == .model { directions.hasFocus = false }
    }

    /// Esc: closes what is open, ends what is running, clears what filters; in this order, one thing at a time.
    private mutating func goBack() -> [ExplorerEffect] {
        if overlay != nil {
            overlay = nil
        } else if brood != nil, screen == .explore {
            brood = nil
        } else if contact != nil, screen == .explore {
            contact = nil
        } else if showsModels, screen == .explore {
            showsModels = false
        } else if compared != nil, screen == .explore, let trail {
            compared = nil
            return show(request(of: trail.step))
        } else if screen == .explore || screen == .model, !axes.query.isEmpty {
            axes.query = ""
            arrangeAxes()
        } else if screen == .explore, preview.phase == .rendering, let job = preview.job {
            return [.cancel(job)]
        } else if screen == .people, !people.query.isEmpty {
            people.query = ""
            arrangePeople()
        } else if screen == .saved, !saved.query.isEmpty {
            saved.query = ""
            arrangeSaved()
        } else if screen == .morph, morph.playing != nil {
            morph.playing = nil
        } else if screen == .morph, let job = morph.job {
            return [.cancel(job)]
        } else if screen != .explore {
            go(to: .explore)
        } else {
            toast = nil
        }
        return []
    }

    private mutating func changeTruncation(_ delta: Float) {
        truncation = (((truncation + delta) * 10).rounded() / 10).clamped(to: 0...2)
        say(
            "truncation \(Format.fixed(truncation, 1)): \(truncation < 0.995 ? "new people closer to the average" : truncation > 1.005 ? "new people farther out" : "new people as they lie") · \(key(.sample)) draws one"
        )
    }

    private mutating func switchScheduler() -> [ExplorerEffect] {
        guard let now = trail?.step.settings.scheduler else { return [] }
        let all = SchedulerName.allCases
        let place = all.firstIndex(of: now) ?? 0
        let next = all[(place + 1) % all.count]
        say("sampler \(next.rawValue)")
        return setSettings("sampler \(next.rawValue)") { $0.scheduler = next }
    }

    private mutating func nextAxisOrder() {
        let all = AxisOrder.allCases
        let place = all.firstIndex(of: axes.order) ?? 0
        axes.order = all[(place + 1) % all.count]
        arrangeAxes()
        say("axes by \(axes.order.rawValue)", here: true)
    }
}
