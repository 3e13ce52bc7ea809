import ArgumentParser
import EngineAPI
import Foundation
import ImageCore

/// `w2w edit`: change attributes of a person.
struct EditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Change attributes of a person and draw the picture.",
        discussion: """
            --set Attribute=X moves the person by X units along the attribute's direction: 1 goes from a typical person without it to a \
            typical person with it, for a graded attribute (Age_Years) it is one standard deviation. Names of kept directions work as well \
            (`w2w directions`). --hold keeps the scores of other attributes where they are; attributes that are set together do not disturb \
            each other either. With --inject-at T the unchanged person draws while the training time step is above T and the changed one from \
            T on: 700 to 1000 changes a face as a whole, 400 to 700 its details. The picture carries the new code, so it can be edited \
            again; its prompt, seed and sampler stay unless others are given.

            Examples:
              w2w edit p00011 --set Eyeglasses=+1 --out glasses.png
              w2w edit p00011 --set Beard=+1 --set Gray_Hair=+1 --hold Male --out older.png
              w2w edit glasses.png --set Young=-1 --inject-at 800 --out both.png --code both.z
            """
    )

    /// How the directions of attributes are found.
    typealias Fit = DirectionsCommand.Fit

    @OptionGroup var space: SpaceOptions

    @Argument(help: ArgumentHelp("An identity of the space, a .z file or a picture that carries a code.", valueName: "identity"))
    var identity: String

    @Option(
        help: ArgumentHelp("An attribute or direction and its strength; may be given several times.", valueName: "attribute=±x"))
    var set: [String]

    @Option(help: ArgumentHelp("An attribute that shall not change; may be given several times.", valueName: "attribute"))
    var hold: [String] = []

    @Option(help: "How the directions of attributes are found.")
    var method: Fit = .leastSquares

    @Option(help: ArgumentHelp("The unchanged person draws while the time step is above t, 0 to 1000.", valueName: "t"))
    var injectAt: Int?

    @OptionGroup var generation: GenerationOptions

    @Option(help: ArgumentHelp("The picture's file: .png, .jpg.", valueName: "file"))
    var out: String

    @Option(help: ArgumentHelp("Also write the new code to a .z file.", valueName: "file"))
    var code: String?

    @Flag(help: "Draw the picture into the terminal.")
    var show = false

    func validate() throws {
        guard !set.isEmpty else { throw ValidationError("Nothing to change. Give --set Attribute=+1.") }
        var names = Set<String>()
        for (name, _) in try changes() where !names.insert(name.lowercased()).inserted {
            throw ValidationError("'--set \(name)' is given twice. Give its strength once.")
        }
        if let injectAt, !(0...1000).contains(injectAt) {
            throw ValidationError("'--inject-at \(injectAt)' is outside 0 to 1000.")
        }
        try OutputFile.validate(out, kinds: ["png", "jpg", "jpeg"])
        if let code { try OutputFile.validate(code, kinds: ["z"]) }
    }

    /// What was asked for: names and strengths.
    private func changes() throws -> [(name: String, strength: Float)] {
        try set.map { item in
            guard let mark = item.lastIndex(of: "="), mark != item.startIndex,
                let strength = Float(item[item.index(after: mark)...]), strength.isFinite, abs(strength) <= 100
            else { throw ValidationError("'--set \(item)' should be a name and a strength, such as Eyeglasses=+1.") }
            return (String(item[..<mark]), strength)
        }
    }

    func run() throws {
        let client = EngineClient(use: .drawingOne)
        let description = try client.open(space)
        let start = try ResumePoint(identity, in: description)
        let unchanged = try start.code(in: description)
        var code = unchanged
        var steps = [String]()
        for (direction, strength) in try directions(client, description) {
            code = direction.apply(to: code, strength: strength)
            let held = direction.held.isEmpty ? "" : " holding \(direction.held.joined(separator: ", "))"
            steps.append("\(direction.attribute ?? direction.name) \(Self.signed(strength)) (\(direction.method)\(held))")
        }
        let settings = generation.settings(over: start.settings(in: description))
        let request = RenderRequest(
            subject: .code(code), settings: settings,
            injection: injectAt.map { DelayedInjection(early: .code(unchanged), timestep: $0) })
        LogFile.note("edit \(start.name): \(steps.joined(separator: "; ")) space \(description.fingerprint.prefix(8))")
        let picture = try client.render(request)
        let whole = start.lineage + steps
        let name = "\(start.name) \(try changes().map { "\($0.name) \(Self.signed($0.strength))" }.joined(separator: " "))"
        let texts = try PictureMetadata.texts(for: request, in: description, name: name, lineage: whole)
        try picture.image.write(to: out, text: texts)
        if let path = self.code {
            let file = CodeFile(
                name: name, space: description.name, spaceFingerprint: description.fingerprint, model: description.model,
                origin: whole.joined(separator: "; "), lineage: whole, code: code.values)
            try WholeFile.write(try file.encoded(), to: path)
        }
        if show { try TerminalPicture.show(picture.image) }
        print("\(name): \(steps.joined(separator: "; ")) -> \(out)")
    }

    /// The directions in the order of the command line. Attributes that are set together hold each other.
    private func directions(
        _ client: EngineClient, _ description: SpaceDescription
    ) throws -> [(direction: DirectionDescription, strength: Float)] {
        let wanted = try changes()
        let attributes = wanted.map(\.name).filter { name in Self.attribute(name, in: description) != nil }
        for name in hold where Self.attribute(name, in: description) == nil {
            throw Self.unknown(name, in: description)
        }
        return try wanted.map { name, strength in
            // A direction that a person named goes before an attribute of that name.
            if let named = description.directions.first(where: { $0.isNamed && $0.name.lowercased() == name.lowercased() }) {
                guard hold.isEmpty else {
                    throw CommandFailure(
                        "'\(named.name)' is a kept direction; what it leaves alone was decided when it was found.",
                        advice: "Leave --hold out, or find it again: `w2w directions --find … --hold …`.")
                }
                return (named, strength)
            }
            guard Self.attribute(name, in: description) != nil else { throw Self.unknown(name, in: description) }
            let others = attributes.filter { $0.lowercased() != name.lowercased() }
            let search = DirectionSearch.attribute(name, isLogistic: method == .logistic, holding: hold + others)
            guard let found = try client.directions(search).first else {
                throw CommandFailure("there is no direction for \(name).")
            }
            return (found, strength)
        }
    }

    private static func attribute(_ name: String, in description: SpaceDescription) -> String? {
        description.identities.attributeNames.first { $0.lowercased() == name.lowercased() }
    }

    private static func unknown(_ name: String, in description: SpaceDescription) -> CommandFailure {
        let names = description.directions.map(\.name)
        let word = name.lowercased()
        let near = names.filter { $0.lowercased().contains(word) || word.contains($0.lowercased()) }
        let offer = near.isEmpty ? names : near
        return CommandFailure(
            "the space '\(description.name)' has no attribute or direction '\(name)'.",
            advice: offer.isEmpty
                ? "It labels no attributes; find unsupervised directions with `w2w directions --find jacobian --keep`."
                : "It has \(offer.joined(separator: ", ")).")
    }

    /// "+1", "−0.5"
    static func signed(_ value: Float) -> String {
        let text = value == value.rounded() ? "\(Int(value))" : "\(value)"
        return value < 0 ? text : "+" + text
    }
}
