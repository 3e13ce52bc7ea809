import EngineAPI
import Foundation
import ImageCore
import Testing

@testable import w2w

/// What the command line says to whoever types something wrong, and how it ends.
@Suite struct CommandLineTests {
    struct ErrorCase: Sendable, CustomTestStringConvertible {
        var arguments: String
        var expected: String
        var testDescription: String { arguments }
    }

    /// The end of a command line that does not get as far as running.
    static func end(_ arguments: [String]) -> CommandEnd? {
        do {
            _ = try W2W.parseAsRoot(arguments)
            return nil
        } catch {
            return CommandEnd(of: error, arguments: arguments)
        }
    }

    @Test(arguments: [
        ErrorCase(
            arguments: "render --out a.png",
            expected:
                "w2w render: Nobody to draw. Give one of --identity NAME, --code FILE, --random SEED, --base or --adapter FILE."),
        ErrorCase(
            arguments: "render --base --random 3 --out a.png",
            expected: "w2w render: Only one of --identity, --code, --random and --base can be drawn at a time."),
        ErrorCase(
            arguments: "train space --flow --latent 32 --out space",
            expected: "w2w train: '--latent' has no effect with '--flow'; leave it out."),
        ErrorCase(
            arguments: "train space --embedder --mixing 0.5 --out space",
            expected: "w2w train: '--mixing' has no effect with '--embedder'; leave it out."),
        ErrorCase(arguments: "render --base", expected: "w2w render: Nowhere to draw. Give --out FILE.png, --show or both."),
        ErrorCase(
            arguments: "render --base --out a.bmp",
            expected:
                "w2w render: 'a.bmp': .bmp is no kind of file that can be written here. Let its name end in .png, .jpg, .jpeg."),
        ErrorCase(
            arguments: "render --base --out no/such/a.png",
            expected: "w2w render: There is no folder 'no/such' to write 'no/such/a.png' into. Make it first."),
        ErrorCase(arguments: "render --base --out a.png --steps 0", expected: "w2w render: '--steps 0' is outside 1 to 1000."),
        ErrorCase(
            arguments: "render --base --out a.png --guidance -1", expected: "w2w render: Missing value for '--guidance <x>'"),
        ErrorCase(
            arguments: "render --base --out a.png --guidance nan", expected: "w2w render: '--guidance nan' is outside 0 to 50."),
        ErrorCase(
            arguments: "render --base --out a.png --guidance-interval 900..0",
            expected: "w2w render: The value '900..0' is invalid for '--guidance-interval <a..b>': It should be two time steps, "
                + "the lower one first, such as 0..900."),
        ErrorCase(
            arguments: "render --base --out a.png --width 100",
            expected: "w2w render: '--width 100' is not a size: 32 to 2048 pixels, divisible by 8."),
        ErrorCase(
            arguments: "render --base --out a.png --scheduler heun",
            expected:
                "w2w render: The value 'heun' is invalid for '--scheduler <scheduler>'. Please provide one of the following:"
        ),
        ErrorCase(
            arguments: "render --base --out a.png --sedd 3",
            expected: "w2w render: Unknown option '--sedd'. Did you mean '--seed'?"),
        ErrorCase(
            arguments: "render --base --out a.png --space /no/such",
            expected:
                "w2w render: There is no file or folder '/no/such'. '--space' takes a space, a diffusers folder or a checkpoint."),
        ErrorCase(
            arguments: "--space /proc",
            expected: "w2w: '/proc' is neither a space nor a model: it holds no space.json and no model_index.json."),
        ErrorCase(arguments: "sample --count 0 --out x", expected: "w2w sample: '--count 0' is outside 1 to 999."),
        ErrorCase(arguments: "sample --out x", expected: "w2w sample: Missing expected argument '--count <n>'"),
        ErrorCase(
            arguments: "sample --count 2 --temperature 9 --out x", expected: "w2w sample: '--temperature 9.0' is outside 0 to 3."),
        ErrorCase(arguments: "morph p1 --out a.gif", expected: "w2w morph: Missing expected argument '<B>'"),
        ErrorCase(arguments: "morph p1 p2 --frames 1 --out a.gif", expected: "w2w morph: '--frames 1' is outside 2 to 500."),
        ErrorCase(
            arguments: "morph p1 p2 --path spiral --out a.gif",
            expected:
                "w2w morph: The value 'spiral' is invalid for '--path <path>'. Please provide one of 'slerp', 'lerp' or 'even'."),
        ErrorCase(
            arguments: "bench nonsense",
            expected:
                "w2w bench: There is no benchmark 'nonsense'. There are \(BenchSuite.names.joined(separator: ", "))."
        ),
        ErrorCase(
            arguments: "explore --graphics loud",
            expected:
                "w2w explore: The value 'loud' is invalid for '--graphics <graphics>'. Please provide one of 'auto', 'sixel', 'blocks' or 'none'."
        ),
        // --base is the base model, here as in `render` and `import`; whether it is copied is --placement.
        ErrorCase(
            arguments: "train space --base copy --out new",
            expected: "w2w train: Unknown option '--base'. Did you mean '--name'?"),
        ErrorCase(
            arguments: "pca space --components 4 --placement move --out new",
            expected:
                "w2w pca: The value 'move' is invalid for '--placement <copy|refer>'. Please provide one of 'copy' and 'refer'."),
        ErrorCase(arguments: "paint", expected: "w2w: there is no command 'paint'."),
        ErrorCase(arguments: "rendr --base", expected: "w2w: there is no command 'rendr'. Did you mean 'render'?"),
    ])
    func wrongUsageIsSaidInTwoLines(_ sample: ErrorCase) throws {
        let arguments = sample.arguments.split(separator: " ").map(String.init)
        let end = try #require(Self.end(arguments), "the line was accepted")
        let lines = end.text.split(separator: "\n")
        #expect(lines.first.map(String.init) == sample.expected)
        #expect(lines.count == 2)
        #expect(lines.last?.contains("--help") == true)
        #expect(end.status == .wrongUsage)
    }

