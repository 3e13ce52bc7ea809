/// What a terminal shows: a grid of cells, pictures, modes. Fed with the bytes of a program, it answers nothing by itself.
///
/// Sixel pictures live in cells as in xterm: whatever is written or erased in a cell takes away that part of the picture.
public struct TerminalModel: Sendable {
    /// A colour as the program named it: the terminal's own, one of 256, or 24 bits.
    public enum Colour: Sendable, Equatable {
        case standard
        case index(Int)
        case rgb(Int, Int, Int)
    }

    /// How a cell's text is drawn (SGR).
    public struct Attributes: Sendable, Equatable {
        public var foreground = Colour.standard
        public var background = Colour.standard
        public var bold = false
        public var dim = false
        public var underline = false
        public var reverse = false

        public init() {}
    }

    /// One place of the grid.
    public struct Cell: Sendable, Equatable {
        public var character: Character = " "
        public var attributes = Attributes()
        /// Number of the picture that shows here; 0 for none.
        public var picture = 0
    }

    /// A picture as it was drawn.
    public struct Picture: Sendable {
        public var number: Int
        public var column: Int
        public var row: Int
        public var columns: Int
        public var rows: Int
        public var image: SixelPicture
        /// Drawn between the marks of synchronised output.
        public var synchronised: Bool
        /// Bytes of the control string.
        public var count: Int
    }

    /// Something other than a picture wrote where a picture was.
    public struct Touch: Sendable, Equatable {
        public var operation: String
        public var row: Int
        public var columns: Range<Int>
        public var picture: Int
    }

    /// A complete control sequence that asks for an answer, or a mode that was set.
    public struct Question: Sendable, Equatable {
        public var text: String
    }

    public private(set) var columns: Int
    public private(set) var rows: Int
    public let cellWidth: Int
    public let cellHeight: Int
    public private(set) var cells: [Cell]
    public private(set) var cursor = (column: 0, row: 0)
    public private(set) var cursorVisible = true
    public private(set) var onAlternateScreen = false
    public private(set) var applicationCursorKeys = false
    public private(set) var modes: Set<Int> = []
    /// Every picture ever drawn, by number.
    public private(set) var pictures: [Int: Picture] = [:]
    public private(set) var touches: [Touch] = []
    /// Sequences that this terminal does not know. A well-behaved program leaves this empty.
    public private(set) var unknown: [String] = []
    /// Times that a picture in the last row scrolled the screen.
    public private(set) var pictureScrolls = 0
    public private(set) var bytesSeen = 0
    public var drawnPictureCount: Int { nextPicture - 1 }

    private var attributes = Attributes()
    private var saved: (column: Int, row: Int, attributes: Attributes) = (0, 0, Attributes())
    private var mainScreen: [Cell] = []
    private var mainCursor = (column: 0, row: 0)
    private var region = (top: 0, bottom: 0)
    private var wrapPending = false
    private var nextPicture = 1
    private var lastCharacter: Character = " "
    private var parser = ControlParser()

    /// Whether pictures are decoded; without it only their size is read, which a benchmark wants of its terminal.
    private let decodesPictures: Bool

    public init(columns: Int, rows: Int, cellWidth: Int, cellHeight: Int, decodesPictures: Bool = true) {
        self.decodesPictures = decodesPictures
        self.columns = columns
        self.rows = rows
        self.cellWidth = cellWidth
        self.cellHeight = cellHeight
        cells = [Cell](repeating: Cell(), count: columns * rows)
        region = (0, rows - 1)
    }

    // MARK: What a test asks

    /// A row's text without the blanks at its end; empty outside of the screen.
    public func text(row: Int) -> String {
        guard row >= 0, row < rows else { return "" }
        var line = ""
        for cell in cells[(row * columns)..<((row + 1) * columns)] where cell.character != "\0" { line.append(cell.character) }
        while line.last == " " || line.last == "\u{a0}" { line.removeLast() }
        return line
    }

    /// All rows, without trailing blanks.
    public var text: String { (0..<rows).map { text(row: $0) }.joined(separator: "\n") }

    public subscript(column: Int, row: Int) -> Cell { cells[row * columns + column] }

    /// Pictures of which every cell still shows.
    public var intactPictures: [Picture] {
        visibleCounts.compactMap { number, count in
            guard let picture = pictures[number], count == picture.columns * picture.rows else { return nil }
            return picture
        }.sorted { ($0.row, $0.column) < ($1.row, $1.column) }
    }

    /// Pictures of which only a part shows.
    public var brokenPictures: [Picture] {
        visibleCounts.compactMap { number, count in
            guard let picture = pictures[number], count != picture.columns * picture.rows else { return nil }
            return picture
        }
    }

