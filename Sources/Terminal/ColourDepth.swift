import ScreenModel

/// How many colours the text of the screen may use.
public enum ColourDepth: Int, Sendable, Comparable {
    /// Attributes only.
    case none = 0
    case eight = 8
    case sixteen = 16
    case palette = 256
    /// 24 bits.
    case direct = 16_777_216

    public static func < (left: ColourDepth, right: ColourDepth) -> Bool { left.rawValue < right.rawValue }

    /// The depth that curses works with.
    init(curses colours: Int) {
        switch colours {
        case ..<8: self = .none
        case ..<16: self = .eight
        case ..<256: self = .sixteen
        case ..<65536: self = .palette
        default: self = .direct
        }
    }

    /// The number that curses wants for the colour of a background. Where few colours are left, a shade near black or white is none: the
    /// letters on it may be of the same.
    func number(ofBackground colour: Colour?) -> Int32 {
        let number = number(of: colour)
        guard self == .eight || self == .sixteen, let index = colour?.index, index > 15 else { return number }
        return number == 0 || number == 7 ? -1 : number
    }

    /// The number that curses wants for the colour of letters. Where few colours are left, a dark grey must not become black, which cannot be
    /// seen on black.
    func number(ofForeground colour: Colour?) -> Int32 {
        let number = number(of: colour)
        guard self == .eight || self == .sixteen, number == 0, let index = colour?.index, index > 15 else { return number }
        return self == .eight ? 7 : 8
    }

    /// The number that curses wants for a colour at this depth: -1 is the terminal's own.
    func number(of colour: Colour?) -> Int32 {
        guard let colour, self != .none else { return -1 }
        switch self {
        case .none: return -1
        case .eight, .sixteen:
            let limit: UInt8 = self == .eight ? 8 : 16
            if colour.index < limit { return Int32(colour.index) }
            if colour.index < 16 { return Int32(colour.index - 8) }
            return Int32(Palette.nearestBasic(to: colour.rgb ?? Palette.rgb(of: colour.index), limit: limit))
        case .palette: return Int32(colour.index)
        case .direct:
            // Below 8 curses still means the terminal's own palette; above, the number is the colour.
            if colour.rgb == nil, colour.index < 8 { return Int32(colour.index) }
            return Int32(max(8, colour.rgb ?? Palette.rgb(of: colour.index)))
        }
    }
}

/// The xterm palette of 256 colours.
enum Palette {
    private static let levels: [Int] = [0, 95, 135, 175, 215, 255]
    private static let basic: [UInt32] = [
        0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5,
        0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff,
    ]

    /// What an entry looks like where nobody has changed it, `0xRRGGBB`.
    static func rgb(of index: UInt8) -> UInt32 {
        if index < 16 { return basic[Int(index)] }
        if index >= 232 {
            let grey = UInt32(8 + (Int(index) - 232) * 10)
            return grey << 16 | grey << 8 | grey
        }
        let cube = Int(index) - 16
        return UInt32(levels[cube / 36] << 16 | levels[cube / 6 % 6] << 8 | levels[cube % 6])
    }

    /// The entry from 16 on (the cube and the greys, which nobody redefines) that suits a colour with diffused errors: near it, and of a hue not
    /// far from the picture's own. Without the second, errors of the channels run apart and leave magenta and green pixels in a face.
    /// - Parameters:
    ///   - wanted: red, green and blue, 0 to 255.
    ///   - own: the picture's colour there, before errors came to it.
    /// - Returns: its number.
    static func entry(for wanted: SIMD4<Int>, own: SIMD4<Int>) -> UInt8 {
        /// The step of the cube at or below a value.
        func floor(_ value: Int) -> Int { value < 95 ? 0 : min(5, (value - 55) / 40) }
        func hue(_ colour: SIMD4<Int>) -> SIMD4<Int> { colour &- SIMD4(colour.y, colour.z, colour.x, 0) }
        func square(_ x: SIMD4<Int>) -> Int { (x &* x).wrappedSum() }
        let ownHue = hue(own)
        func cost(_ colour: SIMD4<Int>) -> Int { 4 * square(colour &- wanted) + square(hue(colour) &- ownHue) }

        let grey = min(23, max(0, ((wanted.x + wanted.y + wanted.z) / 3 - 3) / 10))
        let level = 8 + grey * 10
        var best = (cost: cost(SIMD4(level, level, level, 0)), index: 232 + grey)
        let (red, green, blue) = (floor(wanted.x), floor(wanted.y), floor(wanted.z))
        for r in red...min(5, red + 1) {
            for g in green...min(5, green + 1) {
                for b in blue...min(5, blue + 1) {
                    let own = cost(SIMD4(levels[r], levels[g], levels[b], 0))
                    if own < best.cost { best = (own, 16 + 36 * r + 6 * g + b) }
                }
            }
        }
        return UInt8(best.index)
    }

    /// The nearest of the first 8 or 16 entries, among shades of grey or among those of its hue: colours that mean different things would else
    /// become the same.
    static func nearestBasic(to rgb: UInt32, limit: UInt8) -> UInt8 {
        let wanted = hue(of: rgb)
        var best: (distance: Int, index: UInt8) = (.max, 0)
        for index in 0..<limit {
            let candidate = basic[Int(index)]
            let own = hue(of: candidate)
            guard (own == nil) == (wanted == nil) else { continue }
            if let own, let wanted {
                let apart = abs(wanted - own)
                if min(apart, 360 - apart) > 45 { continue }
            }
            let distance = zip(parts(of: rgb), parts(of: candidate)).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            if distance < best.distance { best = (distance, index) }
        }
        return best.index
    }

    /// Red, green and blue, 0 to 255.
    private static func parts(of rgb: UInt32) -> [Int] { [16, 8, 0].map { Int(rgb >> $0 & 0xff) } }

    /// The angle of a colour on the wheel in degrees: red 0, green 120, blue 240. nil for shades of grey and what is near them.
    private static func hue(of rgb: UInt32) -> Double? {
        let parts = parts(of: rgb).map(Double.init)
        let (most, least) = (parts.max() ?? 0, parts.min() ?? 0)
        guard most > 0, most - least >= most / 4 else { return nil }
        let range = most - least
        let (red, green, blue) = (parts[0], parts[1], parts[2])
        let sixth =
            most == red ? (green - blue) / range : most == green ? 2 + (blue - red) / range : 4 + (red - green) / range
        return (sixth * 60 + 360).truncatingRemainder(dividingBy: 360)
    }
}
