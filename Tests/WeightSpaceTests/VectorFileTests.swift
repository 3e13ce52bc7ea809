import Checkpoints
import Foundation
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
        try LoRAVectorFile.write(vector, layout: space.layout, metadata: ["w2w:name": "p00042"], to: url)
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
        #expect(try message([StoredTensor("a", vector), StoredTensor("b", vector)]).contains("2 tensors"))
        #expect(try message([StoredTensor("weights", Tensor(zeros: [3, 6272]))]).contains("holds 3 vectors"))
        #expect(try message([StoredTensor("weights", Tensor(zeros: [3, 6272]))], row: 3).contains("no row 3"))
        let damaged = vector.copy()
        damaged.pointer[5] = .nan
        #expect(try message([StoredTensor("weights", damaged)]).contains("not finite"))
        #expect(throws: SpaceError.self) { try space.encode(damaged, name: "x") }
        #expect(throws: SpaceError.self) { try space.encode(Tensor(zeros: [1, 7]), name: "x") }
    }
}
