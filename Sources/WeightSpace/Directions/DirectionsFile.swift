import Checkpoints
import Foundation

/// Named directions in a file: `directions.json` of a space, or a file to share.
public enum DirectionsFile {
    public static let name = "directions.json"

    /// Reads directions.
    /// - Throws: `CheckpointError` with the key that is missing, unknown or wrong; `SpaceError` when a name stands twice.
    public static func read(_ url: URL) throws -> [Direction] {
        let json = try JSONConfiguration(contentsOf: url)
        try json.refuseKeys(besides: ["format", "directions"])
        guard try json.require("format", as: Int.self) == 1 else { throw json.wrong("format", expected: "1") }
        let directions = try json.objects("directions").map(direction)
        var seen = Set<String>()
        if let twice = directions.first(where: { !seen.insert("\($0.model.rawValue) \($0.name)").inserted }) {
            throw SpaceError("\(url.path): the direction '\(twice.name)' stands twice", advice: "Rename one of the two.")
        }
        return directions
    }

    /// Writes directions; what stood there stays when that fails.
    /// - Throws: `CheckpointError` when the file cannot be written.
    public static func write(_ directions: [Direction], to url: URL) throws {
        let text =
            JSONValue.object([.init("format", .integer(1)), .init("directions", .array(directions.map(value)))]).text() + "\n"
        try AtomicFile.write(to: url) { try $0.append(text) }
    }

    private static func direction(_ item: JSONConfiguration) throws -> Direction {
        try item.refuseKeys(besides: [
            "name", "model", "space_fingerprint", "method", "attribute", "held", "unit", "deviations", "share", "held_out",
            "step",
        ])
        func choice<Value: RawRepresentable & CaseIterable>(_ key: String, _: Value.Type) throws -> Value
        where Value.RawValue == String {
            let text = try item.require(key, as: String.self)
            guard let value = Value(rawValue: text) else {
                throw item.wrong(key, expected: "one of " + Value.allCases.map(\.rawValue).joined(separator: ", "))
            }
            return value
        }
        let unit = try item.require("unit", as: String.self)
        guard let unit = Direction.Unit(rawValue: unit) else {
            throw item.wrong("unit", expected: "\"class gap\" or \"deviation\"")
        }
        let step = try item.require("step", as: [Float].self)
        guard !step.isEmpty, step.allSatisfy(\.isFinite), step.contains(where: { $0 != 0 }) else {
            throw item.wrong("step", expected: "finite numbers that are not all 0")
        }
        let name = try item.require("name", as: String.self)
        guard !name.isEmpty, name.count <= 200 else { throw item.wrong("name", expected: "1 to 200 characters") }
        var score: Direction.Score?
        if item["held_out"] != nil {
            let result = try item.object("held_out")
            try result.refuseKeys(besides: ["count", "positives", "accuracy", "balanced_accuracy", "auc", "correlation"])
            score = Direction.Score(
                count: try result.require("count"), positives: try result.require("positives"),
                accuracy: try result.optional("accuracy"), balancedAccuracy: try result.optional("balanced_accuracy"),
                areaUnderCurve: try result.optional("auc"), correlation: try result.require("correlation"))
        }
        return Direction(
            name: name, model: try choice("model", WeightModelKind.self), fingerprint: try item.require("space_fingerprint"),
            method: try choice("method", Direction.Method.self), attribute: try item.optional("attribute"),
            held: try item.optional("held", as: [String].self) ?? [], step: step, unit: unit,
            deviations: try item.require("deviations"), score: score, share: try item.optional("share"))
    }

    private static func value(_ direction: Direction) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("name", .string(direction.name)), .init("model", .string(direction.model.rawValue)),
            .init("space_fingerprint", .string(direction.fingerprint)), .init("method", .string(direction.method.rawValue)),
        ]
        if let attribute = direction.attribute { members.append(.init("attribute", .string(attribute))) }
        if !direction.held.isEmpty { members.append(.init("held", .array(direction.held.map { .string($0) }))) }
        members.append(.init("unit", .string(direction.unit.rawValue)))
        members.append(.init("deviations", .float(direction.deviations)))
        if let share = direction.share { members.append(.init("share", .float(share))) }
        if let score = direction.score {
            var results: [JSONValue.Member] = [
                .init("count", .integer(score.count)), .init("positives", .integer(score.positives)),
            ]
            for (key, number) in [
                ("accuracy", score.accuracy), ("balanced_accuracy", score.balancedAccuracy), ("auc", score.areaUnderCurve),
                ("correlation", score.correlation),
            ] {
                if let number { results.append(.init(key, .float(Float(number)))) }
            }
            members.append(.init("held_out", .object(results)))
        }
        members.append(.init("step", .array(direction.step.map { .float($0) })))
        return .object(members)
    }
}
