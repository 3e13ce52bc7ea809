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
