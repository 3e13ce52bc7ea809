import Checkpoints
import Foundation
import ImageCore
import TensorKit
import Testing

@testable import WeightSpace

/// InceptionResnetV1 against facenet-pytorch's class (`Fixtures/facenet.py`), with the same 23 million random weights.
struct FaceNetTests {
    /// Names and shapes in the order of the class's state dictionary.
    private static let layout: [(name: String, shape: [Int])] = {
        var list: [(name: String, shape: [Int])] = []
        func norm(_ name: String, _ channels: Int) {
            for number in ["weight", "bias", "running_mean", "running_var"] { list.append(("\(name).\(number)", [channels])) }
        }
        func basic(_ name: String, _ inputs: Int, _ outputs: Int, _ height: Int = 1, _ width: Int = 1) {
            list.append(("\(name).conv.weight", [outputs, inputs, height, width]))
            norm("\(name).bn", outputs)
        }
        func plain(_ name: String, _ inputs: Int, _ outputs: Int) {
            list += [("\(name).weight", [outputs, inputs, 1, 1]), ("\(name).bias", [outputs])]
        }
        basic("conv2d_1a", 3, 32, 3, 3)
        basic("conv2d_2a", 32, 32, 3, 3)
        basic("conv2d_2b", 32, 64, 3, 3)
        basic("conv2d_3b", 64, 80)
        basic("conv2d_4a", 80, 192, 3, 3)
        basic("conv2d_4b", 192, 256, 3, 3)
        for i in 0..<5 {
            basic("repeat_1.\(i).branch0", 256, 32)
            basic("repeat_1.\(i).branch1.0", 256, 32)
            basic("repeat_1.\(i).branch1.1", 32, 32, 3, 3)
            basic("repeat_1.\(i).branch2.0", 256, 32)
            basic("repeat_1.\(i).branch2.1", 32, 32, 3, 3)
            basic("repeat_1.\(i).branch2.2", 32, 32, 3, 3)
            plain("repeat_1.\(i).conv2d", 96, 256)
        }
        basic("mixed_6a.branch0", 256, 384, 3, 3)
        basic("mixed_6a.branch1.0", 256, 192)
        basic("mixed_6a.branch1.1", 192, 192, 3, 3)
        basic("mixed_6a.branch1.2", 192, 256, 3, 3)
        for i in 0..<10 {
            basic("repeat_2.\(i).branch0", 896, 128)
            basic("repeat_2.\(i).branch1.0", 896, 128)
            basic("repeat_2.\(i).branch1.1", 128, 128, 1, 7)
            basic("repeat_2.\(i).branch1.2", 128, 128, 7, 1)
            plain("repeat_2.\(i).conv2d", 256, 896)
        }
        basic("mixed_7a.branch0.0", 896, 256)
        basic("mixed_7a.branch0.1", 256, 384, 3, 3)
        basic("mixed_7a.branch1.0", 896, 256)
        basic("mixed_7a.branch1.1", 256, 256, 3, 3)
        basic("mixed_7a.branch2.0", 896, 256)
        basic("mixed_7a.branch2.1", 256, 256, 3, 3)
        basic("mixed_7a.branch2.2", 256, 256, 3, 3)
        for name in (0..<5).map({ "repeat_3.\($0)" }) + ["block8"] {
            basic("\(name).branch0", 1792, 192)
            basic("\(name).branch1.0", 1792, 192)
            basic("\(name).branch1.1", 192, 192, 1, 3)
            basic("\(name).branch1.2", 192, 192, 3, 1)
            plain("\(name).conv2d", 384, 1792)
        }
        list.append(("last_linear.weight", [512, 1792]))
        norm("last_bn", 512)
        return list
    }()

    /// The numbers that `facenet.py` draws.
    private static func weights() -> [StoredTensor] {
        let random = TorchRandomSource(seed: 7)
        return layout.map { name, shape in
            let count = shape.reduce(1, *)
            var values = random.normal(count)
            let inputs = Double(shape.dropFirst().reduce(1, *))
            let scale = Float((2 / inputs).squareRoot())
            for i in 0..<count {
                values[i] =
                    if shape.count > 1 {
                        values[i] * scale
                    } else if name.hasSuffix("running_var") {
                        Float(exp(0.2 * Double(values[i])))
                    } else if name.hasSuffix("weight") {
                        1 + 0.1 * values[i]
                    } else {
                        0.1 * values[i]
                    }
            }
            return StoredTensor(name, Tensor(shape, values), as: .float32)
        }
    }

