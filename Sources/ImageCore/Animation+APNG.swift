extension Animation {
    /// The bytes of an animated PNG file: loses nothing; a reader without animation shows the first frame.
    ///
    /// Follows the APNG chapter of the PNG specification, third edition: `acTL` before the pixels, an `fcTL` before each frame, the first
    /// frame's pixels in `IDAT`, all others in `fdAT`, one row of sequence numbers.
    /// - Throws: `ImageFileError` with libpng's reason.
    public func apngData() throws -> [UInt8] {
        var file = PNGChunk.signature
        var sequence: UInt32 = 0
        for (index, frame) in frames.enumerated() {
            let chunks = try PNGChunk.parse(frame.pngData())
            if index == 0 {
                // All that describes the pixels (IHDR, sRGB and so on), then what describes the animation.
                for chunk in chunks.prefix(while: { $0.type != "IDAT" }) { file += chunk.bytes }
                for line in text { file += try line.chunk().bytes }
                file += PNGChunk(type: "acTL", data: bigEndian(UInt32(frames.count)) + bigEndian(0)).bytes
            }
            file += control(sequence, frame: index).bytes
            sequence += 1
            for chunk in chunks where chunk.type == "IDAT" {
                if index == 0 {
                    file += chunk.bytes
                } else {
                    file += PNGChunk(type: "fdAT", data: bigEndian(sequence) + chunk.data).bytes
                    sequence += 1
                }
            }
        }
        return file + PNGChunk(type: "IEND", data: []).bytes
    }

    /// `fcTL`: the whole canvas, replaced, for so many milliseconds.
    private func control(_ sequence: UInt32, frame: Int) -> PNGChunk {
        let milliseconds = UInt32(min(65_535, (durations[frame] * 1000).rounded()))
        var data = bigEndian(sequence) + bigEndian(UInt32(frames[frame].width)) + bigEndian(UInt32(frames[frame].height))
        data += bigEndian(0) + bigEndian(0)
        data += bigEndian(milliseconds).suffix(2) + bigEndian(1000).suffix(2)
        // Dispose: nothing. Blend: overwrite.
        data += [0, 0]
        return PNGChunk(type: "fcTL", data: data)
    }
}
