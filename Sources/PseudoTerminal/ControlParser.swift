/// Cuts a terminal's input into characters, controls, sequences and strings.
struct ControlParser: Sendable {
    enum Item {
        case character(Character)
        case control(UInt8)
        /// What follows an ESC that begins nothing longer.
        case escape(String)
        /// What follows `ESC [`, the final byte included.
        case sequence(String)
        /// Kind (`P`, `]`, `_`, `^`, `X`) and contents.
        case string(Character, [UInt8])
    }

    private enum State: Sendable {
        case ground, escape, sequence
        case intermediate(UInt8)
        case string(Character)
        case stringEscape(Character)
    }

    private var state = State.ground
    private var buffer: [UInt8] = []
    private var utf8: [UInt8] = []

    /// Takes the longest beginning of `bytes` that is surely inside of a string, many bytes at a time: pictures are long.
    /// - Returns: how many were taken.
    mutating func takeString(_ bytes: ArraySlice<UInt8>) -> Int {
        guard case .string = state else { return 0 }
        let count = bytes.prefix { $0 >= 0x20 }.count
        buffer += bytes.prefix(count)
        return count
    }

    mutating func step(_ byte: UInt8) -> Item? {
        switch state {
        case .ground: return ground(byte)
        case .escape:
            switch byte {
            case UInt8(ascii: "["):
                state = .sequence
                buffer = []
                return nil
            case UInt8(ascii: "P"), UInt8(ascii: "]"), UInt8(ascii: "_"), UInt8(ascii: "^"), UInt8(ascii: "X"):
                state = .string(Character(Unicode.Scalar(byte)))
                buffer = []
                return nil
            case 0x1b: return nil
            case 0x20...0x2f:
                state = .intermediate(byte)
                return nil
            default:
                state = .ground
                return .escape(String(UnicodeScalar(byte)))
            }
        case .intermediate(let first):
            state = .ground
            return .escape(String(UnicodeScalar(first)) + String(UnicodeScalar(byte)))
        case .sequence:
            switch byte {
            case 0x40...0x7e:
                state = .ground
                return .sequence(String(decoding: buffer + [byte], as: UTF8.self))
            case 0x1b:
                state = .escape
                return nil
            case 0x18, 0x1a:
                state = .ground
                return nil
            case 0..<0x20: return .control(byte)
            default:
                buffer.append(byte)
                return nil
            }
        case .string(let kind):
            switch byte {
            case 0x1b:
                state = .stringEscape(kind)
                return nil
            case 0x07 where kind == "]":
                state = .ground
                return .string(kind, buffer)
            case 0x18, 0x1a:
                state = .ground
                return nil
            default:
                buffer.append(byte)
                return nil
            }
        case .stringEscape(let kind):
            if byte == UInt8(ascii: "\\") {
                state = .ground
                return .string(kind, buffer)
            }
            state = .escape
            return step(byte)
        }
    }

    private mutating func ground(_ byte: UInt8) -> Item? {
        if !utf8.isEmpty || byte >= 0x80 {
            if !utf8.isEmpty, byte & 0xc0 != 0x80 {
                utf8 = []
                return ground(byte)
            }
            utf8.append(byte)
            let needed = utf8[0] >= 0xf0 ? 4 : utf8[0] >= 0xe0 ? 3 : utf8[0] >= 0xc0 ? 2 : 1
            guard utf8.count >= needed else { return nil }
            let character = String(validating: utf8, as: UTF8.self)?.first ?? "\u{fffd}"
            utf8 = []
            return .character(character)
        }
        switch byte {
        case 0x1b:
            state = .escape
            return nil
        case 0..<0x20: return .control(byte)
        case 0x7f: return nil
        default: return .character(Character(Unicode.Scalar(byte)))
        }
    }
}

/// Columns of a character as a terminal counts them, independently of the program under test.
enum CharacterColumns {
    static func columns(of character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first, scalar.value >= 0x300 else { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        switch scalar.value {
        case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f,
            0xff01...0xff60,
            0xffe0...0xffe6, 0x1f300...0x1f64f, 0x1f900...0x1f9ff, 0x20000...0x3fffd:
            return 2
        default: return 1
        }
    }
}