    private static func picture(_ value: (_ row: Int, _ column: Int, _ channel: Int) -> Int) -> RGBImage {
        var pixels = [UInt8]()
        for row in 0..<160 {
            for column in 0..<160 {
                for channel in 0..<3 { pixels.append(UInt8(value(row, column, channel) % 256)) }
            }
        }
        return RGBImage(width: 160, height: 160, pixels: pixels)
    }

    private static var counter: StoredTensor { StoredTensor("conv2d_1a.bn.num_batches_tracked", Tensor([1], [3]), as: .float32) }

    @Test func embeddingsAreThoseOfFacenetPytorch() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("facenet.safetensors")
        let logits = StoredTensor("logits.weight", Tensor(zeros: [3, 512]), as: .float32)
        try SafetensorsWriter.write(Self.weights() + [logits, Self.counter], to: file)
        let embedder = try FaceEmbedders.open(file)
        #expect(embedder.embeddingDimension == 512 && embedder.imageSize == 160)
        let pictures = [
            Self.picture { $0 * 3 + $1 * 5 + $2 * 40 }, Self.picture { $0 * $1 / 16 + $2 * 90 },
            Self.picture { $0 * 3 + $1 * 5 + $2 * 40 },
        ]
        let points = embedder.embeddings(of: pictures)
        let expected = try StateDictionary(safetensors: fixture("facenet.safetensors")).entry("points").tensor()
        expectClose(points.rows(0..<2), expected, tolerance: 1e-5, "embeddings")
        // A picture's numbers do not depend on its neighbours.
        #expect(points.rows(0..<1).array == points.rows(2..<3).array)
        #expect(points.rows(0..<1).array == embedder.embedding(of: pictures[0]))
    }

    @Test func everyKeyThatDoesNotFitIsNamed() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("partial.safetensors")
        try SafetensorsWriter.write(
            [
                StoredTensor("conv2d_1a.conv.weight", Tensor(zeros: [32, 3, 5, 5]), as: .float32),
                StoredTensor("extra", Tensor(zeros: [2]), as: .float32), Self.counter,
            ], to: file)
        do {
            _ = try FaceEmbedders.open(file)
            Issue.record("opened")
        } catch let error as StateDictionaryMismatch {
            #expect(error.wrongShape == [.init(key: "conv2d_1a.conv.weight", expected: [32, 3, 3, 3], found: [32, 3, 5, 5])])
            #expect(error.unexpected == [.init(key: "extra", shape: [2])])
            #expect(Set(error.missing.map(\.key)) == Set(Self.layout.dropFirst().map(\.name)))
        }
    }

    @Test func anotherNetworkAndNumbersThatCannotBeAreRefused() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("other.safetensors")
        try SafetensorsWriter.write([StoredTensor("weights", Tensor(zeros: [2, 2]), as: .float32)], to: file)
        #expect { try FaceEmbedders.open(file) } throws: { "\($0)".contains("holds no face embedder") }
        let plain = Self.layout.map { name, shape -> StoredTensor in
            let value: Float = name == "block8.branch0.bn.running_var" ? -1 : 0
            return StoredTensor(name, Tensor(shape, [Float](repeating: value, count: shape.reduce(1, *))), as: .float32)
        }
        try SafetensorsWriter.write(plain, to: file)
        #expect { try FaceEmbedders.open(file) } throws: { "\($0)".contains("\"block8.branch0.bn.running_var\" holds numbers") }
        let endless = Self.layout.map { name, shape -> StoredTensor in
            let value: Float = name == "conv2d_4a.conv.weight" ? .infinity : 0
            return StoredTensor(name, Tensor(shape, [Float](repeating: value, count: shape.reduce(1, *))), as: .float32)
        }
        try SafetensorsWriter.write(endless, to: file)
        #expect { try FaceEmbedders.open(file) } throws: { "\($0)".contains("\"conv2d_4a.conv.weight\" holds numbers") }
    }
}
