import ArgumentParser
import EngineAPI
import Foundation
import WeightSpace

/// `w2w evaluate`: what a space is worth, as numbers and as a page.
struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measure a space: reconstruction, axes, and the people it draws.",
        discussion: """
            Writes DIR/report.json, DIR/report.md and charts. Reconstruction is measured on the identities that the weight VAE kept aside, \
            against a PCA with as many components fitted to the same training identities. Faces are compared by the embedder of the space \
            (`w2w train SPACE --embedder --out SPACE`); without one only the weights are measured. The same options give the same numbers. \
            Ctrl-C writes what has been measured until then.

            For photographs there is FaceNet: --embedder FILE (or "embedder" in space.json) takes the state dictionary of facenet-pytorch's \
            InceptionResnetV1 (.pt or .safetensors, for instance 20180402-114759-vggface2.pt). It sees the middle square of a picture at 160 \
            pixels; how well it tells the space's held-out people apart is measured first.

            Examples:
              w2w evaluate --out report
              w2w evaluate --space ~/spaces/celeb --people 100 --seeds 8 --out celeb-report
              w2w evaluate --space ~/spaces/celeb --update-axes --out celeb-report
              w2w evaluate --space ~/spaces/celeb --embedder 20180402-114759-vggface2.pt --out facenet-report
            """
    )

    @Option(help: ArgumentHelp("The space, a folder with space.json; without it the built-in one.", valueName: "dir"))
    var space: String?

    @Option(help: ArgumentHelp("Folder for the report, new or empty.", valueName: "dir"))
    var out: String

    @Option(help: ArgumentHelp("People drawn from each source, from 2 on.", valueName: "n"))
    var people = EvaluationPlan().people

    @Option(help: ArgumentHelp("Pictures of each, from 2 on.", valueName: "n"))
    var seeds = EvaluationPlan().seeds

    @Option(help: ArgumentHelp("Walks drawn along each kind of path, from 0 on.", valueName: "n"))
    var morphs = EvaluationPlan().morphs

    @Option(help: ArgumentHelp("Pictures of a walk, from 3 on.", valueName: "n"))
    var frames = EvaluationPlan().frames

    @Option(help: ArgumentHelp("People around whom each axis is drawn; 0 leaves the axes' faces out.", valueName: "n"))
    var axisPeople = EvaluationPlan().axisPeople

    @Option(help: ArgumentHelp("Denoising steps; without it the space's.", valueName: "n"))
    var steps: Int?

    @Option(help: ArgumentHelp("Decides codes, walks and the noise of the pictures.", valueName: "n"))
    var seed: UInt64 = 0

    @Option(
        help: ArgumentHelp(
            "What compares the faces instead of the space's own embedder: an embedder.json, or FaceNet's weights (see above).",
            valueName: "file"))
    var embedder: String?

    @Option(help: ArgumentHelp("The folder of the people's photographs, instead of the space's own.", valueName: "dir"))
    var photos: String?

    @Flag(help: "Also write what was measured of the axes to the space's axes.json.")
    var updateAxes = false

    private var plan: EvaluationPlan {
        EvaluationPlan(
            people: people, seeds: seeds, morphs: morphs, frames: frames, axisPeople: axisPeople, steps: steps, seed: seed)
    }

    func validate() throws {
        try IdleOptions.refuse([("--update-axes", updateAxes && axisPeople == 0)], "with '--axis-people 0'")
        do {
            try plan.validate()
        } catch let error as SpaceError {
            throw ValidationError(error.message)
        }
    }

    func run() throws {
        let folder = URL(fileURLWithPath: (out as NSString).expandingTildeInPath)
        try OutputFile.checkEmptyFolder(out, undone: "nothing was measured")
        try OutputFile.checkFolder(folder)
        let opened =
            try space.map { try Space(URL(fileURLWithPath: ($0 as NSString).expandingTildeInPath)) } ?? Space.builtIn()
        Interruption.shared.listen()
        let url = { (path: String) in URL(fileURLWithPath: (path as NSString).expandingTildeInPath) }
        let evaluation = try Evaluation(opened, plan: plan, embedder: embedder.map(url), photos: photos.map(url))
        if updateAxes {
            guard opened.vae != nil else { throw opened.missing(.vae) }
            try OutputFile.checkFolder(opened.folder, advice: "Evaluate a copy of the space, or leave --update-axes out.")
            guard evaluation.drawsFaces else {
                throw CommandFailure(
                    "the space '\(opened.manifest.name)' has no embedder, so what its axes do to a face cannot be measured.",
                    advice: "Train one with `w2w train SPACE --embedder --out SPACE`, or leave --update-axes out.")
            }
        }
        var meter = ProgressMeter(activity: "drawing", total: evaluation.pictures)
        let report: EvaluationReport
        do {
            report = try evaluation.run { count in
                meter.advance(by: count)
                ProgressLine.show(meter.progress)
                try Interruption.shared.check()
            }
        } catch is Cancelled {
            ProgressLine.clear()
            guard let found = evaluation.found else { throw Cancelled(kept: "nothing was measured yet.") }
            try found.stopped(drawn: meter.progress.done, of: meter.progress.total).write(to: folder)
            throw Cancelled(kept: "what was measured until then is in \(folder.appendingPathComponent("report.md").path).")
        }
        ProgressLine.clear()
        do {
            try report.write(to: folder)
        } catch {
            // The figures are not lost with the disk that is full.
            print(report.summary)
            throw error
        }
        if updateAxes { try opened.writeAxes(report.measuredAxes) }
        print(report.summary)
        print("report: \(folder.appendingPathComponent("report.md").path)")
    }
}
