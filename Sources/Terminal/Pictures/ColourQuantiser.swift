import ImageCore

/// Reduces a picture to a palette of its own, with diffused errors.
///
/// libsixel can do this itself, but counts colours with five bits a channel and drops errors below eight levels while it diffuses, so
/// smooth skin falls into rings. Here colours are split by variance (Wu 1991's criterion on a median-cut tree) on six bits with exact
/// sums, and the error is kept to a sixteenth of a level.
struct ColourQuantiser {
    /// At most 256 colours, 3 bytes each: as a sixel terminal shows them (it takes percents).
    private(set) var palette: [UInt8] = []
    /// One palette index per pixel, row by row.
    private(set) var indices: [UInt8] = []

    /// Bits of a channel in the table of nearest colours.
    private static let tableBits = 6

    /// A box of the histogram: the entries of `order` from `first` on, with their sums.
    private struct Box {
        var first: Int
        var count: Int
        var weight = 0.0
        var sum = SIMD3<Double>()
        var squares = SIMD3<Double>()

        /// Sum of squared distances from the mean, per channel.
        var spread: SIMD3<Double> { weight > 0 ? squares - sum * sum / weight : SIMD3() }
        var badness: Double { count > 1 ? spread.x + spread.y + spread.z : 0 }
    }

    private struct Entry {
        var weight = 0.0
        var sum = SIMD3<Double>()
    }

    /// - Parameters:
    ///   - image: the picture.
    ///   - colours: size of the palette, 2 to 256.
    ///   - diffuses: whether the error of a pixel is handed on to its neighbours.
    init(_ image: RGBImage, colours: Int, diffuses: Bool) {
        // A small picture does not fill a fine histogram.
        let entries = Self.histogram(image, bits: image.width * image.height > 40_000 ? 6 : 5)
        var seen = Set<[UInt8]>()
        for mean in Self.split(entries, into: min(256, max(2, colours))) {
            let colour = [mean.x, mean.y, mean.z].map(Self.shown)
            if seen.insert(colour).inserted { palette += colour }
        }
        // libsixel draws nothing at all from a palette of one.
        if palette.count == 3 { palette += palette }
        map(image, diffuses: diffuses)
    }

    /// What a terminal makes of a level that reaches it in whole percents.
    private static func shown(_ level: Double) -> UInt8 {
        let percent = (min(255, max(0, level)) * 100 / 255).rounded()
        return UInt8((percent * 255 / 100).rounded())
    }

    private static func histogram(_ image: RGBImage, bits: Int) -> [Entry] {
        let shift = 8 - bits
        let cells = 1 << (3 * bits)
        var counts = [SIMD4<UInt32>](repeating: SIMD4(), count: cells)
        image.pixels.withUnsafeBufferPointer { pixels in
            counts.withUnsafeMutableBufferPointer { counts in
                for offset in stride(from: 0, to: pixels.count - 2, by: 3) {
                    let (red, green, blue) = (Int(pixels[offset]), Int(pixels[offset + 1]), Int(pixels[offset + 2]))
                    let cell = (red >> shift) << (2 * bits) | (green >> shift) << bits | blue >> shift
                    counts[cell] &+= SIMD4(UInt32(red), UInt32(green), UInt32(blue), 1)
                }
            }
        }
        var entries: [Entry] = []
        for count in counts where count.w > 0 {
            entries.append(Entry(weight: Double(count.w), sum: SIMD3(Double(count.x), Double(count.y), Double(count.z))))
        }
        return entries
    }

    /// Splits the box with the largest error where that takes most of it away, until there are enough.
    private static func split(_ source: [Entry], into colours: Int) -> [SIMD3<Double>] {
        var entries = source
        var boxes = [box(entries, first: 0, count: entries.count)]
        while boxes.count < colours, let worst = boxes.indices.max(by: { boxes[$0].badness < boxes[$1].badness }),
            boxes[worst].badness > 0
        {
            let old = boxes[worst]
            let spread = old.spread
            let axis = spread.x >= spread.y && spread.x >= spread.z ? 0 : spread.y >= spread.z ? 1 : 2
            let range = old.first..<(old.first + old.count)
            entries[range].sort { $0.sum[axis] * $1.weight < $1.sum[axis] * $0.weight }
            // The cut with the largest variance between the two sides.
            var best = (gain: -1.0, at: old.first + old.count / 2)
            var weight = 0.0
            var sum = SIMD3<Double>()
            for index in range.dropLast() {
                weight += entries[index].weight
                sum += entries[index].sum
                let rest = old.sum - sum
                let gain = (sum * sum).sum() / weight + (rest * rest).sum() / (old.weight - weight)
                if gain > best.gain { best = (gain, index + 1) }
            }
            boxes[worst] = box(entries, first: old.first, count: best.at - old.first)
            boxes.append(box(entries, first: best.at, count: old.first + old.count - best.at))
        }
        return boxes.filter { $0.weight > 0 }.map { $0.sum / $0.weight }
    }

