import ImageCore

/// What files say of how a picture came about: enough to draw it again and to go on from it. The only writer of these texts, for the commands
/// and for the explorer, so that each takes up what the other made.
public enum PictureMetadata {
    /// The text chunk that says whose picture it is.
    public static let subjectKeyword = "w2w:subject"

    /// The texts of a picture of somebody in an open space.
    /// - Parameters:
    ///   - request: Whose picture, drawn how.
    ///   - description: The space.
    ///   - name: What the subject is called.
    ///   - lineage: The steps that led to the code, oldest first; empty for one that came about in one step.
    /// - Returns: Text chunks for the PNG file.
    /// - Throws: When a code holds a number that JSON cannot say.
    public static func texts(
        for request: RenderRequest, in description: SpaceDescription, name: String, lineage: [String] = []
    ) throws -> [PNGText] {
        var code = [Float]()
        switch request.subject {
        case .code(let own): code = own.values
        case .identity(let identity):
            // Its code too, so that the explorer can go on from here; the subject says that the picture shows its own vector.
            if let row = description.identities.names.firstIndex(of: identity), description.latentDimension > 0 {
                code = description.identities.code(at: row).values
            }
        case .base, .through: break
        }
        let record = CodeRecord(
            name: name, space: description.name, spaceFingerprint: description.fingerprint, model: description.model,
            origin: name, lineage: lineage, code: code)
        return try texts(for: request, record: record)
    }

    /// The texts of a picture of somebody who is known by a record.
    /// - Parameters:
    ///   - request: Whose picture, drawn how.
    ///   - record: Name, space, code (empty for none) and lineage; its settings are taken from the request, its origin from the lineage.
    /// - Returns: Text chunks for the PNG file.
    /// - Throws: When a code holds a number that JSON cannot say.
    public static func texts(for request: RenderRequest, record: CodeRecord) throws -> [PNGText] {
        var record = record
        let lineage = record.lineage ?? []
        if !lineage.isEmpty { record.origin = lineage.joined(separator: "; ") }
        record.lineage = lineage.isEmpty ? nil : lineage
        record.settings = request.settings
        var texts = texts(
            for: request.settings, space: record.space, fingerprint: record.spaceFingerprint, title: record.name)
        if let injection = request.injection {
            texts.append(PNGText(keyword: "w2w:inject-at", text: "\(injection.timestep)"))
            texts.append(PNGText(keyword: "w2w:inject-over", text: described(injection.early)))
        }
        if let interval = request.guidanceInterval {
            texts.append(PNGText(keyword: "w2w:guidance-interval", text: "\(interval.lowerBound)..\(interval.upperBound)"))
        }
        if !lineage.isEmpty {
            texts.append(PNGText(keyword: "w2w:lineage", text: lineage.joined(separator: "\n")))
        }
        let subject =
            switch request.subject {
            case .code: "code"
            case .through(let model, _): "\(record.name) through \(model.rawValue)"
            case .base, .identity: described(request.subject)
            }
        texts.append(PNGText(keyword: subjectKeyword, text: subject))
        if !record.code.isEmpty { texts.append(PNGText(keyword: CodeRecord.keyword, text: try record.json())) }
        return texts
    }

    /// The texts of a walk, as a strip or as an animation.
    /// - Parameters:
    ///   - walk: What was drawn.
    ///   - from: What the person at its beginning is called.
    ///   - to: The same of its end.
    ///   - description: The space.
    /// - Returns: Text chunks for the PNG file.
    public static func texts(
        for walk: MorphRequest, from: String, to: String, in description: SpaceDescription
    ) -> [PNGText] {
        texts(
            for: walk.settings, space: description.name, fingerprint: description.fingerprint,
            title: "\(from) to \(to), \(walk.path.rawValue), \(walk.frames) frames")
    }

    /// What holds for everything that one drawing made.
    private static func texts(
        for settings: GenerationSettings, space: String, fingerprint: String, title: String
    ) -> [PNGText] {
        [
            PNGText(keyword: "Software", text: "w2w \(Release.version)"),
            PNGText(keyword: "Title", text: title),
            PNGText(keyword: "w2w:space", text: space),
            PNGText(keyword: "w2w:space-fingerprint", text: fingerprint),
            PNGText(keyword: "w2w:prompt", text: settings.prompt),
            PNGText(keyword: "w2w:negative-prompt", text: settings.negativePrompt),
            PNGText(keyword: "w2w:seed", text: "\(settings.seed)"),
            PNGText(keyword: "w2w:steps", text: "\(settings.steps)"),
            PNGText(keyword: "w2w:guidance", text: "\(settings.guidance)"),
            PNGText(keyword: "w2w:scheduler", text: settings.scheduler.rawValue),
            PNGText(keyword: "w2w:size", text: "\(settings.width)x\(settings.height)"),
        ]
    }

    /// What an exported adapter says of itself, for the header of its file.
    /// - Parameters:
    ///   - record: The code and where it came from.
    ///   - subject: Whose adapter it is.
    /// - Returns: Texts by keyword.
    /// - Throws: When a code holds a number that JSON cannot say.
    public static func fileTexts(for record: CodeRecord, subject: Subject) throws -> [String: String] {
        var texts = [
            "w2w:software": "w2w \(Release.version)", "w2w:title": record.name, "w2w:space": record.space,
            "w2w:space-fingerprint": record.spaceFingerprint, "w2w:lineage": (record.lineage ?? []).joined(separator: "\n"),
            subjectKeyword: described(subject),
        ]
        if case .code = subject { texts[subjectKeyword] = "code" }
        if let settings = record.settings {
            texts["w2w:prompt"] = settings.prompt
            texts["w2w:negative-prompt"] = settings.negativePrompt
            texts["w2w:seed"] = "\(settings.seed)"
        }
        if !record.code.isEmpty { texts[CodeRecord.keyword] = try record.json() }
        return texts
    }

    /// A subject in one line: a code as its numbers.
    private static func described(_ subject: Subject) -> String {
        switch subject {
        case .base: "base"
        case .identity(let name): "identity \(name)"
        case .code(let code): "code \(code.values.map { "\($0)" }.joined(separator: " "))"
        case .through(let model, let inner): "\(described(inner)) through \(model.rawValue)"
        }
    }
}
