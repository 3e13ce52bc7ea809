import ImageCore
import ScreenModel
import Testing

@testable import Terminal

@Suite struct PictureStageTests {
    private let link = LinkRate()

    private func wanted(
        _ slot: String, _ image: UInt64, x: Int = 0, side: Int = 60, isDraft: Bool = false
    ) -> PictureStage.Wanted {
        PictureStage.Wanted(
            slot: slot, image: ImageKey(image), pixels: RGBImage(width: 1, height: 1),
            fit: PictureFit(
                cells: Rect(x: x, y: 0, columns: side / 8, rows: side / 16), pixels: PixelSize(width: side, height: side)),
            isDraft: isDraft)
    }

    /// Everything is encoded; sends until nothing is left.
    private func send(_ stage: inout PictureStage, now: Double, limit: Int = 50) -> [String] {
        var sent: [String] = []
        while sent.count < limit, let task = stage.nextToSend(now: now, link: link, isEncoded: { _ in true }) {
            stage.willSend(task, now: now)
            stage.didSend(task)
            sent.append("\(task.slot):\(task.key.image)")
        }
        return sent
    }

    @Test func eachPictureIsSentOnceLargestFirst() {
        var stage = PictureStage(medium: .sixel)
        let frame = [wanted("a", 1, x: 0), wanted("b", 2, x: 10), wanted("preview", 3, x: 20, side: 180)]
        #expect(stage.place(frame, now: 0).isEmpty)
        #expect(send(&stage, now: 0) == ["preview:3", "a:1", "b:2"])
        #expect(stage.place(frame, now: 1).isEmpty)
        #expect(send(&stage, now: 1).isEmpty, "an unchanged frame costs nothing")
    }

    @Test func aNewPictureInTheSamePlaceIsDrawnOverTheOldOne() {
        var stage = PictureStage(medium: .sixel)
        _ = stage.place([wanted("p", 1)], now: 0)
        _ = send(&stage, now: 0)
        #expect(stage.place([wanted("p", 2)], now: 1).isEmpty, "nothing is erased first")
        #expect(send(&stage, now: 1) == ["p:2"])
    }

    @Test func picturesThatGoOrMoveAreErased() {
        var stage = PictureStage(medium: .sixel)
        _ = stage.place([wanted("p", 1), wanted("q", 2, x: 10)], now: 0)
        #expect(stage.place([wanted("p", 1)], now: 1).isEmpty, "never drawn, so nothing to erase")
        _ = send(&stage, now: 1)
        #expect(stage.place([wanted("p", 1, x: 30)], now: 2) == [wanted("p", 1).fit.cells])
        #expect(send(&stage, now: 2) == ["p:1"])
        #expect(stage.place([], now: 3) == [wanted("p", 1, x: 30).fit.cells])
        #expect(stage.coveredCells.isEmpty)
    }

    @Test func erasingTakesOverlappedPicturesWithIt() {
        var stage = PictureStage(medium: .sixel)
        _ = stage.place([wanted("p", 1), wanted("q", 2, x: 4)], now: 0)
        _ = send(&stage, now: 0)
        _ = stage.place([wanted("q", 2, x: 4)], now: 1)
        #expect(send(&stage, now: 1) == ["q:2"])
    }

    @Test func aCutPictureIsSentAgain() throws {
        var stage = PictureStage(medium: .sixel)
        _ = stage.place([wanted("p", 1)], now: 0)
        let task = try #require(stage.nextToSend(now: 0, link: link, isEncoded: { _ in true }))
        stage.willSend(task, now: 0)
        #expect(stage.coveredCells.count == 1, "a part of it is on the screen")
        #expect(send(&stage, now: 1) == ["p:1"])
    }

    @Test func playingStarvesNobody() throws {
        var stage = PictureStage(medium: .sixel)
        var sent: [String] = []
        for round in 0..<6 {
            _ = stage.place(
                [wanted("frame", UInt64(100 + round), x: 20, side: 180), wanted("a", 1), wanted("b", 2, x: 10)],
                now: Double(round))
            let task = try #require(stage.nextToSend(now: 0, link: link, isEncoded: { _ in true }))
            stage.willSend(task, now: 0)
            stage.didSend(task)
            sent.append(task.slot)
        }
        #expect(sent == ["frame", "a", "frame", "b", "frame", "frame"])
    }

