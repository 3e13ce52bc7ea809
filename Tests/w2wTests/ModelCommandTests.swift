import Foundation
import Testing

/// `render` with a model that is no space.
@Suite(.takesTurns) struct ModelCommandTests {
    private func smallModel(in home: ExplorerProgram.Home) throws -> URL {
        let model = URL(fileURLWithPath: home.path).appendingPathComponent("model")
        let small = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../StableDiffusionTests/Fixtures/small").standardizedFileURL
        try FileManager.default.copyItem(at: small, to: model)
        return model
    }

    /// They measured nothing, or waited in vain for a slider.
    @Test(arguments: [
        ("train", "200 LoRA vectors"), ("keys", "axes to move along"), ("shortcuts", "coordinates and eight people"),
    ])
    func benchmarksThatNeedASpaceSaySo(name: String, need: String) async throws {
        let home = try ExplorerProgram.Home()
        let model = try smallModel(in: home)
        let run = try await ProgramRun(
            ["bench", name, "--repeats", "1", "--space", model.path], home: home, in: URL(fileURLWithPath: home.path))
        #expect(run.status == 1 && run.output.isEmpty)
        #expect(
            run.errorLines == [
                "w2w bench: \(name) needs a space with \(need); \(model.path) has none.",
                "Choose another space with --space, or leave the benchmark out.",
            ])
    }

    /// A safetensors file of zeros.
    private func write(_ tensors: [(name: String, type: String, shape: [Int])], to url: URL) throws {
        var (members, end) = ([String](), 0)
        for (name, type, shape) in tensors {
            let start = end
            end += shape.reduce(type == "I64" ? 8 : 4, *)
            members.append(#""\#(name)":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":[\#(start),\#(end)]}"#)
        }
        let header = "{" + members.joined(separator: ",") + "}"
        var data = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
        data.append(contentsOf: header.utf8)
        data.append(Data(count: end))
        try data.write(to: url)
    }

    /// They trapped.
    @Test(
        arguments: [
            ("unet", [("states", [1, 3, 19])], "\"states\" should have shape [1, T, 20], found [1, 3, 19]"),
            ("unet", [("sample", [1, 5, 8, 8])], "\"sample\" should have shape [N, 4, H, W], found [1, 5, 8, 8]"),
            ("unet", [("sample", [4, 8, 8])], "\"sample\" should have shape [N, 4, H, W], found [4, 8, 8]"),
            ("unet", [("sample", [1, 4, 0, 8])], "\"sample\" should have shape [N, 4, H, W], found [1, 4, 0, 8]"),
            ("unet", [("timesteps", [2])], "\"timesteps\" should have shape [1], found [2]"),
            ("unet", [("vectors", [1, 3])], "\"vectors\" should have shape [1, "),
            ("text", [("tokens", [1, 12])], "\"tokens\": should be rows of at most 11 ids below 40"),
            ("text", [("tokens", [7])], "\"tokens\" should have shape [N, T], found [7]"),
            ("decode", [("latents", [1, 3, 8, 8])], "\"latents\" should have shape [N, 4, H, W], found [1, 3, 8, 8]"),
            ("encode", [("pictures", [1, 3, 3, 9])], "\"pictures\" should have shape [N, 3, H, W], H and W at least 4"),
        ] as [(String, [(String, [Int])], String)])
    func numbersOfAnotherShapeAreNamed(part: String, changed: [(String, [Int])], expected: String) async throws {
        let home = try ExplorerProgram.Home()
        let model = try smallModel(in: home)
        let folder = URL(fileURLWithPath: home.path)
        var shapes = ["sample": [1, 4, 8, 8], "states": [1, 3, 20], "timesteps": [1]]
        for (name, shape) in changed { shapes[name] = shape }
        try write(
            shapes.sorted { $0.key < $1.key }.map { ($0.key, $0.key == "tokens" ? "I64" : "F32", $0.value) },
            to: folder.appendingPathComponent("in.safetensors"))
        let run = try await ProgramRun(
            ["compute", part, "--space", model.path, "--in", "in.safetensors", "--out", "out.safetensors"], home: home, in: folder
        )
        #expect(run.status == 1)
        #expect(run.errorLines.count == 1 && run.error.contains("in.safetensors: tensor " + expected), "\(run.error)")
        #expect(!FileManager.default.fileExists(atPath: folder.appendingPathComponent("out.safetensors").path))
    }

    @Test func nobodyIsInAModelAlone() async throws {
        let home = try ExplorerProgram.Home()
        let model = try smallModel(in: home)
        let run = try await ProgramRun(
            ["render", "--identity", "anna", "--space", model.path, "--out", "a.png"], home: home,
            in: URL(fileURLWithPath: home.path))
        #expect(run.status == 1)
        #expect(run.errorLines.last == "It has no identities; draw the model itself with `w2w render --base`.")
    }

    @Test func aSamplerThatIsNotToBeHadIsNamedUnlessAnotherIsChosen() async throws {
        let home = try ExplorerProgram.Home()
        let model = try smallModel(in: home)
        let settings = model.appendingPathComponent("scheduler/scheduler_config.json")
        let text = try String(contentsOf: settings, encoding: .utf8)
        try Data(text.replacingOccurrences(of: "DDIMScheduler", with: "UniPCMultistepScheduler").utf8).write(to: settings)
        func draw(_ options: String...) async throws -> ProgramRun {
            let arguments = ["render", "--base", "--space", model.path, "--steps", "1", "--out", "a.png"] + options
            return try await ProgramRun(arguments, home: home, in: URL(fileURLWithPath: home.path))
        }
        let run = try await draw()
        #expect(run.status == 0)
        #expect(
            run.errorLines == [
                "w2w render: the model asks for UniPCMultistepScheduler, which w2w does not have; dpmpp-2m draws "
                    + "(--scheduler takes another)"
            ])
        let chosen = try await draw("--scheduler", "euler")
        #expect(chosen.status == 0 && chosen.error.isEmpty, "\(chosen.error)")
    }
}
