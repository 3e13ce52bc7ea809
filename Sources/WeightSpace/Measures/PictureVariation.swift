import Foundation
import ImageCore
import TensorKit

/// Changes that leave a person the same: mirrored, moved, turned and enlarged a little, lit and coloured a little differently, out of focus.
struct PictureVariation {
    let isMirrored: Bool
    /// Shares of half a side.
    let shift: (x: Float, y: Float)
    let zoom, angle, contrast: Float
    /// Added to each channel, in the range -1 to 1 of the pixels.
    let tint: (Float, Float, Float)
    let isBlurred: Bool

    /// Draws a variation: ten numbers of the stream.
    init(_ random: TorchRandomSource) {
        let draws = random.uniform(11)
        let around = { (index: Int, width: Float) in (draws[index] * 2 - 1) * width }
        isMirrored = draws[0] < 0.5
        shift = (around(1, 0.06), around(2, 0.06))
        zoom = 1 + around(3, 0.08)
        angle = around(4, 0.06)
        contrast = 1 + around(5, 0.15)
        let brightness = around(6, 0.1)
        tint = (brightness + around(7, 0.08), brightness + around(8, 0.08), brightness + around(9, 0.08))
        isBlurred = draws[10] < 0.4
    }

    /// Draws a picture with the variation.
    /// - Parameters:
    ///   - image: square.
    ///   - target: room for side * side * 3 numbers from about -1 to 1.
    func draw(_ image: RGBImage, into target: UnsafeMutablePointer<Float>) {
        let side = image.width
        let (sine, cosine, half) = (sin(angle) * zoom, cos(angle) * zoom, Float(side) / 2)
        image.pixels.withUnsafeBufferPointer { pixels in
            for row in 0..<side {
                for column in 0..<side {
                    let (dx, dy) = ((Float(column) + 0.5) / half - 1, (Float(row) + 0.5) / half - 1)
                    let turned = cosine * dx - sine * dy + shift.x
                    let x = ((isMirrored ? -turned : turned) + 1) * half - 0.5
                    let y = (sine * dx + cosine * dy + shift.y + 1) * half - 0.5
                    let (left, top) = (x.rounded(.down), y.rounded(.down))
                    let (u, v) = (x - left, y - top)
                    let limit = { (value: Float) in min(max(Int(value), 0), side - 1) }
                    let (x0, x1, y0, y1) = (limit(left), limit(left + 1), limit(top) * side, limit(top + 1) * side)
                    let place = target + (row * side + column) * 3
                    for channel in 0..<3 {
                        let at = { (index: Int) in Float(pixels[index * 3 + channel]) }
                        let upper = at(y0 + x0) * (1 - u) + at(y0 + x1) * u
                        let lower = at(y1 + x0) * (1 - u) + at(y1 + x1) * u
                        let value = (upper * (1 - v) + lower * v) / 127.5 - 1
                        place[channel] = value * contrast + (channel == 0 ? tint.0 : channel == 1 ? tint.1 : tint.2)
                    }
                }
            }
        }
        if isBlurred { for _ in 0..<2 { Self.blur(target, side: side) } }
    }

    /// 1 2 1 along both directions; borders repeat.
    private static func blur(_ pixels: UnsafeMutablePointer<Float>, side: Int) {
        let copy = [Float](UnsafeBufferPointer(start: pixels, count: side * side * 3))
        let weights: [Float] = [0.25, 0.5, 0.25]
        for row in 0..<side {
            for column in 0..<side {
                for channel in 0..<3 {
                    var sum: Float = 0
                    for i in -1...1 {
                        let y = min(max(row + i, 0), side - 1)
                        for j in -1...1 {
                            let x = min(max(column + j, 0), side - 1)
                            sum += weights[i + 1] * weights[j + 1] * copy[(y * side + x) * 3 + channel]
                        }
                    }
                    pixels[(row * side + column) * 3 + channel] = sum
                }
            }
        }
    }
}
