import ScreenModel

/// Turns the bytes that a terminal sends into keys, mouse actions and answers.
///
/// It owns answers for ever, not only while a question is open: an answer that comes late or in pieces must never be taken for typing.
/// Times are milliseconds of a monotonic clock and come from outside, so that every case can be tested.
struct InputDecoder {
    /// One thing that has been understood.
    enum Token: Equatable {
        case key(KeyEvent)
        case mouse(MouseEvent)
        case answer(ControlSequence)
    }

    /// A finished control sequence without its introducer and terminator.
    struct ControlSequence: Equatable {
        enum Kind: Equatable { case csi, deviceControl, operatingSystem, other }
        var kind: Kind
        var text: String
    }

    private enum State {
        case ground
        case utf8([UInt8], missing: Int)
        case escape
        case csi([UInt8])
        /// Function keys of the Linux console: ESC [ [ A.
        case consoleFunction
        case singleShift
        case string(ControlSequence.Kind, [UInt8], sawEscape: Bool)
        case oldMouse([UInt8])
        /// An ESC was already given out as a key, and what follows looks like the rest of an answer.
        case suspect([UInt8])
    }

    /// Longest wait for what follows an ESC before it is the key; arrows that a slow link splits by 60 ms still arrive whole.
    private static let escapeWait = 80.0
    /// The same while an answer is due.
    private static let patientEscapeWait = 200.0
    /// How long an unfinished sequence may take; the rest of a truncated one is forgotten then.
    private static let sequenceWait = 2000.0
    private static let suspectWait = 120.0
    private static let longestSequence = 256
    private static let longestString = 4096

    private var state = State.ground
    private var since = 0.0
    private var escapeGivenOutAt = -Double.infinity
    private let keys: KeyTable

    /// Whether a question is open.
    var expectsAnswer = false

    init(keys: KeyTable = KeyTable()) {
        self.keys = keys
    }

    /// When `expire` must be called, or nil when nothing is pending.
    var deadline: Double? {
        switch state {
        case .ground: nil
        case .escape: since + (expectsAnswer ? Self.patientEscapeWait : Self.escapeWait)
        case .singleShift: since + Self.escapeWait
        case .suspect: since + Self.suspectWait
        default: since + Self.sequenceWait
        }
    }

    /// Takes bytes as they were read.
    mutating func feed(_ bytes: some Sequence<UInt8>, at now: Double) -> [Token] {
        var tokens = expire(at: now)
        for byte in bytes { step(byte, now, &tokens) }
        return tokens
    }

    /// Gives out what has waited long enough.
    mutating func expire(at now: Double) -> [Token] {
        guard let deadline, now >= deadline else { return [] }
        defer { state = .ground }
        switch state {
        case .escape:
            escapeGivenOutAt = now
            return [.key(KeyEvent(.escape))]
        case .singleShift: return [.key(KeyEvent(.character("O"), alt: true))]
        case .suspect(let bytes): return bytes.map { .key(KeyTable.plain($0)) }
        default: return []
        }
    }

    private mutating func step(_ byte: UInt8, _ now: Double, _ tokens: inout [Token]) {
        switch state {
        case .ground: ground(byte, now, &tokens)
        case .utf8(var bytes, let missing):
            guard byte & 0xc0 == 0x80 else {
                state = .ground
                return ground(byte, now, &tokens)
            }
            bytes.append(byte)
            if missing > 1 {
                state = .utf8(bytes, missing: missing - 1)
            } else {
                state = .ground
                if let text = String(validating: bytes, as: UTF8.self), let character = text.first {
                    tokens.append(.key(KeyEvent(.character(character))))
                }
            }
        case .escape: escape(byte, now, &tokens)
        case .csi(let bytes): controlSequence(bytes, byte, now, &tokens)
        case .consoleFunction:
            state = .ground
            if byte >= 0x41, byte <= 0x45 { tokens.append(.key(KeyEvent(.function(Int(byte) - 0x40)))) }
        case .singleShift:
            state = .ground
            if byte == 0x1b {
                enter(.escape, now)
            } else if let key = keys.singleShift(byte) {
                tokens.append(.key(key))
            }
        case .string(let kind, let bytes, let sawEscape): string(kind, bytes, sawEscape, byte, now, &tokens)
        case .oldMouse(var bytes):
            bytes.append(byte)
            if bytes.count < 3 {
                state = .oldMouse(bytes)
            } else {
                state = .ground
                let released = bytes[0] & 3 == 3 && bytes[0] < 96
                let column = Int(bytes[1]) - 32
                let row = Int(bytes[2]) - 32
                if let event = KeyTable.mouse(code: Int(bytes[0]) - 32, column: column, row: row, released: released) {
                    tokens.append(.mouse(event))
                }
            }
        case .suspect(var bytes):
            bytes.append(byte)
            let isDeviceControl = bytes[0] == 0x50
            if isDeviceControl {
                if bytes.count == 2, byte != 0x3e { return giveUpSuspect(bytes, &tokens) }
                if bytes.count == 2 { return enter(.string(.deviceControl, [0x3e], sawEscape: false), now) }
            } else if byte >= 0x40, byte <= 0x7e {
                guard "cnStyR".utf8.contains(byte), bytes.count > 2 else { return giveUpSuspect(bytes, &tokens) }
                state = .ground
                tokens.append(.answer(ControlSequence(kind: .csi, text: String(decoding: bytes.dropFirst(), as: UTF8.self))))
                return
            } else if byte < 0x20 || byte > 0x3f {
                return giveUpSuspect(bytes, &tokens)
            }
            state = .suspect(bytes)
        }
    }

