import ArgumentParser
import EngineAPI
import Foundation
import Library
import WeightSpace

/// `w2w directions`: list, find, keep and share directions.
struct DirectionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "directions",
        abstract: "List, find, keep and share directions: attributes and what the decoder reacts to.",
        discussion: """
            A direction changes a code by strength times its step. For an attribute that people have or have not, strength 1 goes from a \
            typical person without it to a typical person with it; for a graded attribute and for unsupervised directions it is one standard \
            deviation of the identities. Every attribute that varies has a direction by least squares without being asked for. --hold projects \
            other attributes out, so that their scores stay. Directions are fitted to the identities that the weight VAE was trained on and \
            scored on the others. Kept directions are sliders of the explorer and names for `w2w edit`.

            Examples:
              w2w directions
              w2w directions --find Young --hold Gray_Hair --hold Bald --name "younger face" --keep
              w2w directions --find Eyeglasses --method logistic --out glasses.json
              w2w directions --find jacobian --count 8 --keep
              w2w directions --add glasses.json
            """
    )

    /// How the direction of an attribute is found.
    enum Fit: String, CaseIterable, ExpressibleByArgument {
        case leastSquares = "least-squares"
        case logistic
    }

    @OptionGroup var space: SpaceOptions

    @Option(help: ArgumentHelp("An attribute of the space, or sefa or jacobian for unsupervised directions.", valueName: "what"))
    var find: String?

    @Option(help: "How an attribute's direction is found.")
    var method: Fit = .leastSquares

    @Option(help: ArgumentHelp("An attribute that shall not change; may be given several times.", valueName: "attribute"))
    var hold: [String] = []

    @Option(help: ArgumentHelp("How many unsupervised directions, strongest first.", valueName: "n"))
    var count = 8

    @Option(help: ArgumentHelp("L2 penalty of the logistic regression, in units of the prior.", valueName: "x"))
    var penalty = 10.0

    @Option(help: ArgumentHelp("What to call the direction of an attribute.", valueName: "text"))
    var name: String?

    @Flag(help: "Keep what was found: in the folder of your own data, for this space and model.")
    var keep = false

    @Option(
        help: ArgumentHelp("Write what was found, or without --find all kept directions, to a file to share.", valueName: "file"))
    var out: String?

    @Option(help: ArgumentHelp("Keep the directions of a file that somebody shared.", valueName: "file"))
    var add: String?

    @Option(help: ArgumentHelp("Forget a direction that you kept.", valueName: "name"))
    var forget: String?

    @Flag(help: "Write your kept directions into the space itself, as its directions.json.")
    var intoSpace = false

    func validate() throws {
        if find == nil, !hold.isEmpty || name != nil || keep {
            throw ValidationError("--hold, --name and --keep belong to a direction that is being found: give --find ATTRIBUTE.")
        }
        switch find?.lowercased() {
        case nil:
            try IdleOptions.refuse(
                [("--method", method != .leastSquares), ("--count", count != 8), ("--penalty", penalty != 10)], "without '--find'"
            )
        case "sefa", "jacobian":
            try IdleOptions.refuse(
                [
                    ("--method", method != .leastSquares), ("--hold", !hold.isEmpty), ("--name", name != nil),
                    ("--penalty", penalty != 10),
                ],
                "on directions without labels")
        default:
            try IdleOptions.refuse([("--count", count != 8)], "on an attribute")
            try IdleOptions.refuse([("--penalty", method != .logistic && penalty != 10)], "without '--method logistic'")
        }
        guard count >= 1 else { throw ValidationError("'--count \(count)' should be 1 or more.") }
        guard penalty > 0, penalty.isFinite else { throw ValidationError("'--penalty \(penalty)' should be above 0.") }
        if let out { try OutputFile.validate(out, kinds: ["json"]) }
        if name?.isEmpty == true || (name?.count ?? 0) > 200 { throw ValidationError("A name has 1 to 200 characters.") }
    }

    func run() throws {
        let opened = try space.openedSpace()
        let shelf = DirectionShelf(directory: Directories().directions)
        if let add { try keep(try belonging(to: opened, file: add), on: shelf, of: opened) }
        if let forget { try remove(forget, from: shelf, of: opened) }
        if let find {
            let found = try search(find, in: opened)
            if keep { try keep(found, on: shelf, of: opened) }
            if let out { try DirectionsFile.write(found, to: URL(fileURLWithPath: out)) }
            print(Self.table(found))
            return
        }
        let saved = try shelf.saved(for: opened)
        if let out {
            let named = saved + opened.namedDirections
            guard !named.isEmpty else {
                throw CommandFailure("no direction is kept.", advice: "Find one with --find and --keep.")
            }
            try DirectionsFile.write(named, to: URL(fileURLWithPath: out))
        }
        if intoSpace { try write(saved, into: opened) }
        print(Self.table(try opened.directions(including: saved)))
    }

    private func search(_ what: String, in opened: Space) throws -> [Direction] {
        let finder = try DirectionFinder(opened)
        finder.penalty = penalty
        Interruption.shared.listen()
        switch what.lowercased() {
        case "sefa": return try finder.sefa(count: count)
        case "jacobian":
            defer { ProgressLine.clear() }
            return try finder.jacobian(count: count) { share in
                try Interruption.shared.check()
                ProgressLine.show(Progress(activity: "finding directions", done: Int(share * 100), total: 100))
            }
        default:
            let fit: Direction.Method = method == .logistic ? .logistic : .leastSquares
            return [try finder.direction(of: what, method: fit, holding: hold, name: name)]
        }
    }

    /// The directions of a shared file, if they were found in this space with this model.
    private func belonging(to opened: Space, file: String) throws -> [Direction] {
        let directions = try DirectionsFile.read(URL(fileURLWithPath: file))
        let fingerprint = try opened.fingerprint()
        guard let stranger = directions.first(where: { $0.fingerprint != fingerprint || $0.step.count != opened.latentDimension })
        else { return directions }
        throw CommandFailure(
            "\(file): '\(stranger.name)' was found in another space or for its \(stranger.model.rawValue.uppercased()) "
                + "(\(stranger.fingerprint.prefix(8)); this is '\(opened.manifest.name)', \(fingerprint.prefix(8))).",
            advice: "Give the space it was found in by --space, and --model \(stranger.model.rawValue).")
    }

    private func keep(_ directions: [Direction], on shelf: DirectionShelf, of opened: Space) throws {
        let names = Set(directions.map(\.name))
        try shelf.change(for: opened) { kept in
            kept.removeAll { names.contains($0.name) }
            kept += directions
        }
    }

    private func remove(_ name: String, from shelf: DirectionShelf, of opened: Space) throws {
        guard try shelf.saved(for: opened).contains(where: { $0.name == name }) else {
            throw CommandFailure("no direction is kept under the name '\(name)'.", advice: "`w2w directions` lists them.")
        }
        try shelf.change(for: opened) { kept in kept.removeAll { $0.name == name } }
    }

    private func write(_ directions: [Direction], into opened: Space) throws {
        var all = opened.namedDirections
        for direction in directions {
            all.removeAll { $0.name == direction.name && $0.model == direction.model }
            all.append(direction)
        }
        guard !all.isEmpty else { throw CommandFailure("no direction is kept.", advice: "Find one with --find and --keep.") }
        try SpaceWriter.replace([(DirectionsFile.name, .directions)], in: opened.folder) {
            try DirectionsFile.write(all, to: $0.appendingPathComponent(DirectionsFile.name))
        }
    }

    /// One line for each direction.
    static func table(_ directions: [Direction]) -> String {
        guard !directions.isEmpty else { return "no directions" }
        let width = max(4, directions.map(\.name.count).max() ?? 0) + 2
        let pad = { (text: String, width: Int) in text + String(repeating: " ", count: max(1, width - text.count)) }
        var lines = [pad("name", width) + pad("method", 15) + pad("one unit is", 24) + "on people it was not fitted to"]
        for direction in directions {
            let unit =
                direction.unit == .classGap
                ? "class gap, \(String(format: "%.2f", direction.deviations)) σ"
                : "\(String(format: "%.2f", direction.deviations)) σ"
            var quality = direction.share.map { "\(String(format: "%.1f", $0 * 100)) % of the decoder's sensitivity" } ?? ""
            if let score = direction.score {
                let figure = { (value: Double) in String(format: "%.3f", value) }
                let parts = [
                    score.accuracy.map { "accuracy \(figure($0))" }, score.balancedAccuracy.map { "balanced \(figure($0))" },
                    score.areaUnderCurve.map { "AUC \(figure($0))" }, "correlation \(figure(score.correlation))",
                    score.count > 0 ? "(\(score.positives > 0 ? "\(score.positives) of " : "")\(score.count))" : nil,
                ]
                quality = parts.compactMap { $0 }.joined(separator: ", ")
            }
            lines.append(pad(direction.name, width) + pad(direction.method.rawValue, 15) + pad(unit, 24) + quality)
        }
        return lines.joined(separator: "\n")
    }
}
