import CSixel
import ImageCore

/// Turns pixels into a sixel string through libsixel.
///
/// Colours are chosen by `ColourQuantiser`; of the library only the encoder of indexed pixels is used, never its loaders and decoders, which
/// have a long list of holes. Its quantiser keeps a variable of its file, one more reason to leave that alone.
enum SixelEncoder {
    struct Failure: Error {
        var status: Int32
    }

    private final class Sink {
        var bytes: [UInt8] = []
    }

    /// - Parameters:
    ///   - image: pixels as they are to be seen, one for one.
    ///   - effort: how many colours, how well chosen.
    /// - Throws: `Failure` with libsixel's status.
    /// - Returns: the control string from its introducer to its terminator. Pixels it does not draw keep what is there.
    static func encode(_ image: RGBImage, effort: PictureEffort) throws -> [UInt8] {
        let colours = effort.colours(pixels: image.width * image.height)
        // Even areas are what makes the cheaper forms short.
        let quantised = ColourQuantiser(image, colours: colours, diffuses: effort == .full)
        return try encode(quantised, width: image.width, height: image.height)
    }

    private static func encode(_ picture: ColourQuantiser, width: Int, height: Int) throws -> [UInt8] {
        let sink = Sink()
        sink.bytes.reserveCapacity(width * height / 2 + 1024)
        var output: OpaquePointer?
        let status = sixel_output_new(
            &output,
            { data, count, context in
                guard let data, let context, count > 0 else { return 0 }
                let sink = Unmanaged<Sink>.fromOpaque(context).takeUnretainedValue()
                sink.bytes.append(contentsOf: UnsafeRawBufferPointer(start: data, count: Int(count)))
                return count
            }, Unmanaged.passUnretained(sink).toOpaque(), nil)
        guard let output, status == 0 else { throw Failure(status: status) }
        defer { sixel_output_unref(output) }
        sixel_output_set_encode_policy(output, Int32(SIXEL_ENCODEPOLICY_SIZE))

        var dither: OpaquePointer?
        let ditherStatus = sixel_dither_new(&dither, Int32(picture.palette.count / 3), nil)
        guard let dither, ditherStatus == 0 else { throw Failure(status: ditherStatus) }
        defer { sixel_dither_unref(dither) }
        sixel_dither_set_pixelformat(dither, Int32(SIXEL_PIXELFORMAT_PAL8))

        // The library takes mutable pointers: copies.
        var palette = picture.palette
        var indices = picture.indices
        let encoded = palette.withUnsafeMutableBufferPointer { colours -> Int32 in
            sixel_dither_set_palette(dither, colours.baseAddress)
            return indices.withUnsafeMutableBufferPointer { pixels in
                sixel_encode(pixels.baseAddress, Int32(width), Int32(height), 1, dither, output)
            }
        }
        guard encoded == 0 else { throw Failure(status: encoded) }
        return withExtendedLifetime(sink) { keepBackground(sink.bytes) }
    }

    /// "ESC P q" fills what is not drawn with colour register 0; with P2 = 1 it keeps what is there, so that a picture that is cut short
    /// leaves the old one below it.
    private static func keepBackground(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.starts(with: [0x1b, 0x50]), let q = bytes.firstIndex(of: UInt8(ascii: "q")), q < 12 else { return bytes }
        return Array("\u{1b}P0;1q".utf8) + bytes[(q + 1)...]
    }
}
