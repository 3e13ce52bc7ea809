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

/// How much time and how many bytes a picture may cost, best looking first.
enum PictureEffort: Int, Hashable, Sendable, CaseIterable, Comparable {
    /// Errors diffused, as many colours as the size deserves.
    case full
    /// 96 colours, no diffusion: half the time, 40 % of the bytes. For drafts.
    case quick
    /// 32 colours.
    case frugal
    /// 16 colours.
    case least

    static func < (left: PictureEffort, right: PictureEffort) -> Bool { left.rawValue > right.rawValue }

    /// Size of the palette for a picture of so many pixels.
    func colours(pixels: Int) -> Int {
        switch self {
        // The palette is a large part of a small picture, and not missed there.
        case .full: pixels > 40_000 ? 256 : pixels > 16_000 ? 128 : 64
        case .quick: pixels > 16_000 ? 96 : 64
        case .frugal: 32
        case .least: 16
        }
    }

    /// Bytes per pixel of faces, measured.
    var bytesPerPixel: Double {
        switch self {
        case .full: 0.9
        case .quick: 0.35
        case .frugal: 0.2
        case .least: 0.12
        }
    }
}
