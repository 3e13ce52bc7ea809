/// How a camera was held: tag 0x0112 of the Exif block of a JPEG file.
enum ExifOrientation {
    /// 1 to 8; 1 (upright) when there is none or the block is damaged.
    static func read(from jpeg: [UInt8]) -> Int {
        var at = 2
        while at + 4 <= jpeg.count, jpeg[at] == 0xFF {
            let marker = jpeg[at + 1]
            if marker == 0xDA || marker == 0xD9 { return 1 }
            let length = Int(jpeg[at + 2]) << 8 | Int(jpeg[at + 3])
            guard length >= 2, at + 2 + length <= jpeg.count else { return 1 }
            let body = jpeg[(at + 4)..<(at + 2 + length)]
            if marker == 0xE1, body.starts(with: Array("Exif\0\0".utf8)) { return orientation(tiff: body.dropFirst(6)) }
            at += 2 + length
        }
        return 1
    }

    private static func orientation(tiff: ArraySlice<UInt8>) -> Int {
        let base = tiff.startIndex
        guard tiff.count >= 8 else { return 1 }
        let little = tiff[base] == 0x49
        func number(_ offset: Int, _ count: Int) -> Int? {
            guard offset >= 0, offset + count <= tiff.count else { return nil }
            let bytes = tiff[(base + offset)..<(base + offset + count)]
            return (little ? Array(bytes.reversed()) : Array(bytes)).reduce(0) { $0 << 8 | Int($1) }
        }
        guard let directory = number(4, 4), let entries = number(directory, 2) else { return 1 }
        for entry in 0..<entries {
            let start = directory + 2 + entry * 12
            guard let tag = number(start, 2), let value = number(start + 8, 2) else { return 1 }
            if tag == 0x0112 { return (1...8).contains(value) ? value : 1 }
        }
        return 1
    }
}

extension RGBImage {
    /// The picture turned and mirrored so that it stands upright.
    func turned(exifOrientation orientation: Int) -> RGBImage {
        guard orientation > 1 else { return self }
        let swapped = orientation >= 5
        let newWidth = swapped ? height : width
        let newHeight = swapped ? width : height
        var result = [UInt8](repeating: 0, count: pixels.count)
        for y in 0..<newHeight {
            for x in 0..<newWidth {
                let (sourceX, sourceY) =
                    switch orientation {
                    case 2: (width - 1 - x, y)
                    case 3: (width - 1 - x, height - 1 - y)
                    case 4: (x, height - 1 - y)
                    case 5: (y, x)
                    case 6: (y, height - 1 - x)
                    case 7: (width - 1 - y, height - 1 - x)
                    default: (width - 1 - y, x)
                    }
                let from = (sourceY * width + sourceX) * 3
                let to = (y * newWidth + x) * 3
                for channel in 0..<3 { result[to + channel] = pixels[from + channel] }
            }
        }
        return RGBImage(width: newWidth, height: newHeight, pixels: result)
    }
}
