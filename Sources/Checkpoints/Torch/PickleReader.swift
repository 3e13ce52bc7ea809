import Foundation

/// Reads the description in a pickle (protocols 2 to 5 of CPython's `pickle`; opcodes as in its `pickletools`).
///
/// The reader is a stack of values and a memo, nothing else: a class or function outside `PickleGlobals` ends the reading with its name, and those on
/// the list become names. Bounded are the depth of nesting, the number of values and, by the file itself, all lengths.
struct PickleReader {
    private let bytes: UnsafeRawBufferPointer
    private let file: String
    private(set) var position: Int
    private var stack: [PickleValue] = []
    private var marks: [Int] = []
    private var memo: [Int: PickleValue] = [:]
    private var made = 0

    /// Deeper than anything that holds weights.
    private static let maximumDepth = 100
    /// Values that one pickle may make; a table of 65,000 people and 40 columns of objects makes 3 million.
    private static let maximumCount = 1 << 24

    /// - Parameters:
    ///   - bytes: of the file or of a member of it; valid while the reader lives.
    ///   - file: its path, for messages.
    ///   - position: where the pickle begins.
    init(_ bytes: UnsafeRawBufferPointer, file: String, position: Int = 0) {
        self.bytes = bytes
        self.file = file
        self.position = position
    }

    /// Reads one pickle; `position` is behind it afterwards.
    /// - Throws: `CheckpointError`: `notAllowed` with the name of what is refused, `malformed` with the place of what cannot be right.
    mutating func value() throws -> PickleValue {
        stack = []
        marks = []
        memo = [:]
        while true {
            let opcode = try byte()
            if opcode == UInt8(ascii: ".") {
                let result = try pop()
                guard stack.isEmpty, marks.isEmpty else { throw malformed("values are left over at the end") }
                return result
            }
            try step(opcode)
        }
    }

    private func malformed(_ reason: String) -> CheckpointError {
        CheckpointError(file: file, problem: .malformed(reason: "the pickle is damaged at byte \(position): \(reason)"))
    }

    private mutating func step(_ opcode: UInt8) throws {
        switch opcode {
        case 0x80:
            let version = try byte()
            guard (2...5).contains(version) else {
                throw CheckpointError(
                    file: file, problem: .unsupported(reason: "is a pickle of protocol \(version); save it with protocol 2 to 5"))
            }
        case 0x95: _ = try take(8)  // a frame: the length of what follows, of use for streams only
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: "0"): _ = try pop()
        case UInt8(ascii: "1"): _ = try popMark()
        case UInt8(ascii: "2"): try push(top())
        case UInt8(ascii: "N"): try push(.none)
        case 0x88: try push(.bool(true))
        case 0x89: try push(.bool(false))
        case UInt8(ascii: "J"): try push(.integer(Int(Int32(truncatingIfNeeded: try unsigned(4)))))
        case UInt8(ascii: "K"): try push(.integer(Int(try byte())))
        case UInt8(ascii: "M"): try push(.integer(try unsigned(2)))
        case 0x8A: try push(longInteger(Int(try byte())))
        case 0x8B: try push(longInteger(try unsigned(4)))
        case UInt8(ascii: "G"):
            let bits = try take(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            try push(.number(Double(bitPattern: bits)))
        case UInt8(ascii: "X"): try push(text(try unsigned(4)))
        case 0x8C: try push(text(Int(try byte())))
        case 0x8D: try push(text(try unsigned(8)))
        case UInt8(ascii: "B"): try push(.bytes(Array(try take(try unsigned(4)))))
        case UInt8(ascii: "C"): try push(.bytes(Array(try take(Int(try byte())))))
        case 0x8E, 0x96: try push(.bytes(Array(try take(try unsigned(8)))))
        case UInt8(ascii: "T"): try push(oldText(try unsigned(4)))
        case UInt8(ascii: "U"): try push(oldText(Int(try byte())))
        case UInt8(ascii: "h"): try recall(Int(try byte()))
        case UInt8(ascii: "j"): try recall(try unsigned(4))
        case UInt8(ascii: "q"): try remember(Int(try byte()))
        case UInt8(ascii: "r"): try remember(try unsigned(4))
        case 0x94: try remember(memo.count)
        default: try build(opcode)
        }
    }

