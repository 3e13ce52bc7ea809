import EngineAPI
import Foundation
import ImageCore
import ScreenModel

@testable import Explorer

/// A small space whose numbers are easy to reckon with: deviation 2, mean 0.5 on every axis.
enum TestSpace {
    static let attributeNames = ["Male", "Eyeglasses", "Beard", "No_Beard", "Age_Years"]

    static func description(identities: Int = 40, axes: Int = 12, name: String = "town", fingerprint: String = "f00d")
        -> SpaceDescription
    {
        let descriptions = (0..<axes).map { axis in
            let isActive = axis < axes * 3 / 4
            let effect = 1 - Float((axis * 5) % axes) / Float(axes)
            return AxisDescription(
                index: axis, kl: Float(axes - axis) / 4, variance: 0.9 - Float(axis) * 0.05, effect: isActive ? effect : 0,
                isActive: isActive, mean: 0.5, deviation: 2, correlations: correlations(axis))
        }
        var codes: [Float] = []
        var labels: [Float] = []
        for row in 0..<identities {
            for axis in 0..<axes { codes.append(0.5 + 2 * (Float((row * 7 + axis * 13) % 41) / 20 - 1) + Float(row) * 1e-4) }
            labels += [
                Float(row % 5) / 4, row % 3 == 0 ? 1 : 0, row % 4 == 0 ? 1 : 0, row % 4 == 0 ? 0 : 1, Float(20 + row % 60),
            ]
        }
        let names = (0..<identities).map { row in
            let digits = String(row + 1)
            return "p" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits
        }
        return SpaceDescription(
            name: name, path: "/somewhere", fingerprint: fingerprint, vectorLength: 100, decoder: "vanilla VAE",
            axes: descriptions,
            identities: IdentityTable(
                names: names, attributeNames: attributeNames, attributes: labels, codes: codes, latentDimension: axes),
            defaults: GenerationSettings(
                prompt: "photo of sks person, smiling", seed: 88, steps: 12, guidance: 3, scheduler: .dpmpp2m, width: 128,
                height: 128))
    }

    private static func correlations(_ axis: Int) -> [AxisDescription.Correlation] {
        switch axis {
        case 0: [.init(attribute: "Male", value: 0.7), .init(attribute: "Beard", value: 0.5)]
        case 1:
            [
                .init(attribute: "Beard", value: -0.6), .init(attribute: "No_Beard", value: 0.6),
                .init(attribute: "Age_Years", value: 0.3),
            ]
        case 2: [.init(attribute: "Eyeglasses", value: 0.4)]
        case 3: [.init(attribute: "Age_Years", value: 0.05)]
        default: []
        }
    }

    /// Ordinary in the middle, less so the farther out: half at one deviation on every axis.
    static let gauge = TypicalityGauge { code in
        let far = code.values.reduce(Float(0)) { $0 + abs($1 - 0.5) / 2 } / Float(max(1, code.count))
        return max(0, 1 - far / 2)
    }

    static func picture(_ shade: UInt8 = 128, side: Int = 16) -> RGBImage {
        RGBImage(width: side, height: side, filledWith: (shade, shade, shade))
    }
}

/// A session: keys go in, time passes, the engine answers; what the explorer wants done is remembered.
struct Story {
    var model: ExplorerModel
    var now = 1_000.0
    /// Of the last message.
    var effects: [ExplorerEffect] = []
    var all: [ExplorerEffect] = []

    init(_ options: ExplorerOptions = ExplorerOptions(size: Size(columns: 120, rows: 34), resumesLastWalk: false)) {
        model = ExplorerModel(options: options)
        send(.start)
    }

    /// A story in an opened space with a finished first face.
    static func opened(
        _ description: SpaceDescription = TestSpace.description(), size: Size = Size(columns: 120, rows: 34),
        glyphs: GlyphSet = .unicode, graphics: GraphicsMode = .sixel
    ) -> Story {
        var story = Story(ExplorerOptions(size: size, glyphs: glyphs, resumesLastWalk: false))
        story.send(.input(.graphics(graphics, note: nil)))
        story.open(description)
        story.finishPreview()
        return story
    }

    mutating func send(_ message: ExplorerMessage) {
        effects = model.update(message, at: now)
        all += effects
    }

    mutating func open(_ description: SpaceDescription = TestSpace.description()) {
        guard let (id, _) = lastSubmitted(where: { if case .open = $0 { true } else { false } }) else { return }
        send(.engine(.opened(id, description)))
        let after = effects
        send(.engine(.typicality(id, TestSpace.gauge)))
        send(.engine(.finished(id)))
        effects = after + effects
    }

    mutating func wait(_ seconds: Double) {
        let end = now + seconds
        while let due = model.nextTick, due <= end {
            now = max(now, due)
            send(.tick)
        }
        now = end
    }

