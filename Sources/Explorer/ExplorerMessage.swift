import EngineAPI
import ImageCore
import ScreenModel

/// Everything that can happen to the explorer.
public enum ExplorerMessage: Sendable {
    /// The program starts: the first effects (open the space, list what is kept).
    case start
    case input(InputEvent)
    case engine(EngineEvent)
    case library(LibraryEvent)
    /// The moment of `ExplorerModel.nextTick` has come.
    case tick
    /// The shape of a cell became known or changed (height divided by width).
    case cellAspect(Double)
    /// An export was written, under this path.
    case exported(path: String)
    /// An export could not be written; one sentence with what to do.
    case exportFailed(String)
    /// Something worth a line in the status bar.
    case notice(String)
}

/// What the explorer wants done. Effects are values: the loop carries them out in order and sends the answers back as messages.
public enum ExplorerEffect: Sendable {
    case submit(EngineCommand, as: JobID)
    case cancel(JobID)
    case library(LibraryRequest)
    /// Answered by `.exported` or `.exportFailed`.
    case export(ExportRequest)
    /// Something to remember for the next start; without an answer.
    case remember(Preference)
    /// Draw the whole screen again (Ctrl-L).
    case redraw
    /// Stop as for Ctrl-Z; the screen is drawn again afterwards.
    case suspend
    case quit
}

/// What is remembered from one start to the next.
public enum Preference: Sendable, Hashable {
    /// The hint of the first run was seen.
    case welcomeSeen
    /// The theme that was chosen, by name.
    case theme(String)
}

/// A file to write. A file that exists is never overwritten: a number goes before the extension, and the answer names the path that was
/// taken. `~` at the beginning of a path is the home folder; missing folders are made.
public struct ExportRequest: Sendable, Hashable {
    /// What is written.
    public enum Content: Sendable, Hashable {
        /// One picture as PNG.
        case picture(RGBImage)
        /// Pictures side by side as PNG, in order.
        case strip([RGBImage])
        /// A looping animation: GIF when the path ends in `.gif`, otherwise APNG.
        case animation([RGBImage], secondsPerFrame: Double)
    }

    public var content: Content
    public var path: String
    /// Text for the file's own description where the format has one (PNG `tEXt`): prompt, seed, how one came here.
    public var metadata: [PNGText]

    public init(content: Content, path: String, metadata: [PNGText] = []) {
        self.content = content
        self.path = path
        self.metadata = metadata
    }
}