    /// The opcodes that put values together.
    private mutating func build(_ opcode: UInt8) throws {
        switch opcode {
        case UInt8(ascii: "]"): try push(PickleNode(.list))
        case UInt8(ascii: "}"): try push(PickleNode(.dictionary))
        case UInt8(ascii: ")"): try push(PickleNode(.tuple))
        case 0x8F: try push(PickleNode(.set))
        case UInt8(ascii: "l"): try push(PickleNode(.list, items: try popMark()))
        case UInt8(ascii: "t"): try push(PickleNode(.tuple, items: try popMark()))
        case 0x91: try push(PickleNode(.set, items: try popMark()))
        case UInt8(ascii: "d"): try push(PickleNode(.dictionary, items: try popPairs()))
        case 0x85, 0x86, 0x87: try push(PickleNode(.tuple, items: try pop(Int(opcode) - 0x84)))
        case UInt8(ascii: "a"): try extend(with: [try pop()], opcode: "append") { $0 == .list || $0 == .call("builtins.list") }
        case UInt8(ascii: "e"): try extend(with: try popMark(), opcode: "appends") { $0 == .list || $0 == .call("builtins.list") }
        case 0x90: try extend(with: try popMark(), opcode: "additems") { $0 == .set }
        case UInt8(ascii: "s"): try extend(with: try pop(2), opcode: "setitem", whereDictionary: true)
        case UInt8(ascii: "u"): try extend(with: try popPairs(), opcode: "setitems", whereDictionary: true)
        case UInt8(ascii: "c"): try push(.global(try global(module: line(), name: line())))
        case 0x93:
            let names = try pop(2)
            guard let module = names[0].text, let name = names[1].text else { throw malformed("a class without a name") }
            try push(.global(try global(module: module, name: name)))
        case UInt8(ascii: "R"), 0x81:
            let parts = try pop(2)
            guard let arguments = parts[1].elements, parts[1].node?.kind == .tuple else {
                throw malformed("a call without arguments")
            }
            try call(parts[0], arguments)
        case 0x92:
            let parts = try pop(3)
            guard let arguments = parts[1].elements, let named = parts[2].node, named.isDictionary, named.items.isEmpty else {
                throw malformed("a call with named arguments")
            }
            try call(parts[0], arguments)
        case UInt8(ascii: "b"):
            let state = try pop()
            guard let node = try top().node, case .call = node.kind, node.state == nil else {
                throw malformed("a state for something that takes none")
            }
            try change(node, by: [state]) { $0.state = state }
        case UInt8(ascii: "Q"): try push(PickleNode(.persistent, arguments: [try pop()]))
        default:
            let names: [UInt8: String] = [
                UInt8(ascii: "i"): "INST", UInt8(ascii: "o"): "OBJ", UInt8(ascii: "P"): "PERSID", 0x82: "EXT1", 0x83: "EXT2",
                0x84: "EXT4", 0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
            ]
            throw malformed("the opcode \(names[opcode] ?? "0x" + String(opcode, radix: 16)) is not read")
        }
    }

    // MARK: Calls and collections

    private func global(module: String, name: String) throws -> String {
        guard let known = PickleGlobals.known(module: module, name: name) else {
            throw CheckpointError(file: file, problem: .notAllowed(name: Self.printable("\(module).\(name)")))
        }
        return known
    }

    private mutating func call(_ callee: PickleValue, _ arguments: [PickleValue]) throws {
        guard case .global(let name) = callee else { throw malformed("a call of \(callee.summary)") }
        guard PickleGlobals.isCallable(name) else {
            throw CheckpointError(file: file, problem: .notAllowed(name: "a call of \(name)"))
        }
        try push(PickleNode(.call(name), arguments: arguments))
    }

    private mutating func extend(
        with values: [PickleValue], opcode: String, whereDictionary: Bool = false,
        _ accepts: (PickleNode.Kind) -> Bool = { _ in false }
    ) throws {
        guard let node = try top().node, whereDictionary ? node.isDictionary : accepts(node.kind) else {
            throw malformed("\(opcode) on \(try top().summary)")
        }
        try change(node, by: values) { $0.items += values }
    }

