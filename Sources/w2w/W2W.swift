import ArgumentParser
import EngineAPI

/// The command line's root; `w2w` alone opens the explorer.
struct W2W: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "w2w",
        abstract: "Explore the space of personalised diffusion models: every point is a person.",
        discussion: """
            A point of a space is a set of LoRA weights that makes a Stable Diffusion model draw one person. `w2w` alone opens the \
            explorer on the built-in space; the commands below do the same things for scripts.

            Examples:
              w2w                                             open the explorer
              w2w render --identity p00042 --out p42.png      draw a person
              w2w render --random 7 --show                    draw a new one here
              w2w sample --count 8 --seed 1 --out people      eight new people
              w2w morph p00042 people/001.z --out walk.gif    walk between two
              w2w probe                                       what this machine can do
            """,
        version: Release.version,
        subcommands: [
            ExploreCommand.self, RenderCommand.self, SampleCommand.self, MorphCommand.self, TrainCommand.self, PCACommand.self,
            DirectionsCommand.self, EditCommand.self, EncodeCommand.self, DecodeCommand.self, ImportCommand.self,
            ExportCommand.self, EvaluateCommand.self,
            FitPreviewCommand.self, ProbeCommand.self, BenchCommand.self, ComputeCommand.self,
        ],
        defaultSubcommand: ExploreCommand.self
    )
}
