/// An encoded picture, ready to be sent anywhere on the screen.
enum PictureBlob: Sendable, Equatable {
    /// A sixel control string, its terminator included.
    case sixel([UInt8])
    /// Rows of styled characters.
    case rows([[UInt8]])

    var count: Int {
        switch self {
        case .sixel(let bytes): bytes.count
        case .rows(let rows): rows.reduce(0) { $0 + $1.count }
        }
    }
}

/// How a picture is made for the terminal at hand.
enum PictureMedium: Hashable, Sendable {
    case sixel
    case blocks(BlockColour)
}

/// Colours of half blocks.
enum BlockColour: Hashable, Sendable {
    /// 24 bits.
    case direct
    /// 256 colours with diffused error.
    case palette
    /// A ramp of characters, darkest first; `onLight` for a light background.
    case ascii(onLight: Bool)
}

/// How much time and how many bytes a picture may cost.
struct PictureEffort: Hashable, Sendable {
    /// Better choice of colours: four to ten times the time, 2 to 3 dB.
    var isFine: Bool
    /// 0: 256 colours, 1: 64, 2: 16, for slow links.
    var economy: Int

    static let quick = PictureEffort(isFine: false, economy: 0)
    static let fine = PictureEffort(isFine: true, economy: 0)
}
