import Foundation
import ImageCore
import Testing

/// `encode`, `decode`, `edit` and `directions` on the built-in space, as a person types them.
@Suite(.takesTurns) struct WeightCommandTests {
    private let home: ExplorerProgram.Home
    private let folder: URL

    init() throws {
        home = try ExplorerProgram.Home()
        folder = URL(fileURLWithPath: home.path)
    }

    private func run(_ line: String) async throws -> ProgramRun {
        try await ProgramRun(line.split(separator: " ").map(String.init), home: home, in: folder)
    }

    private func place(_ name: String) -> URL { folder.appendingPathComponent(name) }

    private func code(_ name: String) throws -> [Double] {
        let json = try JSONSerialization.jsonObject(with: Data(contentsOf: place(name))) as? [String: Any]
        return try #require(json?["code"] as? [Double])
    }

    /// A safetensors file with one tensor of float32 numbers.
    private func writeTensor(_ name: String, shape: [Int], _ values: [Float], to file: String) throws {
        let header = Data(
            "{\"\(name)\":{\"dtype\":\"F32\",\"shape\":\(shape),\"data_offsets\":[0,\(values.count * 4)]}}".utf8)
        var data = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) }
        data += header + values.withUnsafeBytes { Data($0) }
        try data.write(to: place(file))
    }

    /// The built-in space by links, with some parts replaced.
    private func space(_ name: String, replacing parts: [String: String]) throws -> URL {
        let built = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Sources/WeightSpace/Resources/BuiltInSpace").standardizedFileURL
        let url = place(name)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        for item in try FileManager.default.contentsOfDirectory(atPath: built.path) {
            if let text = parts[item] {
                try Data(text.utf8).write(to: url.appendingPathComponent(item))
            } else {
                try FileManager.default.createSymbolicLink(
                    at: url.appendingPathComponent(item), withDestinationURL: built.appendingPathComponent(item))
            }
        }
        return url
    }

    /// A wrong input ends in two lines, names what is wrong and leaves nothing behind.
    private func expectRefusal(
        _ line: String, _ expected: String, status: Int32 = 1, location: SourceLocation = #_sourceLocation
    ) async throws {
        let before = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0 != "state" && $0 != "cache" }
        let run = try await run(line)
        #expect(run.status == status, "\(run.error)", sourceLocation: location)
        #expect(run.error.contains(expected), "\(run.error)", sourceLocation: location)
        #expect(run.errorLines.count <= 2, "\(run.error)", sourceLocation: location)
        let after = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0 != "state" && $0 != "cache" }
        #expect(Set(before) == Set(after), sourceLocation: location)
    }

    @Test func everyFormIsDecodedAndEncodedBack() async throws {
        for (format, name) in [("peft", "p42"), ("kohya", "p42-kohya.safetensors"), ("vector", "p42-vector.safetensors")] {
            let decoded = try await run("decode p00042 --format \(format) --out \(name)")
            #expect(decoded.status == 0, "\(decoded.error)")
            let encoded = try await run("encode \(name) --out \(format).z")
            #expect(encoded.status == 0, "\(encoded.error)")
            #expect(encoded.output.contains("vanilla VAE, 64 numbers; keeps 0.9"), "\(encoded.output)")
        }
        #expect(try code("peft.z") == code("kohya.z") && code("peft.z") == code("vector.z"))
        // The file carries the code that it was decoded from, and the explorer's commands go on from it.
        let again = try await run("decode p42 --out again.safetensors")
        #expect(again.status == 0, "\(again.error)")
        let first = try Data(contentsOf: place("p42-vector.safetensors")).suffix(6272 * 4)
        #expect(try Data(contentsOf: place("again.safetensors")).suffix(6272 * 4) == first)
        // A picture that shows somebody by the own weights stands for those.
        #expect(try await run("render --identity p00042 --steps 1 --out p42.png").status == 0)
        for source in ["p00042", "p42.png"] {
            let encoded = try await run("encode \(source) --model pca --out \(source)-pca.z")
            #expect(encoded.status == 0 && encoded.output.hasPrefix("p00042: PCA"), "\(encoded.output)\(encoded.error)")
        }
        #expect(try code("p42.png-pca.z") == code("p00042-pca.z"))
        let stranger = try await run("decode p42.png --model pca --out stranger.safetensors")
        #expect(stranger.status == 1 && stranger.error.contains("a code of the VAE of 'built-in', not of its PCA"))
        // In the coordinates of the other model.
        let other = try await run("encode vector.z --model pca --out pca.z")
        #expect(other.status == 0 && other.output.contains("PCA, 64 numbers"), "\(other.output)\(other.error)")
        #expect(try code("pca.z") != code("vector.z"))
    }

    @Test func weightsThatCannotBeEncodedAreRefused() async throws {
        var vector = [Float](repeating: 0.01, count: 6272)
        vector[17] = .nan
        try writeTensor("weights", shape: [1, 6272], vector, to: "nan.safetensors")
        try writeTensor("weights", shape: [2, 6272], vector + vector, to: "two.safetensors")
        try writeTensor("weights", shape: [1, 6272], vector.map { _ in 3e38 }, to: "far.safetensors")
        try writeTensor("weights", shape: [1, 100], Array(vector.prefix(100)), to: "short.safetensors")
        try writeTensor("conv.weight", shape: [2, 50], Array(vector.prefix(100)), to: "strange.safetensors")
        try Data("no file of tensors".utf8).write(to: place("text.safetensors"))
        try await expectRefusal("encode nan.safetensors --out a.z", "nan.safetensors: holds weights that are not finite")
        try await expectRefusal("encode far.safetensors --out a.z --model pca", "its code holds numbers that are not finite")
        try await expectRefusal("encode two.safetensors --out a.z", "holds 2 vectors")
        try await expectRefusal("encode two.safetensors --row 2 --out a.z", "has no row 2")
        try await expectRefusal("encode short.safetensors --out a.z", "LoRA vectors of this space have 6272 numbers")
        try await expectRefusal("encode strange.safetensors --out a.z", "LoRA vectors of this space have 6272 numbers")
        try await expectRefusal("encode text.safetensors --out a.z", "text.safetensors")
        try await expectRefusal("encode nobody --out a.z", "the space 'built-in' has no such identity")
        try await expectRefusal("encode p00042 --out a.png", "Let its name end in .z", status: 2)
        try await expectRefusal("decode p00042 --format kohya --out folder", "Let its name end in .safetensors", status: 2)
        try await expectRefusal("decode nan.safetensors --out b.safetensors", "carries no weight code")
        try FileManager.default.createDirectory(at: place("full"), withIntermediateDirectories: false)
        try Data().write(to: place("full/letter.txt"))
        try await expectRefusal("decode p00042 --format peft --out full", "holds other files; nothing was written")
    }

    @Test func attributesThatAreNotThereAreNamed() async throws {
        try await expectRefusal("directions --find Nose", "'built-in' has no attribute 'Nose'\nIt has Big_Nose, Pointy_Nose.")
        try await expectRefusal("directions --find Young --hold Nose", "no attribute 'Nose'")
        try await expectRefusal("directions --find Young --hold Young", "Young cannot be set and held at once")
        try await expectRefusal("directions --hold Young", "give --find ATTRIBUTE", status: 2)
        try await expectRefusal("directions --forget nothing", "no direction is kept under the name 'nothing'")
        try await expectRefusal("edit p00042 --set Nose=1 --out a.png", "no attribute or direction 'Nose'.\nIt has Big_Nose")
        try await expectRefusal("edit p00042 --set Young=1 --hold Nose --out a.png", "no attribute or direction 'Nose'")
        try await expectRefusal("edit nobody --set Young=1 --out a.png", "no identity 'nobody'")
        try await expectRefusal("edit p00042 --set Young=nan --out a.png", "should be a name and a strength", status: 2)
        try await expectRefusal("edit p00042 --set Young=1 --set young=2 --out a.png", "'--set young' is given twice", status: 2)
        try await expectRefusal("sample --count 1 --model pca --from flow --out a", "belongs to the weight VAE")
        try await expectRefusal("edit p00042 --set Young --out a.png", "should be a name and a strength", status: 2)
        try await expectRefusal("edit p00042 --set Young=1 --inject-at 1001 --out a.png", "outside 0 to 1000", status: 2)
    }

    /// Whoever gives an option that would change nothing is told so before any work begins.
    @Test(arguments: [
        ("directions --count 3", "'--count' has no effect without '--find'"),
        ("directions --find sefa --hold Male", "'--hold' has no effect on directions without labels"),
        ("directions --find Young --count 3", "'--count' has no effect on an attribute"),
        ("directions --find Young --penalty 3", "'--penalty' has no effect without '--method logistic'"),
        ("encode p00042 --row 3 --out a.z", "'--row' has no effect on an identity or a code"),
        ("morph p00042 p00043 --seconds-per-frame 1 --out a.png", "'--seconds-per-frame' has no effect on a strip"),
        ("render --base --inject-at 500 --out a.png", "'--inject-at' has no effect on the base model"),
        ("evaluate --update-axes --axis-people 0 --out report", "'--update-axes' has no effect with '--axis-people 0'"),
        ("pca BUILTIN --components 4 --passes 3 --out new", "'--passes' has no effect with the exact method"),
        ("train BUILTIN --blocks 2 --out new", "'--blocks' has no effect with the vanilla network"),
        ("train BUILTIN --heads 2 --variant residual --out new", "'--heads' has no effect with the residual network"),
        ("train BUILTIN --batch-norm --variant residual --out new", "'--batch-norm' has no effect with the residual network"),
        ("train BUILTIN --linear-rate 0.5 --out new", "'--linear-rate' has no effect without '--linear-path'"),
        ("train BUILTIN --embedder --no-flow --out new", "'--no-flow' has no effect with '--embedder'"),
        ("train BUILTIN --embedder --placement refer --out new", "'--placement' has no effect with '--embedder'"),
        ("train BUILTIN --mixing 2 --out new", "a share of 2.0 blends cannot be"),
    ])
    func optionsWithoutEffectAreRefused(_ line: String, _ expected: String) async throws {
        try await expectRefusal(line.replacingOccurrences(of: "BUILTIN", with: Self.builtIn.path), expected, status: 2)
    }

    /// What an import leaves as it is cannot be asked for.
    @Test func optionsWithoutEffectOnAnImportAreRefused() async throws {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let base = "--base \(tests.path)/StableDiffusionTests/Fixtures/small --out new"
        let files = "import \(tests.path)/WeightSpaceTests/Fixtures/import"
        try await expectRefusal(
            "\(files)/adapters --alpha 3 \(base)", "'--alpha' has no effect on adapters, which say it themselves", status: 2)
        try await expectRefusal(
            "\(files)/vanilla.pt --store f16 \(base)", "'--store' has no effect where no vectors are stored", status: 2)
    }

    /// A space that is there keeps its base model and its vectors; its name can be changed.
    @Test func whatASpaceHasIsNotPlacedAnew() async throws {
        let there = try space("there", replacing: [:])
        let manifest = { try String(contentsOf: there.appendingPathComponent("space.json"), encoding: .utf8) }
        let before = try manifest()
        for line in [
            "pca there --components 4 --placement copy --out there", "pca there --components 4 --placement refer --out there",
            "train there --steps 1 --hidden 8 --placement copy --out there",
        ] {
            try await expectRefusal(line, "'--placement' has no effect on a space, which has its own", status: 2)
        }
        try await expectRefusal(
            "pca there --components 4 --vectors copy --out there", "'--vectors' has no effect on a space", status: 2)
        #expect(try manifest() == before)
        let renamed = try await run("pca there --components 4 --name elsewhere --out there")
        #expect(renamed.status == 0, "\(renamed.error)")
        #expect(try manifest().contains("\"name\": \"elsewhere\""))
    }

    /// Hours of work go into no place that takes nothing at their end.
    @Test(arguments: [
        "train BUILTIN --hidden 8 --steps 1 --out letter.txt/new", "train BUILTIN --embedder --steps 1 --out letter.txt/new",
        "pca BUILTIN --components 4 --out letter.txt/new",
        "evaluate --people 2 --seeds 2 --morphs 0 --axis-people 0 --steps 1 --out letter.txt/new",
    ])
    func aPlaceThatCannotBeWrittenIsRefusedFirst(_ line: String) async throws {
        try Data().write(to: place("letter.txt"))
        try await expectRefusal(
            line.replacingOccurrences(of: "BUILTIN", with: Self.builtIn.path),
            "letter.txt/new: cannot be written (Not a directory).\nGive --out a folder that can be written.")
    }

    /// Before anything is drawn, for it takes long to draw what cannot be kept.
    @Test func axesThatCannotBeMeasuredAreNotPromised() async throws {
        let text = try String(contentsOf: Self.builtIn.appendingPathComponent("space.json"), encoding: .utf8)
        func without(_ parts: [String]) -> String {
            text.split(separator: "\n").filter { line in !parts.contains { line.contains("\"\($0)\": ") } }.joined(
                separator: "\n")
        }
        let faceless = try space("faceless", replacing: ["space.json": without(["embedder"])])
        try await expectRefusal(
            "evaluate --space \(faceless.path) --update-axes --out report", "'built-in' has no embedder, so what its axes do")
        let linear = try space("linear", replacing: ["space.json": without(["vae", "codes", "axes", "flow"])])
        try await expectRefusal("evaluate --space \(linear.path) --update-axes --out report", "has no weight VAE")
    }

    /// What would be measured by a damaged face embedder is refused with its name; what does not need it is drawn.
    @Test func aDamagedEmbedderMeasuresNothing() async throws {
        let damaged = try space("damaged", replacing: ["embedder.json": "{}"])
        for line in ["evaluate --space SPACE --out report", "morph p00042 p00317 --path even --space SPACE --out walk.gif"] {
            try await expectRefusal(line.replacingOccurrences(of: "SPACE", with: damaged.path), "damaged/embedder.json")
        }
        let walk = try await run("morph p00042 p00317 --frames 3 --steps 1 --space \(damaged.path) --out strip.png")
        #expect(walk.status == 0, "\(walk.error)")
    }

    private static let builtIn = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Sources/WeightSpace/Resources/BuiltInSpace").standardizedFileURL

    /// A new space does not mingle with other files, and what cannot begin leaves no folder.
    @Test func aPlaceForComponentsIsCheckedFirst() async throws {
        try FileManager.default.createDirectory(at: place("full"), withIntermediateDirectories: false)
        try Data().write(to: place("full/letter.txt"))
        try await expectRefusal("pca \(Self.builtIn.path) --components 4 --out full", "'full' holds 1 files already")
        #expect(try FileManager.default.contentsOfDirectory(atPath: place("full").path) == ["letter.txt"])
        try await expectRefusal(
            "pca \(Self.builtIn.path) --components 4 --out new --resume", "there is no checkpoint to go on from", status: 2)
        let made = try await run("pca \(Self.builtIn.path) --components 4 --placement refer --out new")
        #expect(made.status == 0, "\(made.error)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { !$0.hasSuffix(".part") })
    }

    /// The ways in which layers are calculated are kept, so that the same evaluation gives the same numbers another day.
    @Test func measuresKeepHowTheyCalculated() async throws {
        let run = try await run("evaluate --people 2 --seeds 2 --morphs 0 --axis-people 0 --steps 1 --out report")
        #expect(run.status == 0, "\(run.error)")
        let kept = FileManager.default.enumerator(atPath: folder.path)?.contains {
            ($0 as? String)?.hasSuffix("kernels.tsv") == true
        }
        #expect(kept == true)
    }

    @Test func labelsThatDoNotMatchTheRowsAreRefused() async throws {
        let missing = try space("short", replacing: ["identities.csv": "identity,Male\np00001,1\np00002,0\n"])
        try await expectRefusal("directions --space \(missing.path) --find Male", "[2 identities, 6272 numbers of the layout]")
        let broken = try space("broken", replacing: ["identities.csv": "identity,Male\np00001,1\np00002,0,1\n"])
        try await expectRefusal("directions --space \(broken.path)", "identities.csv:3:")
        try await expectRefusal("edit p00001 --set Male=1 --space \(broken.path) --out a.png", "identities.csv:3:")
    }

    @Test func aDirectionIsFoundKeptSharedAndUsed() async throws {
        let found = try await run("directions --find Young --hold Gray_Hair --name younger --keep --out shared.json")
        #expect(found.status == 0 && found.output.contains("younger"), "\(found.output)\(found.error)")
        #expect(try await run("directions").output.contains("younger"))
        let edited = try await run("edit p00042 --set younger=+1 --steps 1 --out a.png --code a.z")
        #expect(
            edited.status == 0 && edited.output.contains("younger +1") || edited.output.contains("Young +1"), "\(edited.error)")
        // The code has moved, and the picture carries it.
        let before = try await run("encode p00042 --out before.z")
        #expect(before.status == 0)
        #expect(try code("a.z") != code("before.z"))
        let picture = try await run(
            "edit a.png --set Eyeglasses=-0.5 --hold Male --steps 1 --inject-at 700 --out b.png --code b.z")
        #expect(picture.status == 0, "\(picture.error)")
        let record = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: place("b.z"))) as? [String: Any])
        let lineage = try #require(record["lineage"] as? [String])
        #expect(lineage.count == 3 && lineage.last?.contains("holding Male") == true, "\(lineage)")
        #expect(record["name"] as? String == "p00042 younger +1 Eyeglasses -0.5")
        // Forgotten, it comes back from the file that was shared.
        #expect(try await run("directions --forget younger").status == 0)
        #expect(!(try await run("directions").output.contains("younger")))
        #expect(try await run("directions --add shared.json").output.contains("younger"))
        let damaged = try String(contentsOf: place("shared.json"), encoding: .utf8).replacingOccurrences(
            of: "\"step\"", with: "\"stepp\"")
        try Data(damaged.utf8).write(to: place("damaged.json"))
        try await expectRefusal("directions --add damaged.json", "\"stepp\" is unknown")
        try await expectRefusal("directions --add shared.json --model pca", "was found in another space or for its VAE")
    }
    /// A picture is edited, and a walk begins at it, as it was drawn; what the command line says goes before.
    @Test func picturesKeepTheirPromptAndSeed() async throws {
        #expect(try await run("render --identity p00011 --seed 9 --prompt portrait --steps 2 --out a.png").status == 0)
        let edited = try await run("edit a.png --set Eyeglasses=+1 --guidance 1 --out b.png")
        #expect(edited.status == 0, "\(edited.error)")
        #expect(try text("w2w:seed", of: "b.png") == "9" && text("w2w:prompt", of: "b.png") == "portrait")
        #expect(try text("w2w:steps", of: "b.png") == "2" && text("w2w:guidance", of: "b.png") == "1.0")
        let walk = try await run("morph b.png p00042 --frames 2 --seed 4 --out walk.png")
        #expect(walk.status == 0, "\(walk.error)")
        #expect(try text("w2w:seed", of: "walk.png") == "4" && text("w2w:prompt", of: "walk.png") == "portrait")
    }

    private func text(_ keyword: String, of file: String) throws -> String? {
        try PNGText.read(from: [UInt8](Data(contentsOf: place(file)))).first { $0.keyword == keyword }?.text
    }
}
