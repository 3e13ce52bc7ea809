import Foundation
import ImageCore
import PseudoTerminal
import ScreenModel
import Testing

@testable import Terminal

/// A smooth picture with hard edges in it, the hardest kind for a palette.
private func gradient(_ width: Int, _ height: Int) -> RGBImage {
    var image = RGBImage(width: width, height: height)
    for y in 0..<height {
        for x in 0..<width {
            let offset = (y * width + x) * 3
            image.pixels[offset] = UInt8(200 - 80 * x / width)
            image.pixels[offset + 1] = UInt8(150 - 60 * y / height)
            image.pixels[offset + 2] = UInt8(110 + 30 * (x + y) / (width + height))
            if x > width / 3, x < width / 2, y > height / 3, y < height / 2 {
                for channel in 0..<3 { image.pixels[offset + channel] = 20 }
            }
        }
    }
    return image
}

@Suite struct PictureFitTests {
    @Test(arguments: [
        // 10 x 5 cells of 8 x 16 are 80 x 80 pixels: 78 is the largest side in whole bands.
        (PixelSize(width: 128, height: 128), Rect(x: 3, y: 2, columns: 10, rows: 5), 78, 78),
        (PixelSize(width: 128, height: 128), Rect(x: 0, y: 0, columns: 40, rows: 5), 78, 78),
        (PixelSize(width: 200, height: 100), Rect(x: 0, y: 0, columns: 20, rows: 20), 156, 78),
        (PixelSize(width: 100, height: 200), Rect(x: 0, y: 0, columns: 20, rows: 10), 78, 156),
    ])
    func sixelKeepsShapeAndBands(source: PixelSize, rect: Rect, width: Int, height: Int) throws {
        let fit = try #require(PictureFit.sixel(source, in: rect, cell: PixelSize(width: 8, height: 16), limit: nil))
        #expect(fit.pixels == PixelSize(width: width, height: height))
        #expect(fit.cells.x >= rect.x && fit.cells.maxX <= rect.maxX && fit.cells.y >= rect.y && fit.cells.maxY <= rect.maxY)
        #expect(abs((fit.cells.x - rect.x) - (rect.maxX - fit.cells.maxX)) <= 1, "centred")
    }

    /// Whatever the cell: inside the rectangle, whole bands, every cell of it covered.
    @Test func everyFitHolds() {
        for cellWidth in 5...13 {
            for rows in 1...12 {
                let cell = PixelSize(width: cellWidth, height: 2 * cellWidth + 1)
                let rect = Rect(x: 1, y: 1, columns: 3 * rows, rows: rows)
                guard let fit = PictureFit.sixel(PixelSize(width: 96, height: 128), in: rect, cell: cell, limit: nil) else {
                    continue
                }
                #expect(fit.pixels.height % 6 == 0)
                #expect(
                    fit.pixels.width <= fit.cells.columns * cell.width && fit.pixels.width > (fit.cells.columns - 1) * cell.width)
                #expect(
                    fit.pixels.height <= fit.cells.rows * cell.height && fit.pixels.height > (fit.cells.rows - 1) * cell.height)
                #expect(rect.intersection(fit.cells) == fit.cells)
            }
        }
    }

    @Test func limitsAndImpossiblePlaces() {
        let square = PixelSize(width: 128, height: 128)
        let cell = PixelSize(width: 8, height: 16)
        let rect = Rect(x: 0, y: 0, columns: 200, rows: 100)
        let limited = PictureFit.sixel(square, in: rect, cell: cell, limit: PixelSize(width: 1000, height: 1000))
        #expect(limited?.pixels == PixelSize(width: 996, height: 996))
        #expect(PictureFit.sixel(square, in: Rect(x: 0, y: 0, columns: 0, rows: 5), cell: cell, limit: nil) == nil)
        let flat = PixelSize(width: 2000, height: 2)
        #expect(PictureFit.sixel(flat, in: Rect(x: 0, y: 0, columns: 5, rows: 5), cell: cell, limit: nil) == nil)
        #expect(PictureFit.blocks(square, in: Rect(x: 0, y: 0, columns: 0, rows: 5)) == nil)
    }

    @Test func blocksAreTwoPixelsACell() {
        let fit = PictureFit.blocks(PixelSize(width: 128, height: 128), in: Rect(x: 2, y: 1, columns: 40, rows: 10))
        #expect(fit == PictureFit(cells: Rect(x: 12, y: 1, columns: 20, rows: 10), pixels: PixelSize(width: 20, height: 20)))
        let narrow = PictureFit.blocks(PixelSize(width: 128, height: 128), in: Rect(x: 0, y: 0, columns: 5, rows: 10))
        #expect(narrow?.pixels == PixelSize(width: 5, height: 6))
        #expect(narrow?.cells.rows == 3)
    }
}

