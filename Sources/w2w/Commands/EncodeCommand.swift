import ArgumentParser
import EngineAPI
import Foundation
import ImageCore
import TensorKit
import WeightSpace

/// `w2w encode`: LoRA weights become a weight code.
struct EncodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "encode",
        abstract: "Find the weight code of LoRA weights.",
        discussion: """
            WHAT is a LoRA adapter with the layers of the space (a PEFT folder, a file of PEFT, diffusers or kohya), a LoRA vector (one tensor \
            of the space's length; --row chooses from a list), an identity of the space, or a .z file or picture whose code belongs to the \
            space's other model: --model pca turns a code of the weight VAE into one of the PCA. Says how much of the weights the code keeps.

            Examples:
              w2w encode anna.safetensors --out anna.z
              w2w encode anna-peft/ --out anna.z
              w2w encode p00042 --model pca --out p42-pca.z
              w2w encode face.png --model pca --out face-pca.z
            """
    )

    @OptionGroup var space: SpaceOptions

    @Argument(help: ArgumentHelp("LoRA weights, a name, or a file with a code of the other model.", valueName: "what"))
    var what: String

    @Option(help: ArgumentHelp("Which vector of a file that holds several, from 0.", valueName: "n"))
    var row: Int?

    @Option(help: ArgumentHelp("The code's file, .z.", valueName: "file"))
    var out: String

    func validate() throws {
        try OutputFile.validate(out, kinds: ["z"])
    }

    func run() throws {
        let opened = try space.openedSpace()
        guard let model = opened.model, let kind = opened.kind else {
            throw CommandFailure(
                "the space '\(opened.manifest.name)' has neither a weight VAE nor a PCA.",
                advice: "Train one with `w2w train`, or run `w2w pca`.")
        }
        let (vector, name) = try WeightsArgument.vector(of: what, row: row, in: opened)
        let code = try opened.encode(vector, name: what)
        guard code.array.allSatisfy(\.isFinite) else {
            throw CommandFailure(
                "\(what): its code holds numbers that are not finite.", advice: "The weights are far off; make them again.")
        }
        let file = CodeFile(
            name: name, space: opened.manifest.name, spaceFingerprint: try opened.fingerprint(),
            model: WeightModel(rawValue: kind.rawValue), origin: "encoded from \(name)",
            lineage: [name, "encoded (\(model.title))"],
            code: code.array)
        try WholeFile.write(try file.encoded(), to: out)
        let middle = model.decode(Tensor([1, opened.latentDimension], opened.axes.map(\.mean)))
        let error = Kernels.sumOfSquares(Kernels.scaledDifference(model.decode(code), vector, factor: 1))
        let spread = max(Kernels.sumOfSquares(Kernels.scaledDifference(middle, vector, factor: 1)), .leastNonzeroMagnitude)
        // In units of the identities along each axis; the expected square is 1.
        let length = zip(code.array, opened.axes).reduce(0.0) { sum, item in
            let offset = Double((item.0 - item.1.mean) / item.1.deviation)
            return sum + offset * offset
        }
        let figure = { (value: Double) in String(format: "%.3f", value) }
        print(
            """
            \(name): \(model.title), \(opened.latentDimension) numbers; keeps \(figure(1 - error / spread)) of the weights' distance from the \
            average (R2), lies at \(figure((length / Double(max(1, opened.latentDimension))).squareRoot())) σ
            code: \(out)
            """)
    }
}

