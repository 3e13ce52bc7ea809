import Checkpoints
import EngineAPI
import Foundation
import ImageCore
import Testing

@testable import w2w

/// Weight codes in files and in pictures.
@Suite(.takesTurns) struct CodeFileTests {
    static func description(fingerprint: String = "aaaaaaaa1", axes: Int = 2) -> SpaceDescription {
        SpaceDescription(
            name: "here", path: "/", fingerprint: fingerprint, vectorLength: 4, decoder: "vanilla VAE",
            axes: (0..<axes).map {
                AxisDescription(index: $0, kl: 1, variance: 1, effect: 1, isActive: true, mean: 0, deviation: 1)
            },
            identities: IdentityTable(
                names: ["p00001", "p00002"], attributeNames: [], attributes: [], codes: [Float](repeating: 0.5, count: 2 * axes),
                latentDimension: axes),
            defaults: GenerationSettings(
                prompt: "p", seed: 1, steps: 1, guidance: 1, scheduler: .ddim, width: 32, height: 32))
    }

    static func file(_ code: [Float]) -> CodeFile {
        CodeFile(name: "n", space: "here", spaceFingerprint: "aaaaaaaa1", origin: "sample 1", code: code)
    }

    final class Folder {
        let path = NSTemporaryDirectory() + "w2w-code-\(UUID().uuidString)"
        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    @Test func aCodeComesBackToTheBit() throws {
        let folder = try Folder()
        let code: [Float] = [0.1, -1.2345678e-7]
        try WholeFile.write(Self.file(code).encoded(), to: folder.path + "/a.z")
        let read = try CodeFile.read(folder.path + "/a.z")
        #expect(try read.weightCode(in: Self.description(), path: "a.z").values == code)
    }

    @Test func aPictureCarriesItsCode() throws {
        let folder = try Folder()
        let description = Self.description()
        let request = RenderRequest(subject: .code(WeightCode([1.5, -2])), settings: description.defaults)
        let image = RGBImage(width: 8, height: 8)
        try image.writePNG(
            to: folder.path + "/a.png", text: PictureMetadata.texts(for: request, in: description, name: "someone"))
        let read = try CodeFile.read(folder.path + "/a.png")
        #expect(read.name == "someone")
        #expect(read.code == [1.5, -2])
        try image.writePNG(to: folder.path + "/b.png")
        #expect(throws: CommandFailure.self) { try CodeFile.read(folder.path + "/b.png") }
        let whole = try WholeFile.read(folder.path + "/a.png", limit: 1 << 20)
        try WholeFile.write(Array(whole.prefix(30)), to: folder.path + "/c.png")
        let error = #expect(throws: CommandFailure.self) { try CodeFile.read(folder.path + "/c.png") }
        #expect(
            error?.message.hasPrefix(folder.path + "/c.png: ") == true && error?.advice.isEmpty == false,
            "\(String(describing: error))")
    }

    @Test func aCodeOfAnotherSpaceIsRefused() throws {
        let file = Self.file([1, 2])
        #expect(throws: CommandFailure.self) { try file.weightCode(in: Self.description(axes: 3), path: "a.z") }
        do {
            _ = try file.weightCode(in: Self.description(fingerprint: "bbbbbbbb2"), path: "a.z")
            Issue.record("accepted")
        } catch let failure as CommandFailure {
            #expect(failure.message.contains("a.z: made with the space 'here' (aaaaaaaa)"))
            #expect(failure.advice.contains("--space"))
        }
    }

