import EngineAPI
import ImageCore
import ScreenModel

/// Which faces of a gallery are on the screen: while this stays, nothing new is asked for.
struct ThumbnailWindow: Sendable, Hashable {
    var screen: ScreenName
    var generation: Int
    var first: Int
    var count: Int
    var children: Bool
    var settings: GenerationSettings?
    var extra: [Int]
    /// Pictures that stand outside of galleries.
    var loose: [RenderRequest]
}

extension ExplorerModel {
    // MARK: What is in the galleries

    /// People: the saved faces of this space, then everybody, as filtered and ordered. Work in proportion to the space.
    mutating func arrangePeople(keepingSelection: Bool = true) {
        guard let index else { return }
        let table = index.description.identities
        let search = Search(people.query, attributes: index.attributes)
        var rows: [Int] =
            search.isEmpty ? Array(0..<table.count) : (0..<table.count).filter { search.matches(row: $0, of: table) }
        var kept = favourites.filter { isOfThisSpace($0) && (search.isEmpty || search.matches($0)) }
        switch peopleOrder {
        case .name: break
        case .similarity:
            if let code = trail?.step.code {
                let similarities = index.similarities(to: code)
                rows.sort { similarities[$0] > similarities[$1] }
                let own = Dictionary(uniqueKeysWithValues: kept.map { ($0.id, index.similarity($0.state.code, code)) })
                kept.sort { own[$0.id] ?? 0 > own[$1.id] ?? 0 }
            }
        case .attribute(let column):
            func value(_ row: Int) -> Float {
                let value = table.attribute(column, at: row)
                return value.isNaN ? -.infinity : value
            }
            rows.sort { value($0) == value($1) ? $0 < $1 : value($0) > value($1) }
            kept = []
        }
        people.show(kept.map { .favourite($0.id) } + rows.map { .identity($0) }, keepingSelection: keepingSelection)
    }

    mutating func arrangeSaved(keepingSelection: Bool = true) {
        let search = Search(saved.query, attributes: [])
        saved.show(
            favourites.filter { search.isEmpty || search.matches($0) }.map { .favourite($0.id) },
            keepingSelection: keepingSelection)
    }

    /// The next order of the people: name, likeness, then each attribute that the query names, or a few that speak of everybody.
    mutating func nextPeopleOrder() {
        guard let index else { return }
        var orders: [PeopleOrder] = [.name, .similarity]
        let named = Search(people.query, attributes: index.attributes).terms.flatMap(\.columns)
        let graded = index.attributes.indices.filter { index.attributes[$0].kind != .flag }
        for column in named + graded where !orders.contains(.attribute(column)) { orders.append(.attribute(column)) }
        orders = Array(orders.prefix(7))
        let place = orders.firstIndex(of: peopleOrder) ?? -1
        peopleOrder = orders[(place + 1) % orders.count]
        arrangePeople(keepingSelection: false)
        say("people \(words(for: peopleOrder))", here: true)
    }

    func words(for order: PeopleOrder) -> String {
        switch order {
        case .name: "by name"
        case .similarity: "by likeness to \(trail?.step.shortTitle ?? "the face in Explore")"
        case .attribute(let column): "by \(index?.attributes[column].words ?? "")"
        }
    }

    // MARK: Thumbnails

    /// The faces on the screen, and those of so many pages ahead.
    func visibleItems(pagesAhead: Int) -> ArraySlice<GalleryItem> {
        guard screen == .people || screen == .saved else { return [] }
        let gallery = screen == .people ? people : saved
        let layout = galleryLayout(screen, size: size)
        let first = min(gallery.top * layout.columns, gallery.items.count)
        let end = min(gallery.items.count, first + layout.count * (1 + pagesAhead))
        return gallery.items[first..<max(first, end)]
    }

