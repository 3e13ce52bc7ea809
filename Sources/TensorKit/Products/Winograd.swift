import COneDNN

/// 3x3 convolutions by Winograd's minimal filtering (Lavin and Gray 2016). Tiles are turned in float32 (`WinogradTurns`), multiplied as `PanelProduct`
/// does it, of half-precision numbers with shorter sums, and turned back in float32. Where the weights are turned depends on how many tiles they meet.
struct Winograd {
    /// Products that are summed one after the other at most: rounding counts for more here.
    static let step = 32
    /// Numbers of the image are scaled to below this; turned, they stay below `PanelProduct.rowBound`.
    private static let imageBound: Float = 2
    /// Tiles of a thread that are turned together at most.
    private static let block = 96
    /// Floats for one turn of sixteen channels or outputs.
    static let scratch = WinogradTurns.scratch

    /// How the weights are laid out.
    enum Layout {
        /// Turned once, when they were laid out.
        case turned(WeightPanels)
        /// As they are, turned while they are multiplied.
        case kernels(KernelPanels)

        var number: PanelNumber {
            switch self {
            case .turned(let panels): panels.number
            case .kernels(let kernels): kernels.number
            }
        }
    }

    /// Bytes of turned weights that leave room for sums and the next weights in the second cache.
    private static let turnedBytes = 300 << 10

    private let layout: Layout
    private let number: PanelNumber
    private let turns: WinogradTurns
    private let samples, height, width, channels, outputs, tilesDown, tilesAcross: Int
    private let x, y: UnsafeMutablePointer<Float>
    private let weights: UnsafeMutableRawPointer
    private let bias: UnsafeMutablePointer<Float>?
    private let residual: UnsafeMutablePointer<Float>?
    /// Power of two that the image is multiplied by; one for numbers of float32's range.
    private let scale: Float
    /// Whether the result goes past the caches.
    private let streams: Bool

    private var tiles: Int { samples * tilesDown * tilesAcross }

    /// y = conv(x) + bias + residual, for a convolution with one row and column of zeros around.
    /// - Parameters:
    ///   - x: [N, H, W, in]
    ///   - layout: of the weights.
    ///   - turns: how many results at a time.
    ///   - weights: in this layout.
    ///   - bias: [out] or nil.
    ///   - residual: [N, H, W, out] or nil.
    ///   - y: [N, H, W, out]
    static func run(
        _ x: Tensor, _ layout: Layout, _ turns: WinogradTurns, weights: UnsafeMutableRawPointer, bias: Tensor?,
        adding residual: Tensor?, into y: Tensor
    ) {
        let isScaled = layout.number == .binary16
        let scale = isScaled ? HalfMath.scale(largest: PanelImage.largest(x), below: imageBound) : 1
        let side = turns.results
        Winograd(
            layout: layout, number: layout.number, turns: turns, samples: x.shape[0], height: x.shape[1], width: x.shape[2],
            channels: x.shape[3], outputs: y.shape[3], tilesDown: (x.shape[1] + side - 1) / side,
            tilesAcross: (x.shape[2] + side - 1) / side, x: x.pointer, y: y.pointer, weights: weights, bias: bias?.pointer,
            residual: residual?.pointer, scale: scale,
            streams: y.pointer.isWorthStreaming(count: y.count, rowLength: y.shape[3])
        ).run()
    }

