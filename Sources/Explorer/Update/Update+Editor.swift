import EngineAPI
import ImageCore
import ScreenModel

extension ExplorerModel {
    /// The line that a command asks to be typed.
    func makeEditor(_ command: Command) -> LineEditor? {
        guard let index, let trail else { return nil }
        let settings = trail.step.settings
        switch command {
        case .typeValue:
            if let place = directions.selectedDirection {
                return LineEditor(
                    .directionValue(place), label: Self.words(index.description.directions[place]), example: "as 0.5")
            }
            guard let axis = axes.selectedAxis else { return nil }
            return LineEditor(.axisValue(axis), label: index.spokenName(of: axis), example: "in σ, as -1.5")
        case .typeSeed: return LineEditor(.seed, label: "seed", example: "\(settings.seed)")
        case .prompt: return LineEditor(.prompt, label: "prompt", text: settings.prompt)
        case .negativePrompt: return LineEditor(.negativePrompt, label: "negative prompt", text: settings.negativePrompt)
        case .steps: return LineEditor(.steps, label: "steps", example: "\(settings.steps), \(GenerationSettings.stepsInWords)")
        case .pictureSize:
            return LineEditor(
                .pictureSize, label: "size", example: "\(settings.width)x\(settings.height), sides divisible by 8")
        case .guidance:
            return LineEditor(
                .guidance, label: "guidance",
                example: "\(Format.fixed(settings.guidance, 1)), \(GenerationSettings.guidanceInWords); 1 is none")
        case .typeFrames: return LineEditor(.frames, label: "frames", example: "\(morph.count), 2 to 65")
        case .findAxes: return LineEditor(.findAxes, label: "find", text: axes.query, example: "an attribute, as beard")
        case .findPeople:
            return LineEditor(.findPeople, label: "find", text: people.query, example: "a name, a tag, glasses, male>0.5, -beard")
        case .findSaved: return LineEditor(.findSaved, label: "find", text: saved.query, example: "a name or a tag")
        case .keepNamed:
            return LineEditor(
                .keep, label: "save as", text: faceInHand()?.name ?? "", example: "a name #tag #tag", isSuggestion: true)
        case .keepDirection:
            guard let place = directions.selectedDirection else { return nil }
            return LineEditor(
                .keepDirection, label: "keep as", text: index.description.directions[place].name, example: "a name",
                isSuggestion: true)
        case .rename:
            guard case .favourite(let id) = saved.selectedItem, let favourite = favourite(id) else { return nil }
            let text = ([favourite.name] + favourite.tags.map { "#" + $0 }).joined(separator: " ")
            return LineEditor(.rename(id), label: "name and #tags", text: text, example: "a name #tag #tag")
        case .export:
            return LineEditor(.export(.picture), label: "write PNG", text: "\(Format.fileName(faceInHand()?.name ?? "face")).png")
        case .exportStrip: return LineEditor(.export(.strip), label: "write strip", text: "\(morphFileName)-strip.png")
        case .exportAnimation:
            return LineEditor(.export(.animation), label: "write animation (.gif or .png)", text: "\(morphFileName).gif")
        default: return nil
        }
    }

    private var morphFileName: String {
        Format.fileName("\(ends.a?.name ?? "a") \(ends.b?.name ?? "b")")
    }

    /// Takes a key into the line being typed. Filters act at once.
    mutating func edit(_ event: KeyEvent) -> [ExplorerEffect] {
        guard var line = editor else { return [] }
        let outcome = line.take(event)
        editor = line
        switch outcome {
        case .editing: filter(line.text, for: line.purpose)
        case .accepted:
            editor = nil
            return accept(line)
        case .cancelled:
            editor = nil
            filter(line.original, for: line.purpose)
        case .ignored:
            // The list can be walked through while its filter is open.
            guard event.key == .up || event.key == .down || event.key == .pageUp || event.key == .pageDown else { break }
            switch line.purpose {
            case .findAxes, .findPeople, .findSaved:
                if let command = keys.command(for: event, in: scope) { return perform(command) }
            default: break
            }
        }
        return []
    }

    private mutating func filter(_ text: String, for purpose: LineEditor.Purpose) {
        switch purpose {
        case .findAxes where text != axes.query:
            axes.query = text
            arrangeAxes()
        case .findPeople where text != people.query:
            people.query = text
            arrangePeople(keepingSelection: false)
        case .findSaved where text != saved.query:
            saved.query = text
            arrangeSaved(keepingSelection: false)
        default: break
        }
    }

