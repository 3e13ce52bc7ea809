/// 3x3 convolutions in half precision by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2016): 36 products for sixteen results of a
/// channel instead of 144. Tiles are turned in float32, multiplied as `HalfProduct` does it with shorter sums, and turned back in float32.
///
/// With the points 0, √½, -√½, √2, -√2 and infinity a sum's error grows about fourfold; with the usual 0, 1, -1, 2, -2 it grows tenfold.
struct HalfWinograd {
    /// Products that are summed one after the other at most: rounding counts for more here.
    static let step = 32
    /// Numbers of the image are scaled to below this; 26 times as much may come of them.
    private static let imageBound: Float = 2
    /// Tiles that are turned together at most.
    private static let block = 48
    /// Floats for one turn of sixteen channels or outputs.
    static let scratch = 36 * 16

    private let panels: HalfPanels
    private let samples, height, width, channels, outputs, tilesDown, tilesAcross: Int
    private let x, y: UnsafeMutablePointer<Float>
    private let weights: UnsafeMutableRawPointer
    private let bias: UnsafeMutablePointer<Float>?
    private let residual: UnsafeMutablePointer<Float>?
    /// Power of two that the image is multiplied by.
    private let scale: Float

    private var tiles: Int { samples * tilesDown * tilesAcross }

    /// y = conv(x) + bias + residual, for a convolution with one row and column of zeros around.
    /// - Parameters:
    ///   - x: [N, H, W, in]
    ///   - panels: layout of the weights.
    ///   - weights: in this layout.
    ///   - bias: [out] or nil.
    ///   - residual: [N, H, W, out] or nil.
    ///   - y: [N, H, W, out]
    static func run(
        _ x: Tensor, _ panels: HalfWinogradPanels, weights: UnsafeMutableRawPointer, bias: Tensor?, adding residual: Tensor?,
        into y: Tensor
    ) {
        let scale = HalfMath.scale(largest: HalfImage.largest(x), below: imageBound)
        HalfWinograd(
            panels: panels.panels, samples: x.shape[0], height: x.shape[1], width: x.shape[2], channels: x.shape[3],
            outputs: y.shape[3], tilesDown: (x.shape[1] + 3) / 4, tilesAcross: (x.shape[2] + 3) / 4, x: x.pointer, y: y.pointer,
            weights: weights, bias: bias?.pointer, residual: residual?.pointer, scale: scale
        ).run()
    }

    private func run() {
        let (threads, panelCount) = (Parallel.threads, outputs / HalfPanels.width)
        let size = max(36 * channels + Self.scratch, workSize)
        // With many tiles each thread has some of them. Else all are turned first, then each thread multiplies with its own weights, so that these
        // come from memory once.
        let splitsTiles = tiles >= 2 * Self.block * threads || (tiles >= 24 * threads && panelCount % threads != 0)
        var blocks = (tiles + Self.block - 1) / Self.block
        if splitsTiles { blocks = (blocks + threads - 1) / threads * threads }
        let held = splitsTiles ? Self.block : tiles
        let turnedSize = 18 * held * channels
        let scratch = Tensor(uninitialized: [(splitsTiles ? threads : 1) * turnedSize + threads * size])
        let (turned, works) = (scratch.pointer, scratch.pointer + (splitsTiles ? threads : 1) * turnedSize)
        if splitsTiles {
            Parallel.run(threads) { part in
                let (own, work) = (turned + part * turnedSize, works + part * size)
                for block in blocks * part / threads..<blocks * (part + 1) / threads {
                    let range = self.range(block, of: blocks)
                    let tiles = Turned(numbers: own, first: range.lowerBound, count: range.count)
                    turn(range, into: tiles, work)
                    multiply(range, tiles, 0..<panelCount, work)
                }
            }
        } else {
            let all = Turned(numbers: turned, first: 0, count: tiles)
            Parallel.run(threads) { part in
                turn(tiles * part / threads..<tiles * (part + 1) / threads, into: all, works + part * size)
            }
            Parallel.run(threads) { part in
                for block in 0..<blocks {
                    multiply(
                        range(block, of: blocks), all, panelCount * part / threads..<panelCount * (part + 1) / threads,
                        works + part * size)
                }
            }
        }
        withExtendedLifetime(scratch) {}
    }

    /// Turned tiles: [36, count, channels] half-precision numbers, two to a float's place.
    private struct Turned {
        let numbers: UnsafeMutablePointer<Float>
        /// Number of the first tile, and how many there are.
        let first, count: Int

