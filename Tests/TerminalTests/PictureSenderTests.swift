import Foundation
import Glibc
import ScreenModel
import Testing

@testable import Terminal

/// A pipe whose reading end the test holds: a terminal that takes as much as it likes.
private final class Wire {
    let read: Int32
    let write: Int32

    init() throws {
        (read, write) = try ProcessSignals.makePipe()
        // One page: it fills up soon.
        _ = fcntl(write, 1031, 4096)
    }

    deinit {
        close(read)
        close(write)
    }

    func take(_ limit: Int = 1 << 20) -> String {
        var buffer = [UInt8](repeating: 0, count: limit)
        let count = Glibc.read(read, &buffer, limit)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}

@Suite struct PictureSenderTests {
    private let cells = Rect(x: 4, y: 2, columns: 10, rows: 5)
    private let small = PictureBlob.sixel(Array("\u{1b}P0;1q#0~~\u{1b}\\".utf8))
    private let large = PictureBlob.sixel(Array(("\u{1b}P0;1q" + String(repeating: "~", count: 50_000) + "\u{1b}\\").utf8))

    @Test func aPictureIsFramed() throws {
        let wire = try Wire()
        var sender = PictureSender(descriptor: wire.write)
        sender.begin(small, at: cells, synchronised: true, confirmed: true, now: 0)
        #expect(!sender.isMidStream && sender.isBusy)
        #expect(sender.pump(now: 1) == .finished)
        #expect(wire.take() == "\u{1b}[?2026h\u{1b}7\u{1b}[3;5H\u{1b}P0;1q#0~~\u{1b}\\\u{1b}8\u{1b}[?2026l\u{1b}[5n")
        #expect(sender.unconfirmed > 0)
        #expect(sender.acknowledge(now: 20)?.milliseconds == 20)
        #expect(sender.acknowledge(now: 21) == nil)
        #expect(sender.pump(now: 22) == .idle)
    }

    /// A cursor that can be seen leaves a hole in the picture where it stood as it was drawn.
    @Test func theCursorIsHiddenMeanwhile() throws {
        let wire = try Wire()
        var sender = PictureSender(descriptor: wire.write)
        sender.begin(small, at: cells, hidesCursor: true, synchronised: false, confirmed: false, now: 0)
        #expect(sender.pump(now: 0) == .finished)
        #expect(wire.take() == "\u{1b}[?25l\u{1b}7\u{1b}[3;5H\u{1b}P0;1q#0~~\u{1b}\\\u{1b}8\u{1b}[?25h")
        // Also where the picture is broken off.
        sender.begin(large, at: cells, hidesCursor: true, synchronised: false, confirmed: false, now: 0)
        #expect(sender.pump(now: 0) == .blocked && sender.cut())
        var sent = wire.take()
        #expect(sender.pump(now: 1) == .finished)
        sent += wire.take()
        #expect(sent.hasSuffix("~\u{1b}\\\u{1b}8\u{1b}[?25h"))
    }

    @Test func aLongPictureIsCutWithinItsString() throws {
        let wire = try Wire()
        var sender = PictureSender(descriptor: wire.write)
        sender.begin(large, at: cells, synchronised: false, confirmed: true, now: 0)
        #expect(sender.pump(now: 0) == .blocked)
        #expect(sender.isMidStream)
        let wasCut = sender.cut()
        #expect(wasCut)
        // The wire is full: the end of the cut picture is unsent, so nobody may write yet.
        #expect(sender.pump(now: 1) == .blocked)
        #expect(sender.isMidStream)
        var sent = wire.take()
        #expect(sender.pump(now: 2) == .finished)
        #expect(!sender.isMidStream)
        sent += wire.take()
        #expect(sent.hasSuffix("~\u{1b}\\\u{1b}8\u{1b}[5n"))
        #expect(sent.count < 20_000)
    }

    @Test func theTerminatorIsNeverCut() throws {
        let wire = try Wire()
        var sender = PictureSender(descriptor: wire.write)
        let head = "\u{1b}7\u{1b}[3;5H".utf8.count
        // Exactly as long that the wire fills up between the two bytes of the terminator.
        let filler = String(repeating: "~", count: 4096 - head - 6 - 1)
        sender.begin(
            .sixel(Array(("\u{1b}P0;1q" + filler + "\u{1b}\\").utf8)), at: cells, synchronised: false, confirmed: false, now: 0)
        #expect(sender.pump(now: 0) == .blocked)
        let wasCut = sender.cut()
        #expect(!wasCut)
        var sent = wire.take()
        #expect(sender.pump(now: 1) == .finished)
        sent += wire.take()
        #expect(sent.hasSuffix("~\u{1b}\\\u{1b}8"))
    }

    @Test func whatHasNotBegunIsDropped() throws {
        let wire = try Wire()
        var sender = PictureSender(descriptor: wire.write)
        sender.begin(small, at: cells, synchronised: false, confirmed: true, now: 0)
        let wasCut = sender.cut()
        #expect(wasCut)
        #expect(!sender.isBusy)
        #expect(sender.pump(now: 0) == .idle)
        #expect(wire.take().isEmpty)
    }

    @Test func blocksAreCutBetweenRows() throws {
        let wire = try Wire()
        var sender = PictureSender(descriptor: wire.write)
        let row = Array(String(repeating: "x", count: 2000).utf8)
        sender.begin(.rows([[UInt8]](repeating: row, count: 20)), at: cells, synchronised: false, confirmed: false, now: 0)
        #expect(sender.pump(now: 0) == .blocked)
        let wasCut = sender.cut()
        #expect(wasCut)
        var sent = wire.take()
        while sender.pump(now: 1) == .blocked { sent += wire.take() }
        sent += wire.take()
        let rows = sent.components(separatedBy: "H").dropFirst()
        #expect(rows.count < 10)
        #expect(rows.allSatisfy { $0.filter { $0 == "x" }.count == 2000 }, "only whole rows")
        #expect(sent.hasSuffix("x\u{1b}8"))
    }

    @Test func aLostTerminalIsNoticed() throws {
        var sender = PictureSender(descriptor: -1)
        sender.begin(small, at: cells, synchronised: false, confirmed: true, now: 0)
        #expect(sender.pump(now: 0) == .failed)
        #expect(!sender.isBusy)
    }

    @Test func slowLinksGetFewerColours() {
        var link = LinkRate()
        let large = 300 * 300
        #expect(link.effort(pixels: large, isDraft: false) == .full)
        #expect(link.effort(pixels: large, isDraft: true) == .quick)
        link.answered(after: 80)
        link.acknowledged(bytes: 30_000, after: 680)
        #expect(link.bytesPerMillisecond == 50, "the way there and back is no transfer")
        #expect(link.effort(pixels: large, isDraft: false) == .quick)
        #expect(link.effort(pixels: large, isDraft: true) == .least)
        #expect(link.effort(pixels: 60 * 60, isDraft: false) == .full)
        #expect(link.window < 10_000)
        for _ in 0..<20 { link.acknowledged(bytes: 100_000, after: 90) }
        #expect(link.effort(pixels: large, isDraft: false) == .full, "and it recovers")
    }
}
