/// A colour as red, green, blue, sRGB.
public typealias RGBColour = (red: UInt8, green: UInt8, blue: UInt8)

extension RGBImage {
    /// Pictures in rows and columns, filled row by row, each in the middle of its cell.
    ///
    /// All cells are as large as the largest picture.
    /// - Parameters:
    ///   - images: at least one picture.
    ///   - columns: pictures in a row, at least 1; nil makes the sheet about square.
    ///   - gap: pixels between cells and around them.
    ///   - background: what shows between them.
    /// - Returns: the sheet.
    /// - Precondition: `images` is not empty.
    public static func contactSheet(
        _ images: [RGBImage], columns: Int? = nil, gap: Int = 4, background: RGBColour = (24, 24, 24)
    ) -> RGBImage {
        precondition(!images.isEmpty, "a contact sheet needs a picture")
        let gap = max(0, gap)
        let square = Int(Double(images.count).squareRoot().rounded(.up))
        let columns = min(images.count, max(1, columns ?? square))
        let rows = (images.count + columns - 1) / columns
        let cellWidth = images.reduce(1) { max($0, $1.width) }
        let cellHeight = images.reduce(1) { max($0, $1.height) }
        var sheet = RGBImage(
            width: columns * (cellWidth + gap) + gap, height: rows * (cellHeight + gap) + gap, filledWith: background)
        for (index, image) in images.enumerated() {
            let left = gap + index % columns * (cellWidth + gap) + (cellWidth - image.width) / 2
            let top = gap + index / columns * (cellHeight + gap) + (cellHeight - image.height) / 2
            sheet.draw(image, left: left, top: top)
        }
        return sheet
    }

    /// Pictures in one row.
    /// - Parameters:
    ///   - images: at least one picture.
    ///   - gap: pixels between them and around them.
    ///   - background: what shows between them.
    /// - Returns: the strip.
    /// - Precondition: `images` is not empty.
    public static func strip(_ images: [RGBImage], gap: Int = 0, background: RGBColour = (24, 24, 24)) -> RGBImage {
        contactSheet(images, columns: images.count, gap: gap, background: background)
    }

    /// Draws a picture over this one; what lies outside is cut off.
    /// - Parameters:
    ///   - image: what to draw.
    ///   - left: column of its first pixel; may be negative.
    ///   - top: row of its first pixel; may be negative.
    public mutating func draw(_ image: RGBImage, left: Int, top: Int) {
        let from = max(0, -left)
        let to = min(image.width, width - left)
        guard from < to else { return }
        for y in max(0, -top)..<max(max(0, -top), min(image.height, height - top)) {
            let source = (y * image.width + from) * 3
            let target = ((y + top) * width + left + from) * 3
            let count = (to - from) * 3
            pixels.replaceSubrange(target..<(target + count), with: image.pixels[source..<(source + count)])
        }
    }

    /// A part of the picture.
    /// - Parameters:
    ///   - left: its first column.
    ///   - top: its first row.
    ///   - newWidth: its width in pixels.
    ///   - newHeight: its height in pixels.
    /// - Returns: a copy of the part.
    /// - Precondition: the part lies inside.
    public func cropped(left: Int, top: Int, width newWidth: Int, height newHeight: Int) -> RGBImage {
        precondition(left >= 0 && top >= 0 && newWidth > 0 && newHeight > 0, "a part has at least one pixel")
        precondition(left + newWidth <= width && top + newHeight <= height, "a part lies inside the picture")
        var part = RGBImage(width: newWidth, height: newHeight)
        part.draw(self, left: -left, top: -top)
        return part
    }
}