    private func run() {
        if case .kernels(let kernels) = layout, kernels.width < WeightPanels.width { return multiplyInRegisters(kernels) }
        let (threads, panelCount) = (Parallel.threads, outputs / WeightPanels.width)
        let size = max(turns.places * channels + Self.scratch, workSize + turnedWeightsSize)
        let turnedSize = pieces * turns.places * apart(held) * number.bytes / 4
        let scratch = Tensor(uninitialized: [(splitsTiles ? threads : 1) * turnedSize + threads * size])
        let (turned, works) = (scratch.pointer, scratch.pointer + (splitsTiles ? threads : 1) * turnedSize)
        if splitsTiles {
            let blocks = ((tiles + Self.block - 1) / Self.block + threads - 1) / threads * threads
            Parallel.run(threads) { part in
                let (own, work) = (turned + part * turnedSize, works + part * size)
                for block in blocks * part / threads..<blocks * (part + 1) / threads {
                    let range = self.range(block, of: blocks)
                    let tiles = self.turned(own, range)
                    turn(range, into: tiles, work)
                    switch layout {
                    case .turned(let panels): multiply(range, tiles, panels, 0..<panelCount, work)
                    case .kernels(let kernels):
                        for panel in 0..<panelCount { multiply(range, tiles, kernels, panel: panel, work) }
                    }
                }
            }
        } else {
            let all = self.turned(turned, 0..<tiles)
            Parallel.run(threads) { part in
                turn(tiles * part / threads..<tiles * (part + 1) / threads, into: all, works + part * size)
            }
            switch layout {
            case .turned(let panels):
                Parallel.run(threads) { part in
                    let own = panelCount * part / threads..<panelCount * (part + 1) / threads
                    multiply(0..<tiles, all, panels, own, works + part * size)
                }
            case .kernels(let kernels):
                Parallel.share(panelCount, parts: threads) { part, take in
                    while let panel = take() { multiply(0..<tiles, all, kernels, panel: panel, works + part * size) }
                }
            }
        }
        withExtendedLifetime(scratch) {}
    }

    /// Turned tiles: for each piece of the channels and each place [tiles, depth] numbers.
    private struct Turned {
        let numbers: UnsafeMutableRawPointer
        let bytes: Int
        /// Number of the first tile.
        let first: Int
        /// Numbers from one place to the next.
        let apart: Int
        let places, depth: Int

        @inline(__always)
        func at(_ piece: Int, _ place: Int, _ tile: Int) -> UnsafeMutableRawPointer {
            numbers + ((piece * places + place) * apart + (tile - first) * depth) * bytes
        }
    }

    private func turned(_ numbers: UnsafeMutablePointer<Float>, _ tiles: Range<Int>) -> Turned {
        Turned(
            numbers: numbers, bytes: number.bytes, first: tiles.lowerBound, apart: apart(tiles.count), places: turns.places,
            depth: depth)
    }

    /// Channels that are multiplied together, but for the last ones: what stays in the first cache of turned weights, or what of them stays in the
    /// second where all places are turned first.
    private var depth: Int {
        let most: Int
        switch layout {
        case .turned: most = PanelProduct.chunk(number)
        case .kernels(let kernels) where kernels.width < WeightPanels.width: return TurningTile.depth
        case .kernels: most = Self.turnedBytes / (turns.places * WeightPanels.width * number.bytes)
        }
        let pieces = (channels + most - 1) / most
        return (channels / 16 + pieces - 1) / pieces * 16
    }

    private var pieces: Int { (channels + depth - 1) / depth }

    /// Numbers from one place of turned tiles to the next: an odd number of lines, or those of all places would fall on few lines of the cache.
    private func apart(_ tiles: Int) -> Int {
        let line = 64 / number.bytes
        return ((tiles * depth + line - 1) / line | 1) * line
    }

    /// Floats for the weights of a piece that are turned while they are multiplied.
    private var turnedWeightsSize: Int {
        guard case .kernels = layout else { return 0 }
        return turns.places * turnedWeightsApart / 4 + 16
    }

    /// Bytes from one of their places to the next.
    private var turnedWeightsApart: Int { depth * WeightPanels.width * number.bytes + 64 }

    /// With many tiles each thread has some of them. Else all are turned first, then each thread multiplies with its own weights, so that these come
    /// from memory, and are turned, once.
    private var splitsTiles: Bool {
        let threads = Parallel.threads
        return tiles >= Self.block * threads || (tiles >= 24 * threads && outputs / WeightPanels.width % threads != 0)
    }

    /// Tiles that are multiplied together at most.
    private var held: Int { splitsTiles ? Self.block : tiles }

    /// Blocks of equal numbers of tiles in fours, but for the last.
    private func range(_ block: Int, of blocks: Int) -> Range<Int> {
        let fours = (tiles + 3) / 4
        return min(tiles, fours * block / blocks * 4)..<min(tiles, fours * (block + 1) / blocks * 4)
    }

    /// Panels whose results are held together before they are turned back: as many as about a megabyte holds.
    private var group: Int {
        min(outputs / WeightPanels.width, max(1, (5 << 18) / (turns.places * held * WeightPanels.width * 4)))
    }