    private static func box(_ entries: [Entry], first: Int, count: Int) -> Box {
        var box = Box(first: first, count: count)
        for entry in entries[first..<(first + count)] {
            box.weight += entry.weight
            box.sum += entry.sum
            box.squares += entry.sum * entry.sum / entry.weight
        }
        return box
    }

    /// Floyd-Steinberg, every other row backwards. Errors are bounded so that one colour out of reach leaves no specks around it.
    private mutating func map(_ image: RGBImage, diffuses: Bool) {
        let (width, height) = (image.width, image.height)
        let colours = (0..<(palette.count / 3)).map { (index: Int) -> SIMD4<Int32> in
            let at = 3 * index
            let (red, green, blue) = (Int32(palette[at]), Int32(palette[at + 1]), Int32(palette[at + 2]))
            return SIMD4<Int32>(red, green, blue, 0)
        }
        var table = [UInt16](repeating: .max, count: 1 << (3 * Self.tableBits))
        // Two rows of errors in sixteenths of a level, with a column to spare on both sides.
        var errors = [SIMD4<Int32>](repeating: SIMD4(), count: 2 * (width + 2))
        indices = [UInt8](unsafeUninitializedCapacity: width * height) { indices, count in
            table.withUnsafeMutableBufferPointer { table in
                errors.withUnsafeMutableBufferPointer { errors in
                    image.pixels.withUnsafeBufferPointer { pixels in
                        for y in 0..<height {
                            let ahead = y & 1 == 0 ? 1 : -1
                            let current = y & 1 == 0 ? 0 : width + 2
                            let next = y & 1 == 0 ? width + 2 : 0
                            for place in next..<(next + width + 2) { errors[place] = SIMD4() }
                            for step in 0..<width {
                                let x = ahead == 1 ? step : width - 1 - step
                                let source = (y * width + x) * 3
                                let pixel = SIMD4<Int32>(
                                    Int32(pixels[source]), Int32(pixels[source + 1]), Int32(pixels[source + 2]), 0)
                                var wanted = pixel &+ (errors[current + x + 1] &+ 8) &>> 4
                                wanted = Self.bounded(wanted, from: 0, to: 255)
                                let cell = Int(wanted.x >> 2) << 12 | Int(wanted.y >> 2) << 6 | Int(wanted.z >> 2)
                                var index = table[cell]
                                if index == .max {
                                    index = Self.nearest(colours, wanted)
                                    table[cell] = index
                                }
                                indices[y * width + x] = UInt8(truncatingIfNeeded: index)
                                guard diffuses else { continue }
                                let error = Self.bounded(wanted &- colours[Int(index)], from: -24, to: 24)
                                errors[current + x + 1 + ahead] &+= error &* 7
                                errors[next + x + 1 - ahead] &+= error &* 3
                                errors[next + x + 1] &+= error &* 5
                                errors[next + x + 1 + ahead] &+= error
                            }
                        }
                    }
                }
            }
            count = width * height
        }
    }

    /// `SIMD4.clamp` becomes a call per lane in a hot loop; this does not.
    @inline(__always)
    private static func bounded(_ value: SIMD4<Int32>, from low: Int32, to high: Int32) -> SIMD4<Int32> {
        let (low, high) = (SIMD4(repeating: low), SIMD4(repeating: high))
        let raised = value.replacing(with: low, where: value .< low)
        return raised.replacing(with: high, where: raised .> high)
    }

    /// Searched once per cell of the table, for the middle of the cell.
    private static func nearest(_ colours: [SIMD4<Int32>], _ wanted: SIMD4<Int32>) -> UInt16 {
        let middle = (wanted &>> 2) &<< 2 &+ SIMD4(2, 2, 2, 0)
        var best = (distance: Int32.max, index: 0)
        for index in colours.indices {
            let difference = colours[index] &- middle
            let square = difference &* difference
            let distance = square.x &+ square.y &+ square.z
            if distance < best.distance { best = (distance, index) }
        }
        return UInt16(best.index)
    }
}
