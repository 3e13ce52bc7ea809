import ArgumentParser
import EngineAPI
import Foundation
import Library
import TensorKit

/// `w2w bench`: the figures of the README and of `.readme/`.
struct BenchCommand: ParsableCommand {
    private static let list = BenchSuite.benchmarks.map {
        "  \($0.name.padding(toLength: 16, withPad: " ", startingAt: 0)) \($0.summary)"
    }
    .joined(separator: "\n")

    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure how fast this machine draws.",
        discussion: """
            Every figure is the median of the repeats, after a warm-up. With --json a list of {name, unit, median, min, max, repeats, work}.

            Benchmarks:
            \(list)

            All but train, keys and shortcuts also take a model without a space. With W2W_PROFILE=1 in the environment a table of kernels and \
            shapes follows.

            Examples:
              w2w bench
              w2w bench preview unet --repeats 30
              w2w bench --json > figures.json
              w2w bench unet --space ~/models/sd15 --latent 64x64 --batch 2 --precision fast
            """
    )

    @Argument(help: ArgumentHelp("Which; without it all.", valueName: "name"))
    var names: [String] = []

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    @Option(help: ArgumentHelp("Measured repeats, 1 to 10000.", valueName: "n"))
    var repeats = 15

    @Option(help: ArgumentHelp("Size of the image latents, an eighth of the pixels.", valueName: "hxw"))
    var latent: LatentSize?

    @Option(help: ArgumentHelp("Samples in a batch, 1 to 64.", valueName: "n"))
    var batch: Int?

    @Option(help: "Arithmetic of large models.")
    var precision = PrecisionName.f32

    @OptionGroup var space: SpaceOptions

    func validate() throws {
        guard (1...10_000).contains(repeats) else { throw ValidationError("'--repeats \(repeats)' is outside 1 to 10000.") }
        if let batch, !(1...64).contains(batch) { throw ValidationError("'--batch \(batch)' is outside 1 to 64.") }
        for name in names where !BenchSuite.names.contains(name) {
            throw ValidationError("There is no benchmark '\(name)'. There are \(BenchSuite.names.joined(separator: ", ")).")
        }
    }

    func run() throws {
        Interruption.shared.listen()
        let suite = BenchSuite(
            source: space.source, stopwatch: Stopwatch(repeats: repeats),
            settings: BenchSettings(
                latent: latent.map { ($0.height, $0.width) }, batch: batch,
                precision: Precision(rawValue: precision.rawValue) ?? .f32))
        // What is named is measured or refused; all that is not named is what this space has.
        let chosen = try BenchSuite.benchmarks.filter {
            try names.isEmpty ? $0.isPartOfAll && suite.lack(of: $0) == nil : names.contains($0.name)
        }.map(\.name)
        var results: [BenchResult] = []
        for (index, name) in chosen.enumerated() {
            ProgressLine.show(EngineAPI.Progress(activity: "measuring \(name)", done: index, total: chosen.count))
            results += try suite.run(name)
        }
        ProgressLine.clear()
        if let peak = MachineReport.peakMemory {
            let work = "the most that this process has held"
            results.append(BenchResult(name: "peak-memory", unit: "MB", samples: [Double(peak) / 1e6], work: work))
        }
        if json {
            print(try BenchResult.json(results))
        } else {
            print(MachineReport.current.line)
            print(BenchResult.table(results))
            if precision == .fast { print("fast: \(Precision.meaningOfFast)") }
        }
        if Profile.isOn {
            let peak = StorageAllocator.shared.peak
            let memory = String(
                format: "tensors in use at most %.0f MB, held for them %.0f MB", Double(peak.use) / 1e6, Double(peak.hold) / 1e6)
            FileHandle.standardError.write(Data((Profile.report(runs: repeats) + "\n" + memory + "\n").utf8))
        }
    }
}

extension PrecisionName: ExpressibleByArgument {}

/// "64x48": height and width of image latents.
struct LatentSize: ExpressibleByArgument {
    let height, width: Int

    init?(argument: String) {
        let parts = argument.lowercased().split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let height = parts[0], let width = parts[1], (1...512).contains(height), (1...512).contains(width)
        else { return nil }
        self.height = height
        self.width = width
    }
}
