/// A decoded sixel string.
public struct SixelPicture: Sendable, Equatable {
    /// Pixels across, from the raster attributes or from what was drawn.
    public private(set) var width = 0
    public private(set) var height = 0
    /// `0x00RRGGBB` row by row; `undrawn` where nothing was drawn.
    public private(set) var pixels: [UInt32] = []
    /// Colours that were defined.
    public private(set) var colours = 0
    /// Whether something was drawn in a colour that was never defined.
    public private(set) var usesUndefinedColours = false
    /// Bytes that mean nothing in a sixel.
    public private(set) var strangeBytes = 0

    public static let undrawn = UInt32.max

    /// Pixels that were not drawn.
    public var holes: Int { pixels.reduce(0) { $0 + ($1 == Self.undrawn ? 1 : 0) } }

    /// The mean colour of a part of the picture, each channel 0...255; nil where nothing is drawn there.
    public func meanColour(x: Range<Int>, y: Range<Int>) -> (red: Double, green: Double, blue: Double)? {
        var sum = (0.0, 0.0, 0.0)
        var count = 0.0
        for row in y.clamped(to: 0..<height) {
            for column in x.clamped(to: 0..<width) {
                let value = pixels[row * width + column]
                if value == Self.undrawn { continue }
                sum.0 += Double(value >> 16 & 0xff)
                sum.1 += Double(value >> 8 & 0xff)
                sum.2 += Double(value & 0xff)
                count += 1
            }
        }
        return count > 0 ? (sum.0 / count, sum.1 / count, sum.2 / count) : nil
    }

    /// Only the size, from the raster attributes (`"` aspect; aspect; width; height); no pixels.
    init(sizeOf body: some Sequence<UInt8>) {
        let head = body.prefix(64).drop { $0 != UInt8(ascii: "\"") }.dropFirst()
        let numbers = head.prefix { $0 == UInt8(ascii: ";") || (0x30...0x39).contains($0) }.split(separator: UInt8(ascii: ";"))
            .compactMap { Int(String(decoding: $0, as: UTF8.self)) }
        if numbers.count >= 4 { (width, height) = (numbers[2], numbers[3]) }
    }

    /// Decodes what follows the introducer.
    public init(_ body: some Sequence<UInt8>) {
        let bytes = Array(body)
        var palette = [UInt32?](repeating: nil, count: 1024)
        var register = 0
        var (x, y, index) = (0, 0, 0)
        var drawn: [[UInt32]] = []
        var hasRaster = false

        func number() -> Int {
            var value = 0
            while index < bytes.count, bytes[index] >= 0x30, bytes[index] <= 0x39 {
                value = min(1_000_000, value * 10 + Int(bytes[index] - 0x30))
                index += 1
            }
            return value
        }
        func numbers() -> [Int] {
            var list = [number()]
            while index < bytes.count, bytes[index] == UInt8(ascii: ";") {
                index += 1
                list.append(number())
            }
            return list
        }
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                let list = numbers()
                if list.count >= 4 {
                    (width, height, hasRaster) = (list[2], list[3], true)
                }
            case UInt8(ascii: "#"):
                let list = numbers()
                register = min(1023, list[0])
                if list.count >= 5, list[1] == 2 {
                    let parts = list[2...4].map { UInt32(min(100, $0) * 255 + 50) / 100 }
                    if palette[register] == nil { colours += 1 }
                    palette[register] = parts[0] << 16 | parts[1] << 8 | parts[2]
                }
            case UInt8(ascii: "$"): x = 0
            case UInt8(ascii: "-"):
                x = 0
                y += 6
            case UInt8(ascii: "!"), 0x3f...0x7e:
                var count = 1
                var sixel = byte
                if byte == UInt8(ascii: "!") {
                    count = number()
                    guard index < bytes.count else { break }
                    sixel = bytes[index]
                    index += 1
                }
                guard (0x3f...0x7e).contains(sixel) else {
                    strangeBytes += 1
                    break
                }
                let bits = sixel - 0x3f
                if bits != 0 {
                    let colour = palette[register] ?? 0
                    if palette[register] == nil { usesUndefinedColours = true }
                    for bit in 0..<6 where bits >> UInt8(bit) & 1 == 1 {
                        while drawn.count <= y + bit { drawn.append([]) }
                        if drawn[y + bit].count < x + count {
                            let missing = x + count - drawn[y + bit].count
                            drawn[y + bit] += [UInt32](repeating: Self.undrawn, count: missing)
                        }
                        for column in x..<(x + count) { drawn[y + bit][column] = colour }
                    }
                }
                x += count
            default: if byte >= 0x20 { strangeBytes += 1 }
            }
        }
        if !hasRaster {
            height = drawn.count
            width = drawn.map(\.count).max() ?? 0
        }
        pixels = [UInt32](repeating: Self.undrawn, count: width * height)
        for (row, line) in drawn.prefix(height).enumerated() {
            for (column, value) in line.prefix(width).enumerated() { pixels[row * width + column] = value }
        }
    }
}