        @inline(__always)
        func at(_ place: Int, _ tile: Int, _ channels: Int) -> UnsafeMutablePointer<Float16> {
            UnsafeMutableRawPointer(numbers).assumingMemoryBound(to: Float16.self)
                + (place * count + tile - first) * channels
        }
    }

    /// Blocks of equal numbers of tiles in fours, but for the last.
    private func range(_ block: Int, of blocks: Int) -> Range<Int> {
        let fours = (tiles + 3) / 4
        return min(tiles, fours * block / blocks * 4)..<min(tiles, fours * (block + 1) / blocks * 4)
    }

    /// Panels whose results are held together before they are turned back: as many as about a megabyte holds.
    private var group: Int {
        min(outputs / HalfPanels.width, max(1, (5 << 18) / (36 * min(tiles, Self.block) * HalfPanels.width * 4)))
    }

    /// Floats for a turn, doubled words of rows, sums of a tile and results.
    private var workSize: Int {
        Self.scratch + HalfTile.scratch / 2
            + min(tiles, Self.block) * (HalfProduct.rowStride + 36 * group * HalfPanels.width)
    }

    private func place(_ tile: Int) -> (sample: Int, row: Int, column: Int) {
        let (sample, within) = (tile / (tilesDown * tilesAcross), tile % (tilesDown * tilesAcross))
        return (sample, within / tilesAcross * 4, within % tilesAcross * 4)
    }

    // MARK: From the image to tiles

    /// Bᵀ d B of some tiles.
    private func turn(_ range: Range<Int>, into turned: Turned, _ work: UnsafeMutablePointer<Float>) {
        let apart = turned.count * channels
        let patch = work + Self.scratch
        for tile in range {
            let (sample, row, column) = place(tile)
            let to = turned.at(0, tile, channels)
            let corner = x + ((sample * height + row - 1) * width + column - 1) * channels
            if row > 0 && column > 0 && row + 5 <= height && column + 5 <= width {
                turn(corner, row: width * channels, column: channels, into: to, apart: apart, work)
                continue
            }
            for i in 0..<6 {
                for j in 0..<6 {
                    let to = patch + (i * 6 + j) * channels
                    if row + i >= 1 && row + i <= height && column + j >= 1 && column + j <= width {
                        to.update(from: corner + (i * width + j) * channels, count: channels)
                    } else {
                        to.update(repeating: 0, count: channels)
                    }
                }
            }
            turn(patch, row: 6 * channels, column: channels, into: to, apart: apart, work)
        }
    }

    /// One tile.
    @inline(never)
    private func turn(
        _ source: UnsafeMutablePointer<Float>, row: Int, column: Int, into target: UnsafeMutablePointer<Float16>, apart: Int,
        _ scratch: UnsafeMutablePointer<Float>
    ) {
        for channel in stride(from: 0, to: channels, by: 16) {
            for j in 0..<6 {
                let from = source + j * column + channel
                let d = Self.turnInput(
                    from.lanes(0), from.lanes(row), from.lanes(2 * row), from.lanes(3 * row), from.lanes(4 * row),
                    from.lanes(5 * row))
                scratch.store(d.0, j * 16)
                scratch.store(d.1, (6 + j) * 16)
                scratch.store(d.2, (12 + j) * 16)
                scratch.store(d.3, (18 + j) * 16)
                scratch.store(d.4, (24 + j) * 16)
                scratch.store(d.5, (30 + j) * 16)
            }
            for i in 0..<6 {
                let from = scratch + i * 96
                let d = Self.turnInput(
                    from.lanes(0), from.lanes(16), from.lanes(32), from.lanes(48), from.lanes(64), from.lanes(80))
                let to = target + i * 6 * apart + channel
                Self.store(d.0 * scale, to)
                Self.store(d.1 * scale, to + apart)
                Self.store(d.2 * scale, to + 2 * apart)
                Self.store(d.3 * scale, to + 3 * apart)
                Self.store(d.4 * scale, to + 4 * apart)
                Self.store(d.5 * scale, to + 5 * apart)
            }
        }
    }

    @inline(__always)
    private static func store(_ lanes: Lanes, _ target: UnsafeMutablePointer<Float16>) {
        UnsafeMutableRawPointer(target).storeBytes(of: HalfMath.narrow(lanes), as: SIMD16<Float16>.self)
    }