    private var visibleCounts: [Int: Int] {
        var counts: [Int: Int] = [:]
        for cell in cells where cell.picture != 0 { counts[cell.picture, default: 0] += 1 }
        return counts
    }

    /// Begins anew to note which cells are written.
    public mutating func forgetTouches() { touches = [] }

    /// A new window size; the text stays at the top left, pictures go.
    public mutating func resize(columns newColumns: Int, rows newRows: Int) {
        func resized(_ old: [Cell]) -> [Cell] {
            var new = [Cell](repeating: Cell(), count: newColumns * newRows)
            guard !old.isEmpty else { return new }
            for row in 0..<min(rows, newRows) {
                for column in 0..<min(columns, newColumns) {
                    new[row * newColumns + column] = old[row * columns + column]
                    new[row * newColumns + column].picture = 0
                }
            }
            return new
        }
        cells = resized(cells)
        if onAlternateScreen { mainScreen = resized(mainScreen) }
        columns = newColumns
        rows = newRows
        region = (0, rows - 1)
        cursor = (min(cursor.column, columns - 1), min(cursor.row, rows - 1))
        wrapPending = false
    }

    /// Takes what the program wrote.
    /// - Returns: the questions in it, in order.
    public mutating func feed(_ bytes: some Sequence<UInt8>) -> [Question] {
        var questions: [Question] = []
        var rest = Array(bytes)[...]
        bytesSeen += rest.count
        while true {
            rest = rest.dropFirst(parser.takeString(rest))
            guard let byte = rest.popFirst() else { break }
            guard let item = parser.step(byte) else { continue }
            switch item {
            case .character(let character): put(character)
            case .control(let control): execute(control)
            case .escape(let text): escape(text)
            case .sequence(let text): if sequence(text) { questions.append(Question(text: "[" + text)) }
            case .string(let kind, let payload): if string(kind, payload) { questions.append(Question(text: Self.oscQuestion)) }
            }
        }
        return questions
    }

    public static let oscQuestion = "]11;?"

    // MARK: Writing

    private mutating func touch(_ operation: @autoclosure () -> String, _ row: Int, _ range: Range<Int>) {
        for column in range where cells[row * columns + column].picture != 0 {
            let number = cells[row * columns + column].picture
            cells[row * columns + column].picture = 0
            let name = operation()
            if let last = touches.last, last.operation == name, last.row == row, last.picture == number,
                last.columns.upperBound == column
            {
                touches[touches.count - 1].columns = last.columns.lowerBound..<(column + 1)
            } else {
                touches.append(Touch(operation: name, row: row, columns: column..<(column + 1), picture: number))
            }
        }
    }

    private mutating func put(_ character: Character) {
        let width = CharacterColumns.columns(of: character)
        if width == 0 {
            // A mark joins what was written last.
            let column = wrapPending ? cursor.column : max(0, cursor.column - 1)
            let place = cursor.row * columns + column
            cells[place].character = Character(String(cells[place].character) + String(character))
            return
        }
        if wrapPending || cursor.column + width > columns {
            wrapPending = false
            cursor.column = 0
            lineFeed()
        }
        touch("text", cursor.row, cursor.column..<(cursor.column + width))
        cells[cursor.row * columns + cursor.column] = Cell(character: character, attributes: attributes)
        if width == 2 { cells[cursor.row * columns + cursor.column + 1] = Cell(character: "\0", attributes: attributes) }
        lastCharacter = character
        if cursor.column + width >= columns {
            cursor.column = columns - 1
            wrapPending = true
        } else {
            cursor.column += width
        }
    }

    private mutating func erase(_ operation: String, row: Int, _ range: Range<Int>) {
        let clamped = range.clamped(to: 0..<columns)
        touch(operation, row, clamped)
        var blank = Cell()
        blank.attributes.background = attributes.background
        for column in clamped { cells[row * columns + column] = blank }
    }

    private mutating func scrollUp(_ count: Int, from top: Int? = nil) {
        let top = top ?? region.top
        let lines = min(count, region.bottom - top + 1)
        guard lines > 0 else { return }
        for row in top...region.bottom {
            for column in 0..<columns {
                let from = row + lines
                cells[row * columns + column] = from <= region.bottom ? cells[from * columns + column] : Cell()
            }
        }
    }

    private mutating func scrollDown(_ count: Int, from top: Int? = nil) {
        let top = top ?? region.top
        let lines = min(count, region.bottom - top + 1)
        guard lines > 0 else { return }
        for row in stride(from: region.bottom, through: top, by: -1) {
            for column in 0..<columns {
                let from = row - lines
                cells[row * columns + column] = from >= top ? cells[from * columns + column] : Cell()
            }
        }
    }

