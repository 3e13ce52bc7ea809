import EngineAPI
import ScreenModel

extension ExplorerModel {
    // MARK: The list of axes

    /// Puts the axes in order and keeps the chosen one.
    mutating func arrangeAxes() {
        guard let index else { return }
        let chosen = axes.selectedAxis
        let all = index.description.axes
        var rows = all.filter { $0.isActive || axes.unfolded }.map(\.index)
        let words = axes.query.lowercased().split(separator: " ")
        if !words.isEmpty {
            rows = all.indices.filter { axis in
                let text =
                    (index.axisNames[axis] + " "
                    + all[axis].correlations.prefix(4).map {
                        abs($0.value) >= SpaceIndex.speakingCorrelation ? AttributeLabel.humanised($0.attribute) : ""
                    }.joined(separator: " ")).lowercased()
                return words.allSatisfy { text.contains($0) || index.number(of: axis) == $0 }
            }
        }
        func isBefore(_ left: Int, _ right: Int) -> Bool {
            let (a, b) = (all[left], all[right])
            if a.isActive != b.isActive { return a.isActive }
            switch axes.order {
            case .effect: if a.effect != b.effect { return a.effect > b.effect }
            case .kl: if a.kl != b.kl { return a.kl > b.kl }
            case .variance: if a.variance != b.variance { return a.variance > b.variance }
            case .name:
                let (nameA, nameB) = (index.axisNames[left], index.axisNames[right])
                if nameA.isEmpty != nameB.isEmpty { return nameB.isEmpty }
                if nameA != nameB { return nameA < nameB }
            }
            return left < right
        }
        axes.rows = rows.sorted(by: isBefore)
        defer { arrangeDirections() }
        axes.selected = chosen.flatMap { axes.rows.firstIndex(of: $0) } ?? 0
    }

    mutating func scrollAxes() {
        scrollDirections()
        let rows = listRows
        guard rows > 0 else { return }
        // Three rows of margin, so that one sees what comes.
        let margin = min(3, (rows - 1) / 2)
        if axes.selected < axes.top + margin { axes.top = axes.selected - margin }
        if axes.selected > axes.top + rows - 1 - margin { axes.top = axes.selected - rows + 1 + margin }
        axes.top = min(max(0, axes.top), max(0, axes.rows.count - rows))
    }

    mutating func moveAxis(by step: Int) {
        axes.selected = min(max(0, axes.selected + step), max(0, axes.rows.count - 1))
    }

    /// The axis that keys move: none while a direction is chosen.
    var chosenAxis: Int? { directions.hasFocus && screen == .explore ? nil : axes.selectedAxis }

    // MARK: Changing the face

    /// Moves an axis to a place in sigma.
    mutating func setAxis(_ axis: Int, to target: Float, coarse: Bool = false) -> [ExplorerEffect] {
        guard let index, var step = trail?.step, target.isFinite else { return [] }
        let value = abs(target) < 0.0005 ? 0 : target.clamped(to: -12...12)
        let coordinate = index.coordinate(sigma: value, axis)
        guard coordinate != step.code[axis] || step.muted[axis] != nil else { return [] }
        step.code[axis] = coordinate
        step.muted[axis] = nil
        step.label = "\(index.spokenName(of: axis)) \(Format.signed(value))"
        step.startsWalk = false
        step.changes += 1
        step.axis = axis
        step.time = now
        if !index.description.axes[axis].isActive {
            say("axis \(index.number(of: axis)) is silent: moving it changes nothing", here: true)
        } else if abs(value) > 3, abs(value) > index.reach(axis) {
            say(
                "\(index.spokenName(of: axis)) \(Format.signed(value)) σ: nobody is this far out, faces may break · \(key(.zero)) resets",
                .warning, here: true)
        }
        return commit(step)
    }

    mutating func changeAxis(by delta: Float) -> [ExplorerEffect] {
        guard let index, let axis = chosenAxis, let step = trail?.step else { return [] }
        let value = step.muted[axis] ?? index.sigma(step.code, axis)
        return setAxis(axis, to: value + delta)
    }

    /// Silences an axis, or gives it its value back.
    mutating func toggleMute() -> [ExplorerEffect] {
        guard let index, let axis = chosenAxis, var step = trail?.step else { return [] }
        if let value = step.muted.removeValue(forKey: axis) {
            step.code[axis] = index.coordinate(sigma: value, axis)
            step.label = "\(index.spokenName(of: axis)) back"
        } else {
            let value = index.sigma(step.code, axis)
            guard abs(value) >= 0.0005 else {
                say("\(index.spokenName(of: axis)) is at zero already", here: true)
                return []
            }
            step.muted[axis] = value
            step.code[axis] = index.coordinate(sigma: 0, axis)
            step.label = "\(index.spokenName(of: axis)) silenced"
        }
        step.startsWalk = false
        step.changes += 1
        step.axis = nil
        step.time = now
        return commit(step)
    }

    mutating func zeroAll() -> [ExplorerEffect] {
        guard let index, var step = trail?.step else { return [] }
        step.code = index.description.centre
        step.muted = [:]
        step.label = "average"
        step.origin = "average"
        step.startsWalk = true
        step.earlier = []
        step.changes = 0
        step.axis = nil
        step.time = now
        return commit(step)
    }

    mutating func undo() -> [ExplorerEffect] {
        guard let undone = trail?.undo() else { return [] }
        say("undid \(undone.label)")
        return arrive()
    }

    mutating func redo() -> [ExplorerEffect] {
        guard let redone = trail?.redo() else { return [] }
        say("did \(redone.label) again")
        return arrive()
    }

