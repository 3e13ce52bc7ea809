import ArgumentParser
import EngineAPI
import Foundation
import ImageCore

/// `w2w render`: one picture.
struct RenderCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "render",
        abstract: "Draw one picture of one person.",
        discussion: """
            Equal subject and settings give the equal picture. What is not given comes from the space: prompt, seed, sampler, size. A \
            picture of a code carries it, so --code takes such a picture as well as a .z file.

            Examples:
              w2w render --identity p00042 --out p42.png
              w2w render --random 7 --steps 20 --seed 3 --out new.png
              w2w render --code people/001.z --guidance 1 --show
              w2w render --base --prompt "photo of a person" --out base.png
              w2w render --space v1-5.safetensors --adapter anna.safetensors --prompt "sks person" --out anna.png
              w2w render --code changed.z --inject-at 700 --inject-over p00042 --out edit.png
            """
    )

    @OptionGroup var space: SpaceOptions

    @Option(help: ArgumentHelp("An identity of the space, drawn with its own LoRA vector.", valueName: "name"))
    var identity: String?

    @Option(
        help: ArgumentHelp(
            "Somebody out of a file: a .z file, or a picture or adapter that w2w wrote; prompt, seed and sampler come from it too.",
            valueName: "file"))
    var code: String?

    @Option(help: ArgumentHelp("A new person, drawn from the space with this seed.", valueName: "seed"))
    var random: UInt64?

    @Flag(help: "The base model without anybody's weights.")
    var base = false

    @OptionGroup var generation: GenerationOptions

    @OptionGroup var injection: InjectionOptions

    @Option(
        help: ArgumentHelp(
            "Guidance only while the training time step lies between these two; faster, and no longer exact.", valueName: "a..b"),
        transform: TimestepInterval.init)
    var guidanceInterval: TimestepInterval?

    @Option(help: "Arithmetic of large models: f32 draws what diffusers draws, fast takes half the memory.")
    var precision = PrecisionName.f32

    @Option(help: ArgumentHelp("The picture's file: .png, .jpg.", valueName: "file"))
    var out: String?

    @Flag(help: "Draw the picture into the terminal.")
    var show = false

    func validate() throws {
        let given = [identity != nil, code != nil, random != nil, base].filter { $0 }.count
        // With an adapter the base model is somebody.
        guard given == 1 || given == 0 && !space.adapter.isEmpty else {
            throw ValidationError(
                given == 0
                    ? "Nobody to draw. Give one of --identity NAME, --code FILE, --random SEED, --base or --adapter FILE."
                    : "Only one of --identity, --code, --random and --base can be drawn at a time.")
        }
        let isBaseAlone = identity == nil && code == nil && random == nil && injection.injectOver == nil
        try IdleOptions.refuse(
            [("--inject-at", isBaseAlone && injection.injectAt != nil)], "on the base model without '--inject-over'")
        guard out != nil || show else { throw ValidationError("Nowhere to draw. Give --out FILE.png, --show or both.") }
        if let out { try OutputFile.validate(out, kinds: ["png", "jpg", "jpeg"]) }
    }

    func run() throws {
        let client = EngineClient(precision: precision, use: .drawingOne)
        let description = try client.open(space)
        let (subject, name, file) = try subject(in: description, client: client)
        let request = RenderRequest(
            subject: subject, settings: generation.settings(over: file?.settings ?? description.defaults),
            injection: try injection.injection(in: description), guidanceInterval: guidanceInterval?.range)
        if let asked = description.unknownSampler, generation.scheduler == nil, file == nil {
            StandardStream.write(
                "w2w render: the model asks for \(asked), which w2w does not have; \(request.settings.scheduler.rawValue) draws "
                    + "(--scheduler takes another)\n")
        }
        // Seed first: whoever stops the drawing still knows what it was.
        LogFile.note(
            "render \(name) seed \(request.settings.seed) steps \(request.settings.steps) space \(description.fingerprint.prefix(8))"
        )
        let picture = try client.render(request)
        if let out {
            try picture.image.write(
                to: out, text: PictureMetadata.texts(for: request, in: description, name: name, lineage: file?.lineage ?? []))
        }
        if show { try TerminalPicture.show(picture.image) }
    }

    private func subject(in description: SpaceDescription, client: EngineClient) throws -> (Subject, String, CodeRecord?) {
        if let identity {
            guard description.identities.names.contains(identity) else {
                throw ResumePoint.unknown(identity, in: description)
            }
            return (.identity(identity), identity, nil)
        }
        if let code {
            let point = try ResumePoint(file: code, in: description)
            return (point.subject, point.name, point.file)
        }
        if let random {
            let codes = try client.sample(SampleRequest(count: 1, seed: random))
            guard let code = codes.first else { throw CommandFailure("the space gave no code for seed \(random).") }
            return (.code(code), "sample \(random)", nil)
        }
        return (.base, "base", nil)
    }
}
