import ImageCore

/// Turns pixels into half blocks: each cell shows one pixel above another.
enum BlockEncoder {
    /// Darkest first.
    private static let ramp = Array(" .:-=+*#%@".utf8)

    /// - Parameters:
    ///   - image: one pixel per column, two per row of cells.
    ///   - colour: what the terminal can show.
    /// - Returns: one run of bytes per row of cells; each begins and ends with the terminal's own colours.
    static func encode(_ image: RGBImage, colour: BlockColour) -> [[UInt8]] {
        let rows = (image.height + 1) / 2
        switch colour {
        case .direct:
            return (0..<rows).map { row in
                blocks(width: image.width) { x in
                    let upper = pixel(image, x, 2 * row)
                    let lower = pixel(image, x, min(2 * row + 1, image.height - 1))
                    return ("38;2;\(upper.0);\(upper.1);\(upper.2)", "48;2;\(lower.0);\(lower.1);\(lower.2)")
                }
            }
        case .palette:
            let indices = diffused(image)
            return (0..<rows).map { row in
                blocks(width: image.width) { x in
                    let upper = indices[2 * row * image.width + x]
                    let lower = indices[min(2 * row + 1, image.height - 1) * image.width + x]
                    return ("38;5;\(upper)", "48;5;\(lower)")
                }
            }
        case .ascii(let onLight):
            return (0..<rows).map { row in
                (0..<image.width).map { x in
                    let upper = luminance(pixel(image, x, 2 * row))
                    let lower = luminance(pixel(image, x, min(2 * row + 1, image.height - 1)))
                    let level = (upper + lower) / 2 * ramp.count / 256
                    return ramp[onLight ? ramp.count - 1 - level : level]
                }
            }
        }
    }

    /// A row of blocks; a colour is only named where it changes.
    private static func blocks(width: Int, _ colours: (Int) -> (String, String)) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(width * 24)
        var last = ("", "")
        for x in 0..<width {
            let next = colours(x)
            var changes: [String] = []
            if next.0 != last.0 { changes.append(next.0) }
            if next.1 != last.1 { changes.append(next.1) }
            if !changes.isEmpty { bytes += Array("\u{1b}[\(changes.joined(separator: ";"))m".utf8) }
            bytes += [0xe2, 0x96, 0x80]  // U+2580, the upper half
            last = next
        }
        return bytes + Array("\u{1b}[0m".utf8)
    }

    private static func pixel(_ image: RGBImage, _ x: Int, _ y: Int) -> (Int, Int, Int) {
        let offset = (y * image.width + x) * 3
        return (Int(image.pixels[offset]), Int(image.pixels[offset + 1]), Int(image.pixels[offset + 2]))
    }

    private static func luminance(_ colour: (Int, Int, Int)) -> Int {
        (colour.0 * 299 + colour.1 * 587 + colour.2 * 114) / 1000
    }

    /// Floyd-Steinberg against the 256 colours, every other row backwards: the cube alone turns skin into steps and loses mouths.
    static func diffused(_ image: RGBImage) -> [UInt8] {
        let width = image.width
        let height = image.height
        var errors = [Int](repeating: 0, count: width * height * 3)
        var indices = [UInt8](repeating: 0, count: width * height)
        for y in 0..<height {
            let forward = y % 2 == 0
            let ahead = forward ? 1 : -1
            for step in 0..<width {
                let x = forward ? step : width - 1 - step
                let offset = (y * width + x) * 3
                var (wanted, own) = (SIMD4<Int>(), SIMD4<Int>())
                for channel in 0..<3 {
                    own[channel] = Int(image.pixels[offset + channel])
                    wanted[channel] = min(255, max(0, own[channel] + errors[offset + channel] / 16))
                }
                let index = Palette.entry(for: wanted, own: own)
                indices[y * width + x] = index
                let shown = Palette.rgb(of: index)
                for channel in 0..<3 {
                    let value = Int(shown >> UInt32(16 - 8 * channel) & 0xff)
                    // Bounded, so that one impossible colour does not smear over its neighbours.
                    let error = min(48, max(-48, wanted[channel] - value))
                    for (dx, dy, weight) in [(ahead, 0, 7), (-ahead, 1, 3), (0, 1, 5), (ahead, 1, 1)] {
                        let (nx, ny) = (x + dx, y + dy)
                        if nx >= 0, nx < width, ny < height { errors[(ny * width + nx) * 3 + channel] += error * weight }
                    }
                }
            }
        }
        return indices
    }
}
