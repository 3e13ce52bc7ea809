import Testing

@testable import ImageCore

@Suite struct SheetTests {
    private func pixel(_ image: RGBImage, _ x: Int, _ y: Int) -> [UInt8] {
        let at = (y * image.width + x) * 3
        return Array(image.pixels[at..<(at + 3)])
    }

    @Test func cellsGapsAndBackground() {
        let images = (1...5).map { RGBImage(width: 4, height: 3, filledWith: (UInt8($0), 0, 0)) }
        let sheet = RGBImage.contactSheet(images, columns: 2, gap: 1, background: (9, 9, 9))
        #expect(sheet.width == 11 && sheet.height == 13)
        #expect(pixel(sheet, 0, 0) == [9, 9, 9])
        #expect(pixel(sheet, 1, 1) == [1, 0, 0])
        #expect(pixel(sheet, 9, 3) == [2, 0, 0])
        #expect(pixel(sheet, 5, 1) == [9, 9, 9])
        #expect(pixel(sheet, 4, 11) == [5, 0, 0])
        #expect(pixel(sheet, 6, 11) == [9, 9, 9])
    }

    @Test func squareByDefaultAndSmallerPicturesInTheMiddle() {
        var images = [RGBImage](repeating: RGBImage(width: 3, height: 3, filledWith: (1, 1, 1)), count: 4)
        images[3] = RGBImage(width: 1, height: 1, filledWith: (200, 0, 0))
        let sheet = RGBImage.contactSheet(images, gap: 0, background: (0, 0, 0))
        #expect(sheet.width == 6 && sheet.height == 6)
        #expect(pixel(sheet, 4, 4) == [200, 0, 0])
        #expect(pixel(sheet, 3, 3) == [0, 0, 0])
    }

    @Test func stripIsOneRow() {
        let strip = RGBImage.strip([RGBImage(width: 2, height: 2), RGBImage(width: 2, height: 2)])
        #expect(strip.width == 4 && strip.height == 2)
    }

    @Test(arguments: [(-2, -2), (3, 3), (10, 10), (-10, 0), (0, -10)])
    func drawingOutsideIsCutOff(left: Int, top: Int) {
        var canvas = RGBImage(width: 4, height: 4)
        canvas.draw(RGBImage(width: 3, height: 3, filledWith: (255, 255, 255)), left: left, top: top)
        for y in 0..<4 {
            for x in 0..<4 {
                let inside = (left..<(left + 3)).contains(x) && (top..<(top + 3)).contains(y)
                #expect(pixel(canvas, x, y)[0] == (inside ? 255 : 0))
            }
        }
    }

    @Test func croppingTakesTheRightPart() {
        let image = TestPictures.gradient(width: 10, height: 8)
        let part = image.cropped(left: 3, top: 2, width: 4, height: 5)
        #expect(pixel(part, 0, 0) == pixel(image, 3, 2))
        #expect(pixel(part, 3, 4) == pixel(image, 6, 6))
    }

    @Test func comparisons() throws {
        let black = RGBImage(width: 2, height: 1)
        let grey = RGBImage(width: 2, height: 1, filledWith: (51, 51, 51))
        #expect(black.psnr(to: black) == .infinity)
        // 10 log10(255^2 / 51^2) = 20 log10(5)
        #expect(abs(try #require(black.psnr(to: grey)) - 13.979400) < 1e-5)
        #expect(black.psnr(to: RGBImage(width: 1, height: 1)) == nil)
    }

    @Test func blends() {
        let image = RGBImage(width: 1, height: 1, filledWith: (100, 200, 255))
        #expect(image.blended(with: (0, 0, 0), amount: 0) == image)
        #expect(image.blended(with: (0, 0, 0), amount: 1).pixels == [0, 0, 0])
        #expect(image.blended(with: (0, 0, 0), amount: 0.5).pixels == [50, 100, 128])
        #expect(image.blended(with: RGBImage(width: 1, height: 1), amount: 0.5).pixels == [50, 100, 128])
        #expect(image.blended(with: (255, 255, 255), amount: 7).pixels == [255, 255, 255])
    }
}
