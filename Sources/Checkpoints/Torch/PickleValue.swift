/// What a pickle describes. Nothing of it has been executed: calls and objects stand for themselves until somebody who knows them reads
/// their arguments.
public enum PickleValue {
    case none
    case bool(Bool)
    case integer(Int)
    /// A whole number beyond 64 bits, two's complement, little-endian.
    case longInteger([UInt8])
    case number(Double)
    case text(String)
    case bytes([UInt8])
    /// A class or function of the list, "module.name".
    case global(String)
    case node(PickleNode)

    /// The value in a few words, for error messages.
    public var summary: String {
        switch self {
        case .none: "None"
        case .bool(let value): value ? "True" : "False"
        case .integer(let value): "\(value)"
        case .longInteger(let bytes): "a whole number of \(bytes.count) bytes"
        case .number(let value): "\(value)"
        case .text(let text): "\"\(text.count > 40 ? String(text.prefix(40)) + "..." : text)\""
        case .bytes(let bytes): "\(bytes.count) bytes"
        case .global(let name): name
        case .node(let node): node.summary
        }
    }

    /// A whole number; truth values are 0 and 1.
    public var integer: Int? {
        switch self {
        case .integer(let value): value
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }

    public var text: String? { if case .text(let text) = self { text } else { nil } }
    public var node: PickleNode? { if case .node(let node) = self { node } else { nil } }
    /// `None`, or what pandas has in its place.
    var isNone: Bool {
        switch self {
        case .none, .global("pandas.NA"): true
        default: false
        }
    }

    /// The elements of a tuple or a list.
    public var elements: [PickleValue]? {
        guard let node else { return nil }
        switch node.kind {
        case .tuple, .list: return node.items
        default: return nil
        }
    }

    /// Whole numbers of a tuple or list (or of a `torch.Size`), each from 0 on.
    public var sizes: [Int]? {
        if let node, case .call("torch.Size") = node.kind { return node.arguments.first?.sizes }
        guard let elements else { return nil }
        let values = elements.compactMap(\.integer)
        return values.count == elements.count && values.allSatisfy { $0 >= 0 } ? values : nil
    }

    var depth: Int { node?.depth ?? 0 }
}

/// A list, tuple, dictionary, or a call or object that a pickle describes.
///
/// Its contents are complete before it becomes part of another, so there are no cycles and the depth is known.
public final class PickleNode {
    /// What the pickle made.
    public enum Kind: Equatable {
        case tuple, list, dictionary, set
        /// The result of calling a function or class of the list with `arguments`.
        case call(String)
        /// An object whose numbers lie beside the pickle; `arguments` say which.
        case persistent
    }

    public let kind: Kind
    public let arguments: [PickleValue]
    /// Elements; of dictionaries keys and values in turn. Calls that make collections have some too.
    public internal(set) var items: [PickleValue]
    /// What the object was given after it was made (`__setstate__`).
    public internal(set) var state: PickleValue?
    private(set) var depth: Int
    /// Whether it lies in another; from then on it does not change.
    private(set) var isContained = false

    init(_ kind: Kind, arguments: [PickleValue] = [], items: [PickleValue] = []) {
        self.kind = kind
        self.arguments = arguments
        self.items = items
        depth = 1
        adopt(arguments)
        adopt(items)
    }

    /// Makes values that were just added parts of this one.
    func adopt(_ values: some Sequence<PickleValue>) {
        for value in values {
            guard let node = value.node else { continue }
            node.isContained = true
            depth = max(depth, node.depth + 1)
        }
    }

    /// The values of a dictionary's text keys, the later of equal keys; nil when this is no dictionary.
    public var members: [(key: String, value: PickleValue)]? {
        guard isDictionary else { return nil }
        var members = [(key: String, value: PickleValue)]()
        var places = [String: Int]()
        for (key, value) in pairs {
            guard let key = key.text else { continue }
            if let place = places[key] {
                members[place].value = value
            } else {
                places[key] = members.count
                members.append((key, value))
            }
        }
        return members
    }

    /// Keys and values of a dictionary as they stand in the file.
    var pairs: [(PickleValue, PickleValue)] {
        var pairs = [(PickleValue, PickleValue)]()
        // An ordered dictionary may also be called with a list of pairs (Python 2).
        for pair in (kind == .dictionary ? nil : arguments.first?.elements) ?? [] {
            if let pair = pair.elements, pair.count == 2 { pairs.append((pair[0], pair[1])) }
        }
        for at in stride(from: 0, to: items.count - 1, by: 2) { pairs.append((items[at], items[at + 1])) }
        return pairs
    }

    var isDictionary: Bool {
        switch kind {
        case .dictionary: true
        case .call(let name): PickleGlobals.dictionaries.contains(name)
        default: false
        }
    }

    /// The value of a text key.
    subscript(key: String) -> PickleValue? { members?.first { $0.key == key }?.value }

    var summary: String {
        switch kind {
        case .tuple: "a tuple of \(items.count)"
        case .list: "a list of \(items.count)"
        case .set: "a set of \(items.count)"
        case .dictionary: "a dictionary of \(items.count / 2)"
        case .call(let name): isDictionary ? "a dictionary of \(pairs.count)" : "an object of \(name)"
        case .persistent: "a storage"
        }
    }
}
