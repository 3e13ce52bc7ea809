import Foundation
import Testing

@testable import ImageCore

@Suite struct PNGTests {
    @Test(arguments: [(1, 1), (7, 5), (64, 48)], [false, true])
    func roundTripIsExact(size: (Int, Int), fast: Bool) throws {
        for image in [
            TestPictures.gradient(width: size.0, height: size.1), TestPictures.noise(width: size.0, height: size.1),
        ] {
            #expect(try RGBImage(pngData: image.pngData(fast: fast)) == image)
        }
    }

    @Test func textsSurvive() throws {
        let texts = [
            PNGText(keyword: "w2w:seed", text: "88"),
            PNGText(keyword: "Description", text: "Zoë, 41 ∘ naïve\nline two"),
            PNGText(keyword: "w2w:code", text: (0..<2000).map { "\($0)" }.joined(separator: " ")),
        ]
        let image = TestPictures.gradient(width: 9, height: 4)
        let png = try image.pngData(text: texts)
        #expect(try PNGText.read(from: png) == texts)
        #expect(try RGBImage(pngData: png) == image)
    }

    /// Made by Pillow: `tEXt` with Latin-1, `iTXt` compressed, `zTXt`; see Fixtures/make_fixtures.py.
    @Test func readsTextsOfOthers() throws {
        let png = try bytes(base64: Fixtures.pillowTexts)
        #expect(
            try PNGText.read(from: png) == [
                PNGText(keyword: "Author", text: "Zoë"),
                PNGText(keyword: "Title", text: "σ = 1.25"),
                PNGText(keyword: "Comment", text: String(repeating: "again and ", count: 20)),
            ])
    }

    @Test(arguments: ["", " seed", "seed ", "a\u{7}b", "σ", String(repeating: "k", count: 80)])
    func refusesKeywords(keyword: String) {
        let image = RGBImage(width: 1, height: 1)
        #expect(throws: ImageFileError.self) { try image.pngData(text: [PNGText(keyword: keyword, text: "x")]) }
    }

    /// Made by Pillow and ImageMagick: palette, 16 bits, grey with alpha.
    @Test func readsOtherKinds() throws {
        let palette = try RGBImage(pngData: bytes(base64: Fixtures.palettePNG))
        #expect(palette.pixels == [255, 0, 0, 0, 0, 255])
        let deep = try RGBImage(pngData: bytes(base64: Fixtures.sixteenBitPNG))
        #expect(deep.pixels == [128, 128, 128, 255, 255, 255])
        let clear = try RGBImage(pngData: bytes(base64: Fixtures.transparentPNG), background: 77)
        #expect(clear.pixels == [77, 77, 77, 200, 200, 200])
    }

    @Test func everyTruncationIsRefused() throws {
        let png = try TestPictures.noise(width: 12, height: 9).pngData(text: [PNGText(keyword: "a", text: "b")])
        // The last 12 bytes are IEND: without them the picture is complete, and libpng may say so.
        for length in 0..<(png.count - 12) {
            #expect(throws: ImageFileError.self, "cut at \(length)") { try RGBImage(pngData: Array(png[..<length])) }
        }
    }

    @Test func noDamageTraps() throws {
        let png = try TestPictures.gradient(width: 12, height: 9).pngData(text: [PNGText(keyword: "a", text: "b")])
        for index in png.indices {
            for flip: UInt8 in [1, 0x80, 0xFF] {
                var damaged = png
                damaged[index] ^= flip
                _ = try? RGBImage(fileData: damaged)
                _ = try? PNGText.read(from: damaged)
            }
        }
    }

    @Test func hugeSizesAreRefusedBeforeMemoryIsTaken() throws {
        var png = try RGBImage(width: 1, height: 1).pngData()
        png.replaceSubrange(16..<24, with: bigEndian(60_000) + bigEndian(60_000))
        let ihdr = PNGChunk(type: "IHDR", data: png[16..<29]).bytes
        png.replaceSubrange(8..<33, with: ihdr)
        let error = #expect(throws: ImageFileError.self) { try RGBImage(pngData: png) }
        #expect(error?.description.contains("60000x60000") == true)
    }
}
