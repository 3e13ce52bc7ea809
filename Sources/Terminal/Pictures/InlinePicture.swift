import Glibc
import ImageCore
import ScreenModel

/// Pictures in the flow of a command's output, without taking the screen over.
public enum InlinePicture {
    /// Rows of text that a picture takes at most, so that what stood above it is still seen.
    private static let rows = 24

    /// A picture as bytes for standard output, ending on a new line: sixel where the terminal has it, half blocks or characters elsewhere.
    /// - Parameters:
    ///   - image: what to show.
    ///   - environment: the process environment; `NO_COLOR`, `COLORTERM` and `TERM` decide the colours of blocks.
    /// - Returns: control sequences and text.
    /// - Throws: `TerminalError.notATerminal` when standard output is none.
    public static func bytes(of image: RGBImage, environment: [String: String]) throws -> [UInt8] {
        guard isatty(1) == 1 else { throw TerminalError.notATerminal }
        var window = winsize()
        _ = ioctl(1, UInt(TIOCGWINSZ), &window)
        let size = Size(
            columns: window.ws_col > 0 ? Int(window.ws_col) : 80, rows: window.ws_row > 0 ? Int(window.ws_row) : 24)
        let report = try? TerminalReport.collect(environment: environment)
        if let report, report.graphics == .sixel, let cell = report.cell {
            return sixel(image, size: size, cell: cell)
        }
        return blocks(image, size: size, colour: colour(environment, background: report?.answers.backgroundLuminance))
    }

    static func sixel(_ image: RGBImage, size: Size, cell: PixelSize) -> [UInt8] {
        let room = Rect(x: 0, y: 0, columns: max(1, size.columns - 1), rows: max(1, min(rows, size.rows - 2)))
        let source = PixelSize(width: image.width, height: image.height)
        guard let fit = PictureFit.sixel(source, in: room, cell: cell, limit: nil) else { return [] }
        let scaled = image.resized(width: fit.pixels.width, height: fit.pixels.height)
        guard let bytes = try? SixelEncoder.encode(scaled, effort: .full) else { return [] }
        return bytes + [0x0a]
    }

    static func blocks(_ image: RGBImage, size: Size, colour: BlockColour) -> [UInt8] {
        let height = 2 * max(1, min(rows, size.rows - 2))
        let scale = min(Double(size.columns - 1) / Double(image.width), Double(height) / Double(image.height))
        let width = max(1, Int((Double(image.width) * scale).rounded()))
        let scaled = image.resized(width: width, height: max(1, Int((Double(image.height) * scale).rounded())))
        return BlockEncoder.encode(scaled, colour: colour).flatMap { $0 + [0x0a] }
    }

    static func colour(_ environment: [String: String], background: Double?) -> BlockColour {
        let term = environment["TERM"] ?? ""
        let isPlain = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        if isPlain || term.isEmpty || term == "dumb" { return .ascii(onLight: (background ?? 0) > 0.5) }
        if ["truecolor", "24bit"].contains(environment["COLORTERM"] ?? "") || term.hasSuffix("-direct") { return .direct }
        return .palette
    }
}
