import CNcursesw
import Glibc
import ImageCore
import ScreenModel

/// The terminal of an interactive program: text through curses, pictures as sixel or half blocks, keys, mouse, signals.
///
/// All of it happens on the main thread, in `present` and in `wait`; only the encoding of pictures has a queue of its own. Text goes
/// first, pictures follow when nothing else has to be drawn, and a long picture is cut short when a key has changed the text.
@MainActor public final class TerminalScreen {
    /// Columns and rows of the window.
    public internal(set) var size: Size
    /// How pictures are shown. Until the terminal has answered (`InputEvent.graphics`) it is a guess and no picture is drawn.
    public internal(set) var graphics: GraphicsMode
    /// Which characters may be drawn; others are replaced by the nearest.
    public let glyphs: GlyphSet
    /// How many colours the text has.
    public var colours: ColourDepth { curses.depth }

    let curses: CursesScreen
    let options: TerminalOptions
    let environment: [String: String]
    var answers = TerminalAnswers()
    var decoder: InputDecoder
    var probe = Probe.notAsked
    var events: [InputEvent] = []
    var hasAnnounced = false

    let pictures: PictureShow

    // The frame that waits to be drawn, and the one on the screen.
    var pending: Frame?
    var current: Frame?
    var images: [ImageKey: RGBImage] = [:]
    var shownGrid: CellGrid?
    var pendingSince = 0.0
    var inputSinceFlush = false
    /// Which of two kinds of blanks erases next.
    var erasesHard = false

    // Descriptors.
    let wakePipe: (read: Int32, write: Int32)
    let originalStandardError: Int32
    var isOpen = true
    private(set) var isGone = false
    var asksAfterFlush = false

    /// Where the questions stand.
    enum Probe: Equatable {
        case notAsked
        case asked(at: Double)
        /// No answer within the time limit; one may still come.
        case silent
        case answered
    }

    /// The longest that pictures wait for the terminal's answers, in milliseconds.
    static let probeLimit = 1500.0

    /// Takes the terminal over.
    /// - Parameters:
    ///   - options: what the person asked for.
    ///   - environment: the process environment (TERM, COLORTERM).
    /// - Throws: `TerminalError`; the terminal is then as it was.
    public init(options: TerminalOptions, environment: [String: String]) throws {
        guard isatty(0) == 1, isatty(1) == 1 else { throw TerminalError.notATerminal }
        self.options = options
        self.environment = environment
        glyphs = Self.prepareLocale(environment: environment)
        wakePipe = try ProcessSignals.makePipe()
        let duplicate = dup(2)
        _ = fcntl(duplicate, F_SETFD, FD_CLOEXEC)
        originalStandardError = duplicate
        // Before curses, which takes only signals that nobody else has.
        try ProcessSignals.install(standardError: duplicate)
        do {
            curses = try CursesScreen(glyphs: glyphs, noColour: options.noColour, environment: environment)
        } catch {
            ProcessSignals.remove()
            Glibc.close(duplicate)
            Glibc.close(wakePipe.read)
            Glibc.close(wakePipe.write)
            throw error
        }
        size = curses.size
        decoder = InputDecoder(keys: KeyTable(terminfo: ()))
        switch options.graphics {
        case .auto, .blocks: graphics = .blocks
        case .sixel: graphics = .sixel
        case .none: graphics = .none
        }
        let wakeEnd = wakePipe.write
        pictures = PictureShow {
            var byte = UInt8(ascii: "e")
            _ = write(wakeEnd, &byte, 1)
        }
        redirectStandardError()
    }

    /// Makes `wait` return soon. May be called from any thread and from a signal handler.
    public nonisolated func wake() {
        var byte = UInt8(ascii: "w")
        _ = write(wakePipe.write, &byte, 1)
    }

    /// Shows a frame: at once, or as soon as the picture that is being sent permits. A newer frame replaces one that waits.
    /// - Parameters:
    ///   - frame: text and pictures.
    ///   - lookup: the pixels of a picture; nil where there are none (yet), then the cells below show.
    public func present(_ frame: Frame, images lookup: (ImageKey) -> RGBImage?) {
        guard isOpen else { return }
        var found: [ImageKey: RGBImage] = [:]
        for placement in frame.placements {
            found[placement.image] = images[placement.image] ?? lookup(placement.image)
        }
        images = found
        if pending == nil { pendingSince = monotonicMilliseconds() }
        pending = frame
        service()
    }

    /// Paints everything anew, pictures too (Ctrl-L).
    public func redraw() {
        guard isOpen else { return }
        curses.repaint()
        shownGrid = nil
        if pending == nil { pending = current }
        service()
    }

    /// What is known about the terminal so far.
    public var report: TerminalReport {
        TerminalReport(
            answers: answers, environment: environment, size: size, window: Self.windowSize().pixels, timedOut: probe == .silent)
    }

    /// Chooses the locale's characters. Curses and the C library must agree on them.
    private static func prepareLocale(environment: [String: String]) -> GlyphSet {
        // Only the characters: a decimal comma would reach number formatting in C libraries.
        setlocale(LC_CTYPE, "")
        var isUTF8 = String(cString: nl_langinfo(Int32(CODESET))) == "UTF-8"
        let named = ["LC_ALL", "LC_CTYPE", "LANG"].contains { !(environment[$0] ?? "").isEmpty }
        if !isUTF8, !named {
            // Nothing is set at all (a bare container): that is no wish for ASCII.
            isUTF8 = setlocale(LC_CTYPE, "C.UTF-8") != nil
        }
        // The Linux console has neither round corners nor most marks in its font.
        return isUTF8 && environment["TERM"] != "linux" ? .unicode : .ascii
    }

    /// Nothing that a library says on standard error may reach the screen.
    private func redirectStandardError() {
        let path = options.errorLog ?? "/dev/null"
        let log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard log >= 0 else { return }
        dup2(log, 2)
        Glibc.close(log)
    }

    static func windowSize() -> (cells: Size, pixels: PixelSize) {
        var window = winsize()
        guard ioctl(1, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return (Size(columns: 0, rows: 0), PixelSize(width: 0, height: 0))
        }
        return (
            Size(columns: Int(window.ws_col), rows: Int(window.ws_row)),
            PixelSize(width: Int(window.ws_xpixel), height: Int(window.ws_ypixel))
        )
    }

    /// Writes to the terminal itself. Never while a picture is half sent.
    func tell(_ text: String) {
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                write(1, buffer.baseAddress.map { $0 + offset }, bytes.count - offset)
            }
            if count > 0 {
                offset += count
            } else if errno != EINTR {
                lose()
                return
            }
        }
    }

    /// The terminal is gone, however that showed: nothing more is drawn, and the program is asked to end, once.
    func lose() {
        guard !isGone else { return }
        isGone = true
        events.append(.terminate)
    }
}

/// A clock that only goes forwards, in milliseconds.
func monotonicMilliseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) * 1000 + Double(time.tv_nsec) / 1_000_000
}
