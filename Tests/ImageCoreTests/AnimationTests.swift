import Testing

@testable import ImageCore

@Suite struct AnimationTests {
    @Test func gifOfFewColoursIsExact() throws {
        var first = RGBImage(width: 33, height: 20, filledWith: (10, 20, 30))
        first.draw(RGBImage(width: 9, height: 9, filledWith: (200, 40, 90)), left: 5, top: 3)
        let second = RGBImage(width: 33, height: 20, filledWith: (255, 255, 255))
        let animation = try Animation(
            frames: [first, second, first], durations: [0.1, 0.5, 0.001], text: [PNGText(keyword: "seed", text: "7")])
        let gif = try GIFDecoder(animation.gifData())
        #expect(gif.width == 33 && gif.height == 20 && gif.loops == 0)
        #expect(gif.frames.map(\.pixels) == [first.pixels, second.pixels, first.pixels])
        #expect(gif.frames.map(\.hundredths) == [10, 50, 2])
        #expect(gif.comment == "seed: 7")
    }

    /// Enough different strings to fill the code table and clear it several times, at every width of codes.
    @Test(arguments: 2...8)
    func compressionAtEveryPaletteSize(bits: Int) throws {
        var image = TestPictures.noise(width: 150, height: 110, seed: UInt32(bits))
        // Few colours: the red channel alone, rounded to `bits` bits.
        for index in stride(from: 0, to: image.pixels.count, by: 3) {
            image.pixels[index] = UInt8((Int(image.pixels[index]) >> (8 - bits)) * (255 / ((1 << bits) - 1)))
            image.pixels[index + 1] = 0
            image.pixels[index + 2] = 0
        }
        let gif = try GIFDecoder(Animation(frames: [image]).gifData())
        let frame = try RGBImage(width: 150, height: 110, pixels: #require(gif.frames.first).pixels)
        if bits <= 5 {
            #expect(frame == image)
        } else {
            // Cells of the histogram are 8 levels wide: finer palettes are approximate.
            #expect(try #require(frame.psnr(to: image)) > 30)
        }
    }

    @Test func everyLengthOfTheCodeStream() throws {
        // Where the stream ends decides the width of the end code.
        for length in 1...700 {
            let indices = (0..<length).map { UInt8($0 * $0 / 3 % 4) }
            let stream = GIFCompressor.compress(indices, codeSize: 2)
            #expect(try GIFDecoder.decompress(stream, codeSize: 2) == indices.map(Int.init), "\(length) pixels")
        }
    }

    @Test func gifOfManyColoursIsClose() throws {
        let image = TestPictures.gradient(width: 96, height: 96)
        let gif = try GIFDecoder(Animation(frames: [image]).gifData())
        let frame = try #require(gif.frames.first)
        #expect(frame.colours == 256)
        let shown = RGBImage(width: 96, height: 96, pixels: frame.pixels)
        #expect(try #require(shown.psnr(to: image)) > 28)
        // Dithering keeps the mean colour of a neighbourhood: seen from afar the two are the same.
        let far = try #require(
            shown.resized(width: 12, height: 12, filter: .box).psnr(to: image.resized(width: 12, height: 12, filter: .box)))
        #expect(far > 40, "PSNR \(far) dB of 8x8 means")
    }

    @Test func apngHoldsEveryFrameExactly() throws {
        let frames = (1...4).map { TestPictures.noise(width: 40, height: 30, seed: UInt32($0)) }
        let texts = [PNGText(keyword: "w2w:seed", text: "88")]
        let file = try Animation(frames: frames, secondsPerFrame: 0.125, text: texts).apngData()
        #expect(try RGBImage(pngData: file) == frames[0], "readers without animation show the first frame")
        #expect(try PNGText.read(from: file) == texts)

        let chunks = try PNGChunk.parse(file)
        #expect(
            Set(chunks.map(\.type)).isSubset(of: ["IHDR", "sRGB", "gAMA", "cHRM", "tEXt", "acTL", "fcTL", "IDAT", "fdAT", "IEND"])
        )
        let control = try #require(chunks.first { $0.type == "acTL" })
        #expect(Array(control.data) == [0, 0, 0, 4, 0, 0, 0, 0])
        // One row of sequence numbers over fcTL and fdAT.
        let numbers = chunks.filter { $0.type == "fcTL" || $0.type == "fdAT" }.map { number($0.data.prefix(4)) }
        #expect(numbers == Array(0..<numbers.count))

        // Each frame's pixels, put back into a still file, are the picture.
        let head = try #require(chunks.first { $0.type == "IHDR" })
        var index = -1
        var stills: [[UInt8]] = []
        for chunk in chunks {
            switch chunk.type {
            case "fcTL":
                index += 1
                stills.append(PNGChunk.signature + head.bytes)
                #expect(Array(chunk.data[(chunk.data.startIndex + 20)...]) == [0, 125, 3, 232, 0, 0])
            case "IDAT": stills[index] += chunk.bytes
            case "fdAT": stills[index] += PNGChunk(type: "IDAT", data: chunk.data.dropFirst(4)).bytes
            default: break
            }
        }
        let end = PNGChunk(type: "IEND", data: []).bytes
        #expect(try stills.map { try RGBImage(pngData: $0 + end) } == frames)
    }

    @Test func mirroredGoesForthAndBack() throws {
        let frames = (0..<4).map { RGBImage(width: 1, height: 1, filledWith: (UInt8($0), 0, 0)) }
        #expect(try Animation(frames: frames).mirrored.frames.map { $0.pixels[0] } == [0, 1, 2, 3, 2, 1])
        #expect(try Animation(frames: Array(frames.prefix(2))).mirrored.frames.count == 2)
    }

    @Test func refusesWhatIsNoAnimation() {
        #expect(throws: ImageFileError.self) { try Animation(frames: []) }
        #expect(throws: ImageFileError.self) {
            try Animation(frames: [RGBImage(width: 1, height: 1), RGBImage(width: 2, height: 1)])
        }
        #expect(throws: ImageFileError.self) { try Animation(frames: [RGBImage(width: 1, height: 1)], durations: []) }
        #expect(throws: ImageFileError.self) { try Animation(frames: [RGBImage(width: 1, height: 1)], secondsPerFrame: .nan) }
    }

    private func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }
}
