import Checkpoints
import Foundation
import StableDiffusion
import TensorKit
import Testing

@testable import WeightSpace

/// Files that PyTorch, pandas and PEFT wrote (Fixtures/make_import.py) become spaces.
@Suite struct ImportTests {
    private struct Stopped: Error {}
    private let base: ModelFolder
    private let expected: StateDictionary

    init() throws {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        base = try ModelFolder(tests.appendingPathComponent("StableDiffusionTests/Fixtures/small"))
        expected = try StateDictionary(safetensors: fixture("import/expected.safetensors"))
    }

    private func plan(_ names: [String]) throws -> SpaceImport {
        try SpaceImport(names.map { try fixture("import").appendingPathComponent($0) }, base: base, alpha: 27)
    }

    /// Imports, opens what came of it, and gives it to `body`.
    private func imported(_ names: [String], as type: ElementType = .float32, _ body: (SpaceImport, Space) throws -> Void) throws
    {
        let folder = try TemporaryFolder()
        let place = folder.url.appendingPathComponent("space")
        let plan = try plan(names)
        try plan.write(to: place, name: "test", as: type, copiesBase: false) { _, _, _ in }
        try body(plan, try Space(place, verifying: true))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["space"])
    }

    private func message(_ body: () throws -> some Any) -> String {
        do { return "no error but \(try body())" } catch { return "\(error)" }
    }

    private let collection = [
        "all_weights.pt", "mean.pt", "std.pt", "V.pt", "proj_1000pc.pt", "pinverse_1000pc.pt", "identity_df.pt",
        "weight_dimensions.pt",
    ]

    @Test func wholeCollection() throws {
        try imported(collection) { plan, space in
            #expect(plan.contents == "5 identities, LoRA vectors of 1964 numbers, a PCA of 4 components")
            #expect(plan.notes == ["the pseudo-inverse is not needed: directions are solved from the labels"])
            #expect(space.identities.names == ["anna", "bert", "carl", "dora", "emil"])
            #expect(space.identities.attributeNames == ["Male", "Young"] && space.identities.column(0) == [-1, 1, 1, -1, 1])
            #expect(space.layout == (try LoRALayout(publishedFor: base)))
            #expect(space.weights?.floats() == (try expected.entry("weights").floats()))
            let pca = try #require(space.pca)
            #expect(space.kind == .pca && pca.rows == 5)
            expectClose(
                Tensor([4], pca.singularValues), try expected.entry("singular_values").tensor(), tolerance: 1e-5,
                "singular values")
            expectClose(
                try space.decode(Tensor([5, 4], space.codes)), try expected.entry("unprojected").tensor(), tolerance: 1e-5,
                "unprojected")
            expectClose(
                pca.codes(of: try expected.entry("weights").tensor()), Tensor([5, 4], space.codes), tolerance: 1e-4,
                "coefficients")
        }
        try imported(collection, as: .float16) { _, space in
            #expect(space.weights?.elementType == .float16)
            expectClose(try #require(space.weights).tensor(), try expected.entry("weights").tensor(), tolerance: 1e-3, "float16")
        }
    }

    /// What people have of the original without its 26 GB of vectors, and one more identity by its coefficients.
    @Test func coefficientsAlone() throws {
        try imported(["mean.pt", "std.pt", "V.pt", "proj_1000pc.pt", "weight_dimensions.pt", "w2wmodel.pt"]) { plan, space in
            #expect(
                space.identities.names == ["p00001", "p00002", "p00003", "p00004", "p00005", "w2wmodel"] && space.weights == nil)
            #expect(plan.notes == ["w2wmodel.pt has 5 coefficients, the PCA 4: the rest, 96.9 % of its length, is left out"])
            let decoded = try space.decode(Tensor([6, 4], space.codes))
            expectClose(decoded.rows(5..<6), try expected.entry("extra").tensor(), tolerance: 1e-5, "the identity of w2wmodel.pt")
        }
        try imported(["all_weights.pt", "mean.pt", "std.pt", "V.pt", "proj_1000pc.pt", "w2wmodel.pt"]) { _, space in
            let vectors = try #require(space.weights).tensor()
            expectClose(vectors.rows(0..<5), try expected.entry("weights").tensor(), tolerance: 1e-6, "vectors")
            expectClose(vectors.rows(5..<6), try expected.entry("extra").tensor(), tolerance: 1e-5, "the vector of w2wmodel.pt")
        }
    }

    @Test func coefficientsThatAreNotFiniteAreRefused() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("weights.safetensors")
        try SafetensorsWriter.write([StoredTensor("weights", Tensor([1, 2], [.nan, 0]))], to: file)
        var parts = ImportParts()
        for name in ["mean.pt", "std.pt", "V.pt", "proj_1000pc.pt"] {
            let url = try fixture("import").appendingPathComponent(name)
            try parts.add(ImportPart.read(url), from: url)
        }
        try parts.add(.identity(name: "fred", StateDictionary(safetensors: file).entry("weights")), from: file)
        let words = message { try parts.pca(length: 1964) }
        #expect(words.contains("weights.safetensors: holds coefficients that are not finite"), "\(words)")
    }

    /// More coefficients than there are directions: whatever it means, it is not a face of this PCA.
    @Test func anIdentityOfAnotherPCAIsRefused() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("weights.safetensors")
        try SafetensorsWriter.write([StoredTensor("weights", Tensor(zeros: [1, 6]))], to: file)
        let parts = try ["mean.pt", "std.pt", "V.pt", "proj_1000pc.pt"].map { try fixture("import").appendingPathComponent($0) }
        var together = ImportParts()
        for url in parts { try together.add(ImportPart.read(url), from: url) }
        let long = try StateDictionary(safetensors: file).entry("weights")
        try together.add(.identity(name: "fred", long), from: folder.url.appendingPathComponent("fred.pt"))
        let words = message { try together.pca(length: 1964) }
        #expect(words.contains("fred.pt: has 6 coefficients, V.pt 5 directions: it belongs to another PCA"), "\(words)")
    }

    @Test(arguments: ["vanilla", "residual"]) func weightVAEs(variant: String) throws {
        try imported(["all_weights.pt", "identity_df.pt", "\(variant).pt"]) { _, space in
            #expect(space.vae?.configuration.variant.rawValue == variant && space.kind == .vae)
            expectClose(Tensor([5, 4], space.codes), try expected.entry("\(variant)/codes").tensor(), tolerance: 1e-4, "codes")
            #expect(space.axes.count == 4 && space.axes.contains { !$0.correlations.isEmpty })
        }
        // Alone: a space of nobody, whose axes can be moved.
        try imported(["\(variant).pt"]) { plan, space in
            #expect(plan.count == 0 && space.identities.count == 0 && space.axes.allSatisfy { $0.isActive && $0.deviation == 1 })
            let decoded = try space.decode(Tensor(zeros: [1, 4]))
            #expect(decoded.shape == [1, 1964])
        }
    }

    /// DataParallel, torch.compile and training frameworks put a word before the keys, and other networks beside them.
    @Test func weightVAEsAmongOtherThings() throws {
        let folder = try TemporaryFolder()
        let given = try StateDictionary(torch: fixture("import/vanilla.pt"))
        let tensors = { (change: (String) -> String) in
            given.entries.map { StoredTensor(change($0.name), $0.tensor()) }
        }
        let vectors = try fixture("import/all_weights.pt")
        func codes(_ name: String, _ tensors: [StoredTensor]) throws -> (codes: [Float], notes: [String]) {
            let file = folder.url.appendingPathComponent("\(name).safetensors")
            try SafetensorsWriter.write(tensors, to: file)
            let plan = try SpaceImport([vectors, file], base: base, alpha: 27)
            let place = folder.url.appendingPathComponent(name)
            try plan.write(to: place, name: "test", as: .float32, copiesBase: false) { _, _, _ in }
            return (try Space(place).codes, plan.notes)
        }
        let plain = try codes("plain", tensors { $0 })
        #expect(plain.notes.isEmpty && plain.codes.count == 20)
        #expect(try codes("parallel", tensors { "module." + $0 }).codes == plain.codes)
        let beside = try codes(
            "beside",
            tensors { "model.vae." + $0 } + [StoredTensor("model.discriminator.first_layer.0.weight", Tensor(zeros: [2, 2]))])
        #expect(beside.codes == plain.codes)
        #expect(beside.notes == ["beside.safetensors: 1 tensors of other networks are left out"])
        let two = tensors { "a." + $0 } + tensors { "b." + $0 }
        #expect(message { try codes("two", two) }.contains("holds 2 weight VAEs, under a. and b."))
        // A number that is none shows before anything is written.
        let ruined = given.entries.map { entry -> StoredTensor in
            let tensor = entry.tensor()
            if entry.name == "fc_mu.weight" { tensor.pointer[3] = .nan }
            return StoredTensor(entry.name, tensor)
        }
        #expect(
            message { try codes("ruined", ruined) }.contains("ruined.safetensors: fc_mu.weight holds numbers that are not finite")
        )
    }

    /// A checkpoint with the loss as a tensor beside its state dictionary, as torch.save of a training loop leaves it.
    @Test func weightVAEBesideALoss() throws {
        let state = try StateDictionary(torch: fixture("import/vanilla.pt"))
        #expect(state["loss"] == nil && state["encoder.0.0.weight"] != nil)
    }

    /// Tables that pandas wrote as text; what is not a number is no attribute, and that is said.
    @Test func tablesAsText() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("identity_df.csv")
        let vectors = try fixture("import/all_weights.pt")
        let text = """
            ,file,Male,Hair,Bald
            0,anna.jpg,-1,red,True
            1,bert.jpg,,,False
            2,carl.jpg,1,,False
            3,dora.jpg,-1,,
            4,emil.jpg,0.5,,True

            """
        try Data(text.utf8).write(to: file)
        let plan = try SpaceImport([vectors, file], base: base, alpha: 27)
        #expect(plan.labels.names == ["anna", "bert", "carl", "dora", "emil"] && plan.labels.attributeNames == ["Male", "Bald"])
        #expect(plan.labels.column(0).map { "\($0)" } == ["-1.0", "nan", "1.0", "-1.0", "0.5"])
        #expect(plan.notes == ["identity_df.csv: Hair left out: texts are no attributes, numbers are"])
        try Data("".utf8).write(to: file)
        #expect(message { try SpaceImport([vectors, file], base: base, alpha: 27) }.contains("is an empty table"))
        try Data("file,Male\nanna.jpg,1,2\n".utf8).write(to: file)
        #expect(message { try SpaceImport([vectors, file], base: base, alpha: 27) }.contains("identity_df.csv:2: 3 columns"))
    }

    /// Adapters one folder deeper: PEFT's own folder of a named adapter, and the file of diffusers' trainers.
    @Test func adaptersInFoldersOfTheirOwn() throws {
        let folder = try TemporaryFolder()
        let manager = FileManager.default
        let people = folder.url.appendingPathComponent("people")
        for (name, inner) in [("anna", "default"), ("bert", "identity1")] {
            let place = people.appendingPathComponent("\(name)/\(inner)")
            try manager.createDirectory(at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
            try manager.copyItem(at: fixture("import/adapters/\(name)/unet"), to: place)
        }
        try manager.createDirectory(at: people.appendingPathComponent("carl"), withIntermediateDirectories: true)
        try manager.copyItem(
            at: fixture("import/adapters/carl.safetensors"),
            to: people.appendingPathComponent("carl/pytorch_lora_weights.safetensors"))
        let plan = try SpaceImport([people], base: base, alpha: 27)
        #expect(plan.labels.names == ["anna", "bert", "carl"])
    }

    /// PEFT's folders and a kohya file, found in their folder; half the alpha is half of B.
    @Test func foldersOfAdapters() throws {
        try imported(["adapters"]) { plan, space in
            #expect(space.identities.names == ["anna", "bert", "carl"])
            #expect(space.layout == (try LoRALayout(publishedFor: base)) && plan.layout.scale == 27)
            let reference = try expected.entry("weights").tensor()
            for row in 0..<3 {
                let (found, wanted) = (try space.vector(at: row), reference.rows(row..<(row + 1)))
                for entry in space.layout.entries {
                    let factor: Float = row == 2 && entry.factor == .b ? 0.5 : 1
                    for i in entry.range {
                        #expect(abs(found.pointer[i] - factor * wanted.pointer[i]) < 1e-7, "\(row) \(entry.module)")
                    }
                }
            }
        }
    }

    @Test func whatDoesNotFitIsNamed() throws {
        #expect(
            message { try plan(["proj_1000pc.pt", "V.pt"]) }.contains("belongs to a PCA of which mean.pt, std.pt are missing"))
        #expect(message { try plan(["identity_df.pt"]) }.contains("nothing to import"))
        #expect(message { try plan(["all_weights.pt", "all_weights.pt"]) }.contains("a tensor of vectors a second time"))
        #expect(message { try plan(["adapters", "all_weights.pt"]) }.contains("both a tensor of vectors and adapters"))
        #expect(
            message { try plan(["adapters/anna", "identity_df.pt"]) }.contains("labels of 5 identities, there are 1 vectors"))
        #expect(message { try plan(["nothing.pt"]) }.contains("nothing.pt: there is no such file or folder"))
        let other = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
            .appendingPathComponent("Sources/WeightSpace/Resources/BuiltInSpace/base")
        let words = message { try SpaceImport([fixture("import/all_weights.pt")], base: ModelFolder(other), alpha: 27) }
        #expect(words.contains("all_weights.pt: vectors of 1964 numbers; rank 1 on to_q and to_v of this model has"), "\(words)")
        let layout = message {
            try SpaceImport(
                [fixture("import/weight_dimensions.pt"), fixture("import/all_weights.pt")], base: ModelFolder(other), alpha: 27)
        }
        #expect(layout.contains("weight_dimensions.pt: does not fit this network"), "\(layout)")
    }

    @Test func weightsThatAreNotFiniteAreRefusedAndNothingIsLeft() throws {
        let folder = try TemporaryFolder()
        let vectors = try expected.entry("weights").tensor()
        vectors.pointer[3 * 1964 + 7] = .nan
        let file = folder.url.appendingPathComponent("weights.safetensors")
        try SafetensorsWriter.write([StoredTensor("weights", vectors)], to: file)
        let plan = try SpaceImport([file], base: base, alpha: 27)
        let place = folder.url.appendingPathComponent("space")
        let words = message { try plan.write(to: place, name: "x", as: .float32, copiesBase: false) { _, _, _ in } }
        #expect(words.contains("the weights of p00004 (row 3) are not finite"), "\(words)")
        #expect(throws: Stopped.self) {
            try plan.write(to: place, name: "x", as: .float32, copiesBase: false) { _, _, _ in throw Stopped() }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["weights.safetensors"])
    }

    @Test func labelsSurviveTheirFile() throws {
        let labels = IdentityLabels(names: ["a,b", "c\"d"], attributeNames: ["Male", "x,y"], values: [1, .nan, -1, 0.25])
        let again = try IdentityLabels(csv: labels.csv, file: "x.csv")
        #expect(again.names == labels.names && again.attributeNames == labels.attributeNames)
        #expect(again.values[0] == 1 && again.values[1].isNaN && again.values[2] == -1 && again.values[3] == 0.25)
    }
}
