import CNcursesw
import ScreenModel

/// What the byte sequences of keys mean: the forms that xterm made common, and those that terminfo names for this terminal.
struct KeyTable {
    private var sequences: [[UInt8]: KeyEvent] = [:]

    /// Only the common forms.
    init() {}

    /// The common forms and those of the current terminfo entry.
    /// - Precondition: `setupterm` or `newterm` has been called.
    init(terminfo: Void) {
        var names: [(String, KeyEvent)] = [
            ("kcuu1", KeyEvent(.up)), ("kcud1", KeyEvent(.down)), ("kcub1", KeyEvent(.left)), ("kcuf1", KeyEvent(.right)),
            ("khome", KeyEvent(.home)), ("kend", KeyEvent(.end)), ("kpp", KeyEvent(.pageUp)), ("knp", KeyEvent(.pageDown)),
            ("kich1", KeyEvent(.insert)), ("kdch1", KeyEvent(.delete)), ("kcbt", KeyEvent(.tab, shift: true)),
            ("kLFT", KeyEvent(.left, shift: true)), ("kRIT", KeyEvent(.right, shift: true)), ("kri", KeyEvent(.up, shift: true)),
            ("kind", KeyEvent(.down, shift: true)), ("kHOM", KeyEvent(.home, shift: true)), ("kEND", KeyEvent(.end, shift: true)),
        ]
        for number in 1...12 { names.append(("kf\(number)", KeyEvent(.function(number)))) }
        for (name, key) in names {
            guard let value = w2w_tigetstr(name) else { continue }
            let bytes = Array(String(cString: value).utf8)
            if bytes.count > 1, bytes[0] == 0x1b { sequences[bytes] = key }
        }
    }

    /// The key of a complete sequence that terminfo names.
    func known(_ bytes: [UInt8]) -> KeyEvent? {
        sequences.isEmpty ? nil : sequences[bytes]
    }

    /// `ESC O` and one byte: cursor and keypad keys in application mode.
    func singleShift(_ byte: UInt8) -> KeyEvent? {
        if let key = known([0x1b, 0x4f, byte]) { return key }
        switch byte {
        case UInt8(ascii: "M"): return KeyEvent(.enter)
        case UInt8(ascii: "a")...UInt8(ascii: "d"):
            return Self.cursor(byte - 32).map { KeyEvent($0, control: true) }
        case UInt8(ascii: "j")...UInt8(ascii: "y"):
            // The keypad: its codes are the characters moved up by 0x40.
            return KeyEvent(.character(Character(Unicode.Scalar(byte - 0x40))))
        case UInt8(ascii: "X"): return KeyEvent(.character("="))
        default: return Self.cursor(byte).map { KeyEvent($0) }
        }
    }

    /// One byte below 0x80 that begins no sequence.
    static func plain(_ byte: UInt8) -> KeyEvent {
        switch byte {
        case 0x0d, 0x0a: KeyEvent(.enter)
        case 0x09: KeyEvent(.tab)
        case 0x7f, 0x08: KeyEvent(.backspace)
        case 0x1b: KeyEvent(.escape)
        case 0x00: KeyEvent(.character(" "), control: true)
        case 0x01...0x1a: KeyEvent(.character(Character(Unicode.Scalar(byte + 0x60))), control: true)
        case 0x1c...0x1f: KeyEvent(.character(Character(Unicode.Scalar(byte + 0x40))), control: true)
        default: KeyEvent(.character(Character(Unicode.Scalar(byte))))
        }
    }

