/// A plain reader of GIF files, the oracle of the writer: it shares no code with it.
struct GIFDecoder {
    struct Failure: Error { var reason: String }
    struct Frame {
        /// Packed RGB.
        var pixels: [UInt8]
        var hundredths: Int
        var colours: Int
    }

    var width = 0
    var height = 0
    var frames: [Frame] = []
    /// Repeats, 0 for ever, nil when the file does not say.
    var loops: Int?
    var comment = ""

    private var file: [UInt8]
    private var at = 6

    init(_ file: [UInt8]) throws {
        self.file = file
        guard String(decoding: file.prefix(6), as: UTF8.self) == "GIF89a" else { throw Failure(reason: "signature") }
        width = try word()
        height = try word()
        let flags = try byte()
        _ = try (byte(), byte())
        if flags & 0x80 != 0 { at += 3 << (flags & 7 + 1) }
        var delay = 0
        while true {
            switch try byte() {
            case 0x21:
                switch try byte() {
                case 0xF9:
                    let block = try blocks()
                    delay = Int(block[1]) | Int(block[2]) << 8
                case 0xFF:
                    let block = try blocks()
                    if String(decoding: block.prefix(11), as: UTF8.self) == "NETSCAPE2.0" {
                        loops = Int(block[12]) | Int(block[13]) << 8
                    }
                case 0xFE: comment = String(decoding: try blocks(), as: UTF8.self)
                default: _ = try blocks()
                }
            case 0x2C: try readFrame(delay)
            case 0x3B:
                guard at == file.count else { throw Failure(reason: "bytes after the trailer") }
                return
            case let other: throw Failure(reason: "block \(other) at \(at)")
            }
        }
    }

    private mutating func readFrame(_ delay: Int) throws {
        let (left, top, frameWidth, frameHeight) = try (word(), word(), word(), word())
        guard left == 0, top == 0, frameWidth == width, frameHeight == height else { throw Failure(reason: "frame size") }
        let flags = try byte()
        guard flags & 0x80 != 0, flags & 0x40 == 0 else { throw Failure(reason: "local palette, not interlaced") }
        let colours = 2 << (flags & 7)
        let palette = Array(file[at..<(at + colours * 3)])
        at += colours * 3
        let codeSize = try byte()
        let indices = try Self.decompress(blocks(), codeSize: codeSize)
        guard indices.count == width * height else { throw Failure(reason: "\(indices.count) pixels") }
        var pixels: [UInt8] = []
        for index in indices { pixels += palette[(index * 3)..<(index * 3 + 3)] }
        frames.append(Frame(pixels: pixels, hundredths: delay, colours: colours))
    }

    static func decompress(_ bytes: [UInt8], codeSize: Int) throws -> [Int] {
        let clear = 1 << codeSize
        var strings: [[Int]] = []
        var width = codeSize + 1
        var previous: [Int]?
        var output: [Int] = []
        var bit = 0
        while true {
            guard bit + width <= bytes.count * 8 else { throw Failure(reason: "no end code") }
            var code = 0
            for place in 0..<width where bytes[(bit + place) / 8] >> ((bit + place) % 8) & 1 == 1 { code |= 1 << place }
            bit += width
            if code == clear {
                strings = (0..<clear).map { [$0] } + [[], []]
                width = codeSize + 1
                previous = nil
                continue
            }
            if code == clear + 1 {
                guard bytes.count * 8 - bit < 8 else { throw Failure(reason: "bytes after the end code") }
                return output
            }
            let string: [Int]
            if code < strings.count {
                string = strings[code]
            } else if let previous, code == strings.count {
                string = previous + [previous[0]]
            } else {
                throw Failure(reason: "code \(code) of \(strings.count)")
            }
            output += string
            if let previous, strings.count < 4096 {
                strings.append(previous + [string[0]])
                if strings.count == 1 << width, width < 12 { width += 1 }
            }
            previous = string
        }
    }

    private mutating func byte() throws -> Int {
        guard at < file.count else { throw Failure(reason: "cut off") }
        at += 1
        return Int(file[at - 1])
    }

    private mutating func word() throws -> Int { try byte() | byte() << 8 }

    private mutating func blocks() throws -> [UInt8] {
        var result: [UInt8] = []
        while true {
            let count = try byte()
            if count == 0 { return result }
            guard at + count <= file.count else { throw Failure(reason: "cut off") }
            result += file[at..<(at + count)]
            at += count
        }
    }
}