    /// Floats for a turn, doubled words of rows, sums of a tile and results.
    private var workSize: Int {
        Self.scratch + HalfTile.scratch / 2
            + held * (PanelProduct.rowStride + turns.places * group * WeightPanels.width) + 16 * turns.places
    }

    private func place(_ tile: Int) -> (sample: Int, row: Int, column: Int) {
        let (sample, within) = (tile / (tilesDown * tilesAcross), tile % (tilesDown * tilesAcross))
        return (sample, within / tilesAcross * turns.results, within % tilesAcross * turns.results)
    }

    /// Bᵀ d B of some tiles.
    private func turn(_ range: Range<Int>, into turned: Turned, _ work: UnsafeMutablePointer<Float>) {
        let (patch, side) = (work + Self.scratch, turns.side)
        for tile in range {
            let (sample, row, column) = place(tile)
            var corner = x + ((sample * height + row - 1) * width + column - 1) * channels
            var rowStride = width * channels
            if row == 0 || column == 0 || row + side - 1 > height || column + side - 1 > width {
                for i in 0..<side {
                    for j in 0..<side {
                        let to = patch + (i * side + j) * channels
                        if row + i >= 1 && row + i <= height && column + j >= 1 && column + j <= width {
                            to.update(from: corner + (i * width + j) * channels, count: channels)
                        } else {
                            to.update(repeating: 0, count: channels)
                        }
                    }
                }
                (corner, rowStride) = (patch, side * channels)
            }
            for piece in 0..<pieces {
                turns.turn(
                    corner + piece * depth, row: rowStride, column: channels, channels: min(depth, channels - piece * depth),
                    scale: scale, into: turned.at(piece, 0, tile), of: number, apart: turned.apart, work)
            }
        }
    }

    /// The results of at most `held` tiles in some panels.
    private func multiply(
        _ range: Range<Int>, _ turned: Turned, _ panels: WeightPanels, _ allPanels: Range<Int>,
        _ work: UnsafeMutablePointer<Float>
    ) {
        guard !range.isEmpty else { return }
        let rows = UnsafeMutableRawPointer(work + Self.scratch)
            .bindMemory(to: UInt32.self, capacity: range.count * PanelProduct.rowStride)
        let sums = UnsafeMutableRawPointer(rows + range.count * PanelProduct.rowStride).assumingMemoryBound(to: Float16.self)
        let results = work + Self.scratch + range.count * PanelProduct.rowStride + HalfTile.scratch / 2
        let depth = depth
        func block(_ panel: Int, _ place: Int, _ channel: Int) -> UnsafeMutableRawPointer {
            panels.panel(panel, from: place * channels + channel, in: weights)
        }
        for firstPanel in stride(from: allPanels.lowerBound, to: allPanels.upperBound, by: group) {
            let own = firstPanel..<min(firstPanel + group, allPanels.upperBound)
            let columns = own.count * WeightPanels.width
            // Like those of turned tiles: an odd number of lines.
            let apart = range.count * columns + 16
            for place in 0..<turns.places {
                for channel in stride(from: 0, to: channels, by: depth) {
                    let inputs = min(depth, channels - channel)
                    let first = turned.at(channel / depth, place, range.lowerBound)
                    let words = first.assumingMemoryBound(to: UInt32.self)
                    if number == .binary16 {
                        double(first.assumingMemoryBound(to: UInt16.self), range.count, inputs, into: rows)
                    }
                    for panel in own {
                        let b = block(panel, place, channel)
                        var next = b
                        if panel + 1 < own.upperBound {
                            next = block(panel + 1, place, channel)
                        } else if channel + inputs < channels || place + 1 < turns.places {
                            next = block(own.lowerBound, place, channel + inputs)
                        } else if panel + 1 < allPanels.upperBound {
                            next = block(panel + 1, 0, 0)
                        }
                        let c = results + place * apart + (panel - firstPanel) * WeightPanels.width
                        let before = channel > 0 ? c : nil
                        var sink = SumSink(c: c, apart: columns, before: before)
                        switch number {
                        case .bfloat16:
                            WordTile<BrainWords, SumSink>.run(
                                rows: range.count, a: words, stride: depth / 2, b: b, depth: inputs / 2, into: &sink, ahead: next)
                        case .float32:
                            WordTile<FloatWords, SumSink>.run(
                                rows: range.count, a: words, stride: depth, b: b, depth: inputs, into: &sink, ahead: next)
                        case .binary16:
                            HalfTile.run(
                                rows: range.count, a: rows, b: b, depth: inputs, step: Self.step, c: c, outputs: columns,
                                bias: nil, before: before, factor: panels.factor(panel, in: weights) / scale, ahead: next,
                                sums: sums)
                        }
                    }
                }
            }
            for tile in range {
                finish(
                    tile, results + (tile - range.lowerBound) * columns, apart: apart,
                    column: firstPanel * WeightPanels.width, count: columns, factor: 1, work)
            }
        }
        if streams { w2w_stream_end() }
    }