    @Test func draftsAreEncodedForSpeedAndFinishedOnesForLooks() throws {
        var stage = PictureStage(medium: .sixel)
        _ = stage.place([wanted("p", 1, isDraft: true)], now: 0)
        #expect(stage.nextToEncode(now: 0, link: link, isEncoded: { _ in false })?.key.effort == .quick)
        _ = stage.place([wanted("p", 2)], now: 0)
        let task = try #require(stage.nextToEncode(now: 0, link: link, isEncoded: { _ in false }))
        #expect(task.key.effort == .full)
        stage.didFail(task.key)
        #expect(stage.nextToEncode(now: 0, link: link, isEncoded: { _ in false }) == nil, "what failed is not tried for ever")
        stage.medium = .blocks(.direct)
        #expect(stage.nextToEncode(now: 0, link: link, isEncoded: { _ in false })?.key.medium == .blocks(.direct))
    }

    @Test func onASlowLinkThePoorFormComesFirstAndTheBetterOneAfterARest() throws {
        var slow = LinkRate()
        slow.answered(after: 10)
        slow.acknowledged(bytes: 60_000, after: 1010)
        var stage = PictureStage(medium: .sixel)
        _ = stage.place([wanted("p", 1, side: 240)], now: 0)
        let first = try #require(stage.nextToEncode(now: 0, link: slow, isEncoded: { _ in false }))
        #expect(first.key.effort == .frugal)
        let sent = try #require(stage.nextToSend(now: 0, link: slow, isEncoded: { $0 == first.key }))
        stage.willSend(sent, now: 0)
        stage.didSend(sent)
        #expect(stage.nextToEncode(now: 100, link: slow, isEncoded: { _ in false }) == nil)
        #expect(stage.deadline(link: slow) == PictureStage.rest)
        #expect(stage.nextToEncode(now: 301, link: slow, isEncoded: { _ in false })?.key.effort == .full)
    }

    @Test func newPicturesAreRepeatedWhereTheTerminalNeedsIt() {
        var stage = PictureStage(medium: .sixel)
        stage.repeatsNewPictures = true
        _ = stage.place([wanted("p", 1)], now: 0)
        #expect(send(&stage, now: 0) == ["p:1"])
        #expect(stage.deadline(link: link) == PictureStage.repeatDelay)
        #expect(send(&stage, now: 100).isEmpty)
        #expect(send(&stage, now: 151) == ["p:1"])
        #expect(send(&stage, now: 500).isEmpty)
    }

    @Test func aClearedScreenIsFilledAgain() {
        var stage = PictureStage(medium: .sixel)
        _ = stage.place([wanted("p", 1), wanted("q", 2, x: 10)], now: 0)
        _ = send(&stage, now: 0)
        stage.forgetScreen()
        #expect(stage.coveredCells.isEmpty)
        #expect(send(&stage, now: 1) == ["p:1", "q:2"])
        stage.damage(wanted("q", 2, x: 10).fit.cells)
        #expect(send(&stage, now: 2) == ["q:2"])
    }

    @Test func theCacheForgetsWhatIsUnused() {
        var cache = BlobCache(capacity: 1000)
        func key(_ image: UInt64) -> PictureEncoder.Key {
            PictureEncoder.Key(image: image, pixels: PixelSize(width: 6, height: 6), medium: .sixel, effort: .full)
        }
        for image in 0..<4 { cache.insert(.sixel([UInt8](repeating: 0, count: 240)), for: key(UInt64(image))) }
        #expect(cache.blob(for: key(0)) != nil)
        cache.insert(.sixel([UInt8](repeating: 0, count: 240)), for: key(9))
        #expect(cache.contains(key(0)), "used not long ago")
        #expect(cache.contains(key(9)))
        #expect(!cache.contains(key(1)))
        cache.insert(.sixel([UInt8](repeating: 0, count: 5000)), for: key(10))
        #expect(cache.contains(key(10)), "the newest is kept however large")
    }
}
