import EngineAPI
import ScreenModel

extension ExplorerModel {
    mutating func take(_ event: MouseEvent) -> [ExplorerEffect] {
        switch event.action {
        case .release:
            dragged = nil
            return []
        case .drag:
            guard let dragged else { return [] }
            let sigma = Slider.sigma(atColumn: event.position.x, of: dragged.cells)
            switch dragged.slider {
            case .axis(let axis): return setAxis(axis, to: sigma)
            case .direction(let place): return setDirection(place, to: strength(place, sigma))
            }
        case .press:
            dragged = nil
            guard let target = canvas(size: size).target(at: event.position) else { return [] }
            return press(target, at: event.position)
        case .wheelUp, .wheelDown:
            guard let target = canvas(size: size).target(at: event.position) else { return [] }
            return wheel(target, up: event.action == .wheelUp)
        }
    }

    private mutating func press(_ target: HitTarget, at position: Point) -> [ExplorerEffect] {
        switch target {
        case .command(let command):
            if overlay != nil, command == .back {
                overlay = nil
                return []
            }
            editor = nil
            return perform(command)
        case .axis(let axis): choose(axis: axis)
        case .slider(let axis, let cells):
            choose(axis: axis)
            dragged = (.axis(axis), cells)
            return setAxis(axis, to: Slider.sigma(atColumn: position.x, of: cells))
        case .direction(let place): choose(direction: place)
        case .directionSlider(let place, let cells):
            choose(direction: place)
            dragged = (.direction(place), cells)
            return setDirection(place, to: strength(place, Slider.sigma(atColumn: position.x, of: cells)))
        case .step(let index): return jump(to: index)
        case .galleryCell(let place):
            if screen == .saved {
                if saved.selected == place { return perform(.open) }
                saved.selected = place
            } else {
                if people.selected == place { return perform(.open) }
                people.selected = place
            }
        case .child(let place):
            if brood?.selected == place { return perform(.takeChild) }
            brood?.selected = place
        case .contact(let place):
            if contact?.selected == place { return perform(.takeContact) }
            contact?.selected = place
        case .passportFace(let place):
            guard let axis = axes.selectedAxis else { return [] }
            go(to: .explore)
            return setAxis(axis, to: Passport.stops[place])
        case .nearest(let row):
            if let place = people.items.firstIndex(of: .identity(row)) {
                people.selected = place
            } else {
                people.query = ""
                arrangePeople()
                people.selected = people.items.firstIndex(of: .identity(row)) ?? people.selected
            }
        case .frame(let index):
            if morph.selected == index, morph.playing == nil { return perform(.openFrame) }
            morph.playing = nil
            morph.selected = index.clamped(to: 0...max(0, morph.count - 1))
        case .paletteRow(let place):
            if case .palette(let query, _) = overlay {
                let entries = paletteEntries(query: query)
                if entries.indices.contains(place) { return choose(entries[place]) }
            }
        case .pane, .overlay: break
        }
        return []
    }

    private mutating func choose(axis: Int) {
        axes.selected = axes.rows.firstIndex(of: axis) ?? axes.selected
        directions.hasFocus = false
    }

    private mutating func choose(direction: Int) {
        directions.selected = directions.rows.firstIndex(of: direction) ?? directions.selected
        directions.hasFocus = true
    }

    /// The strength of a direction at so many of the people's deviations along it.
    private func strength(_ direction: Int, _ sigma: Float) -> Float {
        sigma / max(1e-3, index?.description.directions[direction].deviations ?? 1)
    }

    private mutating func wheel(_ target: HitTarget, up: Bool) -> [ExplorerEffect] {
        if overlay != nil {
            return takeInOverlay(KeyEvent(up ? .up : .down))
        }
        switch target {
        case .slider(let axis, _):
            choose(axis: axis)
            return changeAxis(by: up ? 0.25 : -0.25)
        case .directionSlider(let place, _):
            choose(direction: place)
            return changeSlider(by: up ? 0.25 : -0.25)
        case .axis, .direction, .pane(.explore), .pane(.model): return perform(up ? .axisUp : .axisDown)
        case .galleryCell, .pane(.people), .pane(.saved): return perform(up ? .galleryUp : .galleryDown)
        case .step: return perform(up ? .undo : .redo)
        case .frame, .pane(.morph): return perform(up ? .frameBack : .frameForward)
        default: return []
        }
    }
}
