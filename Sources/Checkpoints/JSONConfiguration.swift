import Foundation

/// A kind of value that a configuration can hold.
public protocol ConfigurationValue {
    /// What is expected, in words: "a whole number".
    static var kind: String { get }
    /// The value, or nil when the JSON is of another kind.
    init?(json: JSONValue)
}

extension Int: ConfigurationValue {
    public static var kind: String { "a whole number" }
    public init?(json: JSONValue) {
        switch json {
        case .integer(let value): self = value
        case .number(let value): self.init(exactly: value)
        default: return nil
        }
    }
}

extension Double: ConfigurationValue {
    public static var kind: String { "a number" }
    public init?(json: JSONValue) {
        switch json {
        case .integer(let value): self = Double(value)
        case .number(let value): self = value
        default: return nil
        }
    }
}

extension Float: ConfigurationValue {
    public static var kind: String { "a number" }
    public init?(json: JSONValue) {
        guard let value = Double(json: json) else { return nil }
        self = Float(value)
    }
}

extension Bool: ConfigurationValue {
    public static var kind: String { "true or false" }
    public init?(json: JSONValue) {
        guard case .bool(let value) = json else { return nil }
        self = value
    }
}

extension String: ConfigurationValue {
    public static var kind: String { "a text" }
    public init?(json: JSONValue) {
        guard case .string(let value) = json else { return nil }
        self = value
    }
}

extension Array: ConfigurationValue where Element: ConfigurationValue {
    public static var kind: String { "a list, each \(Element.kind)" }
    public init?(json: JSONValue) {
        guard case .array(let values) = json else { return nil }
        self = []
        for value in values {
            guard let element = Element(json: value) else { return nil }
            append(element)
        }
    }
}

/// An object of a JSON file whose values are asked for by key; errors name the file and the key.
public struct JSONConfiguration: Sendable {
    /// Path of the file, for messages.
    public let file: String
    /// The members in the file's order.
    public let members: [JSONValue.Member]
    private let path: String

    /// Reads a file whose top value is an object.
    /// - Throws: `CheckpointError` when it cannot be read, is not JSON or not an object.
    public init(contentsOf url: URL) throws {
        let mapped = try MappedFile(url)
        try self.init(bytes: mapped.bytes, file: url.path)
    }

    /// Reads an object from text.
    /// - Throws: `CheckpointError` when it is not JSON or not an object.
    public init(text: String, file: String) throws {
        var text = text
        self = try text.withUTF8 { try JSONConfiguration(bytes: UnsafeRawBufferPointer($0), file: file) }
    }

    init(bytes: UnsafeRawBufferPointer, file: String) throws {
        let value: JSONValue
        do {
            value = try JSONParser.parse(bytes)
        } catch {
            throw CheckpointError(
                file: file, problem: .invalidJSON(line: error.line, column: error.column, reason: error.reason))
        }
        guard case .object(let members) = value else {
            throw CheckpointError(file: file, problem: .malformed(reason: "is \(value.summary), not an object of keys"))
        }
        self.init(file: file, members: members, path: "")
    }

    /// An object that was put together rather than read.
    /// - Parameters:
    ///   - members: keys and values.
    ///   - file: what it was made from, for messages.
    public init(members: [JSONValue.Member], file: String) { self.init(file: file, members: members, path: "") }

    private init(file: String, members: [JSONValue.Member], path: String) {
        self.file = file
        self.members = members
        self.path = path
    }

    /// The value of a key as it stands, or nil.
    public subscript(key: String) -> JSONValue? { members.first { $0.key == key }?.value }

    /// The value of a key that must be there.
    /// - Throws: `CheckpointError` that names file, key and kind.
    public func require<Value: ConfigurationValue>(_ key: String, as _: Value.Type = Value.self) throws -> Value {
        guard let value = try optional(key, as: Value.self) else {
            throw CheckpointError(file: file, problem: .missingKey(key: path + key, expected: Value.kind))
        }
        return value
    }

    /// The value of a key, or nil when it is missing or null.
    /// - Throws: `CheckpointError` when the value is of another kind.
    public func optional<Value: ConfigurationValue>(_ key: String, as _: Value.Type = Value.self) throws -> Value? {
        guard let json = self[key], json != .null else { return nil }
        guard let value = Value(json: json) else { throw wrong(key, expected: Value.kind) }
        return value
    }

    /// The value of a key, or `fallback` when it is missing or null.
    /// - Throws: `CheckpointError` when the value is of another kind.
    public func value<Value: ConfigurationValue>(_ key: String, default fallback: Value) throws -> Value {
        try optional(key) ?? fallback
    }

    /// A finite number, at least `minimum`; `fallback` when the key is missing or null.
    /// - Throws: `CheckpointError` when the value is of another kind or out of range.
    public func finite<Value: ConfigurationValue & BinaryFloatingPoint>(
        _ key: String, default fallback: Value, from minimum: Value = -.greatestFiniteMagnitude
    ) throws -> Value {
        let value = try value(key, default: fallback)
        guard value.isFinite, value >= minimum else {
            throw wrong(key, expected: minimum == -.greatestFiniteMagnitude ? "a finite number" : "a number from \(minimum) on")
        }
        return value
    }

    /// A number of things, at least 1 and at most `limit`.
    /// - Throws: `CheckpointError` when the key is missing, of another kind or out of range.
    public func count(_ key: String, default fallback: Int? = nil, limit: Int = 1 << 20) throws -> Int {
        guard let value = try optional(key, as: Int.self) ?? fallback else {
            throw CheckpointError(file: file, problem: .missingKey(key: path + key, expected: Int.kind))
        }
        guard (1...limit).contains(value) else { throw wrong(key, expected: "between 1 and \(limit)") }
        return value
    }

    /// A list of numbers of things, each at least 1 and at most `limit`, not empty.
    /// - Throws: `CheckpointError` when the key is missing, of another kind or out of range.
    public func counts(_ key: String, limit: Int = 1 << 20) throws -> [Int] {
        let values = try require(key, as: [Int].self)
        guard !values.isEmpty, values.allSatisfy((1...limit).contains) else {
            throw wrong(key, expected: "a list of whole numbers between 1 and \(limit)")
        }
        return values
    }

    /// The nested object of a key.
    /// - Throws: `CheckpointError` when it is missing or no object.
    public func object(_ key: String) throws -> JSONConfiguration {
        switch self[key] {
        case .object(let members): return JSONConfiguration(file: file, members: members, path: path + key + ".")
        case nil: throw CheckpointError(file: file, problem: .missingKey(key: path + key, expected: "an object"))
        default: throw wrong(key, expected: "an object")
        }
    }

    /// The nested objects of a key that holds a list of them.
    /// - Throws: `CheckpointError` when it is missing or holds something else.
    public func objects(_ key: String) throws -> [JSONConfiguration] {
        guard let json = self[key] else {
            throw CheckpointError(file: file, problem: .missingKey(key: path + key, expected: "a list of objects"))
        }
        guard case .array(let values) = json else { throw wrong(key, expected: "a list of objects") }
        return try values.enumerated().map { index, value in
            guard case .object(let members) = value else { throw wrong(key, expected: "a list of objects") }
            return JSONConfiguration(file: file, members: members, path: path + "\(key)[\(index)].")
        }
    }

    /// The error for a key whose value is not what `expected` says.
    public func wrong(_ key: String, expected: String) -> CheckpointError {
        CheckpointError(
            file: file,
            problem: .wrongValue(key: path + key, expected: expected, found: self[key]?.summary ?? "nothing"))
    }
}