/// `w2w decode`: a weight code becomes LoRA weights.
struct DecodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode",
        abstract: "Turn a weight code into LoRA weights.",
        discussion: """
            CODE is a .z file or a picture of w2w, or an identity of the space, whose code is decoded (its own weights are what `w2w export` \
            gives). The result is the LoRA vector, one tensor `weights` [1, n] in the order of the space's layout.json, or with --format an \
            adapter for other programs; `w2w encode` reads each of them back.

            Examples:
              w2w decode people/001.z --out 001.safetensors
              w2w decode face.png --format peft --out face-peft             a folder for PeftModel.from_pretrained(unet, "face-peft")
              w2w decode p00042 --model pca --format kohya --out p42-pca.safetensors
            """
    )

    @OptionGroup var space: SpaceOptions

    @Argument(help: ArgumentHelp("A .z file, a picture that carries a code, or an identity.", valueName: "code"))
    var code: String

    @Option(help: "A folder of PEFT, a file of kohya's kind, or the LoRA vector.")
    var format: AdapterFormat = .vector

    @Option(help: ArgumentHelp("The result: a folder for peft, .safetensors for kohya and vector.", valueName: "path"))
    var out: String

    func validate() throws { try format.validate(out: out) }

    func run() throws {
        let opened = try space.openedSpace()
        let (values, name) = try WeightsArgument.code(of: code, in: opened)
        let vector = try opened.decode(Tensor([1, values.count], values))
        let kind = opened.kind.flatMap { WeightModel(rawValue: $0.rawValue) }
        let title = opened.model?.title ?? "space"
        let record = CodeRecord(
            name: name, space: opened.manifest.name, spaceFingerprint: try opened.fingerprint(), model: kind,
            origin: "decoded from a code of the \(title)", lineage: [name, "decoded (\(title))"], code: values)
        let metadata = try PictureMetadata.fileTexts(for: record, subject: .code(WeightCode(values)))
        try format.write(vector, of: opened, metadata: metadata, to: out)
        print("\(name): \(opened.layout.vectorLength) numbers -> \(out)")
    }
}

/// What a command line names as weights or as a code.
enum WeightsArgument {
    /// The LoRA vector of a file or of a person.
    /// - Throws: `CommandFailure`, `SpaceError`, `CheckpointError`: what is wrong with it.
    static func vector(of argument: String, row: Int?, in opened: Space) throws -> (vector: Tensor, name: String) {
        let refuseRow = { try IdleOptions.refuse([("--row", row != nil)], "on an identity or a code") }
        if let place = opened.row(of: argument) {
            try refuseRow()
            guard opened.weights == nil else { return (try opened.vector(at: place), argument) }
            let (code, name) = try code(of: argument, in: opened)
            return (try opened.decode(Tensor([1, code.count], code)), name)
        }
        let path = (argument as NSString).expandingTildeInPath
        if LoRAVectorFile.mayBe(path) {
            let url = URL(fileURLWithPath: path)
            let name = url.hasDirectoryPath ? url.lastPathComponent : url.deletingPathExtension().lastPathComponent
            return (try LoRAVectorFile.read(url, layout: opened.layout, row: row), name)
        }
        try refuseRow()
        guard FileManager.default.fileExists(atPath: path) else {
            throw CommandFailure(
                "there is no file '\(argument)', and the space '\(opened.manifest.name)' has no such identity.",
                advice: "Name LoRA weights, an identity, or a file that carries a code.")
        }
        // A code: decoded by the model that it belongs to. A picture may show somebody by the own vector.
        let (record, identity) = try CodeFile.readAll(path)
        let wanted = opened.kind
        if let model = WeightModelKind(rawValue: (record.model ?? .vae).rawValue) { try opened.use(model) }
        defer { if let wanted { try? opened.use(wanted) } }
        let code = try record.weightCode(in: opened, path: argument).values
        if let place = identity.flatMap(opened.row(of:)), opened.weights != nil {
            return (try opened.vector(at: place), record.name)
        }
        return (try opened.decode(Tensor([1, code.count], code)), record.name)
    }

    /// The code of a file or of a person.
    /// - Throws: `CommandFailure` when there is none, or it belongs to another space or model.
    static func code(of argument: String, in opened: Space) throws -> (code: [Float], name: String) {
        if let place = opened.row(of: argument) {
            guard !opened.codes.isEmpty else {
                throw CommandFailure(
                    "the space '\(opened.manifest.name)' carries no codes of its identities.", advice: "Name a code file.")
            }
            return (opened.code(at: place), argument)
        }
        guard FileManager.default.fileExists(atPath: argument) else {
            throw CommandFailure(
                "there is no file '\(argument)', and the space '\(opened.manifest.name)' has no such identity.",
                advice: "Name a .z file, a picture that carries a code, or an identity.")
        }
        let file = try CodeFile.read(argument)
        return (try file.weightCode(in: opened, path: argument).values, file.name)
    }
}
