import COneDNN

/// Sixteen outputs' sums of one place of a few tiles, held in registers.
private protocol TileSums {
    static var tiles: Int { get }
    init()
    /// - Parameter sums: [tiles, 16]
    func add(to sums: UnsafeMutablePointer<Float>)
    /// Adds products with a channel of the tiles, the numbers of one `TurningTile.depth` floats after those of the one before.
    mutating func add(_ kernels: Lanes, _ tiles: UnsafeMutablePointer<Float>)
}

private struct OneTile: TileSums {
    static var tiles: Int { 1 }
    private var a = Lanes.zero

    @_transparent
    func add(to sums: UnsafeMutablePointer<Float>) { sums.store(sums.lanes(0) + a, 0) }

    @_transparent
    mutating func add(_ kernels: Lanes, _ tiles: UnsafeMutablePointer<Float>) {
        a = VectorMath.multiplyAdd(kernels, Lanes(repeating: tiles[0]), a)
    }
}

/// Those of twice as many tiles.
private struct Both<Half: TileSums>: TileSums {
    static var tiles: Int { 2 * Half.tiles }
    private var (a, b) = (Half(), Half())

    @_transparent
    func add(to sums: UnsafeMutablePointer<Float>) {
        a.add(to: sums)
        b.add(to: sums + Half.tiles * 16)
    }

    @_transparent
    mutating func add(_ kernels: Lanes, _ tiles: UnsafeMutablePointer<Float>) {
        a.add(kernels, tiles)
        b.add(kernels, tiles + Half.tiles * TurningTile.depth)
    }
}

private typealias TwoTiles = Both<OneTile>
private typealias FourTiles = Both<TwoTiles>

/// The products of up to four tiles with sixteen outputs' kernels, which F(4 x 4) turns in registers, for a row of places or two at a time. What they
/// turn into is never stored: that takes longer than reading the nine numbers again for each row, and half as long as the products of four tiles.
struct TurningTile {
    /// Channels that are multiplied together at most: their kernels stay in the first cache for all rows of places.
    static let depth = 64
    private static let turns = WinogradTurns.four
    private static let side = turns.side

    /// Floats from one place of so many tiles to the next.
    static func apart(_ tiles: Int) -> Int { (padded(tiles) * depth / 16 | 1) * 16 }
    /// Three tiles are multiplied like four.
    static func padded(_ tiles: Int) -> Int { tiles == 3 ? 4 : tiles }

    /// [channels, 9, 16]
    private let kernels: UnsafeRawPointer
    /// The tiles' turned numbers, [36, `padded`, depth], places `apart`.
    private let numbers: UnsafeMutablePointer<Float>
    private let channels: Int
    /// [36, `padded`, 16]
    private let sums: UnsafeMutablePointer<Float>
    /// As many bytes as the kernels have, brought into the cache meanwhile; or nil.
    private let ahead: UnsafeRawPointer?

    /// Adds the products of some channels.
    /// - Parameters:
    ///   - tiles: one to four.
    ///   - numbers: of these tiles, turned, [36, padded(tiles), depth], places apart(tiles) floats apart.
    ///   - kernels: [channels, 9, 16]
    ///   - kept: how they are kept, `binary16` or `float32`.
    ///   - channels: at most `depth`.
    ///   - sums: [36, padded(tiles), 16]
    ///   - ahead: as many bytes as `kernels`, brought into the cache meanwhile; or nil.
    static func add(
        _ tiles: Int, _ numbers: UnsafeMutablePointer<Float>, _ kernels: UnsafeRawPointer, kept: PanelNumber, channels: Int,
        to sums: UnsafeMutablePointer<Float>, ahead: UnsafeRawPointer?
    ) {
        let tile = TurningTile(kernels: kernels, numbers: numbers, channels: channels, sums: sums, ahead: ahead)
        switch (tiles, kept) {
        case (1, .binary16): tile.addTwoRows(HalfKernel.self, OneTile.self)
        case (1, _): tile.addTwoRows(FloatKernel.self, OneTile.self)
        case (2, .binary16): tile.addTwoRows(HalfKernel.self, TwoTiles.self)
        case (2, _): tile.addTwoRows(FloatKernel.self, TwoTiles.self)
        case (_, .binary16): tile.addEachRow(HalfKernel.self, FourTiles.self)
        default: tile.addEachRow(FloatKernel.self, FourTiles.self)
        }
    }

    /// Two rows at a time, which share what their kernels turn into first; registers hold the sums of two tiles.
    @inline(never)
    private func addTwoRows<Kept: KeptKernel, Sums: TileSums>(_ kept: Kept.Type, _ sums: Sums.Type) {
        addRows(0, 5, of: 3, part: 0, kept, sums) { ($0.a, $0.f) }
        addRows(1, 2, of: 3, part: 1, kept, sums) { ($0.b, $0.c) }
        addRows(3, 4, of: 3, part: 2, kept, sums) { ($0.d, $0.e) }
    }