    @Test(arguments: [
        "--help", "render --help", "sample -h", "morph --help", "bench --help", "probe --help", "--version", "help render",
    ])
    func helpIsNoError(line: String) throws {
        let end = try #require(Self.end(line.split(separator: " ").map(String.init)) ?? Self.help(line))
        #expect(end.status == .done)
        #expect(!end.text.isEmpty)
    }

    /// `help` is a command of the parser: it speaks when it runs.
    static func help(_ line: String) -> CommandEnd? {
        let arguments = line.split(separator: " ").map(String.init)
        do {
            var command = try W2W.parseAsRoot(arguments)
            try command.run()
            return nil
        } catch {
            return CommandEnd(of: error, arguments: arguments)
        }
    }

    @Test func everyCommandTeachesByExamples() {
        let names = W2W.configuration.subcommands.compactMap { $0.configuration.commandName }
        let fixed = [
            "explore", "render", "sample", "morph", "edit", "train", "pca", "encode", "decode", "import", "export", "evaluate",
            "probe",
            "bench",
        ]
        #expect(Set(fixed).isSubset(of: Set(names)), "\(names)")
        for command in W2W.configuration.subcommands {
            let discussion = command.configuration.discussion
            #expect(discussion.contains("Example"), "\(command)")
            #expect(discussion.contains("w2w "), "\(command)")
        }
    }

    @Test func endsHaveTheirCodes() {
        let failed = CommandEnd(of: CommandFailure("no.", advice: "Do."), arguments: ["render"])
        #expect(failed.text == "w2w render: no.\nDo.")
        #expect(failed.status.rawValue == 1)
        let stopped = CommandEnd(of: Cancelled(kept: "2 of 3 people are in x."), arguments: ["sample"])
        #expect(stopped.text == "w2w sample: stopped; 2 of 3 people are in x.")
        #expect(stopped.status.rawValue == 130)
        let engine = CommandEnd(of: EngineFailure(message: "a.", advice: "b."), arguments: [])
        #expect(engine.text == "w2w: a.\nb.")
        #expect(engine.status == .failed)
        #expect(CommandEnd(of: ImageFileError(path: "x.png", reason: "gone"), arguments: []).text == "w2w: x.png: gone")
        #expect(ExitStatus.wrongUsage.rawValue == 2)
    }

    @Test func progressIsOneLine() {
        let half = EngineAPI.Progress(activity: "drawing", done: 3, total: 6, secondsLeft: 12.2)
        #expect(ProgressLine.text(half) == "drawing  3 of 6  [##########..........]  13 s left")
        #expect(ProgressLine.text(EngineAPI.Progress(activity: "x", done: 0, total: 0)) == "x  0 of 0  [....................]")
        #expect(ProgressLine.duration(200) == "3 min 20 s")
        #expect(ProgressLine.duration(7500) == "2 h 5 min")
    }

    @Test func figuresAreMediansWithTheirSpread() throws {
        let odd = BenchResult(name: "a", unit: "ms", samples: [3, 1, 2], work: "w")
        #expect([odd.median, odd.min, odd.max] == [2, 1, 3])
        #expect(BenchResult(name: "a", unit: "ms", samples: [4, 1, 2, 3], work: "w").median == 2.5)
        let json = try BenchResult.json([odd])
        let list = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]])
        #expect(Set(try #require(list.first).keys) == ["name", "unit", "median", "min", "max", "repeats", "work"])
    }
}
