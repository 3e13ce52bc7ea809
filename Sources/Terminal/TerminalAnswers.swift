/// A width and a height in pixels.
struct PixelSize: Hashable, Sendable {
    var width: Int
    var height: Int
}

/// What the terminal has told about itself. Everything is optional: silence is an answer.
struct TerminalAnswers: Equatable, Sendable {
    /// Primary device attributes (DA1). It is the last question, so its answer ends the round; attribute 4 means sixel and is the only
    /// trustworthy sign of it.
    var deviceAttributes: [Int]?
    /// Name and version (XTVERSION), for example "XTerm(379)".
    var version: String?
    /// Colour registers for sixel (XTSMGRAPHICS 1).
    var colourRegisters: Int?
    /// Largest sixel picture (XTSMGRAPHICS 2); xterm answers with the size of its window.
    var largestPicture: PixelSize?
    /// Size of a character cell (CSI 16 t).
    var cell: PixelSize?
    /// Size of the text area (CSI 14 t).
    var textArea: PixelSize?
    /// Whether mode 2026 (synchronised output) is known.
    var synchronisedOutput: Bool?
    /// Luminance of the background, 0 (black) to 1 (OSC 11).
    var backgroundLuminance: Double?

    /// The questions, DA1 last. In one write: answers come in order, and one time limit serves for all of them.
    static let questions =
        "\u{1b}[>0q\u{1b}[16t\u{1b}[14t\u{1b}[?1;1;0S\u{1b}[?2;1;0S\u{1b}[?2026$p\u{1b}]11;?\u{1b}\\\u{1b}[c"
    /// For the Linux console, which prints parts of sequences that it does not know.
    static let modestQuestions = "\u{1b}[c"
    /// What may change when the window does.
    static let questionsAfterResize = "\u{1b}[16t\u{1b}[?2;1;0S"

    var hasSixel: Bool { deviceAttributes?.dropFirst().contains(4) ?? false }
    var isTmux: Bool { version?.hasPrefix("tmux") ?? false }

    /// Terminals that show 24-bit colour, whatever TERM and COLORTERM say.
    var brandHasDirectColour: Bool {
        guard let version else { return false }
        let brands = [
            "XTerm(", "kitty", "foot(", "WezTerm", "iTerm2", "Konsole", "ghostty", "contour", "Windows Terminal", "mintty",
            "VTE(",
            "mlterm", "rio", "Alacritty",
        ]
        return brands.contains { version.hasPrefix($0) }
    }

    /// Takes an answer in; false when it is none that we know (it is swallowed all the same).
    @discardableResult
    mutating func absorb(_ sequence: InputDecoder.ControlSequence) -> Bool {
        switch sequence.kind {
        case .csi: return absorbControl(sequence.text)
        case .deviceControl:
            guard sequence.text.hasPrefix(">|") else { return false }
            version = String(sequence.text.dropFirst(2))
            return true
        case .operatingSystem:
            guard sequence.text.hasPrefix("11;") else { return false }
            backgroundLuminance = Self.luminance(sequence.text.dropFirst(3))
            return backgroundLuminance != nil
        case .other: return false
        }
    }

    private mutating func absorbControl(_ text: String) -> Bool {
        guard let final = text.last else { return false }
        var body = text.dropLast()[...]
        let isPrivate = body.first == "?"
        if isPrivate { body = body.dropFirst() }
        let hasDollar = body.last == "$"
        if hasDollar { body = body.dropLast() }
        let numbers = body.split(separator: ";", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        switch (isPrivate, hasDollar, final) {
        case (true, false, "c"):
            deviceAttributes = numbers
        case (true, false, "S"):
            // Item, status (0 is success), values.
            guard numbers.count >= 3, numbers[1] == 0 else { return true }
            if numbers[0] == 1 { colourRegisters = numbers[2] }
            if numbers[0] == 2, numbers.count >= 4, numbers[2] > 0, numbers[3] > 0 {
                largestPicture = PixelSize(width: numbers[2], height: numbers[3])
            }
        case (true, true, "y"):
            guard numbers.count >= 2, numbers[0] == 2026 else { return false }
            synchronisedOutput = numbers[1] == 1 || numbers[1] == 2
        case (false, false, "t"):
            guard numbers.count >= 3, numbers[1] > 0, numbers[2] > 0 else { return false }
            let size = PixelSize(width: numbers[2], height: numbers[1])
            if numbers[0] == 6 { cell = size }
            if numbers[0] == 4 { textArea = size }
        default: return false
        }
        return true
    }

    /// Pixels of a cell: the kernel's window size first, unless the terminal itself says otherwise (some ssh clients invent pixels).
    /// - Parameters:
    ///   - columns: columns of the window.
    ///   - rows: rows of the window.
    ///   - window: pixels of the window as the kernel knows them, 0 x 0 where it does not.
    /// - Returns: nil where nobody knows.
    func cellSize(columns: Int, rows: Int, window: PixelSize) -> PixelSize? {
        guard columns > 0, rows > 0 else { return cell }
        if window.width >= 2 * columns, window.height >= 4 * rows {
            // xterm counts its border in, so this rounds down.
            let fromKernel = PixelSize(width: window.width / columns, height: window.height / rows)
            return cell ?? fromKernel
        }
        if let cell { return cell }
        guard let textArea, textArea.width >= 2 * columns, textArea.height >= 4 * rows else { return nil }
        return PixelSize(width: textArea.width / columns, height: textArea.height / rows)
    }

    /// "rgb:ffff/ffff/ffff" with one to four hexadecimal digits each.
    private static func luminance(_ text: Substring) -> Double? {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let parts = text[text.index(after: colon)...].split(separator: "/").prefix(3)
        let values = parts.compactMap { part -> Double? in
            guard part.count <= 4, let value = Int(part, radix: 16) else { return nil }
            return Double(value) / Double((1 << (4 * part.count)) - 1)
        }
        guard values.count == 3 else { return nil }
        return 0.2126 * values[0] + 0.7152 * values[1] + 0.0722 * values[2]
    }
}
