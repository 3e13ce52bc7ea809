import ArgumentParser
import EngineAPI
import Foundation

/// `w2w bench`: the figures of the README.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure how fast this machine draws.",
        discussion: """
            Every figure is the median of the repeats, after a warm-up. With --json a list of {name, unit, median, min, max, repeats, work}.

            Benchmarks:
              conv       one 3x3 convolution of the U-Net's size
              gemm       one matrix product
              text       one prompt through the text model
              unet       one evaluation of the U-Net, alone, with guidance, for four people
              decoder    image latents to pixels
              preview    key to first look, key to finished face
              gallery    one face of a gallery
              train      one training step of the weight VAE
              train-full, train-full-bf16
                         the same at full size (99,648 numbers, 4096 wide, 512 axes), only when named: 11 and 8 GB of memory
              keys       key to screen while faces are drawn, on a pseudo-terminal with sixel
              startup    start of the process; first screen; opening a space
              shortcuts  what the preview's shortcuts lose against full runs (not part of all)

            Examples:
              w2w bench
              w2w bench preview unet --repeats 30
              w2w bench --json > figures.json
            """
    )

    @Argument(help: ArgumentHelp("Which; without it all.", valueName: "name"))
    var names: [String] = []

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    @Option(help: ArgumentHelp("Measured repeats, 1 to 10000.", valueName: "n"))
    var repeats = 15

    @OptionGroup var space: SpaceOptions

    func validate() throws {
        guard (1...10_000).contains(repeats) else { throw ValidationError("'--repeats \(repeats)' is outside 1 to 10000.") }
        let known = BenchSuite.names + BenchSuite.largeNames
        for name in names where !known.contains(name) {
            throw ValidationError("There is no benchmark '\(name)'. There are \(known.joined(separator: ", ")).")
        }
    }

    func run() throws {
        Interruption.shared.listen()
        let chosen =
            names.isEmpty
            ? BenchSuite.names.filter { $0 != "shortcuts" } : (BenchSuite.names + BenchSuite.largeNames).filter(names.contains)
        let suite = BenchSuite(source: space.source, stopwatch: Stopwatch(repeats: repeats))
        var results: [BenchResult] = []
        for (index, name) in chosen.enumerated() {
            ProgressLine.show(EngineAPI.Progress(activity: "measuring \(name)", done: index, total: chosen.count))
            results += try suite.run(name)
        }
        ProgressLine.clear()
        if json {
            print(try BenchResult.json(results))
        } else {
            print(MachineReport.current.line)
            print(BenchResult.table(results))
        }
    }
}
