import CNcursesw
import ImageCore
import ScreenModel

extension TerminalScreen {
    /// Text first, then pictures: draws what waits and goes on with what is being sent.
    func service() {
        guard isOpen, !isGone else { return }
        let now = monotonicMilliseconds()
        pump(now)
        if pending != nil {
            if sender.isMidStream, mustInterrupt(now), sender.cut() { pump(now) }
            if !sender.isMidStream { flush(now) }
        }
        collectEncoded()
        advancePictures(now)
    }

    /// A key must be seen at once; other news may wait for the end of a picture, but not for long.
    private func mustInterrupt(_ now: Double) -> Bool {
        if inputSinceFlush { return link.bytesPerMillisecond == nil || link.time(for: sender.remaining) > 12 }
        return now - pendingSince > 250
    }

    private func pump(_ now: Double) {
        switch sender.pump(now: now) {
        case .finished:
            if let sending { stage.didSend(sending) }
            sending = nil
        case .failed:
            isGone = true
            events.append(.terminate)
        case .idle, .blocked: break
        }
    }

    /// Draws the text of the waiting frame and settles where its pictures go.
    private func flush(_ now: Double) {
        guard let frame = pending else { return }
        pending = nil
        if sender.isBusy {
            // Not a byte of it is out.
            _ = sender.cut()
            sending = nil
        }
        let erased = stage.place(wanted(for: frame), now: now)
        let isRepaint = shownGrid == nil
        let toErase = isRepaint ? erased + stage.coveredCells : erased
        if !toErase.isEmpty { erase(toErase) }
        if isRepaint { stage.forgetScreen() }

        var grid = frame.grid
        for rect in stage.reservedCells { grid.fill(rect, with: CursesScreen.pictureCell) }
        if let shownGrid { damageNarrowPictures(old: shownGrid, new: grid) }
        curses.show(grid, cursor: frame.cursor)
        shownGrid = grid
        current = frame
        inputSinceFlush = false
        if probe == .notAsked { ask(now) }
        if asksAfterFlush {
            asksAfterFlush = false
            tell(TerminalAnswers.questionsAfterResize)
        }
    }

    /// The pictures of a frame that exist and fit, with their places.
    private func wanted(for frame: Frame) -> [PictureStage.Wanted] {
        stage.medium = medium
        stage.repeatsNewPictures = answers.isTmux && stage.medium == .sixel
        guard let medium = stage.medium else { return [] }
        // A sixel in the last row scrolls the screen.
        let usable = Rect(x: 0, y: 0, columns: size.columns, rows: size.rows - (medium == .sixel ? 1 : 0))
        return frame.placements.compactMap { placement in
            guard let image = images[placement.image] else { return nil }
            let source = PixelSize(width: image.width, height: image.height)
            let rect = placement.rect.intersection(usable)
            let fit: PictureFit?
            switch medium {
            case .sixel: fit = PictureFit.sixel(source, in: rect, cell: cellSize, limit: answers.largestPicture)
            case .blocks: fit = PictureFit.blocks(source, in: rect)
            }
            guard let fit else { return nil }
            return PictureStage.Wanted(
                slot: placement.slot, image: placement.image, pixels: image, fit: fit, isDraft: placement.isDraft)
        }
    }

    /// How pictures are made at the moment; nil for none.
    private var medium: PictureMedium? {
        if probe == .notAsked || isProbing, options.graphics == .auto { return nil }
        switch graphics {
        case .none: return nil
        case .sixel: return .sixel
        case .blocks:
            if glyphs == .ascii || options.noColour || colours < .palette && !hasDirectColour {
                return .blocks(.ascii(onLight: (answers.backgroundLuminance ?? 0) > 0.5))
            }
            return .blocks(hasDirectColour ? .direct : .palette)
        }
    }

    /// TERM is a poor witness: Debian's xterm says that it has eight colours and shows 24 bits.
    private var hasDirectColour: Bool {
        let promise = environment["COLORTERM"] ?? ""
        return !options.noColour
            && (colours == .direct || promise == "truecolor" || promise == "24bit" || answers.brandHasDirectColour)
    }

    /// Pixels of a cell; the VT340's where a forced sixel meets a terminal that does not tell.
    private var cellSize: PixelSize {
        answers.cellSize(columns: size.columns, rows: size.rows, window: Self.windowSize().pixels)
            ?? PixelSize(width: 10, height: 20)
    }

    /// Curses may rewrite a short run between two changes rather than move the cursor over it; a narrow picture there is sent again.
    private func damageNarrowPictures(old: CellGrid, new: CellGrid) {
        guard old.size == new.size else { return }
        let reach = 12
        for rect in stage.coveredCells where rect.columns < reach {
            for y in max(0, rect.y)..<min(rect.maxY, new.size.rows) {
                func changes(_ range: Range<Int>) -> Bool {
                    range.contains { $0 >= 0 && $0 < new.size.columns && old[$0, y] != new[$0, y] }
                }
                if changes((rect.x - reach)..<rect.x), changes(rect.maxX..<(rect.maxX + reach)) {
                    stage.damage(rect)
                    break
                }
            }
        }
    }

    /// Overwrites pictures with blanks: the one eraser that every terminal knows. tmux leaves out a blank over a blank, and with it the
    /// pixels of the picture, so there two kinds of blanks take turns.
    private func erase(_ rects: [Rect]) {
        if answers.isTmux, glyphs == .unicode { hardErase.toggle() }
        var text = "\u{1b}7\u{1b}[0m"
        for rect in rects {
            let area = rect.intersection(Rect(x: 0, y: 0, columns: size.columns, rows: size.rows))
            let blanks = String(repeating: hardErase ? "\u{a0}" : " ", count: area.columns)
            for y in area.y..<area.maxY { text += "\u{1b}[\(y + 1);\(area.x + 1)H" + blanks }
        }
        tell(text + "\u{1b}8")
    }

    private func collectEncoded() {
        for (key, blob) in encoder.fetch() {
            if let blob { cache.insert(blob, for: key) } else { stage.didFail(key) }
            if encoding == key { encoding = nil }
        }
    }

    /// Starts the next picture if the terminal has room for it, and the next encoding if the queue is free.
    private func advancePictures(_ now: Double) {
        while !sender.isBusy, pending == nil, !isGone, hasRoom(now) {
            guard let task = stage.nextToSend(now: now, link: link, isEncoded: cache.contains),
                let blob = cache.blob(for: task.key)
            else { break }
            stage.willSend(task, now: now)
            sending = task
            sender.begin(
                blob, at: task.cells, synchronised: answers.synchronisedOutput ?? false,
                confirmed: answers.deviceAttributes != nil, now: now)
            pump(now)
        }
        if encoding == nil, let task = stage.nextToEncode(now: now, link: link, isEncoded: cache.contains) {
            encoding = task.key
            encoder.submit(task.pixels, as: task.key)
        }
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

    /// After so many milliseconds a confirmation is taken for lost.
    static let confirmationLimit = 2000.0

    /// When `service` has something to do by itself.
    var pictureDeadline: Double? {
        var earliest = Double.infinity
        if let due = stage.deadline(link: link) { earliest = min(earliest, due) }
        if let since = sender.waitingSince { earliest = min(earliest, since + Self.confirmationLimit + 1) }
        if pending != nil { earliest = min(earliest, pendingSince + 251) }
        return earliest.isFinite ? earliest : nil
    }
}