    /// Changes a node that lies in no other yet: contents come before their container, except in a cycle.
    private func change(_ node: PickleNode, by values: [PickleValue], _ body: (PickleNode) -> Void) throws {
        guard !node.isContained, !values.contains(where: { $0.node === node }) else {
            throw malformed("something that contains itself, or changes later")
        }
        body(node)
        node.adopt(values)
        try check(node)
    }

    private func check(_ node: PickleNode) throws {
        guard node.depth <= Self.maximumDepth else { throw malformed("nested deeper than \(Self.maximumDepth)") }
    }

    // MARK: The stack

    private mutating func push(_ value: PickleValue) throws {
        made += 1
        guard made <= Self.maximumCount else { throw malformed("more than \(Self.maximumCount) values") }
        stack.append(value)
    }

    private mutating func push(_ node: PickleNode) throws {
        try check(node)
        try push(.node(node))
    }

    private func top() throws -> PickleValue {
        guard stack.count > marks.last ?? 0, let top = stack.last else { throw malformed("a value is missing") }
        return top
    }

    private mutating func pop() throws -> PickleValue {
        let value = try top()
        stack.removeLast()
        return value
    }

    /// The topmost `count` values, in the order in which they were put there.
    private mutating func pop(_ count: Int) throws -> [PickleValue] {
        guard stack.count - (marks.last ?? 0) >= count else { throw malformed("a value is missing") }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popMark() throws -> [PickleValue] {
        guard let mark = marks.popLast() else { throw malformed("a mark is missing") }
        defer { stack.removeLast(stack.count - mark) }
        return Array(stack[mark...])
    }

    private mutating func popPairs() throws -> [PickleValue] {
        let items = try popMark()
        guard items.count % 2 == 0 else { throw malformed("a key without a value") }
        return items
    }

    private mutating func remember(_ index: Int) throws {
        memo[index] = try top()
        guard memo.count <= Self.maximumCount else { throw malformed("more than \(Self.maximumCount) remembered values") }
    }

    private mutating func recall(_ index: Int) throws {
        guard let value = memo[index] else { throw malformed("entry \(index) of the memo is missing") }
        try push(value)
    }

    // MARK: Bytes

    private mutating func byte() throws -> UInt8 {
        guard position < bytes.count else { throw malformed("it ends too early") }
        defer { position += 1 }
        return bytes[position]
    }

    private mutating func take(_ count: Int) throws -> UnsafeRawBufferPointer {
        guard count >= 0, count <= bytes.count - position else { throw malformed("\(count) bytes are promised, it ends before") }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)])
    }

    private mutating func unsigned(_ count: Int) throws -> Int {
        let value = try take(count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard let number = Int(exactly: value) else { throw malformed("a length of \(value)") }
        return number
    }

    private mutating func longInteger(_ count: Int) throws -> PickleValue {
        let bytes = try take(count)
        guard count <= 8 else { return .longInteger(Array(bytes)) }
        guard let last = bytes.last else { return .integer(0) }
        let sign: UInt64 = last & 0x80 == 0 ? 0 : .max
        return .integer(Int(truncatingIfNeeded: bytes.reversed().reduce(sign) { $0 << 8 | UInt64($1) }))
    }

    private mutating func text(_ count: Int) throws -> PickleValue {
        guard let text = String(validating: try take(count), as: UTF8.self) else { throw malformed("a text that is not UTF-8") }
        return .text(text)
    }

    /// A string of Python 2: text where it can be, else bytes.
    private mutating func oldText(_ count: Int) throws -> PickleValue {
        let bytes = try take(count)
        return String(validating: bytes, as: UTF8.self).map { .text($0) } ?? .bytes(Array(bytes))
    }

    private mutating func line() throws -> String {
        let start = position
        while try byte() != UInt8(ascii: "\n") {
            if position - start > 1000 { throw malformed("a name without an end") }
        }
        guard let text = String(validating: bytes[start..<(position - 1)], as: UTF8.self) else {
            throw malformed("a name that is not UTF-8")
        }
        return text
    }

    /// Text from a hostile file that is shown to a person: no control characters, no end of the line.
    private static func printable(_ text: String) -> String {
        String(
            text.unicodeScalars.prefix(120).map {
                $0.value >= 0x20 && $0.value != 0x7F && !(0x80..<0xA0).contains($0.value) ? Character($0) : "?"
            })
    }
}
