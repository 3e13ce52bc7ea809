import Testing

@testable import ImageCore

@Suite struct ResizeTests {
    @Test(arguments: ResizeFilter.allCases)
    func oneColourStaysItself(filter: ResizeFilter) {
        let image = RGBImage(width: 13, height: 7, filledWith: (10, 128, 250))
        for (width, height) in [(1, 1), (5, 20), (40, 3), (13, 7), (26, 14)] {
            #expect(
                image.resized(width: width, height: height, filter: filter)
                    == RGBImage(width: width, height: height, filledWith: (10, 128, 250)))
        }
    }

    @Test func boxIsTheMeanWhenShrinkingAndTheNearestWhenEnlarging() {
        let image = RGBImage(width: 2, height: 2, pixels: [0, 0, 0, 100, 100, 100, 200, 200, 200, 60, 60, 60])
        #expect(image.resized(width: 1, height: 1, filter: .box).pixels == [90, 90, 90])
        let large = image.resized(width: 4, height: 4, filter: .box)
        #expect(
            stride(from: 0, to: 48, by: 3).map { large.pixels[$0] } == [
                0, 0, 100, 100, 0, 0, 100, 100, 200, 200, 60, 60, 200, 200, 60, 60,
            ])
    }

    /// Pillow's `Image.resize` of the same noise, which rounds between its two passes; see Fixtures/make_fixtures.py.
    @Test(arguments: Fixtures.resized)
    func agreesWithPillow(fixture: ResizeFixture) throws {
        var image = TestPictures.noise(width: 23, height: 17)
        // In the middle half of the range: Pillow also cuts overshoot off between its passes.
        for index in image.pixels.indices { image.pixels[index] = 64 + image.pixels[index] / 2 }
        let mine = image.resized(width: fixture.width, height: fixture.height, filter: fixture.filter)
        let theirs = try bytes(base64: fixture.base64)
        try #require(mine.pixels.count == theirs.count)
        let worst = zip(mine.pixels, theirs).map { abs(Int($0) - Int($1)) }.max() ?? 0
        #expect(worst <= 1, "\(fixture.filter) to \(fixture.width)x\(fixture.height)")
    }

    @Test func fitsKeepTheShape() {
        let image = RGBImage(width: 200, height: 100)
        let small = image.fitted(width: 50, height: 50)
        #expect(small.width == 50 && small.height == 25)
        let large = image.fitted(width: 1000, height: 300)
        #expect(large.width == 600 && large.height == 300)
        let thin = RGBImage(width: 1000, height: 1).fitted(width: 10, height: 10)
        #expect(thin.width == 10 && thin.height == 1)
    }
}