    @inline(never)
    private func addEachRow<Kept: KeptKernel, Sums: TileSums>(_ kept: Kept.Type, _ sums: Sums.Type) {
        addRow(0, kept, sums) { $0.a }
        addRow(1, kept, sums) { $0.b }
        addRow(2, kept, sums) { $0.c }
        addRow(3, kept, sums) { $0.d }
        addRow(4, kept, sums) { $0.e }
        addRow(5, kept, sums) { $0.f }
    }

    /// The sums of a row of places, over few enough channels that rounding does not add up.
    private struct Row<Sums: TileSums> {
        private var (a, b, c, d, e, f) = (Sums(), Sums(), Sums(), Sums(), Sums(), Sums())
        private static var size: Int { Sums.tiles * 16 }

        @_transparent
        func add(to sums: UnsafeMutablePointer<Float>) {
            a.add(to: sums)
            b.add(to: sums + Self.size)
            c.add(to: sums + 2 * Self.size)
            d.add(to: sums + 3 * Self.size)
            e.add(to: sums + 4 * Self.size)
            f.add(to: sums + 5 * Self.size)
        }

        @_transparent
        mutating func add(_ left: Lanes, _ middle: Lanes, _ right: Lanes, _ numbers: UnsafeMutablePointer<Float>) {
            let (row, apart) = (TurningTile.turns.turnKernel(left, middle, right), TurningTile.apart(Sums.tiles))
            a.add(row.a, numbers)
            b.add(row.b, numbers + apart)
            c.add(row.c, numbers + 2 * apart)
            d.add(row.d, numbers + 3 * apart)
            e.add(row.e, numbers + 4 * apart)
            f.add(row.f, numbers + 5 * apart)
        }
    }

    /// Sums of row i, and the tiles' numbers there.
    @_transparent
    private func row<Sums: TileSums>(_ i: Int, _ sums: Sums.Type) -> (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) {
        (self.sums + i * Self.side * Sums.tiles * 16, numbers + i * Self.side * Self.apart(Sums.tiles))
    }

    /// Column j of a channel's kernels, turned.
    @_transparent
    private func column<Kept: KeptKernel>(_ j: Int, _ kernels: UnsafeRawPointer, _ kept: Kept.Type) -> WinogradTurns.TurnedRow {
        Self.turns.turnKernel(
            Kept.load(kernels, j * 16), Kept.load(kernels, (3 + j) * 16), Kept.load(kernels, (6 + j) * 16))
    }

    /// Calls `body` with each channel and its kernels, while a share of what comes next is asked for.
    @_transparent
    private func each<Kept: KeptKernel>(
        of parts: Int, part: Int, _ kept: Kept.Type, _ body: (_ channel: Int, _ kernels: UnsafeRawPointer) -> Void
    ) {
        let bytes = 9 * 16 * Kept.bytes
        let step = bytes / parts
        // Far behind the kernels where nothing comes next: harmless.
        let next = (ahead ?? kernels) + part * channels * step
        for channel in 0..<channels {
            for line in stride(from: 0, to: step, by: 64) { w2w_prefetch(next + channel * step + line) }
            body(channel, kernels + channel * bytes)
        }
    }

    @inline(__always)
    private func addRows<Kept: KeptKernel, Sums: TileSums>(
        _ i: Int, _ j: Int, of parts: Int, part: Int, _ kept: Kept.Type, _ sums: Sums.Type,
        _ pick: (WinogradTurns.TurnedRow) -> (Lanes, Lanes)
    ) {
        let ((firstSums, first), (secondSums, second)) = (row(i, sums), row(j, sums))
        var (upper, lower) = (Row<Sums>(), Row<Sums>())
        each(of: parts, part: part, kept) { channel, kernels in
            let left = pick(column(0, kernels, kept))
            let middle = pick(column(1, kernels, kept))
            let right = pick(column(2, kernels, kept))
            upper.add(left.0, middle.0, right.0, first + channel)
            lower.add(left.1, middle.1, right.1, second + channel)
        }
        upper.add(to: firstSums)
        lower.add(to: secondSums)
    }

    @inline(__always)
    private func addRow<Kept: KeptKernel, Sums: TileSums>(
        _ i: Int, _ kept: Kept.Type, _ sums: Sums.Type, _ pick: (WinogradTurns.TurnedRow) -> Lanes
    ) {
        let (rowSums, numbers) = row(i, sums)
        var row = Row<Sums>()
        each(of: Self.side, part: i, kept) { channel, kernels in
            row.add(
                pick(column(0, kernels, kept)), pick(column(1, kernels, kept)), pick(column(2, kernels, kept)), numbers + channel)
        }
        row.add(to: rowSums)
    }
}
