import Checkpoints
import Foundation

/// Names and attribute labels of the identities of a space (`identities.csv`): row i belongs to vector i.
public struct IdentityLabels: Sendable, Equatable {
    public let names: [String]
    public let attributeNames: [String]
    /// [names.count, attributeNames.count], row-major; NaN where a label is missing.
    public let values: [Float]

    public var count: Int { names.count }

    public init(names: [String], attributeNames: [String], values: [Float]) {
        precondition(values.count == names.count * attributeNames.count, "one label per name and attribute")
        self.names = names
        self.attributeNames = attributeNames
        self.values = values
    }

    /// The labels of one attribute, by identity.
    public func column(_ index: Int) -> [Float] { names.indices.map { values[$0 * attributeNames.count + index] } }

    /// Reads a comma-separated file (RFC 4180): a heading whose first column is `identity`, then one line per identity.
    /// - Throws: `SpaceError` that names the line.
    public init(contentsOf url: URL) throws {
        try self.init(csv: Self.text(of: url), file: url.path)
    }

    private static func text(of url: URL) throws -> String {
        let file = try MappedFile(url)
        guard let text = String(validating: file.bytes, as: UTF8.self) else {
            throw SpaceError("\(url.path): is not UTF-8 text", advice: "Save the table as UTF-8.")
        }
        return text
    }

    /// The fields of a comma-separated file, line by line.
    /// - Throws: `SpaceError` that names the line.
    static func lines(of url: URL) throws -> [(line: Int, fields: [String])] {
        try rows(text(of: url)) { SpaceError("\(url.path):\($0): \($1)", advice: "Write the table again.") }
    }

    /// Reads the table from text; `file` is for messages.
    /// - Throws: `SpaceError` that names the line.
    public init(csv text: String, file: String) throws {
        func failure(_ line: Int, _ what: String) -> SpaceError {
            SpaceError("\(file):\(line): \(what)", advice: "Each line is a name and one number (or nothing) per attribute.")
        }
        let rows = try Self.rows(text) { failure($0, $1) }
        guard let heading = rows.first, heading.fields[0].lowercased() == "identity" else {
            throw failure(1, "the first column of the heading should be \"identity\"")
        }
        let attributes = Array(heading.fields.dropFirst())
        if let twice = Self.firstDuplicate(attributes) { throw failure(1, "the attribute \"\(twice)\" stands twice") }
        var names = [String]()
        var values = [Float]()
        for (line, fields) in rows.dropFirst() {
            guard fields.count == heading.fields.count else {
                throw failure(line, "\(fields.count) columns, the heading has \(heading.fields.count)")
            }
            guard !fields[0].isEmpty else { throw failure(line, "the name is missing") }
            names.append(fields[0])
            for (attribute, field) in zip(attributes, fields.dropFirst()) {
                let trimmed = field.trimmingCharacters(in: .whitespaces)
                guard let value = trimmed.isEmpty ? .nan : Float(trimmed) else {
                    throw failure(line, "\(attribute) is \"\(field)\", not a number")
                }
                values.append(value)
            }
        }
        if let twice = Self.firstDuplicate(names) { throw failure(1, "the identity \"\(twice)\" stands twice") }
        self.init(names: names, attributeNames: attributes, values: values)
    }

    private static func firstDuplicate(_ items: [String]) -> String? {
        var seen = Set<String>()
        return items.first { !seen.insert($0).inserted }
    }

    /// Splits text into fields; quoted fields may hold commas, line ends and doubled quotes.
    private static func rows(
        _ text: String, failure: (Int, String) -> SpaceError
    ) throws -> [(line: Int, fields: [String])] {
        var rows = [(line: Int, fields: [String])]()
        var (fields, field) = ([String](), "")
        var (line, start, quoted) = (1, 1, false)
        var scalars = text.unicodeScalars.makeIterator()
        var pending: Unicode.Scalar?
        func endRow() {
            fields.append(field)
            field = ""
            if fields != [""] { rows.append((start, fields)) }
            fields = []
        }
        while let scalar = pending ?? scalars.next() {
            pending = nil
            if quoted {
                if scalar == "\"" {
                    pending = scalars.next()
                    if pending == "\"" {
                        field.unicodeScalars.append(scalar)
                        pending = nil
                    } else {
                        quoted = false
                    }
                } else {
                    if scalar == "\n" { line += 1 }
                    field.unicodeScalars.append(scalar)
                }
                continue
            }
            switch scalar {
            case "\"" where field.isEmpty: quoted = true
            case ",":
                fields.append(field)
                field = ""
            case "\r", "\u{feff}": break
            case "\n":
                endRow()
                line += 1
                start = line
            default: field.unicodeScalars.append(scalar)
            }
        }
        if quoted { throw failure(start, "a quotation mark is never closed") }
        endRow()
        return rows
    }

    /// The table as a file: what `init(contentsOf:)` reads.
    var csv: String {
        func quoted(_ text: String) -> String {
            text.contains(where: { ",\"\n\r".contains($0) })
                ? "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\"" : text
        }
        func number(_ value: Float) -> String {
            value.isNaN ? "" : value == value.rounded() && abs(value) < 1e6 ? String(Int(value)) : "\(value)"
        }
        var lines = [(["identity"] + attributeNames).map(quoted).joined(separator: ",")]
        for (row, name) in names.enumerated() {
            let row = row * attributeNames.count
            lines.append(([quoted(name)] + values[row..<(row + attributeNames.count)].map(number)).joined(separator: ","))
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