    /// Asks for the faces on the screen that are not there yet, and for one page ahead. The newest list replaces the one before.
    mutating func wantThumbnails() -> [ExplorerEffect] {
        if screen == .people { people.scroll(galleryLayout(.people, size: size)) }
        if screen == .saved { saved.scroll(galleryLayout(.saved, size: size)) }
        let isGallery = screen == .people || screen == .saved
        let childCodes = screen == .explore ? brood?.codes ?? [] : []
        let loose = loosePictures
        guard isGallery || !childCodes.isEmpty || !loose.isEmpty else {
            // Nobody looks: the engine is for the large picture now.
            thumbnailWindow = nil
            if let job = thumbnailJob {
                thumbnailJob = nil
                return [.cancel(job)]
            }
            return []
        }
        let gallery = screen == .saved ? saved : people
        let layout = galleryLayout(screen, size: size)
        let window = ThumbnailWindow(
            screen: screen, generation: gallery.generation, first: isGallery ? gallery.top * layout.columns : 0,
            count: isGallery ? layout.count : childCodes.count, children: !childCodes.isEmpty, settings: brood?.settings,
            extra: screen == .people ? nearest?.rows.map(\.row) ?? [] : [], loose: loose)
        guard window != thumbnailWindow else { return [] }
        thumbnailWindow = window
        var requests: [RenderRequest] = []
        if let brood, !childCodes.isEmpty {
            for (child, code) in brood.codes.enumerated() where brood.pictures[child] == nil {
                let request = RenderRequest(subject: .code(code), settings: brood.settings)
                if let key = pictures.picture(of: request) {
                    self.brood?.pictures[child] = key
                } else {
                    thumbnailChildren[request] = child
                    requests.append(request)
                }
            }
        } else if !loose.isEmpty {
            for request in loose {
                if let key = pictures.picture(of: request) { pictures.touch(key) } else { requests.append(request) }
            }
            thumbnailLoose = Set(requests)
        } else {
            var items = Array(visibleItems(pagesAhead: 1))
            items.insert(contentsOf: window.extra.map { .identity($0) }, at: min(items.count, layout.count))
            for item in items { want(item, &requests) }
        }
        guard !requests.isEmpty else { return [] }
        let id = newJob(.thumbnails)
        thumbnailJob = id
        return [.submit(.thumbnails(requests), as: id)]
    }

    private mutating func want(_ item: GalleryItem, _ requests: inout [RenderRequest]) {
        if let key = thumbnails[item], pictures.contains(key) {
            pictures.touch(key)
            return
        }
        // A favourite brings its own small picture.
        if case .favourite(let id) = item, let png = favourite(id)?.thumbnail, let image = try? RGBImage(pngData: png) {
            thumbnails[item] = pictures.add(image)
            return
        }
        guard let request = request(for: item) else { return }
        if let key = pictures.picture(of: request) {
            thumbnails[item] = key
        } else {
            if !requests.contains(request) { requests.append(request) }
            thumbnailItems[request, default: []].insert(item)
        }
    }

    mutating func takeThumbnail(_ picture: Picture) {
        let child = thumbnailChildren.removeValue(forKey: picture.request)
        let items = thumbnailItems.removeValue(forKey: picture.request) ?? []
        let isLoose = thumbnailLoose.remove(picture.request) != nil
        guard child != nil || isLoose || !items.isEmpty else { return }
        let key = pictures.add(
            picture.image, finishedFor: picture.request, isSmall: picture.image.width < picture.request.settings.width)
        for item in items { thumbnails[item] = key }
        if let child, let brood, brood.codes.indices.contains(child), picture.request.subject == .code(brood.codes[child]) {
            self.brood?.pictures[child] = key
        }
    }

    // MARK: Nearest people

    /// Looks for the nearest people only once a face has been chosen for a moment: it takes a look at everybody.
    mutating func restForNearest() {
        guard screen == .people, let item = people.selectedItem else {
            nearestDue = nil
            return
        }
        if nearest?.item == item {
            nearestDue = nil
        } else if nearestDue == nil || nearestItem != item {
            nearestItem = item
            nearestDue = now + 0.15
        }
    }

