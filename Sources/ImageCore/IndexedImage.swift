/// A picture reduced to at most 256 colours of its own.
///
/// The palette: a histogram of 15-bit colour cells, split at the mean of the widest axis, always the group with the most squared error (a
/// variance-based median cut after Wan, Prusinkiewicz and Wong, 1990), then three rounds of k-means over the cells. The pixels: Atkinson's
/// error diffusion, which passes on six eighths of the error and so leaves smooth skin without specks.
struct IndexedImage {
    /// 2 to 256 colours, or 1.
    var palette: [(UInt8, UInt8, UInt8)]
    /// One index a pixel, top row first.
    var indices: [UInt8]
    /// Bits of an index, 1 to 8.
    var bits: Int

    init(_ image: RGBImage) {
        var cells = Self.histogram(image)
        let centres = Self.palette(of: &cells)
        palette = centres.map { colour in
            (UInt8(colour[0].rounded()), UInt8(colour[1].rounded()), UInt8(colour[2].rounded()))
        }
        bits = 1
        while 1 << bits < palette.count { bits += 1 }
        indices = Self.dither(image, palette: palette)
    }

    /// One cell of the histogram that has pixels.
    private struct ColourCell {
        var mean: SIMD4<Float>
        var count: Float
    }

    private static func histogram(_ image: RGBImage) -> [ColourCell] {
        var sums = [SIMD4<Int32>](repeating: .zero, count: 1 << 15)
        for at in stride(from: 0, to: image.pixels.count, by: 3) {
            let red = Int32(image.pixels[at])
            let green = Int32(image.pixels[at + 1])
            let blue = Int32(image.pixels[at + 2])
            sums[Int((red >> 3) << 10 | (green >> 3) << 5 | blue >> 3)] &+= SIMD4(red & 7, green & 7, blue & 7, 1)
        }
        return sums.indices.compactMap { key in
            let sum = sums[key]
            guard sum[3] > 0 else { return nil }
            let count = Float(sum[3])
            let corner = SIMD4<Float>(Float(key >> 10) * 8, Float(key >> 5 & 31) * 8, Float(key & 31) * 8, 0)
            return ColourCell(mean: corner + SIMD4(Float(sum[0]), Float(sum[1]), Float(sum[2]), 0) / count, count: count)
        }
    }

    /// A run of cells and how far they spread.
    private struct Group {
        var range: Range<Int>
        var mean: SIMD4<Float>
        /// Squared error by axis.
        var spread: SIMD4<Float>
        var error: Float { spread.sum() }

        init(_ cells: [ColourCell], _ range: Range<Int>) {
            self.range = range
            var total: Float = 0
            var sum = SIMD4<Float>.zero
            for cell in cells[range] {
                total += cell.count
                sum += cell.mean * cell.count
            }
            mean = sum / total
            spread = .zero
            for cell in cells[range] {
                let offset = cell.mean - mean
                spread += offset * offset * cell.count
            }
        }
    }

    private static func palette(of cells: inout [ColourCell]) -> [SIMD4<Float>] {
        var groups = [Group(cells, cells.indices)]
        while groups.count < 256 {
            guard let worst = groups.indices.max(by: { groups[$0].error < groups[$1].error }), groups[worst].error > 0 else {
                break
            }
            let group = groups[worst]
            let axis = (0..<3).max { group.spread[$0] < group.spread[$1] } ?? 0
            let middle = cells[group.range].partition { $0.mean[axis] > group.mean[axis] }
            guard middle > group.range.lowerBound, middle < group.range.upperBound else { break }
            groups[worst] = Group(cells, group.range.lowerBound..<middle)
            groups.append(Group(cells, middle..<group.range.upperBound))
        }
        var centres = groups.map(\.mean)
        for _ in 0..<3 where centres.count == 256 {
            var sums = [SIMD4<Float>](repeating: .zero, count: centres.count)
            for cell in cells {
                var weighted = cell.mean * cell.count
                weighted[3] = cell.count
                sums[nearest(to: cell.mean, in: centres)] += weighted
            }
            for index in centres.indices where sums[index][3] > 0 {
                centres[index] = sums[index] / sums[index][3]
                centres[index][3] = 0
            }
        }
        return centres
    }

    private static func nearest(to colour: SIMD4<Float>, in centres: [SIMD4<Float>]) -> Int {
        centres.withUnsafeBufferPointer { centres in
            var best = 0
            var smallest = Float.infinity
            for index in 0..<centres.count {
                let offset = centres[index] - colour
                let distance = (offset * offset).sum()
                if distance < smallest {
                    smallest = distance
                    best = index
                }
            }
            return best
        }
    }

    private static func dither(_ image: RGBImage, palette: [(UInt8, UInt8, UInt8)]) -> [UInt8] {
        let width = image.width
        let centres = palette.map { SIMD4<Float>(Float($0.0), Float($0.1), Float($0.2), 0) }
        // The nearest colour of each 18-bit cell, found when first asked for.
        var known = [Int16](repeating: -1, count: 1 << 18)
        // Error carried into this row and the next two, with two columns to spare on both sides.
        var carried = [[SIMD4<Float>]](repeating: [SIMD4<Float>](repeating: .zero, count: width + 4), count: 3)
        var indices = [UInt8](repeating: 0, count: width * image.height)
        for y in 0..<image.height {
            for x in 0..<width {
                let at = (y * width + x) * 3
                let pixel = SIMD4<Float>(Float(image.pixels[at]), Float(image.pixels[at + 1]), Float(image.pixels[at + 2]), 0)
                let wanted = (pixel + carried[0][x + 2]).clamped(lowerBound: .zero, upperBound: SIMD4(repeating: 255))
                let key = (Int(wanted[0]) >> 2) << 12 | (Int(wanted[1]) >> 2) << 6 | Int(wanted[2]) >> 2
                if known[key] < 0 { known[key] = Int16(nearest(to: wanted, in: centres)) }
                let chosen = Int(known[key])
                indices[y * width + x] = UInt8(chosen)
                let share = (wanted - centres[chosen]) / 8
                carried[0][x + 3] += share
                carried[0][x + 4] += share
                carried[1][x + 1] += share
                carried[1][x + 2] += share
                carried[1][x + 3] += share
                carried[2][x + 2] += share
            }
            carried.removeFirst()
            carried.append([SIMD4<Float>](repeating: .zero, count: width + 4))
        }
        return indices
    }
}
