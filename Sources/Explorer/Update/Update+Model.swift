import EngineAPI
import ScreenModel

extension ExplorerModel {
    // MARK: The passport

    /// Works out the passport of the chosen axis once it is looked at.
    mutating func preparePassport() {
        guard screen == .model, let index, let axis = axes.selectedAxis, passport?.axis != axis else { return }
        passport = Passport(axis: axis, in: index)
    }

    /// The faces of the passport: the face in hand with the chosen axis at each stop.
    var passportRequests: [RenderRequest] {
        guard let index, let step = trail?.step, let axis = axes.selectedAxis, index.hasCodes else { return [] }
        return Passport.stops.map { stop in
            var code = step.code
            code[axis] = index.coordinate(sigma: stop, axis)
            return RenderRequest(subject: .code(code), settings: step.settings)
        }
    }

    /// Pictures on the screen at hand that are neither the large one nor in a gallery.
    var loosePictures: [RenderRequest] {
        guard showsPictures else { return [] }
        switch screen {
        case .model: return modelLayout(size: size).passport.isEmpty ? [] : passportRequests
        case .explore:
            if let contact { return contact.requests }
            return showsModels && brood == nil ? otherModels.map(\.request) : []
        default: return []
        }
    }

    // MARK: The models side by side

    /// The face in hand as the other models of the space draw it, and with the person's own weights where it is one of the space's people.
    var otherModels: [(title: String, request: RenderRequest)] {
        guard let index, let step = trail?.step else { return [] }
        let subject = index.subject(step.code, name: step.origin)
        var all = index.description.models.filter { $0 != index.description.model }.map { model in
            (model.title, RenderRequest(subject: .through(model, subject), settings: step.settings))
        }
        if step.changes == 0, index.hasCodes, index.description.identities.names.contains(step.origin) {
            all.append(("own weights", RenderRequest(subject: .identity(step.origin), settings: step.settings)))
        }
        return all
    }

    func reasonForModels(_ command: Command) -> String? {
        guard let description = index?.description else { return nil }
        if description.models.count < 2 {
            return description.model == .pca
                ? "this space has a PCA only · w2w train makes a weight VAE"
                : "this space has a weight VAE only · w2w pca makes a PCA"
        }
        return nil
    }

    mutating func toggleCompareModels() {
        showsModels.toggle()
        brood = nil
        contact = nil
        say(showsModels ? "the models side by side · \(key(.compareModels)) again goes back" : "one model")
    }

    /// Goes on with the coordinates of the next model of the space.
    mutating func useOtherModel() -> [ExplorerEffect] {
        guard let description = index?.description, let model = description.model,
            let place = description.models.firstIndex(of: model)
        else { return [] }
        let next = description.models[(place + 1) % description.models.count]
        return [.submit(.use(next), as: newJob(.use(next)))]
    }

    /// Another model is in use: codes mean something else from here on. Each model has its own walk; a first one begins with the same person.
    mutating func switched(to description: SpaceDescription) -> [ExplorerEffect] {
        guard let before = index?.description.model, let walk = trail else { return [] }
        otherTrails[before] = walk
        let index = SpaceIndex(description)
        space = .open(index)
        let order = axes.order
        axes = AxisList()
        axes.order = order
        directions = DirectionList()
        passport = nil
        brood = nil
        contact = nil
        compared = nil
        ends = (nil, nil)
        morph = Morph()
        thumbnails = [:]
        thumbnailWindow = nil
        nearest = nil
        arrangeAxes()
        arrangeSaved()
        arrangePeople()
        say("codes are now those of the \(description.decoder) · \(description.axes.count) axes")
        let settings = walk.step.settings
        if let known = description.model.flatMap({ otherTrails[$0] }) {
            trail = known
        } else {
            let table = description.identities
            let row = table.names.firstIndex(of: walk.step.origin) ?? 0
            let name = table.count > 0 ? table.names[row] : "average"
            trail = Trail(
                start: Step(
                    code: table.count > 0 ? table.code(at: row) : description.centre, settings: settings, label: name,
                    origin: name,
                    startsWalk: true, time: now))
        }
        return arrive()
    }

    // MARK: The seed test

    mutating func toggleSeedTest() {
        guard contact == nil, let trail else {
            contact = nil
            return
        }
        contact = Contact(of: request(of: trail.step))
        say("what stays under other seeds is the person")
    }

    /// Asks how alike the faces of the seed test are, once all of them are there.
    mutating func wantComparison() -> [ExplorerEffect] {
        guard let requests = contact?.requests, contact?.isCompared == false, index?.description.hasEmbedder == true else {
            return []
        }
        let images = requests.compactMap { pictures.picture(of: $0).flatMap { pictures.image($0) } }
        guard images.count == requests.count else { return [] }
        contact?.isCompared = true
        return [.submit(.compare(images), as: newJob(.compare(requests)))]
    }

    mutating func moveContact(x: Int, y: Int) {
        guard let contact else { return }
        let columns = contactGrid(in: exploreLayout(size: size).preview.inset(by: 1)).columns
        let place = contact.selected + x + y * columns
        // Not around the end of a row.
        guard contact.requests.indices.contains(place), x == 0 || place / columns == contact.selected / columns else { return }
        self.contact?.selected = place
    }

    mutating func takeContact() -> [ExplorerEffect] {
        guard let request = contact?.requests[contact?.selected ?? 0] else { return [] }
        contact = nil
        return setSeed(request.settings.seed)
    }
}

extension WeightModel {
    /// What a person calls it.
    var title: String {
        switch self {
        case .vae: "weight VAE"
        case .pca: "PCA"
        }
    }
}