    private mutating func accept(_ line: LineEditor) -> [ExplorerEffect] {
        let text = line.text.trimmingBlanks
        switch line.purpose {
        case .axisValue(let axis):
            guard !text.isEmpty else { return [] }
            guard let value = Float(text.replacing("−", with: "-").replacing(",", with: ".")), value.isFinite else {
                return refuse("“\(text)” is no number · type σ, as -1.5")
            }
            return setAxis(axis, to: value)
        case .directionValue(let place):
            guard !text.isEmpty else { return [] }
            guard let value = Float(text.replacing("−", with: "-").replacing(",", with: ".")), value.isFinite else {
                return refuse("“\(text)” is no number · type a strength, as 0.5")
            }
            return setDirection(place, to: value)
        case .keepDirection:
            guard !text.isEmpty else { return refuse("a direction needs a name: it was not kept") }
            return keepDirection(named: text)
        case .seed:
            guard !text.isEmpty else { return [] }
            guard let seed = UInt64(text) else { return refuse("“\(text)” is no seed · type a whole number from 0") }
            return setSeed(seed)
        case .prompt:
            guard !text.isEmpty else { return refuse("the prompt is empty: the one before stays") }
            return setSettings("prompt") { $0.prompt = text }
        case .negativePrompt: return setSettings("negative prompt") { $0.negativePrompt = text }
        case .steps:
            guard !text.isEmpty else { return [] }
            guard let steps = Int(text), GenerationSettings.stepRange.contains(steps) else {
                return refuse("“\(text)”: steps are \(GenerationSettings.stepsInWords)")
            }
            return setSettings("\(steps) steps") { $0.steps = steps }
        case .pictureSize:
            guard !text.isEmpty else { return [] }
            let sides = text.split { !$0.isASCII || !$0.isNumber }.map { Int($0) ?? 0 }
            guard (1...2).contains(sides.count), sides.allSatisfy(GenerationSettings.allows(side:)) else {
                return refuse("“\(text)”: sides are \(GenerationSettings.sidesInWords), as 512x512")
            }
            let (width, height) = (sides[0], sides.last ?? sides[0])
            if let own = index?.description.defaults, (own.width, own.height) != (width, height) {
                say("this space draws at \(own.width)×\(own.height); larger, it may draw several faces")
            }
            return setSettings("\(width)×\(height)") { ($0.width, $0.height) = (width, height) }
        case .guidance:
            guard !text.isEmpty else { return [] }
            guard let value = Float(text.replacing(",", with: ".")), GenerationSettings.guidanceRange.contains(value) else {
                return refuse("“\(text)”: guidance is \(GenerationSettings.guidanceInWords)")
            }
            return setSettings("guidance \(Format.fixed(value, 1))") { $0.guidance = value }
        case .frames:
            guard !text.isEmpty else { return [] }
            guard let count = Int(text), Morph.counts.contains(count) else {
                return refuse("“\(text)”: a walk has 2 to 65 frames")
            }
            setFrameCount(count)
            return []
        case .findAxes, .findPeople, .findSaved:
            filter(line.text, for: line.purpose)
            return []
        case .keep:
            let (name, tags) = Self.nameAndTags(text)
            return keep(name: name, tags: tags)
        case .rename(let id):
            let (name, tags) = Self.nameAndTags(text)
            guard !name.isEmpty else { return refuse("a face needs a name: the one before stays") }
            say("now called \(name)", .good)
            return [.library(.rename(id, name: name, tags: tags))]
        case .export(let kind):
            guard !text.isEmpty else { return refuse("no file was named: nothing was written") }
            return export(kind, to: text)
        }
    }

    private mutating func refuse(_ words: String) -> [ExplorerEffect] {
        say(words, .warning)
        return []
    }

    private mutating func export(_ kind: ExportKind, to path: String) -> [ExplorerEffect] {
        var path = path
        let hasExtension = (path.split(separator: "/").last ?? "").contains(".")
        let content: ExportRequest.Content
        let texts: [PNGText]
        switch kind {
        case .picture:
            guard let face = faceInHand(), let image = face.picture.flatMap({ pictures.image($0) }) else {
                return refuse("the picture is not finished yet")
            }
            guard let metadata = pictureTexts(of: face.state, name: face.name, lineage: face.lineage) else {
                return refuse("its code holds numbers that a file cannot say: nothing was written")
            }
            if !hasExtension { path += ".png" }
            say("writing \(path)")
            return [.export(ExportRequest(content: .picture(image), path: path, metadata: metadata))]
        case .strip, .animation:
            let images = morph.frames.compactMap { $0.flatMap { pictures.image($0.picture) } }
            guard images.count == morph.count, images.count > 1, let walk = morph.request, let description = index?.description
            else { return refuse("the walk is not finished yet") }
            texts = PictureMetadata.texts(for: walk, from: ends.a?.name ?? "A", to: ends.b?.name ?? "B", in: description)
            if !hasExtension { path += kind == .strip ? ".png" : ".gif" }
            content =
                kind == .strip
                ? .strip(images)
                // There and back, so that the loop has no jump.
                : .animation(images + images.dropFirst().dropLast().reversed(), secondsPerFrame: Morph.secondsPerFrame)
        }
        say("writing \(path)")
        return [.export(ExportRequest(content: content, path: path, metadata: texts))]
    }

    /// The texts of the face in hand; one of another model or another space says so by its fingerprint.
    private func pictureTexts(of state: VisitedState, name: String, lineage: [String]) -> [PNGText]? {
        let isOfThisSpace = index?.description.fingerprint == state.spaceFingerprint
        let record = CodeRecord(
            name: name, space: state.spaceName, spaceFingerprint: state.spaceFingerprint,
            model: isOfThisSpace ? index?.description.model : nil, origin: name, lineage: lineage, code: state.code.values)
        return try? PictureMetadata.texts(
            for: RenderRequest(subject: .code(state.code), settings: state.settings), record: record)
    }
}

extension String {
    /// Without blanks at both ends.
    var trimmingBlanks: String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
