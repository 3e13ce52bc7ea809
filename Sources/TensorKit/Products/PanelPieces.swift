/// How `PanelProduct` cuts its inputs: pieces of equal numbers of channels, but for the last, of each position of the kernel.
struct PanelPieces {
    struct Piece {
        let number: Int
        /// Position of the kernel.
        let tap: Int
        /// First channel, first input of a panel, and how many.
        let channel, first, count: Int

        var end: Int { first + count }
    }

    enum Order {
        /// All pieces of a block of rows are prepared at once, and a panel's sums made in one go.
        case panelByPanel
        /// A piece is prepared and multiplied with all panels, whose sums are carried on: for rows too long to be held.
        case pieceByPiece
    }

    /// Words of prepared rows that leave room for weights and sums in the second cache.
    private static let held = 184 << 10

    private let channels, depth, taps, pieces: Int
    let order: Order
    /// Whether rows of float32 numbers are used where they are.
    let areInPlace: Bool
    /// Rows that are prepared together at most.
    let blockRows: Int

    /// - Parameters:
    ///   - panels: the weights.
    ///   - source: of the rows.
    ///   - rows: how many there are.
    ///   - isGated: whether two panels meet at once, which needs their finished sums.
    init(_ panels: WeightPanels, _ source: PanelProduct.Source, rows: Int, isGated: Bool) {
        let chunk = PanelProduct.chunk(panels.number)
        let count = (panels.channels + chunk - 1) / chunk
        channels = panels.channels
        depth = ((channels + 15) / 16 + count - 1) / count * 16
        taps = panels.inputs / channels
        if panels.number == .float32, case .matrix = source { areInPlace = true } else { areInPlace = false }
        pieces = taps * count
        let words = pieces * depth / (panels.number == .bfloat16 ? 2 : 1)
        // Few rows wait for their weights, which come fastest from one end of memory to the other.
        let areFew = rows <= 24 && rows * words <= Self.held
        order = areInPlace || isGated || areFew ? .panelByPanel : .pieceByPiece
        blockRows =
            if areFew {
                (rows + 11) / 12 * 12
            } else if order == .panelByPanel && !areInPlace {
                min(PanelProduct.rowBlock, max(12, Self.held / words / 12 * 12))
            } else {
                PanelProduct.rowBlock
            }
    }

    /// Words of all pieces that are prepared at once.
    var bufferWords: Int { areInPlace ? 0 : (order == .panelByPanel ? pieces : 1) * blockRows * PanelProduct.rowStride }

    /// Where a piece's prepared rows start, panel by panel.
    @inline(__always)
    func offset(_ piece: Piece) -> Int { piece.number * blockRows * PanelProduct.rowStride }

    @inline(__always)
    func each(_ body: (Piece) -> Void) {
        var number = 0
        for tap in 0..<taps {
            for channel in Swift.stride(from: 0, to: channels, by: depth) {
                body(
                    Piece(
                        number: number, tap: tap, channel: channel, first: tap * channels + channel,
                        count: min(depth, channels - channel)))
                number += 1
            }
        }
    }
}
