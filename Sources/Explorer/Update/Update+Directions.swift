import EngineAPI
import ScreenModel

extension ExplorerModel {
    // MARK: The list

    /// Puts the directions into the list: those that the filter of the axes names.
    mutating func arrangeDirections() {
        guard let index else { return }
        let chosen = directions.selectedDirection
        let words = axes.query.lowercased().split(separator: " ")
        directions.rows = index.description.directions.indices.filter { place in
            let name = Self.words(index.description.directions[place]).lowercased()
            return words.allSatisfy { name.contains($0) }
        }
        directions.selected = chosen.flatMap { directions.rows.firstIndex(of: $0) } ?? 0
        if directions.rows.isEmpty { directions.hasFocus = false }
        if axes.rows.isEmpty, !directions.rows.isEmpty { directions.hasFocus = true }
    }

    /// "eyeglasses", "jacobian 2": how a direction is called.
    static func words(_ direction: DirectionDescription) -> String { AttributeLabel.humanised(direction.name) }

    /// Moves through the axes and on into the directions.
    mutating func moveSlider(by step: Int) {
        guard screen == .explore, !directions.rows.isEmpty else { return moveAxis(by: step) }
        let axisCount = axes.rows.count
        let place = directions.hasFocus ? axisCount + directions.selected : axes.selected
        // A page stops at the border between the two.
        var next = (place + step).clamped(to: 0...(axisCount + directions.rows.count - 1))
        if abs(step) > 1, abs(step) < axisCount, (place < axisCount) != (next < axisCount) {
            next =
                place < axisCount
                ? (place == axisCount - 1 ? axisCount : axisCount - 1) : (place == axisCount ? axisCount - 1 : axisCount)
        }
        directions.hasFocus = next >= axisCount
        if directions.hasFocus { directions.selected = next - axisCount } else { axes.selected = next }
    }

    mutating func scrollDirections() {
        let rows = sliderRows(size: size).directions
        guard rows > 0 else { return }
        let margin = min(1, (rows - 1) / 2)
        if directions.selected < directions.top + margin { directions.top = directions.selected - margin }
        if directions.selected > directions.top + rows - 1 - margin { directions.top = directions.selected - rows + 1 + margin }
        directions.top = min(max(0, directions.top), max(0, directions.rows.count - rows))
    }

    // MARK: Moving along one

    /// Moves the face along a direction to a reading.
    mutating func setDirection(_ place: Int, to target: Float) -> [ExplorerEffect] {
        guard let index, var step = trail?.step, target.isFinite else { return [] }
        let description = index.description
        let direction = description.directions[place]
        let reading = index.readings[place]
        let held = description.directions.indices.filter {
            $0 != place && directions.held.contains(description.directions[$0].name)
        }
        guard let way = reading.step(holding: held.map { index.readings[$0] }, axes: description.axes) else {
            say("\(Self.words(direction)) cannot be told from what is held fixed", .warning, here: true)
            return []
        }
        let before = reading.value(of: step.code, axes: description.axes)
        let goal = abs(target) < 0.0005 ? 0 : target.clamped(to: -20...20)
        guard abs(goal - before) > 1e-6 else { return [] }
        for axis in way.indices { step.code[axis] += (goal - before) * way[axis] }
        step.muted = [:]
        step.label = "\(Self.words(direction)) \(Format.signed(goal))"
        step.startsWalk = false
        step.changes += 1
        step.axis = -1 - place
        step.time = now
        if abs(goal * direction.deviations) > 4 {
            say(
                "\(Self.words(direction)) \(Format.signed(goal)): nobody is this far out, faces may break · \(key(.zero)) resets",
                .warning, here: true)
        }
        return commit(step)
    }

    mutating func changeSlider(by delta: Float) -> [ExplorerEffect] {
        guard let place = directions.selectedDirection, let index, let step = trail?.step else { return changeAxis(by: delta) }
        return setDirection(place, to: index.readings[place].value(of: step.code, axes: index.description.axes) + delta)
    }

    mutating func zeroSlider() -> [ExplorerEffect] {
        if let place = directions.selectedDirection { return setDirection(place, to: 0) }
        return axes.selectedAxis.map { setAxis($0, to: 0) } ?? []
    }

    /// Keeps a direction's reading while others are moved, or lets it go.
    mutating func toggleHold() {
        guard let index, let place = directions.selectedDirection else { return }
        let direction = index.description.directions[place]
        if directions.held.remove(direction.name) != nil {
            say("\(Self.words(direction)) is free again")
        } else {
            directions.held.insert(direction.name)
            say("\(Self.words(direction)) stays as it is while other directions move")
        }
    }

    // MARK: Finding, keeping, forgetting

    mutating func findDirections(_ search: DirectionSearch) -> [ExplorerEffect] {
        say("looking for directions")
        return [.submit(.findDirections(search), as: newJob(.findDirections))]
    }

    /// Takes the engine's answer in: what was found goes below what is there, what is kept is the whole list.
    mutating func take(_ found: [DirectionDescription], for purpose: JobPurpose) {
        guard case .open(let old) = space else { return }
        var description = old.description
        let chosen = directions.selectedDirection.map { description.directions[$0].name }
        switch purpose {
        case .findDirections:
            let names = Set(found.map(\.name))
            description.directions = description.directions.filter { !names.contains($0.name) } + found
            say("\(found.count) directions found, below the attributes", .good)
        case .keepDirection(let name):
            // What was found and not kept stays on the list of this session.
            let names = Set(found.map(\.name))
            description.directions =
                found + description.directions.filter { !$0.isNamed && !names.contains($0.name) && $0.attribute == nil }
            say(name.isEmpty ? "forgotten" : "kept \(name)", .good)
        default: return
        }
        space = .open(SpaceIndex(description, gauge: old.gauge))
        arrangeDirections()
        let wanted = { if case .findDirections = purpose { return found.first?.name } else { return chosen } }()
        if let wanted, let place = directions.rows.firstIndex(where: { description.directions[$0].name == wanted }) {
            directions.selected = place
            directions.hasFocus = true
        }
    }

    mutating func keepDirection(named name: String) -> [ExplorerEffect] {
        guard let index, let place = directions.selectedDirection else { return [] }
        var direction = index.description.directions[place]
        direction.name = name
        direction.isNamed = true
        return [.submit(.keepDirection(direction), as: newJob(.keepDirection(name)))]
    }

    mutating func forgetDirection() -> [ExplorerEffect] {
        guard let index, let place = directions.selectedDirection else { return [] }
        return [.submit(.forgetDirection(index.description.directions[place].name), as: newJob(.keepDirection("")))]
    }

    func reasonForDirection(_ command: Command) -> String? {
        guard let index, !index.description.directions.isEmpty else { return "this space has no labels, so no directions" }
        if command == .toDirections { return nil }
        guard let place = directions.selectedDirection else { return "\(key(.toDirections)) chooses a direction first" }
        if command == .forgetDirection, !index.description.directions[place].isNamed { return "it was not kept" }
        return nil
    }
}