    @Test(arguments: [
        ("", "it is not JSON"), ("{", "it is not JSON"), ("{}", "'format' is missing"),
        (#"{"format":1,"name":"n","space":"s","space_fingerprint":"f","origin":"o"}"#, "'code' is missing"),
        (#"{"format":1,"name":"n","space":"s","space_fingerprint":"f","origin":"o","code":"x"}"#, "'code' has another type"),
        (#"{"format":9,"name":"n","space":"s","space_fingerprint":"f","origin":"o","code":[1]}"#, "format 9"),
    ])
    func aDamagedFileIsNamed(contents: String, expected: String) throws {
        let folder = try Folder()
        let path = folder.path + "/bad.z"
        try WholeFile.write(Array(contents.utf8), to: path)
        do {
            _ = try CodeFile.read(path)
            Issue.record("accepted")
        } catch let failure as CommandFailure {
            #expect(failure.message.hasPrefix(path))
            #expect(failure.message.contains(expected), "\(failure.message)")
        }
    }

    @Test func peopleAreFoundByNameOrFile() throws {
        let description = Self.description()
        let found = try ResumePoint("p00002", in: description)
        #expect(try found.code(in: description).values == [0.5, 0.5])
        #expect(found.lineage == ["p00002"] && found.settings(in: description) == description.defaults)
        let stranger = #expect(throws: CommandFailure.self) { try ResumePoint("p0003", in: description) }
        #expect(stranger?.message.contains("no identity 'p0003'") == true && stranger?.advice.contains("p00001") == true)
        let file = #expect(throws: CommandFailure.self) { try ResumePoint("people/001.z", in: description) }
        #expect(file?.message == "there is no file 'people/001.z'.")
        let bare = Self.description(axes: 0)
        let codeless = #expect(throws: CommandFailure.self) { try ResumePoint("p00001", in: bare).code(in: bare) }
        #expect(codeless?.message.contains("neither a weight VAE nor a PCA") == true)
    }
}

/// Pictures and adapters carry their code, and what goes on from them knows how they were drawn.
@Suite(.takesTurns) struct ResumeTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "w2w-resume-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    private var description: SpaceDescription {
        let settings = GenerationSettings(
            prompt: "a person", seed: 3, steps: 4, guidance: 1, scheduler: .ddim, width: 64, height: 64)
        let axes = (0..<2).map {
            AxisDescription(index: $0, kl: 1, variance: 1, effect: 1, isActive: true, mean: 0, deviation: 1)
        }
        return SpaceDescription(
            name: "here", path: "/here", fingerprint: "aaaaaaaa1", vectorLength: 10, decoder: "vanilla VAE", axes: axes,
            identities: IdentityTable(
                names: ["anna"], attributeNames: [], attributes: [], codes: [0.25, -0.5], latentDimension: 2), defaults: settings)
    }

    @Test func picturesOfNamesAndCodes() throws {
        let image = RGBImage(width: 2, height: 2, pixels: [UInt8](repeating: 9, count: 12))
        var settings = description.defaults
        settings.seed = 77
        settings.prompt = "somebody else"
        for subject in [Subject.identity("anna"), .code(WeightCode([1, 2]))] {
            let request = RenderRequest(subject: subject, settings: settings)
            let path = folder + "/\(UUID().uuidString).png"
            try image.writePNG(
                to: path, text: PictureMetadata.texts(for: request, in: description, name: "x", lineage: ["anna", "male +1"]))
            let point = try ResumePoint(file: path, in: description)
            #expect(point.subject == subject && point.file?.settings == settings)
            #expect(point.file?.lineage == ["anna", "male +1"] && point.file?.origin == "anna; male +1")
            #expect(point.lineage == ["anna", "male +1"] && point.settings(in: description) == settings)
            #expect(try point.code(in: description).values == (subject == .identity("anna") ? [0.25, -0.5] : [1, 2]))
        }
    }

    @Test func adaptersCarryTheSame() throws {
        let record = try ResumePoint("anna", in: description).record(in: description)
        #expect(record.code == [0.25, -0.5] && record.settings == description.defaults)
        let url = URL(fileURLWithPath: folder + "/adapter_model.safetensors")
        try SafetensorsWriter.write(
            [StoredTensor("x", integers: [1], shape: [1])],
            metadata: PictureMetadata.fileTexts(for: record, subject: .identity("anna")), to: url)
        for path in [url.path, folder] {
            let point = try ResumePoint(file: path, in: description)
            #expect(point.subject == .identity("anna") && point.file == record)
        }
        try SafetensorsWriter.write([StoredTensor("x", integers: [1], shape: [1])], to: url)
        #expect(throws: CommandFailure.self) { try ResumePoint(file: url.path, in: description) }
        #expect(throws: CommandFailure.self) { try ResumePoint("nobody", in: description) }
    }
}
