import Checkpoints
import Foundation
import StableDiffusion
import TensorKit
import Testing

@testable import WeightSpace

/// What is handed on comes back as it was.
@Suite struct ExportTests {
    private let base: ModelFolder
    private let layout: LoRALayout
    private let vector: Tensor

    init() throws {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        base = try ModelFolder(tests.appendingPathComponent("StableDiffusionTests/Fixtures/small"))
        layout = try LoRALayout(publishedFor: base)
        vector = try StateDictionary(safetensors: fixture("import/expected.safetensors")).entry("weights").tensor(rows: 1..<2)
    }

    private func vector(of file: LoRAFile) throws -> [Float] {
        let result = Tensor(uninitialized: [1, layout.vectorLength])
        try layout.write(file, into: result.pointer)
        return result.array
    }

    @Test func peftComesBack() throws {
        let folder = try TemporaryFolder()
        let place = folder.url.appendingPathComponent("bert")
        try AdapterExport.writePEFT(vector, layout: layout, base: "small", metadata: ["w2w:title": "bert"], to: place)
        let file = try LoRAFile(place)
        #expect(file.layers.allSatisfy { $0.factors?.a.shape[0] == 1 && $0.alpha == 27 })
        #expect(try vector(of: file) == vector.array)
        // PEFT itself wrote the same person: equal names, equal numbers.
        let (own, theirs) = try (
            StateDictionary(safetensors: place.appendingPathComponent("adapter_model.safetensors")),
            StateDictionary(safetensors: fixture("import/adapters/bert/unet/adapter_model.safetensors"))
        )
        #expect(Set(own.names) == Set(theirs.names) && own.metadata["w2w:title"] == "bert" && own.metadata["format"] == "pt")
        for name in own.names { #expect(own[name]?.floats() == theirs[name]?.floats(), "\(name)") }
        let settings = try JSONConfiguration(contentsOf: place.appendingPathComponent("adapter_config.json"))
        #expect(try settings.require("r", as: Int.self) == 1)
        #expect(try settings.require("lora_alpha", as: Int.self) == 27)
        #expect(try settings.require("target_modules", as: [String].self).count == layout.adapters.count)
    }

    @Test func kohyaComesBack() throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appendingPathComponent("bert.safetensors")
        try AdapterExport.writeKohya(vector, layout: layout, metadata: [:], to: url)
        let file = try LoRAFile(url)
        #expect(file.isFlat && file.layers.count == layout.adapters.count)
        #expect(try vector(of: file) == vector.array)
        // It becomes part of a model as the adapter itself does.
        let unet = UNet2DConditionModel(base.unetConfiguration)
        #expect(try LoRALayout(of: file, unet: unet) == layout)
    }

    @Test func vectorsComeBack() throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appendingPathComponent("bert.safetensors")
        try AdapterExport.writeVector(vector, layout: layout, metadata: ["w2w:prompt": "sks person"], to: url)
        let plan = try SpaceImport([url], base: base, alpha: 27)
        #expect(plan.count == 1)
        #expect(try plan.vectors(0..<1).array == vector.array)
        #expect(try StateDictionary(safetensors: url).metadata["w2w:layout"] == layout.digest)
    }
}
