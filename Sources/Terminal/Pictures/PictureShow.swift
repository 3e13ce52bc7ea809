import Glibc
import ImageCore
import ScreenModel

/// The pictures of the screen: decides, encodes and sends them, one at a time, in the pauses of the text.
@MainActor final class PictureShow {
    /// What the terminal at hand wants of pictures; may change at any time.
    struct Setting {
        /// How they are made; nil while that is not known, and for none.
        var medium: PictureMedium?
        /// Pixels of a cell.
        var cell = PixelSize(width: 10, height: 20)
        /// Largest sixel that the terminal takes.
        var limit: PixelSize?
        /// Whether it knows mode 2026.
        var synchronised = false
        /// Whether it answers `CSI 5 n`.
        var confirms = false
        /// Whether the cursor can be seen.
        var showsCursor = false
        /// Whether new pictures must be sent twice.
        var repeats = false
    }

    /// After so many milliseconds a confirmation is taken for lost.
    private static let confirmationLimit = 2000.0
    /// Curses may rewrite a run of so many cells between two changes rather than move the cursor over it.
    private static let narrow = 12

    var setting = Setting()
    /// The terminal has gone while a picture was being sent.
    private(set) var hasFailed = false

    private let encoder: PictureEncoder
    private var stage = PictureStage()
    private var sender: PictureSender
    private var sending: PictureStage.Task?
    private var encoding: PictureEncoder.Key?
    private var cache = BlobCache(capacity: 24_000_000)
    private var link = LinkRate()

    /// - Parameter notify: called from the encoder's queue when `service` has something to do.
    init(notify: @escaping @Sendable () -> Void) {
        sender = PictureSender(descriptor: ProcessSignals.openTerminal())
        encoder = PictureEncoder(notify: notify)
    }

    /// A picture is half sent: nobody else may write to the terminal.
    var isMidStream: Bool { sender.isMidStream }
    /// To be watched for room to write; -1 when nothing is being sent.
    var descriptorToWatch: Int32 { sender.isBusy ? sender.descriptor : -1 }
    /// Confirmations that the terminal owes.
    var openConfirmations: Int { sender.unconfirmedCount }
    /// How long the rest of the picture that is being sent will take, in milliseconds; nil when nobody knows.
    var timeLeft: Double? { link.bytesPerMillisecond == nil ? nil : link.time(for: sender.remaining) }
    /// The least that the way to the terminal and back has taken, in milliseconds; 0 while nothing has been answered.
    var shortestAnswer: Double { link.shortestAnswer.isFinite ? link.shortestAnswer : 0 }
    /// Cells under pictures that are at least partly on the screen.
    var coveredCells: [Rect] { stage.coveredCells }
    /// Cells that belong to pictures, drawn or yet to be drawn.
    var reservedCells: [Rect] { stage.reservedCells }

    /// When `advance` has something to do by itself.
    var deadline: Double? {
        let confirmation = sender.waitingSince.map { $0 + Self.confirmationLimit + 1 }
        return [stage.deadline(link: link), confirmation].compactMap { $0 }.min()
    }

    /// Takes over the pictures of a new frame.
    /// - Parameters:
    ///   - placements: pictures and the rectangles they may use.
    ///   - images: the pixels of those that exist.
    ///   - screen: the window.
    ///   - now: milliseconds.
    /// - Returns: cells on which old pictures must be erased.
    func place(_ placements: [ImagePlacement], images: [ImageKey: RGBImage], on screen: Size, now: Double) -> [Rect] {
        // What has not begun may no longer be wanted.
        if !sender.isMidStream { _ = cut() }
        stage.medium = setting.medium
        stage.repeatsNewPictures = setting.repeats
        guard let medium = setting.medium else { return stage.place([], now: now) }
        // A sixel in the last row scrolls the screen.
        let usable = Rect(x: 0, y: 0, columns: screen.columns, rows: screen.rows - (medium == .sixel ? 1 : 0))
        let wanted = placements.compactMap { placement -> PictureStage.Wanted? in
            guard let image = images[placement.image] else { return nil }
            let source = PixelSize(width: image.width, height: image.height)
            let rect = placement.rect.intersection(usable)
            let fit =
                medium == .sixel
                ? PictureFit.sixel(source, in: rect, cell: setting.cell, limit: setting.limit)
                : PictureFit.blocks(source, in: rect)
            return fit.map {
                PictureStage.Wanted(
                    slot: placement.slot, image: placement.image, pixels: image, fit: $0, isDraft: placement.isDraft)
            }
        }
        return stage.place(wanted, now: now)
    }