    /// A row of Bᵀ d: the coefficients of x⁴ - 2.5 x² + 1, x (x⁴ - 2.5 x² + 1) and, for each point p, of the product of the others.
    @inline(__always)
    private static func turnInput(
        _ d0: Lanes, _ d1: Lanes, _ d2: Lanes, _ d3: Lanes, _ d4: Lanes, _ d5: Lanes
    ) -> (Lanes, Lanes, Lanes, Lanes, Lanes, Lanes) {
        let (less, more) = (Lanes(repeating: 0.70710678), Lanes(repeating: 1.41421356))
        let (two, half, most) = (Lanes(repeating: -2), Lanes(repeating: -0.5), Lanes(repeating: -2.5))
        let (even1, odd1) = (VectorMath.multiplyAdd(d2, two, d4), VectorMath.multiplyAdd(d1, two, d3) * less)
        let (even2, odd2) = (VectorMath.multiplyAdd(d2, half, d4), VectorMath.multiplyAdd(d1, half, d3) * more)
        return (
            VectorMath.multiplyAdd(d2, most, d0 + d4), even1 + odd1, even1 - odd1, even2 + odd2, even2 - odd2,
            VectorMath.multiplyAdd(d3, most, d1 + d5)
        )
    }

    /// A row of G w: values of the kernel's polynomial at the points, divided by what the others give there.
    @inline(__always)
    private static func turnKernel(_ w0: Lanes, _ w1: Lanes, _ w2: Lanes) -> (Lanes, Lanes, Lanes, Lanes, Lanes, Lanes) {
        // 2 p² (p² - q²) for the points ±p, where ±q are the others: -1.5 and 6.
        let even1 = (w0 + w2 * 0.5) * (-2.0 / 3)
        let odd1 = w1 * (-2.0 / 3 * 0.70710678)
        let even2 = (w0 + w2 * 2) * (1.0 / 6)
        let odd2 = w1 * (1.41421356 / 6)
        return (w0, even1 + odd1, even1 - odd1, even2 + odd2, even2 - odd2, w2)
    }

    /// A row of Aᵀ m.
    @inline(__always)
    private static func turnResult(
        _ m0: Lanes, _ m1: Lanes, _ m2: Lanes, _ m3: Lanes, _ m4: Lanes, _ m5: Lanes
    ) -> (Lanes, Lanes, Lanes, Lanes) {
        let (sum1, difference1, sum2, difference2) = (m1 + m2, m1 - m2, m3 + m4, m3 - m4)
        let (less, more) = (difference1 * 0.70710678, difference2 * 1.41421356)
        return (
            m0 + sum1 + sum2, less + more,
            VectorMath.multiplyAdd(sum1, Lanes(repeating: 0.5), sum2 + sum2),
            VectorMath.multiplyAdd(less, Lanes(repeating: 0.5), VectorMath.multiplyAdd(more, Lanes(repeating: 2), m5))
        )
    }

    /// G w Gᵀ of sixteen kernels.
    /// - Parameters:
    ///   - source: the first kernel, nine numbers.
    ///   - apart: from one kernel to the next.
    ///   - target: [36, 16]
    static func turnWeights(_ source: UnsafeMutablePointer<Float>, _ apart: Int, into target: UnsafeMutablePointer<Float>) {
        @inline(__always)
        func load(_ place: Int) -> Lanes {
            var lanes = Lanes()
            for i in 0..<16 { lanes[i] = source[i * apart + place] }
            return lanes
        }
        for j in 0..<3 {
            let g = turnKernel(load(j), load(3 + j), load(6 + j))
            target.store(g.0, j * 16)
            target.store(g.1, (6 + j) * 16)
            target.store(g.2, (12 + j) * 16)
            target.store(g.3, (18 + j) * 16)
            target.store(g.4, (24 + j) * 16)
            target.store(g.5, (30 + j) * 16)
        }
        for i in 0..<6 {
            let row = target + i * 96
            let g = turnKernel(row.lanes(0), row.lanes(16), row.lanes(32))
            row.store(g.0, 0)
            row.store(g.1, 16)
            row.store(g.2, 32)
            row.store(g.3, 48)
            row.store(g.4, 64)
            row.store(g.5, 80)
        }
    }

    // MARK: Products