    private mutating func lineFeed() {
        if cursor.row == region.bottom { scrollUp(1) } else if cursor.row < rows - 1 { cursor.row += 1 }
    }

    private mutating func execute(_ control: UInt8) {
        switch control {
        case 0x08: cursor.column = max(0, cursor.column - 1)
        case 0x09: cursor.column = min(columns - 1, (cursor.column / 8 + 1) * 8)
        case 0x0a, 0x0b, 0x0c: lineFeed()
        case 0x0d: cursor.column = 0
        default: break
        }
        wrapPending = false
    }

    private mutating func escape(_ text: String) {
        switch text {
        case "7": saved = (cursor.column, cursor.row, attributes)
        case "8":
            cursor = (min(saved.column, columns - 1), min(saved.row, rows - 1))
            attributes = saved.attributes
            wrapPending = false
        case "M":
            if cursor.row == region.top { scrollDown(1) } else { cursor.row = max(0, cursor.row - 1) }
        case "D": lineFeed()
        case "E":
            cursor.column = 0
            lineFeed()
        case "c":
            self = TerminalModel(columns: columns, rows: rows, cellWidth: cellWidth, cellHeight: cellHeight)
        case "=", ">", "\\", "H", "(B", "(0", ")B", ")0", "*B", "+B", "%G": break
        default: unknown.append("ESC " + text)
        }
    }

    // MARK: Control sequences