@Suite struct SixelEncoderTests {
    @Test(arguments: PictureEffort.allCases)
    func roundTrip(effort: PictureEffort) throws {
        let image = gradient(150, 120)
        let bytes = try SixelEncoder.encode(image, effort: effort)
        #expect(bytes.starts(with: Array("\u{1b}P0;1q".utf8)), "what is not drawn keeps what is there")
        #expect(bytes.suffix(2) == Array("\u{1b}\\".utf8)[...])
        let decoded = SixelPicture(bytes[6..<(bytes.count - 2)])
        #expect(decoded.width == 150 && decoded.height == 120)
        #expect(decoded.holes == 0)
        #expect(!decoded.usesUndefinedColours)
        #expect(decoded.strangeBytes == 0)
        #expect(decoded.colours <= effort.colours(pixels: 150 * 120))
        #expect(error(decoded, image) < (effort == .least ? 12 : effort == .frugal ? 9 : 6))
    }

    /// Rings in smooth skin are what a palette without diffusion leaves; averaged over small areas they must be gone.
    @Test func smoothAreasStaySmooth() throws {
        let image = gradient(240, 240)
        let bytes = try SixelEncoder.encode(image, effort: .full)
        let decoded = SixelPicture(bytes[6..<(bytes.count - 2)])
        var worst = 0.0
        for y in stride(from: 0, to: 72, by: 12) {
            for x in stride(from: 0, to: 240, by: 12) {
                let mean = try #require(decoded.meanColour(x: x..<(x + 12), y: y..<(y + 12)))
                var wanted = [0.0, 0.0, 0.0]
                for row in y..<(y + 12) {
                    for column in x..<(x + 12) {
                        for channel in 0..<3 { wanted[channel] += Double(image.pixels[(row * 240 + column) * 3 + channel]) / 144 }
                    }
                }
                worst = max(worst, abs(mean.red - wanted[0]), abs(mean.green - wanted[1]), abs(mean.blue - wanted[2]))
            }
        }
        #expect(worst < 2.5, "levels of 255, in areas of 12 x 12")
    }

    @Test func tinyAndPlainPictures() throws {
        for image in [RGBImage(width: 1, height: 6, filledWith: (9, 200, 30)), RGBImage(width: 7, height: 6), gradient(2, 9)] {
            let bytes = try SixelEncoder.encode(image, effort: .full)
            let decoded = SixelPicture(bytes[6..<(bytes.count - 2)])
            #expect(decoded.width == image.width && decoded.height == image.height && decoded.holes == 0)
            #expect(error(decoded, image) < 2)
        }
    }

    /// Mean distance of a channel, in levels.
    private func error(_ picture: SixelPicture, _ image: RGBImage) -> Double {
        var sum = 0.0
        for (index, value) in picture.pixels.enumerated() {
            for channel in 0..<3 {
                let shown = Int(value >> UInt32(16 - 8 * channel) & 0xff)
                sum += abs(Double(shown - Int(image.pixels[index * 3 + channel])))
            }
        }
        return sum / Double(picture.pixels.count * 3)
    }
}

