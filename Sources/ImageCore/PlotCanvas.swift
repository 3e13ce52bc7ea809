/// A place on a drawing in pixels, from its upper left corner.
struct PlotPoint: Equatable {
    var x, y: Double
}

/// Draws with smooth edges on a picture.
struct PlotCanvas {
    private(set) var image: RGBImage

    init(width: Int, height: Int) {
        image = RGBImage(width: max(1, width), height: max(1, height), filledWith: (255, 255, 255))
    }

    /// Draws a line through points with a round pen; overlapping parts of one line do not darken each other.
    /// - Parameters:
    ///   - points: one point is a dot.
    ///   - width: of the pen in pixels.
    ///   - colour: of the pen.
    ///   - opacity: 0...1
    ///   - clip: nothing is drawn outside.
    mutating func stroke(
        _ points: [PlotPoint], width: Double, colour: RGBColour, opacity: Double = 1, clip: PlotFrame? = nil
    ) {
        guard let first = points.first else { return }
        let reach = width / 2 + 1
        var (low, high) = (first, first)
        for point in points {
            low = PlotPoint(x: min(low.x, point.x), y: min(low.y, point.y))
            high = PlotPoint(x: max(high.x, point.x), y: max(high.y, point.y))
        }
        let bounds = PlotFrame(left: low.x - reach, top: low.y - reach, right: high.x + reach, bottom: high.y + reach)
        guard let area = pixels(in: bounds, clip: clip) else { return }
        var mask = [Float](repeating: 0, count: area.x.count * area.y.count)
        let segments = points.count == 1 ? [(first, first)] : Array(zip(points, points.dropFirst()))
        for (a, b) in segments {
            let box = PlotFrame(
                left: min(a.x, b.x) - reach, top: min(a.y, b.y) - reach, right: max(a.x, b.x) + reach,
                bottom: max(a.y, b.y) + reach)
            guard let part = pixels(in: box, clip: clip) else { continue }
            let (dx, dy) = (b.x - a.x, b.y - a.y)
            let lengthSquared = dx * dx + dy * dy
            for y in part.y {
                for x in part.x {
                    let (px, py) = (Double(x) + 0.5 - a.x, Double(y) + 0.5 - a.y)
                    let t = lengthSquared > 0 ? min(1, max(0, (px * dx + py * dy) / lengthSquared)) : 0
                    let (ex, ey) = (px - t * dx, py - t * dy)
                    let cover = Float(min(1, max(0, width / 2 + 0.5 - (ex * ex + ey * ey).squareRoot())))
                    let index = (y - area.y.lowerBound) * area.x.count + x - area.x.lowerBound
                    if cover > mask[index] { mask[index] = cover }
                }
            }
        }
        for y in area.y {
            for x in area.x {
                let cover = mask[(y - area.y.lowerBound) * area.x.count + x - area.x.lowerBound]
                if cover > 0 { blend(x, y, colour, Double(cover) * opacity) }
            }
        }
    }

    /// Fills a rectangle; edges between pixels are shared with what lies behind.
    mutating func fill(_ frame: PlotFrame, colour: RGBColour, opacity: Double = 1, clip: PlotFrame? = nil) {
        guard let area = pixels(in: frame, clip: clip) else { return }
        for y in area.y {
            let high = min(frame.bottom, Double(y + 1)) - max(frame.top, Double(y))
            for x in area.x {
                let wide = min(frame.right, Double(x + 1)) - max(frame.left, Double(x))
                if wide > 0, high > 0 { blend(x, y, colour, wide * high * opacity) }
            }
        }
    }

    /// Writes a text.
    /// - Parameters:
    ///   - text: one line.
    ///   - place: where it is anchored on its base line.
    ///   - size: height of capitals in pixels.
    ///   - colour: of the strokes.
    ///   - anchor: 0 when the text begins at `place`, 0.5 when its middle lies there, 1 when it ends there.
    ///   - slope: direction of the base line as (cosine, sine), y downwards; (0, -1) reads upwards.
    ///   - bold: strokes half as wide again.
    mutating func write(
        _ text: String, at place: PlotPoint, size: Double, colour: RGBColour, anchor: Double = 0,
        slope: (Double, Double) = (1, 0), bold: Bool = false
    ) {
        let (strokes, width) = StrokeFont.layOut(text, size: size)
        let pen = max(1.05, size * 0.115) * (bold ? 1.45 : 1)
        for stroke in strokes {
            let points = stroke.map { point in
                let x = point.x - anchor * width
                return PlotPoint(
                    x: place.x + x * slope.0 - point.y * slope.1, y: place.y + x * slope.1 + point.y * slope.0)
            }
            self.stroke(points, width: pen, colour: colour)
        }
    }

    /// The whole pixels that a frame touches, or nil.
    private func pixels(in frame: PlotFrame, clip: PlotFrame?) -> (x: Range<Int>, y: Range<Int>)? {
        guard frame.left.isFinite, frame.right.isFinite, frame.top.isFinite, frame.bottom.isFinite else { return nil }
        let left = max(0, frame.left, clip?.left ?? 0).rounded(.down)
        let top = max(0, frame.top, clip?.top ?? 0).rounded(.down)
        let right = min(Double(image.width), frame.right, clip?.right ?? .infinity).rounded(.up)
        let bottom = min(Double(image.height), frame.bottom, clip?.bottom ?? .infinity).rounded(.up)
        guard left < right, top < bottom else { return nil }
        return (Int(left)..<Int(right), Int(top)..<Int(bottom))
    }

    private mutating func blend(_ x: Int, _ y: Int, _ colour: RGBColour, _ opacity: Double) {
        let index = (y * image.width + x) * 3
        let mix = { (old: UInt8, new: UInt8) in UInt8(Double(old) + (Double(new) - Double(old)) * min(1, opacity) + 0.5) }
        image.pixels[index] = mix(image.pixels[index], colour.red)
        image.pixels[index + 1] = mix(image.pixels[index + 1], colour.green)
        image.pixels[index + 2] = mix(image.pixels[index + 2], colour.blue)
    }
}

/// A rectangle in pixels.
struct PlotFrame: Equatable {
    var left, top, right, bottom: Double
}
