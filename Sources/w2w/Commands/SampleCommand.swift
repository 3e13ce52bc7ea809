import ArgumentParser
import EngineAPI
import Foundation
import ImageCore

extension SampleSource: ExpressibleByArgument {}

/// `w2w sample`: new people.
struct SampleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sample",
        abstract: "Make new people: codes, portraits and a contact sheet.",
        discussion: """
            Draws codes from the space and a portrait of each: DIR/001.z and DIR/001.png and so on, and DIR/contact-sheet.png. A lower \
            temperature keeps nearer to the middle of the space, where people are more alike and more believable.

            Examples:
              w2w sample --count 8 --out people
              w2w sample --count 24 --seed 7 --temperature 0.8 --out calm
              w2w sample --count 8 --model pca --out linear
            """
    )

    @OptionGroup var space: SpaceOptions

    @Option(help: ArgumentHelp("How many, 1 to 999.", valueName: "n"))
    var count: Int

    @Option(help: ArgumentHelp("Seed of the codes; the noise of the pictures is --noise-seed.", valueName: "n"))
    var seed: UInt64 = 0

    @Option(help: ArgumentHelp("Scale of the deviation, 0 to 3: 1 samples as widely as the identities lie.", valueName: "x"))
    var temperature: Float = 1

    @Option(help: ArgumentHelp("Pulls everybody towards the middle, 0 to 2: 1 leaves them, 0 is the middle.", valueName: "x"))
    var truncation: Float = 1

    @Option(
        help: """
            What from: prior (N(0, I); of a PCA independent coefficients), fitted (a Gaussian with the identities' mean and covariance), \
            flow (N(0, I) through the weight VAE's learned prior) or blended (an identity and one like it); without it blended for a weight VAE, prior for a PCA.
            """)
    var from: SampleSource?

    @Option(help: ArgumentHelp("Folder for the results, new or empty.", valueName: "dir"))
    var out: String

    @Option(help: ArgumentHelp("Seed of the first noise of every picture; without it the space's.", valueName: "n"))
    var noiseSeed: UInt64?

    @Option(help: ArgumentHelp("Denoising steps, \(GenerationSettings.stepsInWords).", valueName: "n"))
    var steps: Int?

    @Option(help: ArgumentHelp("What to draw, instead of the space's prompt.", valueName: "text"))
    var prompt: String?

    func validate() throws {
        guard (1...999).contains(count) else { throw ValidationError("'--count \(count)' is outside 1 to 999.") }
        guard (0...3).contains(temperature) else { throw ValidationError("'--temperature \(temperature)' is outside 0 to 3.") }
        guard (0...2).contains(truncation) else { throw ValidationError("'--truncation \(truncation)' is outside 0 to 2.") }
        if let steps, !GenerationSettings.stepRange.contains(steps) {
            throw ValidationError("'--steps \(steps)' is outside \(GenerationSettings.stepsInWords).")
        }
    }

    func run() throws {
        try OutputFile.checkEmptyFolder(out)
        let client = EngineClient()
        let description = try client.open(space)
        var settings = description.defaults
        if let noiseSeed { settings.seed = noiseSeed }
        if let steps { settings.steps = steps }
        if let prompt { settings.prompt = prompt }
        let codes = try client.sample(
            SampleRequest(count: count, seed: seed, source: from, temperature: temperature, truncation: truncation))
        try OutputFile.makeEmptyFolder(out)
        var portraits: [RGBImage] = []
        var meter = ProgressMeter(activity: "drawing", total: codes.count)
        do {
            for (index, code) in codes.enumerated() {
                let name = String(format: "%03d", index + 1)
                let origin = "sample \(index + 1) of seed \(seed), temperature \(temperature)"
                let file = CodeFile(
                    name: name, space: description.name, spaceFingerprint: description.fingerprint, model: description.model,
                    origin: origin,
                    code: code.values)
                try WholeFile.write(file.encoded(), to: "\(out)/\(name).z")
                let request = RenderRequest(subject: .code(code), settings: settings)
                ProgressLine.show(meter.progress)
                let picture = try client.render(request, showsProgress: false)
                try picture.image.writePNG(
                    to: "\(out)/\(name).png", text: PictureMetadata.texts(for: request, in: description, name: name))
                portraits.append(picture.image)
                meter.advance()
            }
        } catch is Cancelled {
            if !portraits.isEmpty { try RGBImage.contactSheet(portraits, gap: 4).writePNG(to: "\(out)/contact-sheet.png") }
            throw Cancelled(kept: "\(portraits.count) of \(codes.count) people are in \(out).")
        }
        ProgressLine.clear()
        try RGBImage.contactSheet(portraits, gap: 4).writePNG(to: "\(out)/contact-sheet.png")
        print("\(portraits.count) \(portraits.count == 1 ? "person" : "people") in \(out), all on \(out)/contact-sheet.png")
    }
}
