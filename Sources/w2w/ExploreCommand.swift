import ArgumentParser
import Foundation

/// `w2w [explore]`: the explorer.
struct ExploreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explore",
        abstract: "Open the explorer (what w2w does without a command).",
        discussion: """
            Move the sliders of the space with the arrow keys and watch the face change; sample new people, walk between two, keep the \
            ones you like. `?` inside shows every key.

            Examples:
              w2w                                   the built-in space
              w2w explore --space ~/spaces/celeb    another space
              w2w --graphics blocks                 without sixel pictures
            """
    )

    /// How pictures are drawn in the terminal.
    enum Graphics: String, ExpressibleByArgument, CaseIterable, Sendable {
        case auto, sixel, blocks, none
    }

    @OptionGroup var space: SpaceOptions

    @Option(help: "How to draw pictures; auto asks the terminal.")
    var graphics: Graphics = .auto

    @Option(help: ArgumentHelp("Theme: a name, or the path of a TOML file.", valueName: "name"))
    var theme: String?

    func run() throws {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else {
            throw CommandFailure(
                "the explorer needs a terminal, and this is none.",
                advice: "In scripts use `w2w render`, `w2w sample` or `w2w morph`; `w2w --help` shows them all.",
                status: .wrongUsage)
        }
    }
}
