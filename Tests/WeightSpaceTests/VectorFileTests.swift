import Checkpoints
import Foundation
import StableDiffusion
import TensorKit
import Testing

@testable import WeightSpace

/// LoRA vectors in files, and codes of them.
struct VectorFileTests {
    private let space: Space
    private let folder: TemporaryFolder

    init() throws {
        space = try Space.builtIn()
        folder = try TemporaryFolder()
    }

    private func message(_ tensors: [StoredTensor], _ metadata: [String: String] = [:], row: Int? = nil) throws -> String {
        let url = folder.url.appendingPathComponent("wrong.safetensors")
        try SafetensorsWriter.write(tensors, metadata: metadata, to: url)
        return
            "\(#expect(throws: SpaceError.self) { try LoRAVectorFile.read(url, layout: space.layout, row: row) } ?? SpaceError(""))"
    }

    @Test(arguments: WeightModelKind.allCases)
    func aVectorComesBackAndIsEncoded(kind: WeightModelKind) throws {
        try space.use(kind)
        let url = folder.url.appendingPathComponent("vector.safetensors")
        let vector = try space.vector(at: 41)
        try AdapterExport.writeVector(vector, layout: space.layout, metadata: ["w2w:name": "p00042"], to: url)
        let read = try LoRAVectorFile.read(url, layout: space.layout)
        #expect(read.array == vector.array && read.shape == [1, 6272])
        let code = try space.encode(read, name: "p00042")
        expectClose(code, Tensor([1, 64], space.code(at: 41)), tolerance: 2e-3, "code")
        // What is decoded lies nearer to the person than to the middle.
        let decoded = try space.decode(code)
        let mean = try space.decode(Tensor([1, 64], space.axes.map(\.mean)))
        let distance = { (a: Tensor) in Kernels.sumOfSquares(Kernels.scaledDifference(a, vector, factor: 1)) }
        #expect(distance(decoded) < 0.5 * distance(mean))
    }

    @Test func filesThatDoNotFitAreRefused() throws {
        let vector = try space.vector(at: 0)
        #expect(try message([StoredTensor("weights", Tensor(zeros: [1, 100]))]).contains("LoRA vectors of this space have 6272"))
        #expect(try message([StoredTensor("weights", vector)], ["w2w:layout": "0"]).contains("another layout"))
        #expect(try message([StoredTensor("weights", Tensor(zeros: [3, 6272]))]).contains("holds 3 vectors"))
        #expect(try message([StoredTensor("weights", Tensor(zeros: [3, 6272]))], row: 3).contains("no row 3"))
        let damaged = vector.copy()
        damaged.pointer[5] = .nan
        #expect(try message([StoredTensor("weights", damaged)]).contains("not finite"))
        #expect(throws: SpaceError.self) { try space.encode(damaged, name: "x") }
        #expect(throws: SpaceError.self) { try space.encode(Tensor(zeros: [1, 7]), name: "x") }
    }

    /// The same person in every form, and in the form of torch.
    @Test func adaptersAreVectorsOfTheLayout() throws {
        let vector = try space.vector(at: 41)
        let place = { (name: String) in self.folder.url.appendingPathComponent(name) }
        try AdapterExport.writePEFT(vector, layout: space.layout, base: "x", metadata: [:], to: place("peft"))
        try AdapterExport.writeKohya(vector, layout: space.layout, metadata: [:], to: place("kohya.safetensors"))
        for name in ["peft", "peft/adapter_model.safetensors", "kohya.safetensors"] {
            #expect(LoRAVectorFile.mayBe(place(name).path))
            #expect(try LoRAVectorFile.read(place(name), layout: space.layout).array == vector.array, "\(name)")
        }
        #expect(throws: SpaceError.self) {
            try LoRAVectorFile.read(place("kohya.safetensors"), layout: space.layout, row: 1)
        }
        #expect(!LoRAVectorFile.mayBe(place("nobody.safetensors").path) && !LoRAVectorFile.mayBe(fixtureScript.path))
    }

    private var fixtureScript: URL { URL(fileURLWithPath: #filePath) }

    /// A list of vectors as weights2weights keeps it, and an adapter that was made for another base model.
    @Test func filesOfTorchAndOfOtherModels() throws {
        let base = try ModelFolder(
            URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .appendingPathComponent("StableDiffusionTests/Fixtures/small"))
        let layout = try LoRALayout(publishedFor: base)
        let expected = try StateDictionary(safetensors: fixture("import/expected.safetensors")).entry("weights")
        let read = try LoRAVectorFile.read(fixture("import/all_weights.pt"), layout: layout, row: 1)
        #expect(read.array == (try expected.tensor(rows: 1..<2)).array)
        let stranger = try fixture("import/adapters/bert")
        #expect(throws: Never.self) { try LoRAVectorFile.read(stranger, layout: layout) }
        let error = #expect(throws: SpaceError.self) { try LoRAVectorFile.read(stranger, layout: space.layout) }
        #expect("\(error ?? SpaceError(""))".contains("does not have the layers of this space (24 missing, 52 unexpected"))
    }
}
