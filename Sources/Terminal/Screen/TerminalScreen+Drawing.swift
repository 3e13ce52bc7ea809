import ImageCore
import ScreenModel

extension TerminalScreen {
    /// Text first, then pictures: draws what waits and goes on with what is being sent.
    func service() {
        guard isOpen, !isGone else { return }
        let now = monotonicMilliseconds()
        pictures.pump(now)
        if pending != nil {
            if pictures.isMidStream, mustInterrupt(now), pictures.cut() { pictures.pump(now) }
            if !pictures.isMidStream { flush(now) }
        }
        pictures.advance(now, maySend: pending == nil)
        if pictures.hasFailed { lose() }
    }

    /// When `service` has something to do by itself.
    var drawingDeadline: Double? {
        // Once patience has run out, it is the terminal that is waited for, until it takes more of a picture.
        let patienceEnds = pendingSince + Self.patience + 1
        return [pictures.deadline, pending != nil && patienceEnds > monotonicMilliseconds() ? patienceEnds : nil].compactMap {
            $0
        }
        .min()
    }

    /// How long news that no key has caused wait for the end of a picture, in milliseconds.
    private static let patience = 250.0

    /// A key must be seen at once; other news may wait for the end of a picture, but not for long.
    private func mustInterrupt(_ now: Double) -> Bool {
        inputSinceFlush ? (pictures.timeLeft ?? .infinity) > 12 : now - pendingSince > Self.patience
    }

    /// Draws the text of the waiting frame and settles where its pictures go.
    private func flush(_ now: Double) {
        guard let frame = pending else { return }
        pending = nil
        pictures.setting = pictureSetting
        pictures.setting.showsCursor = frame.cursor.map(frame.grid.bounds.contains) ?? false
        let isRepaint = shownGrid == nil
        let before = isRepaint ? pictures.coveredCells : []
        let erased = pictures.place(frame.placements, images: images, on: size, now: now)
        if !erased.isEmpty || !before.isEmpty { erase(erased + before) }
        if isRepaint { pictures.screenWasCleared() }

        var grid = frame.grid
        for rect in pictures.reservedCells { grid.fill(rect, with: CursesScreen.pictureCell) }
        if let shownGrid { pictures.textChanges(from: shownGrid, to: grid) }
        curses.show(grid, cursor: frame.cursor, keepsLines: !pictures.reservedCells.isEmpty)
        shownGrid = grid
        current = frame
        inputSinceFlush = false
        if probe == .notAsked { ask(now) }
        if asksAfterFlush {
            asksAfterFlush = false
            tell(TerminalAnswers.questionsAfterResize)
        }
    }

    /// Height of a cell divided by its width: how many columns a square picture takes for each of its rows. Half blocks are square where a
    /// cell is twice as high as wide, so 2 stands in for everything but sixel.
    public var cellAspect: Double {
        graphics == .sixel ? Double(cellSize.height) / Double(max(1, cellSize.width)) : 2
    }

    /// The VT340's cell stands in where a forced sixel meets a terminal that does not tell its own.
    private var cellSize: PixelSize {
        answers.cellSize(columns: size.columns, rows: size.rows, window: Self.windowSize().pixels)
            ?? PixelSize(width: 10, height: 20)
    }

    private var pictureSetting: PictureShow.Setting {
        let medium = medium
        return PictureShow.Setting(
            medium: medium,
            cell: cellSize,
            limit: answers.largestPicture,
            synchronised: answers.synchronisedOutput ?? false,
            confirms: answers.deviceAttributes != nil,
            repeats: answers.isTmux && medium == .sixel)
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

    /// Overwrites pictures with blanks: the one eraser that every terminal knows. tmux leaves out a blank over a blank, and with it the
    /// pixels of the picture, so there two kinds of blanks take turns.
    func erase(_ rects: [Rect]) {
        if answers.isTmux, glyphs == .unicode { erasesHard.toggle() }
        var text = "\u{1b}7\u{1b}[0m"
        for rect in rects {
            let area = rect.intersection(Rect(x: 0, y: 0, columns: size.columns, rows: size.rows))
            let blanks = String(repeating: erasesHard ? "\u{a0}" : " ", count: area.columns)
            for y in area.y..<area.maxY { text += "\u{1b}[\(y + 1);\(area.x + 1)H" + blanks }
        }
        tell(text + "\u{1b}8")
    }
}
