import Testing

@testable import ImageCore

@Suite struct JPEGTests {
    @Test func roundTripIsClose() throws {
        let image = TestPictures.gradient(width: 61, height: 45)
        let back = try RGBImage(jpegData: image.jpegData(quality: 95))
        let psnr = try #require(back.psnr(to: image))
        #expect(psnr > 33, "PSNR \(psnr) dB")
        let small = try image.jpegData(quality: 10)
        #expect(try small.count < image.jpegData(quality: 95).count)
    }

    @Test func truncationIsRefused() throws {
        let jpeg = try TestPictures.noise(width: 40, height: 40).jpegData()
        for length in stride(from: 0, to: jpeg.count - 2, by: 7) {
            #expect(throws: ImageFileError.self, "cut at \(length)") { try RGBImage(jpegData: Array(jpeg[..<length])) }
        }
    }

    @Test func noDamageTraps() throws {
        let jpeg = try TestPictures.gradient(width: 17, height: 16).jpegData()
        for index in jpeg.indices {
            var damaged = jpeg
            damaged[index] ^= 0xFF
            _ = try? RGBImage(fileData: damaged)
        }
    }

    @Test func turnsAfterExif() throws {
        // Two pixels, red above blue, enlarged so that JPEG keeps the colours; the camera says "rotate by 90 degrees".
        let image = RGBImage(width: 1, height: 2, pixels: [255, 0, 0, 0, 0, 255]).resized(width: 16, height: 32, filter: .box)
        let tiff: [UInt8] = [0x4D, 0x4D, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0]
        let body = Array("Exif\0\0".utf8) + tiff
        var jpeg = try image.jpegData()
        jpeg.insert(contentsOf: [0xFF, 0xE1, 0, UInt8(body.count + 2)] + body, at: 2)
        let upright = try RGBImage(jpegData: jpeg)
        #expect(upright.width == 32 && upright.height == 16)
        // Turned clockwise: what was on top stands on the right.
        let left = Array(upright.pixels[0..<3])
        let right = Array(upright.pixels[(31 * 3)..<(32 * 3)])
        #expect(left[2] > 200 && left[0] < 60, "left is \(left)")
        #expect(right[0] > 200 && right[2] < 60, "right is \(right)")
    }

    @Test func allEightOrientations() {
        // a b
        // c d as grey levels 1 2 3 4
        let image = RGBImage(width: 2, height: 2, pixels: [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4])
        let expected = [
            1: [1, 2, 3, 4], 2: [2, 1, 4, 3], 3: [4, 3, 2, 1], 4: [3, 4, 1, 2], 5: [1, 3, 2, 4], 6: [3, 1, 4, 2],
            7: [4, 2, 3, 1], 8: [2, 4, 1, 3],
        ]
        for (orientation, levels) in expected {
            let turned = image.turned(exifOrientation: orientation)
            #expect(stride(from: 0, to: 12, by: 3).map { Int(turned.pixels[$0]) } == levels, "orientation \(orientation)")
        }
    }
}
