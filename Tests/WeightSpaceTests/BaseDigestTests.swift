import Checkpoints
import Foundation
import TensorKit
import Testing

@testable import WeightSpace

/// What tells base models apart that nobody has recorded sums of.
struct BaseDigestTests {
    private let place: TemporaryFolder
    private let model: URL

    init() throws {
        place = try TemporaryFolder()
        model = place.url.appendingPathComponent("model")
        try FileManager.default.createDirectory(at: model.appendingPathComponent("unet"), withIntermediateDirectories: true)
        try Data("{}".utf8).write(to: model.appendingPathComponent("unet/config.json"))
        try write(1)
    }

    /// Two tensors, the second far behind the first megabyte.
    private func write(_ value: Float) throws {
        let (first, second) = (Tensor([1 << 19], [Float](repeating: 1, count: 1 << 19)), Tensor(zeros: [300, 300]))
        for i in 0..<second.count { second.pointer[i] = value }
        try SafetensorsWriter.write(
            [StoredTensor("first", first), StoredTensor("second", second)],
            to: model.appendingPathComponent("unet/diffusion_pytorch_model.safetensors"))
    }

    private func digests() throws -> [String: String] { try BaseDigest.digests(model, prefix: "base") }

    @Test func equalModelsAreEqualAndEveryTensorCounts() throws {
        let before = try digests()
        #expect(before.keys.sorted() == ["base/unet/config.json", "base/unet/diffusion_pytorch_model.safetensors"])
        #expect(try digests() == before)
        try write(2)
        #expect(
            try digests()["base/unet/diffusion_pytorch_model.safetensors"]
                != before["base/unet/diffusion_pytorch_model.safetensors"])
        try write(1)
        #expect(try digests() == before)
    }

    @Test func aCheckpointInOneFileIsOneDigest() throws {
        let file = model.appendingPathComponent("unet/diffusion_pytorch_model.safetensors")
        let one = try BaseDigest.digests(file, prefix: "model")
        try write(3)
        let other = try BaseDigest.digests(file, prefix: "model")
        #expect(one.keys.sorted() == ["model"] && one != other)
    }

    @Test func configurationsCountAndSafetyCheckersDoNot() throws {
        let before = try digests()
        let checker = model.appendingPathComponent("safety_checker")
        try FileManager.default.createDirectory(at: checker, withIntermediateDirectories: true)
        try Data("{}".utf8).write(to: checker.appendingPathComponent("config.json"))
        #expect(try digests() == before)
        try Data("{\"a\":1}".utf8).write(to: model.appendingPathComponent("unet/config.json"))
        #expect(try digests() != before)
    }

    /// What cannot be read as tensors is told apart by its size and its ends.
    @Test func otherFilesHaveADigestToo() throws {
        let file = model.appendingPathComponent("unet/diffusion_pytorch_model.bin")
        var bytes = [UInt8](repeating: 7, count: 3 << 20)
        try Data(bytes).write(to: file)
        let before = try digests()
        bytes[bytes.count - 1] = 8
        try Data(bytes).write(to: file)
        #expect(try digests() != before)
    }
}