    /// `CSI` parameters and a final byte, or nil when that is no key.
    static func controlSequence(_ parameters: [UInt8], _ final: UInt8) -> KeyEvent? {
        if let first = parameters.first, !(0x30...0x3b).contains(first) { return nil }
        guard parameters.allSatisfy({ (0x30...0x3b).contains($0) }) else { return nil }
        let numbers = numbers(parameters[...])
        let modifiers = numbers.count > 1 ? numbers[1] : 1
        switch final {
        case UInt8(ascii: "~"):
            if numbers.first == 27, numbers.count == 3 { return character(numbers[2], modifiers: modifiers) }
            return tilde(numbers.first ?? 0).map { event($0, modifiers: modifiers) }
        case UInt8(ascii: "u"):
            return numbers.first.flatMap { character($0, modifiers: modifiers) }
        case UInt8(ascii: "Z"): return KeyEvent(.tab, shift: true)
        case UInt8(ascii: "a")...UInt8(ascii: "d"):
            // rxvt's arrows with Shift. `CSI c` with parameters is an answer.
            return parameters.isEmpty ? cursor(final - 32).map { KeyEvent($0, shift: true) } : nil
        case UInt8(ascii: "R"), UInt8(ascii: "S"):
            // Where a row and a column are reported, the first number is hardly ever 1.
            return numbers.isEmpty || numbers.first == 1 ? cursor(final).map { event($0, modifiers: modifiers) } : nil
        default: return cursor(final).map { event($0, modifiers: modifiers) }
        }
    }

    /// A mouse report in the numbers of mode 1006.
    static func mouse(code: Int, column: Int, row: Int, released: Bool) -> MouseEvent? {
        guard column >= 1, row >= 1, code >= 0 else { return nil }
        let position = Point(x: column - 1, y: row - 1)
        if code & 64 != 0 {
            switch code & 3 {
            case 0: return MouseEvent(.wheelUp, at: position)
            case 1: return MouseEvent(.wheelDown, at: position)
            default: return nil
            }
        }
        if released { return MouseEvent(.release, at: position) }
        guard code & 3 == 0 else { return nil }
        return MouseEvent(code & 32 != 0 ? .drag : .press, at: position)
    }

    /// Numbers between semicolons; what is missing or beyond all measure is 0.
    static func numbers(_ bytes: ArraySlice<UInt8>) -> [Int] {
        if bytes.isEmpty { return [] }
        return bytes.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false).map { part in
            Int(String(decoding: part.prefix { $0 != UInt8(ascii: ":") }, as: UTF8.self)) ?? 0
        }
    }

    private static func cursor(_ byte: UInt8) -> Key? {
        switch byte {
        case UInt8(ascii: "A"): .up
        case UInt8(ascii: "B"): .down
        case UInt8(ascii: "C"): .right
        case UInt8(ascii: "D"): .left
        case UInt8(ascii: "H"): .home
        case UInt8(ascii: "F"): .end
        case UInt8(ascii: "P"): .function(1)
        case UInt8(ascii: "Q"): .function(2)
        case UInt8(ascii: "R"): .function(3)
        case UInt8(ascii: "S"): .function(4)
        default: nil
        }
    }

    private static func tilde(_ number: Int) -> Key? {
        switch number {
        case 1, 7: .home
        case 2: .insert
        case 3: .delete
        case 4, 8: .end
        case 5: .pageUp
        case 6: .pageDown
        case 11...15: .function(number - 10)
        case 17...21: .function(number - 11)
        case 23, 24: .function(number - 12)
        default: nil
        }
    }

    private static func event(_ key: Key, modifiers: Int) -> KeyEvent {
        let bits = max(0, modifiers - 1)
        return KeyEvent(key, shift: bits & 1 != 0, control: bits & 4 != 0, alt: bits & 2 != 0)
    }

    private static func character(_ code: Int, modifiers: Int) -> KeyEvent? {
        guard let scalar = UInt32(exactly: code).flatMap(Unicode.Scalar.init) else { return nil }
        var key = code < 0x80 ? plain(UInt8(code)) : KeyEvent(.character(Character(scalar)))
        let bits = max(0, modifiers - 1)
        key.control = key.control || bits & 4 != 0
        key.alt = bits & 2 != 0
        if case .character = key.key {} else { key.shift = bits & 1 != 0 }
        return key
    }
}