    /// The results of at most `held` tiles in one panel, whose weights are turned for it.
    private func multiply(
        _ range: Range<Int>, _ turned: Turned, _ kernels: KernelPanels, panel: Int,
        _ work: UnsafeMutablePointer<Float>
    ) {
        guard !range.isEmpty else { return }
        let (results, columns, depth) = (work + Self.scratch, WeightPanels.width, depth)
        let apart = range.count * columns + 16
        let weightsApart = turnedWeightsApart
        let unaligned = UInt(bitPattern: work + workSize)
        let turnedWeights = UnsafeMutableRawPointer(work + workSize) + Int((64 - unaligned % 64) % 64)
        for channel in stride(from: 0, to: channels, by: depth) {
            let inputs = min(depth, channels - channel)
            let source = kernels.panel(panel, from: channel, in: weights)
            kernels.turn(source, count: inputs, turns, into: turnedWeights, apart: weightsApart)
            // The next kernels come from memory meanwhile, a share with each place.
            let isLast = panel + 1 == outputs / WeightPanels.width && channel + inputs == channels
            let share = (inputs * kernels.channelBytes / turns.places + 63) / 64 * 64
            let next = isLast ? nil : source + inputs * kernels.channelBytes
            for place in 0..<turns.places {
                let c = results + place * apart
                var sink = SumSink(c: c, apart: columns, before: channel > 0 ? c : nil)
                let a = turned.at(channel / depth, place, range.lowerBound).assumingMemoryBound(to: UInt32.self)
                let b = turnedWeights + place * weightsApart
                let ahead = next.map { $0 + place * share }
                if number == .bfloat16 {
                    WordTile<BrainWords, SumSink>.run(
                        rows: range.count, a: a, stride: depth / 2, b: b, depth: inputs / 2, into: &sink, ahead: ahead,
                        aheadBytes: share)
                } else {
                    WordTile<FloatWords, SumSink>.run(
                        rows: range.count, a: a, stride: depth, b: b, depth: inputs, into: &sink, ahead: ahead,
                        aheadBytes: share)
                }
            }
        }
        let factor = kernels.factor(panel, in: weights)
        for tile in range {
            finish(
                tile, results + (tile - range.lowerBound) * columns, apart: apart, column: panel * WeightPanels.width,
                count: columns, factor: factor, work)
        }
        if streams { w2w_stream_end() }
    }