    /// The results of at most `block` tiles in some panels.
    private func multiply(
        _ range: Range<Int>, _ turned: Turned, _ allPanels: Range<Int>, _ work: UnsafeMutablePointer<Float>
    ) {
        guard !range.isEmpty else { return }
        let rows = UnsafeMutableRawPointer(work + Self.scratch)
            .bindMemory(to: UInt32.self, capacity: range.count * HalfProduct.rowStride)
        let sums = UnsafeMutableRawPointer(rows + range.count * HalfProduct.rowStride).assumingMemoryBound(to: Float16.self)
        let results = work + Self.scratch + range.count * HalfProduct.rowStride + HalfTile.scratch / 2
        let pieces = (channels + HalfProduct.chunk - 1) / HalfProduct.chunk
        let depth = (channels / 16 + pieces - 1) / pieces * 16
        func block(_ panel: Int, _ place: Int, _ channel: Int) -> UnsafeMutableRawPointer {
            panels.panel(panel, in: weights) + (place * channels + channel) * HalfPanels.width * 2
        }
        for firstPanel in stride(from: allPanels.lowerBound, to: allPanels.upperBound, by: group) {
            let own = firstPanel..<min(firstPanel + group, allPanels.upperBound)
            let columns = own.count * HalfPanels.width
            for place in 0..<36 {
                for channel in stride(from: 0, to: channels, by: depth) {
                    let inputs = min(depth, channels - channel)
                    for row in 0..<range.count {
                        let from = turned.at(place, range.lowerBound + row, channels) + channel
                        let to = rows + row * HalfProduct.rowStride
                        for i in stride(from: 0, to: inputs, by: 16) {
                            let half = UnsafeRawPointer(from + i).loadUnaligned(as: SIMD16<Float16>.self)
                            UnsafeMutableRawPointer(to + i).storeBytes(of: HalfMath.doubled(half), as: SIMD16<UInt32>.self)
                        }
                    }
                    for panel in own {
                        let b = block(panel, place, channel)
                        var next = b
                        if panel + 1 < own.upperBound {
                            next = block(panel + 1, place, channel)
                        } else if channel + inputs < channels || place < 35 {
                            next = block(own.lowerBound, place, channel + inputs)
                        } else if panel + 1 < allPanels.upperBound {
                            next = block(panel + 1, 0, 0)
                        }
                        let c = results + place * range.count * columns + (panel - firstPanel) * HalfPanels.width
                        HalfTile.run(
                            rows: range.count, a: rows, b: b, depth: inputs, step: Self.step,
                            c: c, outputs: columns,
                            bias: nil, before: channel > 0 ? c : nil, factor: panels.factor(panel, in: weights) / scale,
                            ahead: next,
                            sums: sums)
                    }
                }
            }
            for tile in range {
                turnBack(
                    results + (tile - range.lowerBound) * columns, apart: range.count * columns, tile,
                    column: firstPanel * HalfPanels.width, count: columns, work)
            }
        }
    }

    /// Aᵀ m A of one tile, and what is added to it.
    /// - Parameters:
    ///   - results: of the tile, [36] places `apart`.
    ///   - apart: floats from one place to the next.
    ///   - tile: which.
    ///   - column: the first output.
    ///   - count: number of outputs.
    ///   - scratch: floats for one turn.
    @inline(never)
    private func turnBack(
        _ results: UnsafeMutablePointer<Float>, apart: Int, _ tile: Int, column: Int, count: Int,
        _ scratch: UnsafeMutablePointer<Float>
    ) {
        let (sample, top, left) = place(tile)
        let (rows, columns) = (min(4, height - top), min(4, width - left))
        let corner = ((sample * height + top) * width + left) * outputs + column
        for output in stride(from: 0, to: count, by: 16) {
            for j in 0..<6 {
                let from = results + j * apart + output
                let m = Self.turnResult(
                    from.lanes(0), from.lanes(6 * apart), from.lanes(12 * apart), from.lanes(18 * apart), from.lanes(24 * apart),
                    from.lanes(30 * apart))
                scratch.store(m.0, j * 16)
                scratch.store(m.1, (6 + j) * 16)
                scratch.store(m.2, (12 + j) * 16)
                scratch.store(m.3, (18 + j) * 16)
            }
            let constant = bias.map { $0.lanes(column + output) } ?? .zero
            for i in 0..<rows {
                let from = scratch + i * 96
                let m = Self.turnResult(
                    from.lanes(0), from.lanes(16), from.lanes(32), from.lanes(48), from.lanes(64), from.lanes(80))
                let to = corner + i * width * outputs + output
                finish(m.0 + constant, to)
                if columns > 1 { finish(m.1 + constant, to + outputs) }
                if columns > 2 { finish(m.2 + constant, to + 2 * outputs) }
                if columns > 3 { finish(m.3 + constant, to + 3 * outputs) }
            }
        }
    }

    @inline(__always)
    private func finish(_ lanes: Lanes, _ at: Int) {
        y.store(residual.map { lanes + $0.lanes(at) } ?? lanes, at)
    }
}
