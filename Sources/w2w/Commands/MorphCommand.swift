import ArgumentParser
import EngineAPI
import Foundation
import ImageCore

extension MorphPath: ExpressibleByArgument {}

/// `w2w morph`: the walk between two people.
struct MorphCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "morph",
        abstract: "Walk from one person to another.",
        discussion: """
            A and B are names of identities, .z files, or pictures and adapters that w2w wrote; prompt, seed and sampler of A's picture stay \
            unless others are given. The ends are drawn first, then the middle outwards; Ctrl-C keeps the frames that are done. A .png is a \
            strip side by side, .gif and .apng are animations. --path even follows slerp's arc and retimes the frames until each step \
            changes the face equally, as the space's face embedder measures it, or low frequencies of the pictures where a space has no \
            embedder; what measured is said in the end.

            Examples:
              w2w morph p00042 p00317 --out walk.gif
              w2w morph p00042 p00317 --path even --out walk.gif
              w2w morph p00042 people/001.z --frames 17 --path lerp --out walk.apng
              w2w morph 001.png 002.png --frames 7 --out strip.png
            """
    )

    @OptionGroup var space: SpaceOptions

    @Argument(help: ArgumentHelp("Where the walk begins.", valueName: "A"))
    var from: String

    @Argument(help: ArgumentHelp("Where it ends.", valueName: "B"))
    var to: String

    @Option(help: ArgumentHelp("How many pictures, both ends included, 2 to 500.", valueName: "n"))
    var frames = 9

    @Option(help: "The way: slerp along the great circle, lerp along the straight line, even in equal steps of the face.")
    var path: MorphPath = .slerp

    @OptionGroup var generation: GenerationOptions

    @Option(help: ArgumentHelp("The result: .png (a strip), .gif or .apng (an animation).", valueName: "file"))
    var out: String

    @Option(help: ArgumentHelp("How long a picture of an animation stands, 0.02 to 10 seconds.", valueName: "seconds"))
    var secondsPerFrame = 0.12

    func validate() throws {
        guard (2...500).contains(frames) else { throw ValidationError("'--frames \(frames)' is outside 2 to 500.") }
        guard (0.02...10).contains(secondsPerFrame) else {
            throw ValidationError("'--seconds-per-frame \(secondsPerFrame)' is outside 0.02 to 10.")
        }
        try OutputFile.validate(out, kinds: ["png", "gif", "apng"])
        let isStrip = (out as NSString).pathExtension.lowercased() == "png"
        try IdleOptions.refuse([("--seconds-per-frame", isStrip && secondsPerFrame != 0.12)], "on a strip")
    }

    func run() throws {
        let client = EngineClient()
        let description = try client.open(space)
        let start = try ResumePoint(from, in: description)
        let end = try ResumePoint(to, in: description)
        let settings = generation.settings(over: start.settings(in: description))
        let request = MorphRequest(
            from: try start.code(in: description), to: try end.code(in: description), frames: frames, path: path,
            settings: settings)
        var done: [Int: RGBImage] = [:]
        var pacing: MorphPacing?
        let text = PictureMetadata.texts(for: request, from: start.name, to: end.name, in: description)
        do {
            try client.run(.morph(request)) { event in
                switch event {
                case .frame(_, let frame): done[frame.index] = frame.image
                case .paced(_, let measured): pacing = measured
                default: break
                }
            }
        } catch is Cancelled {
            guard done.count >= 2 else { throw Cancelled(kept: "nothing was drawn yet.") }
            try write(done, text: text)
            throw Cancelled(kept: "\(done.count) of \(frames) pictures are in \(out).")
        }
        try write(done, text: text)
        if path == .even, let pacing {
            let figure = { (value: Float) in String(format: "%.2f", value) }
            print(
                "largest step \(figure(pacing.unevenness)) times the mean, before \(figure(pacing.unevennessBefore)), by the "
                    + pacing.distance)
        }
    }

    private func write(_ frames: [Int: RGBImage], text: [PNGText]) throws {
        let images = frames.sorted { $0.key < $1.key }.map(\.value)
        if (out as NSString).pathExtension.lowercased() == "png" {
            try RGBImage.strip(images).writePNG(to: out, text: text)
        } else {
            // Forth and back, so that the loop has no jump.
            try Animation(frames: images, secondsPerFrame: secondsPerFrame, text: text).mirrored.write(to: out)
        }
    }
}
