import Glibc
import ScreenModel

/// Sends pictures through an open file description of its own, without blocking, so that a slow terminal never stops the loop.
///
/// While a control string is half sent nobody else may write to the terminal; a long one can be cut short.
struct PictureSender {
    enum Progress: Equatable {
        /// Nothing is being sent.
        case idle
        /// The terminal takes no more at the moment.
        case blocked
        /// The last byte has been handed over with this call.
        case finished
        /// The terminal is gone.
        case failed
    }

    /// A picture whose consumption the terminal has yet to confirm.
    private struct Outstanding {
        var bytes: Int
        var since: Double
    }

    let descriptor: Int32
    private var buffer: [UInt8] = []
    private var offset = 0
    /// Where it may be broken off: any byte below the first number (sixel), or at one of the numbers (rows).
    private var freeUntil = 0
    private var rowEnds: [Int] = []
    private var tail: [UInt8] = []
    private var isSending = false
    /// Some byte is on the wire; stays so while the end of a cut picture is still unsent.
    private var hasStarted = false
    private var wasCut = false
    private var isConfirmed = false
    private var startedAt = 0.0
    private var outstanding: [Outstanding] = []
    private var lastAcknowledgement = 0.0

    /// - Parameter descriptor: opened for writing with O_NONBLOCK; the caller closes it.
    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Some byte of a picture is on the wire, and not yet all of it.
    var isMidStream: Bool { isSending && hasStarted }
    var isBusy: Bool { isSending }
    var remaining: Int { isSending ? buffer.count - offset : 0 }
    /// Bytes that the terminal has not confirmed.
    var unconfirmed: Int { outstanding.reduce(0) { $0 + $1.bytes } }
    /// Confirmations that are still due.
    var unconfirmedCount: Int { outstanding.count }
    /// When the oldest unconfirmed picture was handed over; nil when all are confirmed.
    var waitingSince: Double? { outstanding.first?.since }

    /// Begins a picture. Nothing is written before `pump`.
    /// - Parameters:
    ///   - blob: the encoded picture.
    ///   - cells: where it goes.
    ///   - hidesCursor: whether the cursor can be seen. Then it is hidden meanwhile: where it begins to draw, xterm takes the cursor away again
    ///     by painting the empty cell, over the picture.
    ///   - synchronised: whether the terminal knows mode 2026.
    ///   - confirmed: whether to ask for a confirmation; its answer must be reported to `acknowledge`.
    ///   - now: milliseconds.
    mutating func begin(
        _ blob: PictureBlob, at cells: Rect, hidesCursor: Bool = false, synchronised: Bool, confirmed: Bool, now: Double
    ) {
        precondition(!isSending, "one picture at a time")
        // The cursor after a picture differs from brand to brand: it is saved and restored, with its attributes.
        let (hide, show) = hidesCursor ? ("\u{1b}[?25l", "\u{1b}[?25h") : ("", "")
        var bytes = Array(((synchronised ? "\u{1b}[?2026h" : "") + hide + "\u{1b}7").utf8)
        tail = Array(("\u{1b}8" + show + (synchronised ? "\u{1b}[?2026l" : "") + (confirmed ? "\u{1b}[5n" : "")).utf8)
        rowEnds = []
        freeUntil = 0
        switch blob {
        case .sixel(let sixel):
            bytes.reserveCapacity(sixel.count + 80)
            bytes += Self.move(to: cells.x, cells.y)
            bytes += sixel
            // Never inside the terminator.
            freeUntil = bytes.count - 2
        case .rows(let rows):
            for (index, row) in rows.enumerated() {
                bytes += Self.move(to: cells.x, cells.y + index)
                bytes += row
                rowEnds.append(bytes.count)
            }
        }
        bytes += tail
        buffer = bytes
        offset = 0
        isSending = true
        hasStarted = false
        wasCut = false
        isConfirmed = confirmed
        startedAt = now
    }

    /// Hands over as much as the terminal takes.
    mutating func pump(now: Double) -> Progress {
        guard isSending else { return .idle }
        while offset < buffer.count {
            let written = buffer.withUnsafeBytes { bytes -> Int in
                write(descriptor, bytes.baseAddress.map { $0 + offset }, min(buffer.count - offset, 16_384))
            }
            if written > 0 {
                offset += written
                hasStarted = true
            } else if written < 0, errno == EINTR {
                continue
            } else if written < 0, errno == EAGAIN {
                return .blocked
            } else {
                isSending = false
                buffer = []
                return .failed
            }
        }
        if isConfirmed { outstanding.append(Outstanding(bytes: buffer.count, since: startedAt)) }
        isSending = false
        buffer = []
        return .finished
    }

    /// Breaks the picture off as soon as its bytes allow. What is drawn stays.
    /// - Returns: whether the picture will be incomplete.
    mutating func cut() -> Bool {
        guard isSending, !wasCut else { return isSending && wasCut }
        if !hasStarted {
            isSending = false
            buffer = []
            return true
        }
        if offset < freeUntil {
            buffer = Array("\u{1b}\\".utf8) + tail
            offset = 0
            wasCut = true
            return true
        }
        if let end = rowEnds.first(where: { $0 >= offset }), end != rowEnds.last {
            buffer.replaceSubrange(end..., with: tail)
            rowEnds = []
            wasCut = true
            return true
        }
        return false
    }

    /// The terminal has answered the oldest open confirmation.
    /// - Returns: its bytes and how long they took, or nil when none was open.
    mutating func acknowledge(now: Double) -> (bytes: Int, milliseconds: Double)? {
        guard !outstanding.isEmpty else { return nil }
        let first = outstanding.removeFirst()
        let began = max(first.since, lastAcknowledgement)
        lastAcknowledgement = now
        return (first.bytes, now - began)
    }

    /// Gives up waiting for confirmations.
    mutating func forgetConfirmations() {
        outstanding = []
    }

    private static func move(to x: Int, _ y: Int) -> [UInt8] {
        Array("\u{1b}[\(y + 1);\(x + 1)H".utf8)
    }
}