    private mutating func giveUpSuspect(_ bytes: [UInt8], _ tokens: inout [Token]) {
        state = .ground
        escapeGivenOutAt = -.infinity
        tokens += bytes.map { .key(KeyTable.plain($0)) }
    }

    private mutating func enter(_ next: State, _ now: Double) {
        state = next
        since = now
    }

    private mutating func ground(_ byte: UInt8, _ now: Double, _ tokens: inout [Token]) {
        if byte == 0x1b { return enter(.escape, now) }
        if expectsAnswer, byte == 0x5b || byte == 0x50, now - escapeGivenOutAt < Self.sequenceWait {
            return enter(.suspect([byte]), now)
        }
        switch byte {
        case 0xc2...0xdf: enter(.utf8([byte], missing: 1), now)
        case 0xe0...0xef: enter(.utf8([byte], missing: 2), now)
        case 0xf0...0xf4: enter(.utf8([byte], missing: 3), now)
        case 0x80...0xff: break
        default: tokens.append(.key(KeyTable.plain(byte)))
        }
    }

    private mutating func escape(_ byte: UInt8, _ now: Double, _ tokens: inout [Token]) {
        switch byte {
        case UInt8(ascii: "["): enter(.csi([]), now)
        case UInt8(ascii: "O"): enter(.singleShift, now)
        case UInt8(ascii: "P"): enter(.string(.deviceControl, [], sawEscape: false), now)
        case UInt8(ascii: "]"): enter(.string(.operatingSystem, [], sawEscape: false), now)
        case UInt8(ascii: "_"), UInt8(ascii: "^"), UInt8(ascii: "X"): enter(.string(.other, [], sawEscape: false), now)
        case 0x1b:
            tokens.append(.key(KeyEvent(.escape)))
            enter(.escape, now)
        case 0x80...0xff:
            // A letter beyond ASCII with Alt: the letter alone.
            state = .ground
            ground(byte, now, &tokens)
        default:
            state = .ground
            if let key = keys.known([0x1b, byte]) {
                tokens.append(.key(key))
            } else {
                var key = KeyTable.plain(byte)
                key.alt = true
                tokens.append(.key(key))
            }
        }
    }

    private mutating func controlSequence(_ bytes: [UInt8], _ byte: UInt8, _ now: Double, _ tokens: inout [Token]) {
        switch byte {
        case 0x1b: enter(.escape, now)
        case 0x18, 0x1a: state = .ground
        case UInt8(ascii: "[") where bytes.isEmpty: enter(.consoleFunction, now)
        case UInt8(ascii: "M") where bytes.isEmpty: enter(.oldMouse([]), now)
        case 0x40...0x7e:
            state = .ground
            finish(bytes, byte, &tokens)
        case 0x20...0x3f:
            state = bytes.count < Self.longestSequence ? .csi(bytes + [byte]) : .ground
        default: break
        }
    }

    private func finish(_ bytes: [UInt8], _ final: UInt8, _ tokens: inout [Token]) {
        if let key = keys.known([0x1b, 0x5b] + bytes + [final]) {
            tokens.append(.key(key))
            return
        }
        if bytes.first == UInt8(ascii: "<"), final == UInt8(ascii: "M") || final == UInt8(ascii: "m") {
            let numbers = KeyTable.numbers(bytes.dropFirst())
            if numbers.count == 3,
                let event = KeyTable.mouse(
                    code: numbers[0], column: numbers[1], row: numbers[2], released: final == UInt8(ascii: "m"))
            {
                tokens.append(.mouse(event))
            }
            return
        }
        if let key = KeyTable.controlSequence(bytes, final) {
            tokens.append(.key(key))
            return
        }
        tokens.append(.answer(ControlSequence(kind: .csi, text: String(decoding: bytes + [final], as: UTF8.self))))
    }

    private mutating func string(
        _ kind: ControlSequence.Kind, _ bytes: [UInt8], _ sawEscape: Bool, _ byte: UInt8, _ now: Double, _ tokens: inout [Token]
    ) {
        if sawEscape {
            if byte == UInt8(ascii: "\\") {
                state = .ground
                tokens.append(.answer(ControlSequence(kind: kind, text: String(decoding: bytes, as: UTF8.self))))
            } else {
                // The string was broken off; this ESC begins something else.
                enter(.escape, now)
                escape(byte, now, &tokens)
            }
            return
        }
        switch byte {
        case 0x1b: state = .string(kind, bytes, sawEscape: true)
        case 0x07:
            state = .ground
            tokens.append(.answer(ControlSequence(kind: kind, text: String(decoding: bytes, as: UTF8.self))))
        case 0x18, 0x1a: state = .ground
        default: state = bytes.count < Self.longestString ? .string(kind, bytes + [byte], sawEscape: false) : .ground
        }
    }
}
