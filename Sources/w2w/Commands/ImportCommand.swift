import ArgumentParser
import Checkpoints
import EngineAPI
import Foundation
import StableDiffusion
import WeightSpace

/// `w2w import`: files of others become a space.
struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Make a space of files of weights2weights, of weight VAEs and of LoRA adapters.",
        discussion: """
            FILES are recognised by what they hold and by the names that the originals gave them: all_weights.pt, mean.pt, std.pt, V.pt, \
            proj_1000pc.pt, identity_df.pt, weight_dimensions.pt, w2wmodel.pt; state dictionaries of w2w++ weight VAEs (vanilla and \
            residual); folders of PEFT adapters and kohya's .safetensors, one identity each, called like the file. A folder is looked \
            into. Torch files are read without executing anything; what is not plain data is refused by name. SPACE appears whole or not \
            at all; Ctrl-C leaves nothing behind.

            Examples:
              w2w import w2w/ --base realistic-vision-v51 --out ~/spaces/celeb
              w2w import mean.pt std.pt V.pt proj_1000pc.pt identity_df.pt weight_dimensions.pt --base sd15 --out ~/spaces/pca
              w2w import vae_checkpoint.pt --base sd15 --out ~/spaces/plusplus
              w2w import anna.safetensors bert.safetensors adapters/ --base v1-5.safetensors --out ~/spaces/friends
            """
    )

    /// How vectors are stored.
    enum Store: String, CaseIterable, ExpressibleByArgument {
        case f32, f16

        var type: ElementType { self == .f16 ? .float16 : .float32 }
    }

    @Argument(help: "Files, adapters, or folders of them.")
    var files: [String]

    @Option(help: ArgumentHelp("The folder of the new space.", valueName: "space"))
    var out: String

    @Option(
        help: ArgumentHelp(
            "The model that the adapters were made for; without it base/ beside the first file.", valueName: "path"))
    var base: String?

    @Option(help: "Copy the base model into the space, or only refer to it.")
    var placement: SpaceWriter.Placement = .refer

    @Option(help: ArgumentHelp("lora_alpha of vectors; without it 27. Files of adapters say it themselves.", valueName: "x"))
    var alpha: Float?

    @Option(help: "How the vectors are stored.")
    var store: Store = .f32

    @Option(help: ArgumentHelp("The name of the space; without it the one of its folder.", valueName: "text"))
    var name: String?

    func validate() throws {
        if let alpha, !alpha.isFinite || alpha == 0 {
            throw ValidationError("'--alpha \(alpha)' should be a number other than 0.")
        }
        for file in files where !FileManager.default.fileExists(atPath: (file as NSString).expandingTildeInPath) {
            throw ValidationError("There is no file or folder '\(file)'.")
        }
    }

    func run() throws {
        let urls = files.map { URL(fileURLWithPath: ($0 as NSString).expandingTildeInPath) }
        let folder = URL(fileURLWithPath: (out as NSString).expandingTildeInPath)
        try OutputFile.checkEmptyFolder(out)
        Interruption.shared.listen()
        let plan = try SpaceImport(urls, base: try model(beside: urls[0]), alpha: alpha ?? 27)
        try IdleOptions.refuse([("--alpha", alpha != nil && plan.isOfAdapters)], "on adapters, which say it themselves")
        try IdleOptions.refuse([("--store", store != .f32 && !plan.hasVectors)], "where no vectors are stored")
        try Interruption.shared.check(kept: "nothing was written.")
        for note in plan.notes { print("note: \(note)") }
        let meter = Meter()
        do {
            try plan.write(to: folder, name: name ?? folder.lastPathComponent, as: store.type, copiesBase: placement == .copy) {
                try meter.show($0, $1, $2)
            }
        } catch {
            ProgressLine.clear()
            throw error
        }
        ProgressLine.clear()
        print("space: \(folder.path): \(plan.contents)")
        let needsCoordinates = plan.hasVectors && plan.count > 1 && !plan.hasCoordinates
        print("`w2w --space \(out)` opens it\(needsCoordinates ? "; `w2w train` and `w2w pca` give it coordinates" : "").")
    }

    private func model(beside url: URL) throws -> ModelFolder {
        if let base { return try ModelFolder(URL(fileURLWithPath: (base as NSString).expandingTildeInPath)) }
        for place in [url.appendingPathComponent("base"), url.deletingLastPathComponent().appendingPathComponent("base")]
        where ModelFolder.isModel(place) { return try ModelFolder(place) }
        throw CommandFailure(
            "the files do not say which model they belong to.",
            advice: "Give its diffusers folder or checkpoint with --base (w2w's originals: realistic-vision-v51).",
            status: .wrongUsage)
    }

    /// Progress of one activity after the other, and the place where Ctrl-C is noticed.
    private final class Meter {
        private var activity = ""
        private var began = ContinuousClock.now

        func show(_ name: String, _ done: Int, _ total: Int) throws {
            try Interruption.shared.check(kept: "nothing was written.")
            if name != activity { (activity, began) = (name, .now) }
            let seconds = (ContinuousClock.now - began) / .seconds(1)
            ProgressLine.show(
                EngineAPI.Progress(
                    activity: name, done: done, total: total,
                    secondsLeft: done > 0 ? seconds / Double(done) * Double(total - done) : nil))
        }
    }
}
