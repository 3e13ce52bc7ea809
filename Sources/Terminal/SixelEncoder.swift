import CSixel
import ImageCore

/// Turns pixels into a sixel string through libsixel.
///
/// Only `sixel_dither_*` and `sixel_encode` are used, on our own pixels: the library's loaders and decoders have a long list of holes.
/// libsixel's median cut keeps a variable of its file (`compareplanePlane`), so this must never run on two threads at once.
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
    /// - Returns: the control string from its introducer to its terminator. Pixels it does not draw keep what is there.
    static func encode(_ image: RGBImage, effort: PictureEffort) throws -> [UInt8] {
        let sink = Sink()
        sink.bytes.reserveCapacity(image.width * image.height / 2 + 1024)
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

        let colours: Int32 = effort.economy == 0 ? 256 : effort.economy == 1 ? 64 : 16
        var dither: OpaquePointer?
        let ditherStatus = sixel_dither_new(&dither, colours, nil)
        guard let dither, ditherStatus == 0 else { throw Failure(status: ditherStatus) }
        defer { sixel_dither_unref(dither) }

        // The library writes into the pixels while it diffuses the error: it gets a copy.
        var pixels = image.pixels
        let width = Int32(image.width)
        let height = Int32(image.height)
        let encoded = pixels.withUnsafeMutableBufferPointer { buffer -> Int32 in
            let quality = effort.isFine ? Int32(SIXEL_QUALITY_FULL) : Int32(SIXEL_QUALITY_LOW)
            let started = sixel_dither_initialize(
                dither, buffer.baseAddress, width, height, Int32(SIXEL_PIXELFORMAT_RGB888), Int32(SIXEL_LARGE_NORM),
                Int32(SIXEL_REP_CENTER_BOX), quality)
            guard started == 0 else { return started }
            // After initialize, which chooses one by itself. Floyd-Steinberg leaves white specks on skin, Atkinson none; few colours
            // are sent without any, because even areas are what makes them short.
            let diffusion = effort.economy == 0 ? SIXEL_DIFFUSE_ATKINSON : SIXEL_DIFFUSE_NONE
            sixel_dither_set_diffusion_type(dither, Int32(diffusion))
            return sixel_encode(buffer.baseAddress, width, height, 3, dither, output)
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