@Suite struct BlockEncoderTests {
    private func cells(_ image: RGBImage, _ colour: BlockColour) -> TerminalModel {
        var model = TerminalModel(columns: image.width + 1, rows: image.height / 2 + 1, cellWidth: 8, cellHeight: 16)
        for (row, bytes) in BlockEncoder.encode(image, colour: colour).enumerated() {
            _ = model.feed(Array("\u{1b}[\(row + 1);1H".utf8) + bytes)
        }
        return model
    }

    @Test func directColourIsExact() {
        let image = gradient(12, 8)
        let model = cells(image, .direct)
        #expect(model.unknown.isEmpty)
        for y in 0..<4 {
            for x in 0..<12 {
                let cell = model[x, y]
                #expect(cell.character == "▀")
                func rgb(_ row: Int) -> TerminalModel.Colour {
                    let offset = (row * 12 + x) * 3
                    return .rgb(Int(image.pixels[offset]), Int(image.pixels[offset + 1]), Int(image.pixels[offset + 2]))
                }
                #expect(cell.attributes.foreground == rgb(2 * y))
                #expect(cell.attributes.background == rgb(2 * y + 1))
            }
        }
        #expect(model[12, 0].attributes == TerminalModel.Attributes(), "the row ends in the terminal's own colours")
    }

    @Test func paletteKeepsMeansByDiffusion() {
        let image = RGBImage(width: 24, height: 24, filledWith: (187, 143, 121))
        var sums = (0.0, 0.0, 0.0)
        for index in BlockEncoder.diffused(image) {
            #expect(index >= 16, "the first sixteen belong to the person")
            let colour = Palette.rgb(of: index)
            sums.0 += Double(colour >> 16 & 0xff) / 576
            sums.1 += Double(colour >> 8 & 0xff) / 576
            sums.2 += Double(colour & 0xff) / 576
        }
        #expect(abs(sums.0 - 187) < 6 && abs(sums.1 - 143) < 6 && abs(sums.2 - 121) < 6)
    }

    /// Diffused errors of the three channels run apart: in dark skin 84 of 5120 pixels became magenta or green.
    @Test func entriesKeepTheHue() {
        func hue(_ c: (Int, Int, Int)) -> (Int, Int) { (c.0 - c.1, c.1 - c.2) }
        var strange = 0
        for (red, green, blue) in [(92, 60, 48), (120, 80, 60), (187, 143, 121), (128, 126, 120), (70, 70, 66)] {
            let image = RGBImage(width: 32, height: 32, filledWith: (UInt8(red), UInt8(green), UInt8(blue)))
            for index in BlockEncoder.diffused(image) {
                let shown = Palette.rgb(of: index)
                let found = hue((Int(shown >> 16 & 0xff), Int(shown >> 8 & 0xff), Int(shown & 0xff)))
                let wanted = hue((red, green, blue))
                if abs(found.0 - wanted.0) > 60 && abs(found.1 - wanted.1) > 60 { strange += 1 }
            }
        }
        #expect(strange < 10)
    }

    @Test func asciiIsPlainAndFollowsTheBackground() {
        var image = RGBImage(width: 10, height: 2)
        for x in 0..<10 {
            for row in 0..<2 { for channel in 0..<3 { image.pixels[(row * 10 + x) * 3 + channel] = UInt8(x * 28) } }
        }
        let dark = BlockEncoder.encode(image, colour: .ascii(onLight: false))
        #expect(dark == [Array(" .:-=+*#%@".utf8)] || dark[0].first == UInt8(ascii: " ") && dark[0].last == UInt8(ascii: "%"))
        #expect(BlockEncoder.encode(image, colour: .ascii(onLight: true))[0].first == UInt8(ascii: "@"))
        #expect(dark[0].allSatisfy { $0 < 0x80 && $0 >= 0x20 })
    }
}