    /// The text of the screen changes: narrow pictures that this may take with it are sent again.
    func textChanges(from old: CellGrid, to new: CellGrid) {
        guard old.size == new.size else { return }
        for rect in stage.coveredCells where rect.columns < Self.narrow {
            for y in max(0, rect.y)..<min(rect.maxY, new.size.rows) {
                func changes(_ range: Range<Int>) -> Bool {
                    range.contains { $0 >= 0 && $0 < new.size.columns && old[$0, y] != new[$0, y] }
                }
                if changes((rect.x - Self.narrow)..<rect.x), changes(rect.maxX..<(rect.maxX + Self.narrow)) {
                    stage.damage(rect)
                    break
                }
            }
        }
    }

    /// The screen was cleared: all is to be sent again.
    func screenWasCleared() { stage.forgetScreen() }

    /// Forgets all pictures and their places.
    func clear() { _ = stage.place([], now: 0) }

    /// Goes on with the picture that is being sent.
    func pump(_ now: Double) {
        switch sender.pump(now: now) {
        case .finished:
            if let sending { stage.didSend(sending) }
            sending = nil
        case .failed: hasFailed = true
        case .idle, .blocked: break
        }
    }

    /// Breaks off the picture that is being sent; it will be sent again from the beginning.
    /// - Returns: whether there was one that could be broken off.
    func cut() -> Bool {
        guard sender.cut() else { return false }
        sending = nil
        return true
    }

    /// Takes in what has been encoded, starts the next picture if the terminal has room, the next encoding if the queue is free.
    func advance(_ now: Double, maySend: Bool) {
        for (key, blob) in encoder.fetch() {
            if let blob { cache.insert(blob, for: key) } else { stage.didFail(key) }
            if encoding == key { encoding = nil }
        }
        while maySend, !sender.isBusy, !hasFailed, hasRoom(now) {
            guard let task = stage.nextToSend(now: now, link: link, isEncoded: cache.contains),
                let blob = cache.blob(for: task.key)
            else { break }
            stage.willSend(task, now: now)
            sending = task
            sender.begin(
                blob, at: task.cells, hidesCursor: setting.showsCursor, synchronised: setting.synchronised,
                confirmed: setting.confirms, now: now)
            pump(now)
        }
        if encoding == nil, let task = stage.nextToEncode(now: now, link: link, isEncoded: cache.contains) {
            encoding = task.key
            encoder.submit(task.pixels, as: task.key)
        }
    }

    /// The terminal has answered `CSI 5 n`.
    func confirmed(_ now: Double) {
        if let (bytes, milliseconds) = sender.acknowledge(now: now) { link.acknowledged(bytes: bytes, after: milliseconds) }
    }

    /// The terminal has answered a question without a picture, after so many milliseconds.
    func answered(after milliseconds: Double) { link.answered(after: milliseconds) }

    func forgetConfirmations() { sender.forgetConfirmations() }

    /// Cuts what is being sent short and waits until that is out, so that others may write.
    func stop(within milliseconds: Double) {
        _ = cut()
        let end = monotonicMilliseconds() + milliseconds
        while sender.isMidStream {
            let now = monotonicMilliseconds()
            pump(now)
            if hasFailed || now > end || ProcessSignals.hasAbandonedTerminal { break }
            var polls = [pollfd(fd: sender.descriptor, events: Int16(POLLOUT), revents: 0)]
            if sender.isMidStream { _ = poll(&polls, 1, 20) }
        }
        sending = nil
    }

    /// Closes the descriptor. Nothing may be sent after this.
    func close() {
        if sender.descriptor >= 0 { Glibc.close(sender.descriptor) }
    }

    /// Pictures never queue up on the way: what the terminal has not confirmed is bounded.
    private func hasRoom(_ now: Double) -> Bool {
        guard let since = sender.waitingSince else { return true }
        if now - since > Self.confirmationLimit {
            sender.forgetConfirmations()
            return true
        }
        return sender.unconfirmed < link.window
    }
}
