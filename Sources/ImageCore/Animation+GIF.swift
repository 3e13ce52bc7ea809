extension Animation {
    /// The bytes of an animated GIF file (GIF89a), each frame with its own palette of at most 256 colours, dithered.
    ///
    /// Durations are rounded to hundredths of a second and at least 0.02, the shortest that browsers honour.
    /// - Throws: `ImageFileError` when a side is longer than GIF can say.
    public func gifData() throws -> [UInt8] {
        let width = frames[0].width
        let height = frames[0].height
        guard width <= 65_535, height <= 65_535 else {
            throw ImageFileError(reason: "a GIF file holds at most 65535x65535 pixels, this has \(width)x\(height)")
        }
        func little(_ value: Int) -> [UInt8] { [UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8)] }
        // Logical screen without a global palette, 8 bits a colour.
        var file = Array("GIF89a".utf8) + little(width) + little(height) + [0x70, 0, 0]
        // Loop for ever.
        file += [0x21, 0xFF, 11] + Array("NETSCAPE2.0".utf8) + [3, 1, 0, 0, 0]
        if !text.isEmpty {
            let comment = text.map { "\($0.keyword): \($0.text)" }.joined(separator: "\n")
            file += [0x21, 0xFE] + GIFBlocks.split(Array(comment.utf8))
        }
        for (frame, seconds) in zip(frames, durations) {
            let indexed = IndexedImage(frame)
            let hundredths = min(65_535, max(2, Int((min(seconds, 656) * 100).rounded())))
            // Graphic control: leave the frame in place, no transparent colour.
            file += [0x21, 0xF9, 4, 0x04] + little(hundredths) + [0, 0]
            // Image descriptor with a palette of 2^(bits) colours.
            file += [0x2C, 0, 0, 0, 0] + little(width) + little(height) + [0x80 | UInt8(indexed.bits - 1)]
            for index in 0..<(1 << indexed.bits) {
                let colour = index < indexed.palette.count ? indexed.palette[index] : (0, 0, 0)
                file += [colour.0, colour.1, colour.2]
            }
            let codeSize = max(2, indexed.bits)
            file.append(UInt8(codeSize))
            file += GIFBlocks.split(GIFCompressor.compress(indexed.indices, codeSize: codeSize))
        }
        file.append(0x3B)
        return file
    }
}

/// GIF data are cut into blocks of at most 255 bytes, each after its length; an empty one ends them.
enum GIFBlocks {
    static func split(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + bytes.count / 255 + 2)
        for start in stride(from: 0, to: bytes.count, by: 255) {
            let end = min(start + 255, bytes.count)
            result.append(UInt8(end - start))
            result += bytes[start..<end]
        }
        result.append(0)
        return result
    }
}

/// The LZW compression of GIF89a, appendix F: codes from `codeSize + 1` to 12 bits, lowest bit first.
enum GIFCompressor {
    /// - Parameters:
    ///   - indices: palette indices, below `1 << codeSize`.
    ///   - codeSize: 2 to 8.
    /// - Returns: the code stream, not yet cut into blocks.
    static func compress(_ indices: [UInt8], codeSize: Int) -> [UInt8] {
        let clear = 1 << codeSize
        var output: [UInt8] = []
        output.reserveCapacity(indices.count)
        var pending: UInt32 = 0
        var pendingBits = 0
        var width = codeSize + 1
        var next = clear + 2
        // The codes of known strings: keyed by the prefix's code and the next index, -1 where unknown.
        var table = [Int16](repeating: -1, count: 4096 << codeSize)
        var used: [Int] = []
        used.reserveCapacity(4096)

        func emit(_ code: Int) {
            pending |= UInt32(code) << UInt32(pendingBits)
            pendingBits += width
            while pendingBits >= 8 {
                output.append(UInt8(truncatingIfNeeded: pending))
                pending >>= 8
                pendingBits -= 8
            }
        }

        emit(clear)
        guard var prefix = indices.first.map(Int.init) else {
            emit(clear + 1)
            if pendingBits > 0 { output.append(UInt8(truncatingIfNeeded: pending)) }
            return output
        }
        for index in indices.dropFirst() {
            let key = prefix << codeSize | Int(index)
            if table[key] >= 0 {
                prefix = Int(table[key])
                continue
            }
            emit(prefix)
            if next < 4096 {
                table[key] = Int16(next)
                used.append(key)
                if next == 1 << width { width += 1 }
                next += 1
            } else {
                emit(clear)
                for key in used { table[key] = -1 }
                used.removeAll(keepingCapacity: true)
                width = codeSize + 1
                next = clear + 2
            }
            prefix = Int(index)
        }
        emit(prefix)
        // The reader has added one more string by now, and with it may expect the next width.
        if next == 1 << width, width < 12 { width += 1 }
        emit(clear + 1)
        if pendingBits > 0 { output.append(UInt8(truncatingIfNeeded: pending)) }
        return output
    }
}
