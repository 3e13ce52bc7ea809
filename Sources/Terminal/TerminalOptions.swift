import ScreenModel

/// How to open the terminal.
public struct TerminalOptions: Sendable {
    /// What a person asked for with `--graphics`.
    public enum Graphics: String, Sendable, CaseIterable {
        /// Whatever the terminal says it can do.
        case auto
        case sixel
        case blocks
        case none
    }

    /// The environment variable that overrides `graphics` where that is `auto`.
    public static let graphicsVariable = "W2W_GRAPHICS"

    public var graphics: Graphics
    /// Whether clicks and the wheel are reported.
    public var mouse: Bool
    /// Attributes instead of colours. Set by `NO_COLOR`.
    public var noColour: Bool
    /// File that standard error goes to while the screen is ours (libraries write there); nil throws it away.
    public var errorLog: String?

    /// - Parameters:
    ///   - graphics: `auto` leaves the choice to `W2W_GRAPHICS`, then to the terminal.
    ///   - mouse: whether clicks and the wheel are reported.
    ///   - noColour: never use colour, whatever `NO_COLOR` says.
    ///   - errorLog: file for what is written to standard error meanwhile.
    ///   - environment: the process environment, for the variables above.
    public init(
        graphics: Graphics = .auto, mouse: Bool = true, noColour: Bool = false, errorLog: String? = nil,
        environment: [String: String] = [:]
    ) {
        self.graphics = graphics
        self.mouse = mouse
        self.noColour = noColour || !(environment["NO_COLOR"] ?? "").isEmpty
        self.errorLog = errorLog
        if graphics == .auto, let wanted = environment[Self.graphicsVariable], let choice = Graphics(rawValue: wanted) {
            self.graphics = choice
        }
    }
}

/// Why the screen could not be opened.
public enum TerminalError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Input or output is a file or a pipe.
    case notATerminal
    /// There is no terminfo entry for this `TERM`.
    case unknownTerminal(String)
    /// The terminal cannot place its cursor, so it can hold no screen.
    case noCursorAddressing(String)
    /// A system call failed.
    case system(call: String, reason: String)

    public var description: String {
        switch self {
        case .notATerminal:
            "Standard input and output are not a terminal, so there is no screen to draw on.\n"
                + "Start w2w in a terminal, or use a command that needs none, for example `w2w render --help`."
        case .unknownTerminal(let name):
            name.isEmpty
                ? "TERM is not set, so nothing is known about this terminal.\nTry: TERM=xterm-256color w2w"
                : "TERM=\(name) is unknown on this machine.\nTry: TERM=xterm-256color w2w"
        case .noCursorAddressing(let name):
            "TERM=\(name) says that this terminal cannot place its cursor.\nTry: TERM=xterm-256color w2w"
        case .system(let call, let reason):
            "The terminal could not be prepared: \(call): \(reason)."
        }
    }
}