    /// - Returns: whether an answer is expected.
    private mutating func sequence(_ text: String) -> Bool {
        guard let final = text.last else { return false }
        let body = text.dropLast()
        if let mark = body.first, "?><=".contains(mark) { return privateSequence(text, mark, body.dropFirst(), final) }
        let numbers = body.split(separator: ";", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        func number(_ index: Int, or standard: Int = 1) -> Int {
            index < numbers.count && numbers[index] > 0 ? numbers[index] : standard
        }
        if final != "m", final != "b" { wrapPending = false }
        switch final {
        case "H", "f": cursor = (min(columns, number(1)) - 1, min(rows, number(0)) - 1)
        case "G", "`": cursor.column = min(columns, number(0)) - 1
        case "d": cursor.row = min(rows, number(0)) - 1
        case "A": cursor.row = max(0, cursor.row - number(0))
        case "B", "e": cursor.row = min(rows - 1, cursor.row + number(0))
        case "C", "a": cursor.column = min(columns - 1, cursor.column + number(0))
        case "D": cursor.column = max(0, cursor.column - number(0))
        case "E": cursor = (0, min(rows - 1, cursor.row + number(0)))
        case "F": cursor = (0, max(0, cursor.row - number(0)))
        case "K":
            switch number(0, or: 0) {
            case 0: erase("EL", row: cursor.row, cursor.column..<columns)
            case 1: erase("EL1", row: cursor.row, 0..<(cursor.column + 1))
            default: erase("EL2", row: cursor.row, 0..<columns)
            }
        case "J": eraseDisplay(number(0, or: 0))
        case "X": erase("ECH", row: cursor.row, cursor.column..<(cursor.column + number(0)))
        case "b": for _ in 0..<number(0) { put(lastCharacter) }
        case "@", "P": shift(by: final == "@" ? number(0) : -number(0))
        case "L": scrollDown(number(0), from: cursor.row)
        case "M": scrollUp(number(0), from: cursor.row)
        case "S": scrollUp(number(0))
        case "T": scrollDown(number(0))
        case "r":
            region = (number(0) - 1, number(1, or: rows) - 1)
            cursor = (0, 0)
        case "m": selectGraphicRendition(numbers)
        case "h", "l", "g": break
        case "c", "n": return true
        case "t": return [14, 16, 18].contains(number(0))
        default: unknown.append("CSI " + text)
        }
        return false
    }

    private mutating func privateSequence(_ text: String, _ mark: Character, _ body: Substring, _ final: Character) -> Bool {
        let numbers = body.split(separator: ";").compactMap { Int($0) }
        switch (mark, final) {
        case ("?", "h"), ("?", "l"):
            for mode in numbers { setMode(mode, final == "h") }
            return false
        case ("?", "S"), (">", "q"), ("?", "p"), (">", "c"), ("=", "c"), ("?", "n"): return true
        case (">", "m"), (">", "t"), ("?", "J"), ("?", "K"), ("?", "r"), ("?", "s"): return false
        default:
            unknown.append("CSI " + text)
            return false
        }
    }

    private mutating func setMode(_ mode: Int, _ on: Bool) {
        if on { modes.insert(mode) } else { modes.remove(mode) }
        switch mode {
        case 1: applicationCursorKeys = on
        case 25: cursorVisible = on
        case 1049, 1047, 47:
            guard on != onAlternateScreen else { return }
            if on {
                mainScreen = cells
                mainCursor = cursor
                cells = [Cell](repeating: Cell(), count: columns * rows)
            } else {
                cells = mainScreen
                cursor = (min(mainCursor.column, columns - 1), min(mainCursor.row, rows - 1))
            }
            onAlternateScreen = on
            wrapPending = false
        default: break
        }
    }

    private mutating func eraseDisplay(_ kind: Int) {
        switch kind {
        case 0:
            erase("ED", row: cursor.row, cursor.column..<columns)
            for row in (cursor.row + 1)..<max(cursor.row + 1, rows) { erase("ED", row: row, 0..<columns) }
        case 1:
            for row in 0..<cursor.row { erase("ED1", row: row, 0..<columns) }
            erase("ED1", row: cursor.row, 0..<(cursor.column + 1))
        default:
            for row in 0..<rows { erase("ED2", row: row, 0..<columns) }
        }
    }

    private mutating func shift(by count: Int) {
        touch("ICH/DCH", cursor.row, cursor.column..<columns)
        let start = cursor.row * columns
        let line = Array(cells[(start + cursor.column)..<(start + columns)])
        for index in line.indices {
            let from = index - count
            cells[start + cursor.column + index] = line.indices.contains(from) ? line[from] : Cell()
        }
    }

    private mutating func selectGraphicRendition(_ numbers: [Int]) {
        var rest = numbers.isEmpty ? [0] : numbers
        while !rest.isEmpty {
            let code = rest.removeFirst()
            switch code {
            case 0: attributes = Attributes()
            case 1: attributes.bold = true
            case 2: attributes.dim = true
            case 4: attributes.underline = true
            case 7: attributes.reverse = true
            case 22: (attributes.bold, attributes.dim) = (false, false)
            case 24: attributes.underline = false
            case 27: attributes.reverse = false
            case 30...37: attributes.foreground = .index(code - 30)
            case 39: attributes.foreground = .standard
            case 40...47: attributes.background = .index(code - 40)
            case 49: attributes.background = .standard
            case 90...97: attributes.foreground = .index(code - 82)
            case 100...107: attributes.background = .index(code - 92)
            case 38, 48:
                var colour = Colour.standard
                if rest.count >= 2, rest[0] == 5 {
                    colour = .index(rest[1])
                    rest.removeFirst(2)
                } else if rest.count >= 4, rest[0] == 2 {
                    colour = .rgb(rest[1], rest[2], rest[3])
                    rest.removeFirst(4)
                } else {
                    unknown.append("SGR \(numbers)")
                    return
                }
                if code == 38 { attributes.foreground = colour } else { attributes.background = colour }
            default: unknown.append("SGR \(code)")
            }
        }
    }

    // MARK: Strings

    /// - Returns: whether an answer is expected.
    private mutating func string(_ kind: Character, _ payload: [UInt8]) -> Bool {
        switch kind {
        case "P":
            if let q = payload.firstIndex(of: UInt8(ascii: "q")), payload[..<q].allSatisfy({ (0x30...0x3b).contains($0) }) {
                draw(payload, body: payload[(q + 1)...])
            } else {
                unknown.append("DCS " + String(decoding: payload.prefix(20), as: UTF8.self))
            }
        case "]":
            let text = String(decoding: payload, as: UTF8.self)
            if text == "11;?" { return true }
        default: break
        }
        return false
    }

    private mutating func draw(_ payload: [UInt8], body: ArraySlice<UInt8>) {
        let image = decodesPictures ? SixelPicture(body) : SixelPicture(sizeOf: body)
        let wide = (image.width + cellWidth - 1) / cellWidth
        let high = (image.height + cellHeight - 1) / cellHeight
        // A band that reaches into the last row scrolls.
        let bandRows = ((image.height + 5) / 6 * 6 + cellHeight - 1) / cellHeight
        if cursor.row + bandRows > rows - 1, image.height > 0 { pictureScrolls += 1 }
        let number = nextPicture
        nextPicture += 1
        pictures[number] = Picture(
            number: number, column: cursor.column, row: cursor.row, columns: min(wide, columns - cursor.column),
            rows: min(high, rows - cursor.row), image: image, synchronised: modes.contains(2026), count: payload.count)
        for row in cursor.row..<min(rows, cursor.row + high) {
            for column in cursor.column..<min(columns, cursor.column + wide) {
                cells[row * columns + column].picture = number
            }
        }
        // Pictures that no longer show are only remembered by their number.
        if pictures.count > 400 {
            let visible = Set(cells.map(\.picture)).union(mainScreen.map(\.picture))
            pictures = pictures.filter { visible.contains($0.key) }
        }
        cursor = (0, min(rows - 1, cursor.row + high))
    }
}