    mutating func jump(to step: Int) -> [ExplorerEffect] {
        guard let here = trail?.current, here != step else { return [] }
        trail?.jump(to: step)
        if let trail { say("at \(trail.step.label)") }
        return arrive()
    }

    /// Changes prompt, seed or sampler; the person stays.
    mutating func setSettings(_ label: String, _ change: (inout GenerationSettings) -> Void) -> [ExplorerEffect] {
        guard var step = trail?.step else { return [] }
        let before = step.settings
        change(&step.settings)
        guard step.settings != before else { return [] }
        step.label = label
        step.startsWalk = false
        step.axis = nil
        step.time = now
        return commit(step)
    }

    mutating func setSeed(_ seed: UInt64) -> [ExplorerEffect] {
        setSettings("seed \(seed)") { $0.seed = seed }
    }

    // MARK: Somebody new

    mutating func sample() -> [ExplorerEffect] {
        let seed = seeds.seed()
        return [
            .submit(.sample(SampleRequest(count: 1, seed: seed, truncation: truncation)), as: newJob(.sample(seed: seed)))
        ]
    }

    mutating func makeChildren() -> [ExplorerEffect] {
        guard let step = trail?.step else { return [] }
        let parent = step.code
        brood = Brood(parent: parent, settings: step.settings)
        contact = nil
        compared = nil
        thumbnailWindow = nil
        let request = SampleRequest(count: Brood.count, seed: seeds.seed(), temperature: Brood.spread, parent: parent)
        var effects: [ExplorerEffect] = [.submit(.sample(request), as: newJob(.children(of: parent)))]
        // The parent stands in the middle.
        effects += show(self.request(of: step))
        return effects
    }

    mutating func takeChild() -> [ExplorerEffect] {
        guard let brood, var step = trail?.step else { return [] }
        guard let child = Brood.child(at: brood.selected) else {
            self.brood = nil
            return []
        }
        guard brood.codes.indices.contains(child) else { return [] }
        step.code = brood.codes[child]
        step.muted = [:]
        step.label = "child \(child + 1)"
        step.startsWalk = false
        step.changes += 1
        step.axis = nil
        step.time = now
        self.brood = nil
        return commit(step)
    }

    mutating func moveChild(x: Int, y: Int) {
        guard let place = brood?.selected else { return }
        let column = (place % 3 + x).clamped(to: 0...2)
        let row = (place / 3 + y).clamped(to: 0...2)
        brood?.selected = row * 3 + column
    }

    // MARK: Comparing

    /// Shows A, then B, then the face in hand again.
    mutating func flip() -> [ExplorerEffect] {
        guard let trail else { return [] }
        let order: [EndName?] = [nil, .a, .b].filter { $0.map { end($0) != nil } ?? true }
        let place = order.firstIndex(of: compared) ?? 0
        compared = order[(place + 1) % order.count]
        guard let end = compared.flatMap({ end($0) }) else { return show(request(of: trail.step)) }
        return show(RenderRequest(subject: .code(end.code), settings: trail.step.settings))
    }

    mutating func setEnd(_ name: EndName) {
        guard let end = faceInHand().map({ MorphEnd(name: $0.name, code: $0.state.code, picture: $0.picture) }) else { return }
        if name == .a { ends.a = end } else { ends.b = end }
        let other: EndName = name == .a ? .b : .a
        let letter = name == .a ? "A" : "B"
        if self.end(other) == nil {
            say("\(letter) is \(end.name) · \(key(other == .b ? .setB : .setA)) makes another face the other end")
        } else {
            say("\(letter) is \(end.name) · \(key(.walk)) walks from A to B")
        }
    }

    /// The face that `a`, `b`, `f` and `e` mean on the present screen.
    func faceInHand() -> (name: String, state: VisitedState, lineage: [String], picture: ImageKey?)? {
        guard let index, let trail else { return nil }
        switch screen {
        case .explore, .model:
            if screen == .explore, let brood, let child = Brood.child(at: brood.selected), brood.codes.indices.contains(child) {
                var step = trail.step
                step.code = brood.codes[child]
                step.label = "child \(child + 1)"
                step.changes += 1
                return (step.shortTitle, state(of: step, in: index), trail.lineage + [step.label], brood.pictures[child])
            }
            let request = self.request(of: trail.step)
            return (trail.step.shortTitle, state(of: trail.step, in: index), trail.lineage, pictures.finishedPicture(of: request))
        case .people, .saved:
            guard let item = (screen == .people ? people : saved).selectedItem else { return nil }
            switch item {
            case .identity(let row):
                let name = index.description.identities.names[row]
                let step = Step(
                    code: index.description.identities.code(at: row), settings: index.description.defaults, label: name,
                    origin: name, startsWalk: true, time: now)
                return (name, state(of: step, in: index), [name], thumbnails[item])
            case .favourite(let id):
                guard let favourite = favourite(id) else { return nil }
                return (favourite.name, favourite.state, favourite.lineage, thumbnails[item])
            }
        case .morph:
            guard morph.frames.indices.contains(morph.selected), let frame = morph.frames[morph.selected],
                let step = step(of: frame)
            else { return nil }
            return (step.origin, state(of: step, in: index), [step.label], frame.picture)
        }
    }

    /// A frame of the morph as a place of the trail.
    func step(of frame: Morph.Frame) -> Step? {
        guard let trail, let a = ends.a, let b = ends.b else { return nil }
        let name =
            frame.position <= 0
            ? a.name : frame.position >= 1 ? b.name : "\(a.name) → \(b.name) at \(Format.fixed(frame.position, 2))"
        return Step(
            code: frame.code, settings: morph.request?.settings ?? trail.step.settings, label: name, origin: name,
            startsWalk: true, time: now)
    }
}
