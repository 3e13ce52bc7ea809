import EngineAPI
import Foundation
import ImageCore

/// What a picture's file says of how it was drawn: enough to draw it again.
enum PictureMetadata {
    /// The text chunk that says whose picture it is.
    static let subjectKeyword = "w2w:subject"

    /// - Parameters:
    ///   - request: Whose picture, drawn how.
    ///   - description: The space.
    ///   - name: What the subject is called.
    ///   - lineage: The steps that led to the code, oldest first; empty for one that came about in one step.
    /// - Returns: Text chunks for the PNG file.
    /// - Throws: When a code holds a number that JSON cannot say.
    static func texts(
        for request: RenderRequest, in description: SpaceDescription, name: String, lineage: [String] = []
    ) throws -> [PNGText] {
        let settings = request.settings
        var texts = texts(for: settings, in: description, title: name)
        func record(_ code: WeightCode) throws -> PNGText {
            let record = CodeRecord(
                name: name, space: description.name, spaceFingerprint: description.fingerprint, model: description.model,
                origin: lineage.isEmpty ? name : lineage.joined(separator: "; "), lineage: lineage.isEmpty ? nil : lineage,
                code: code.values, settings: settings)
            return PNGText(keyword: CodeRecord.keyword, text: try record.json())
        }
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
        switch request.subject {
        case .base:
            texts.append(PNGText(keyword: subjectKeyword, text: "base"))
        case .identity(let identity):
            texts.append(PNGText(keyword: subjectKeyword, text: "identity \(identity)"))
            // Its code too, so that the explorer can go on from here; `subject` says that the picture shows its own vector.
            if let row = description.identities.names.firstIndex(of: identity), description.latentDimension > 0 {
                texts.append(try record(description.identities.code(at: row)))
            }
        case .through(let model, _):
            texts.append(PNGText(keyword: subjectKeyword, text: "\(name) through \(model.rawValue)"))
        case .code(let code):
            texts.append(PNGText(keyword: subjectKeyword, text: "code"))
            texts.append(try record(code))
        }
        return texts
    }

    /// What holds for everything that one drawing made, be it one picture or a walk.
    /// - Parameters:
    ///   - settings: How it was drawn.
    ///   - description: The space.
    ///   - title: What it shows.
    /// - Returns: Text chunks for the PNG file.
    static func texts(for settings: GenerationSettings, in description: SpaceDescription, title: String) -> [PNGText] {
        [
            PNGText(keyword: "Software", text: "w2w \(W2W.configuration.version)"),
            PNGText(keyword: "Title", text: title),
            PNGText(keyword: "w2w:space", text: description.name),
            PNGText(keyword: "w2w:space-fingerprint", text: description.fingerprint),
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
    static func fileTexts(for record: CodeRecord, subject: Subject) throws -> [String: String] {
        var texts = [
            "w2w:software": "w2w \(W2W.configuration.version)", "w2w:title": record.name, "w2w:space": record.space,
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