    // MARK: Input

    mutating func press(_ keys: KeyEvent...) {
        for key in keys {
            now += 0.01
            send(.input(.key(key)))
        }
    }

    mutating func press(_ character: Character) { press(KeyEvent(.character(character))) }
    mutating func press(_ key: Key) { press(KeyEvent(key)) }
    mutating func type(_ text: String) { for character in text { press(character) } }
    mutating func click(_ point: Point) {
        send(.input(.mouse(MouseEvent(.press, at: point))))
        let pressed = effects
        send(.input(.mouse(MouseEvent(.release, at: point))))
        effects = pressed
    }

    // MARK: The engine

    func lastSubmitted(where matches: (EngineCommand) -> Bool) -> (JobID, EngineCommand)? {
        for effect in all.reversed() {
            if case .submit(let command, let id) = effect, matches(command) { return (id, command) }
        }
        return nil
    }

    var lastPreview: (id: JobID, request: RenderRequest)? {
        guard let (id, command) = lastSubmitted(where: { if case .preview = $0 { true } else { false } }),
            case .preview(let request) = command
        else { return nil }
        return (id, request)
    }

    /// Answers the last preview with a finished picture.
    mutating func finishPreview(shade: UInt8 = 128) {
        guard let preview = lastPreview else { return }
        send(
            .engine(
                .picture(
                    preview.id,
                    Picture(request: preview.request, image: TestSpace.picture(shade, side: 128), stage: .final, seconds: 0.31)))
        )
        send(.engine(.finished(preview.id)))
    }

    /// Answers the last list of thumbnails, all of it or its beginning.
    mutating func finishThumbnails(_ count: Int = .max) {
        guard let (id, command) = lastSubmitted(where: { if case .thumbnails = $0 { true } else { false } }),
            case .thumbnails(let requests) = command
        else { return }
        for request in requests.prefix(count) {
            send(
                .engine(
                    .thumbnail(
                        id, Picture(request: request, image: TestSpace.picture(90, side: 128), stage: .final, seconds: 0.3))))
        }
        if count >= requests.count { send(.engine(.finished(id))) }
    }

    /// Answers the last wish for new people with codes at so many sigma.
    mutating func answerSample(_ sigmas: Float...) {
        guard let (id, command) = lastSubmitted(where: { if case .sample = $0 { true } else { false } }),
            case .sample(let request) = command,
            let axes = model.index?.description.axes.count
        else { return }
        let codes = (0..<request.count).map { place in
            WeightCode(Array(repeating: 0.5 + 2 * sigmas[place % sigmas.count] + Float(place) * 0.01, count: axes))
        }
        send(.engine(.sampled(id, codes)))
        let after = effects
        send(.engine(.finished(id)))
        effects = after + effects
    }

    /// Draws frames of the last morph.
    mutating func drawFrames(_ indices: [Int]? = nil) {
        guard let (id, command) = lastSubmitted(where: { if case .morph = $0 { true } else { false } }),
            case .morph(let request) = command
        else { return }
        for index in indices ?? Array(0..<request.frames) {
            let position = Float(index) / Float(request.frames - 1)
            let code = WeightCode(zip(request.from.values, request.to.values).map { $0 + position * ($1 - $0) })
            send(
                .engine(
                    .frame(
                        id,
                        MorphFrame(
                            index: index, position: position, code: code,
                            image: TestSpace.picture(UInt8(min(255, 40 + index * 10))))
                    )))
        }
        if indices == nil { send(.engine(.finished(id))) }
    }

    // MARK: What is seen

    var screen: String { model.view(size: model.size).grid.text }
    var frame: Frame { model.view(size: model.size) }
    var toast: String { model.toast?.words(on: model.screen) ?? "" }
    var step: Step? { model.trail?.step }

    func sigma(_ axis: Int) -> Float {
        guard let index = model.index, let step else { return .nan }
        return index.sigma(step.code, axis)
    }

    var visits: [VisitedState] {
        all.compactMap { if case .library(.visit(let state)) = $0 { state } else { nil } }
    }

    /// The screen with pictures marked by their slots.
    static func picture(of frame: Frame) -> String {
        var grid = frame.grid
        for placement in frame.placements {
            grid.fill(placement.rect, with: Cell(" "))
            for corner in [
                Point(x: placement.rect.x, y: placement.rect.y), Point(x: placement.rect.maxX - 1, y: placement.rect.y),
                Point(x: placement.rect.x, y: placement.rect.maxY - 1),
                Point(x: placement.rect.maxX - 1, y: placement.rect.maxY - 1),
            ] {
                grid.put("*", x: corner.x, y: corner.y)
            }
            grid.putCentred(placement.slot, in: placement.rect, row: placement.rect.rows / 2)
        }
        return grid.text + "\n"
    }
}
