import ArgumentParser
import Engine
import EngineAPI
import Foundation
import ImageCore
import WeightSpace

/// `w2w export`: an identity for other programs.
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Hand an identity on: as a PEFT adapter, a kohya file, a LoRA vector or a weight code.",
        discussion: """
            IDENTITY is a name of the space, a .z file, or a picture or file that w2w wrote. Adapters of a name are its own LoRA vector where \
            the space carries it, those of a code are decoded. Every file carries the code, prompt, seed, the space's fingerprint and the \
            steps that led to it; `w2w render --code FILE` and `w2w explore FILE` go on from there.

            Examples:
              w2w export p00042 --format peft --out p42                     a folder for PeftModel.from_pretrained(unet, "p42")
              w2w export face.png --format kohya --out face.safetensors     for other programs that draw
              w2w export people/001.z --format vector --out 001.safetensors
              w2w export p00042 --format code --out p42.z
            """
    )

    /// The forms.
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case peft, kohya, vector, code
    }

    @OptionGroup var space: SpaceOptions

    @Argument(help: "A name, or a file that carries a code.")
    var identity: String

    @Option(help: "A folder of PEFT, a file of kohya's kind, the LoRA vector, or the weight code.")
    var format: Format

    @Option(
        help: ArgumentHelp("The result: a folder for peft, .safetensors for kohya and vector, .z for code.", valueName: "path"))
    var out: String

    func validate() throws {
        if let form = AdapterFormat(rawValue: format.rawValue) {
            try form.validate(out: out)
        } else {
            try OutputFile.validate(out, kinds: ["z"])
        }
    }

    func run() throws {
        let opened = try OpenedSpace(space.source)
        if let model = space.model { try opened.use(model) }
        let description = try opened.description()
        let found = try ResumePoint(identity, in: description)
        var record = found.record(in: description)
        record.lineage = (record.lineage ?? [record.origin]) + ["exported as \(format.rawValue)"]
        if let form = AdapterFormat(rawValue: format.rawValue) {
            let metadata = try PictureMetadata.fileTexts(for: record, subject: found.subject)
            try form.write(try opened.vector(of: found.subject), of: opened.space, metadata: metadata, to: out)
        } else {
            guard !record.code.isEmpty else {
                throw CommandFailure(
                    "the space '\(description.name)' has neither a weight VAE nor a PCA, so '\(found.name)' has no code.",
                    advice: "Export it as peft, kohya or vector, or train a model with `w2w train`.")
            }
            try WholeFile.write(Array((try record.json() + "\n").utf8), to: (out as NSString).expandingTildeInPath)
        }
        print("\(found.name) as \(format.rawValue): \(out)")
    }
}
