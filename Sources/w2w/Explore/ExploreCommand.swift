import ArgumentParser
import Engine
import Explorer
import Foundation
import Library
import ScreenModel
import Terminal

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
              w2w --space v1-5.safetensors          a model alone
              w2w explore --model pca               along the principal components instead of the VAE's axes
              w2w explore face.png                  on from a picture, a .z file or an exported adapter
              w2w --graphics blocks                 without sixel pictures
            """
    )

    /// How pictures are drawn in the terminal.
    enum Graphics: String, ExpressibleByArgument, CaseIterable, Sendable {
        case auto, sixel, blocks, none
    }

    @Argument(help: ArgumentHelp("Where to begin: a file that w2w wrote and that carries a code.", valueName: "file"))
    var file: String?

    @OptionGroup var space: SpaceOptions

    @Option(help: "How to draw pictures; auto asks the terminal.")
    var graphics: Graphics = .auto

    @Option(help: ArgumentHelp("Theme: a name, or the path of a TOML file.", valueName: "name"))
    var theme: String?

    func validate() throws {
        guard let file, !FileManager.default.fileExists(atPath: (file as NSString).expandingTildeInPath) else { return }
        throw ValidationError("There is no file '\(file)'.")
    }

    func run() throws {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else {
            throw CommandFailure(
                "the explorer needs a terminal, and this is none.",
                advice: "In scripts use `w2w render`, `w2w sample` or `w2w morph`; `w2w --help` shows them all.",
                status: .wrongUsage)
        }
        // The main thread runs the commands.
        try MainActor.assumeIsolated { try explore() }
    }

    @MainActor private func explore() throws {
        let start = try file.map { try CodeFile.read(($0 as NSString).expandingTildeInPath) }
        let environment = ProcessInfo.processInfo.environment
        let folders = Directories()
        let preferencesPath = folders.state + "/explorer.json"
        let preferences = Preferences.load(from: preferencesPath)
        var (themes, complaint) = try ThemeShelf(directories: folders).themes(wanted: theme, remembered: preferences.theme)
        let (keys, keyComplaint) = KeyShelf.keys(at: folders.keys)
        let library = try Library(path: folders.library)
        defer { library.close() }

        let screen = try TerminalScreen(
            options: TerminalOptions(
                graphics: TerminalOptions.Graphics(rawValue: graphics.rawValue) ?? .auto, errorLog: folders.state + "/stderr.log",
                environment: environment),
            environment: environment)
        defer { screen.close() }
        // Because of `NO_COLOR` or a terminal that has none. A theme that tells things apart by colour would leave the open tab unmarked.
        if screen.colours == .none, theme == nil, let mono = themes.firstIndex(where: { $0.name == Theme.mono.name }) {
            themes.insert(themes.remove(at: mono), at: 0)
        }

        let box = MessageBox { screen.wake() }
        let engine = Engine(
            cacheDirectory: folders.cache, directionsDirectory: folders.directions, yieldsToScreen: true, precision: .fast
        ) { box.post(.engine($0)) }
        defer { engine.shutDown() }
        let model = ExplorerModel(
            options: ExplorerOptions(
                space: space.source, weightModel: space.model, size: screen.size, glyphs: screen.glyphs,
                cellAspect: screen.cellAspect, themes: themes,
                keys: keys, randomSeed: UInt64(Date().timeIntervalSince1970 * 1000), isFirstRun: !preferences.welcomeSeen,
                keepsFaces: library.isKept,
                secondsFromUTC: TimeZone.current.secondsFromGMT(), start: start, notice: complaint ?? keyComplaint))
        let session = ExploreSession(
            model: model, screen: screen, engine: engine, library: library, box: box, preferences: preferences,
            preferencesPath: preferencesPath)
        session.run()
    }
}
