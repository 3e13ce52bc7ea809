import ArgumentParser
import Engine
import EngineAPI
import Foundation
import Library
import StableDiffusion
import WeightSpace

/// `w2w fit-preview`: the linear map that shows half-finished pictures.
struct FitPreviewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fit-preview",
        abstract: "Fit the quick preview of a model: image latents to colours, without the decoder.",
        discussion: """
            Draws a few of the space's people and compares the estimates on the way with what the decoder makes of them. The map is kept \
            with the space as latent_preview.json, with its hash in space.json; of a model without a space in the cache folder under the \
            model's hash. Without it w2w fits a rougher one at the first look.

            Examples:
              w2w fit-preview --space myspace
              w2w fit-preview --space realistic-vision --pictures 16
            """
    )

    @OptionGroup var space: SpaceOptions

    @Option(help: ArgumentHelp("How many pictures to draw, 4 to 64; every fourth measures the fit.", valueName: "n"))
    var pictures = 8

    @Flag(help: "Keep it in the cache folder even if the space could hold it.")
    var cache = false

    func validate() throws {
        guard (4...64).contains(pictures) else { throw ValidationError("'--pictures \(pictures)' is outside 4 to 64.") }
    }

    func run() throws {
        Interruption.shared.listen()
        let found = try OpenedSpace(space.source)
        let opened = found.space
        let inSpace = !cache && FileManager.default.fileExists(atPath: opened.folder.appendingPathComponent("space.json").path)
        if inSpace { try OutputFile.checkFolder(opened.folder, advice: "--cache keeps it in the cache folder.") }
        ProgressLine.show(EngineAPI.Progress(activity: "loading the model", done: 0, total: pictures))
        let pipeline = try StableDiffusionPipeline(found.loader())
        var fit = LatentPreviewFit()
        fit.pictures = pictures
        let began = ContinuousClock.now
        let stored = try fit(opened, pipeline) { done in
            try Interruption.shared.check()
            let left = done > 0 ? (ContinuousClock.now - began) / .seconds(1) / Double(done) * Double(pictures - done) : nil
            ProgressLine.show(EngineAPI.Progress(activity: "drawing", done: done, total: pictures, secondsLeft: left))
        }
        ProgressLine.clear()
        let url: URL
        if inSpace {
            url = try opened.keep(stored)
        } else {
            url = StoredLatentPreview.cacheURL(model: stored.model, cacheDirectory: Directories().cache)
            try stored.write(to: url)
        }
        print(
            "\(url.path): explains \(String(format: "%.1f", 100 * stored.r2)) % of the colours of pictures it was not fitted to")
    }
}