    /// All results, with kernels that are turned in registers.
    private func multiplyInRegisters(_ kernels: KernelPanels) {
        let (threads, width) = (Parallel.threads, kernels.width)
        let fours = stride(from: 0, to: tiles, by: 4).map { $0..<min(tiles, $0 + 4) }
        let (numberCount, sumCount) = (pieces * turns.places * TurningTile.apart(4), turns.places * 4 * width)
        let size = Self.scratch + max(turns.places * channels, fours.count * sumCount)
        let scratch = Tensor(uninitialized: [fours.count * numberCount + threads * size])
        let works = scratch.pointer + fours.count * numberCount
        let turned = fours.enumerated().map { index, four in
            Turned(
                numbers: scratch.pointer + index * numberCount, bytes: number.bytes, first: four.lowerBound,
                apart: TurningTile.apart(four.count), places: turns.places, depth: depth)
        }
        Parallel.run(threads) { part in
            for tile in tiles * part / threads..<tiles * (part + 1) / threads {
                turn(tile..<tile + 1, into: turned[tile / 4], works + part * size)
            }
        }
        if let last = fours.last, TurningTile.padded(last.count) > last.count {
            for place in 0..<pieces * turns.places {
                let row = turned[fours.count - 1].at(0, place, last.upperBound)
                row.initializeMemory(as: Float.self, repeating: 0, count: depth)
            }
        }
        Parallel.share(outputs / width, parts: threads) { part, take in
            let work = works + part * size
            let sums = work + Self.scratch
            while let panel = take() {
                sums.update(repeating: 0, count: fours.count * sumCount)
                for piece in 0..<pieces {
                    let inputs = min(depth, channels - piece * depth)
                    let source = kernels.panel(panel, from: piece * depth, in: weights)
                    let isLast = panel + 1 == outputs / width && piece + 1 == pieces
                    let next = isLast ? nil : UnsafeRawPointer(source + inputs * kernels.channelBytes)
                    for (index, four) in fours.enumerated() {
                        let numbers = turned[index].at(piece, 0, four.lowerBound).assumingMemoryBound(to: Float.self)
                        TurningTile.add(
                            four.count, numbers, source, kept: kernels.kept, channels: inputs, to: sums + index * sumCount,
                            ahead: index == 0 ? next : nil)
                    }
                }
                for tile in 0..<tiles {
                    let four = fours[tile / 4]
                    finish(
                        tile, sums + tile / 4 * sumCount + tile % 4 * width, apart: TurningTile.padded(four.count) * width,
                        column: panel * width, count: width, factor: kernels.factor(panel, in: weights), work)
                }
            }
            if streams { w2w_stream_end() }
        }
        withExtendedLifetime(scratch) {}
    }

    /// Words as `HalfTile` takes them of some channels of some tiles.
    @inline(__always)
    private func double(
        _ turned: UnsafeMutablePointer<UInt16>, _ count: Int, _ inputs: Int, into rows: UnsafeMutablePointer<UInt32>
    ) {
        let depth = depth
        for row in 0..<count {
            let (from, to) = (turned + row * depth, rows + row * PanelProduct.rowStride)
            for i in stride(from: 0, to: inputs, by: 16) {
                let half = UnsafeRawPointer(from + i).loadUnaligned(as: SIMD16<Float16>.self)
                UnsafeMutableRawPointer(to + i).storeBytes(of: HalfMath.doubled(half), as: SIMD16<UInt32>.self)
            }
        }
    }

    /// Aᵀ m A of one tile, and what is added to it.
    /// - Parameters:
    ///   - tile: which.
    ///   - results: of the tile, places `apart`.
    ///   - apart: floats from one place to the next.
    ///   - column: the first output.
    ///   - count: number of outputs.
    ///   - factor: what the results are multiplied by.
    ///   - scratch: floats for one turn.
    @inline(never)
    private func finish(
        _ tile: Int, _ results: UnsafeMutablePointer<Float>, apart: Int, column: Int, count: Int, factor: Float,
        _ scratch: UnsafeMutablePointer<Float>
    ) {
        // Each with its own constants.
        switch turns {
        case .two: finish(.two, tile, results, apart, column, count, factor, scratch)
        case .four: finish(.four, tile, results, apart, column, count, factor, scratch)
        }
    }

    @inline(__always)
    private func finish(
        _ turns: WinogradTurns, _ tile: Int, _ results: UnsafeMutablePointer<Float>, _ apart: Int, _ column: Int, _ count: Int,
        _ factor: Float, _ scratch: UnsafeMutablePointer<Float>
    ) {
        let (sample, top, left) = place(tile)
        let (rows, columns) = (min(turns.results, height - top), min(turns.results, width - left))
        let (corner, row) = (((sample * height + top) * width + left) * outputs + column, width * outputs)
        for output in stride(from: 0, to: count, by: 16) {
            let constant = bias.map { $0.lanes(column + output) } ?? .zero
            turns.turnBack(results + output, apart, scratch) { i, j, lanes in
                guard i < rows && j < columns else { return }
                let at = corner + output + i * row + j * outputs
                // The next but one vector's lines: too many streams for the processor to foresee.
                residual.map { w2w_prefetch($0 + at + 32) }
                if !streams { w2w_prefetch(y + at + 32) }
                let sum = VectorMath.multiplyAdd(lanes, Lanes(repeating: factor), constant)
                let result = residual.map { sum + $0.lanes(at) } ?? sum
                if streams { y.stream(result, at) } else { y.store(result, at) }
            }
        }
    }
}