    mutating func findNearest() {
        guard let index, let item = people.selectedItem else { return }
        switch item {
        case .identity(let row):
            nearest = (item, index.nearest(to: index.description.identities.code(at: row), count: 3, excluding: row))
        case .favourite(let id):
            guard let favourite = favourite(id), isOfThisSpace(favourite) else { return }
            nearest = (item, index.nearest(to: favourite.state.code, count: 3))
        }
    }

    // MARK: Doing

    mutating func openChosen() -> [ExplorerEffect] {
        guard let face = faceInHand(), let trail else { return [] }
        var settings = trail.step.settings
        var earlier: [String] = []
        if case .favourite = (screen == .saved ? saved : people).selectedItem {
            // A favourite is the exact state: prompt, seed, sampler and all.
            settings = face.state.settings
            earlier = face.lineage
        }
        screen = .explore
        brood = nil
        return commit(
            Step(
                code: face.state.code, settings: settings, label: face.name, origin: face.name, startsWalk: true,
                earlier: earlier, time: now))
    }

    mutating func moveInGallery(_ command: Command) {
        let layout = galleryLayout(screen, size: size)
        var gallery = screen == .saved ? saved : people
        switch command {
        case .galleryLeft: gallery.move(by: -1)
        case .galleryRight: gallery.move(by: 1)
        case .galleryUp: gallery.move(rows: -1, columns: layout.columns)
        case .galleryDown: gallery.move(rows: 1, columns: layout.columns)
        case .galleryPageUp, .galleryPageDown:
            let rows = command == .galleryPageUp ? -max(1, layout.rows) : max(1, layout.rows)
            gallery.move(rows: rows, columns: layout.columns)
            gallery.top += rows
        case .galleryFirst: gallery.move(by: -gallery.items.count)
        case .galleryLast: gallery.move(by: gallery.items.count)
        case .larger: gallery.zoom = min(3, gallery.zoom + 1)
        case .smaller: gallery.zoom = max(-2, gallery.zoom - 1)
        default: break
        }
        if screen == .saved { saved = gallery } else { people = gallery }
    }

    mutating func deleteChosen() -> [ExplorerEffect] {
        guard case .favourite(let id) = saved.selectedItem, let favourite = favourite(id) else { return [] }
        deleted.append(favourite)
        favourites.removeAll { $0.id == id }
        favouriteRows = Dictionary(favourites.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        arrangeSaved()
        arrangePeople()
        say("deleted \(favourite.name) · \(key(.restore)) brings it back")
        return [.library(.delete(id))]
    }

    mutating func restoreDeleted() -> [ExplorerEffect] {
        guard let favourite = deleted.popLast() else { return [] }
        say("\(favourite.name) is back", .good)
        return [.library(.restore(favourite.id))]
    }

    /// Keeps the face in hand; its picture comes later where it is not there yet.
    mutating func keep(name: String, tags: [String]) -> [ExplorerEffect] {
        guard let face = faceInHand() else { return [] }
        let name = name.isEmpty ? face.name : name
        let words = tags.map { " #" + $0 }.joined()
        if options.keepsFaces {
            say("saved \(name)\(words)", .good, lead: (.saved, "\(key(.showSaved)) shows what you keep"))
        } else {
            say("saved \(name)\(words) · for this session only", .warning)
        }
        return [
            .library(
                .save(
                    name: name, tags: tags, state: face.state, lineage: face.lineage,
                    thumbnail: face.picture.flatMap(thumbnailFile)))
        ]
    }

    /// "Anna #red #glasses": a name, then tags.
    static func nameAndTags(_ text: String) -> (name: String, tags: [String]) {
        var name: [Substring] = []
        var tags: [String] = []
        for word in text.split(separator: " ") {
            if word.first == "#" {
                let tag = String(word.drop { $0 == "#" })
                if !tag.isEmpty, !tags.contains(tag) { tags.append(tag) }
            } else {
                name.append(word)
            }
        }
        return (name.joined(separator: " "), tags)
    }
}
