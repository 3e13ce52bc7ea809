import BuiltPrograms
import Foundation
import PseudoTerminal
import Testing

/// `w2w train` on a terminal, as a person runs it and loses patience.
@Suite(.takesTurns) struct TrainingSessionTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("w2w-train-\(UUID().uuidString)")
    private let vectors = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Sources/WeightSpace/Resources/BuiltInSpace").standardizedFileURL.path

    /// More steps than anybody waits for.
    private static let steps = 200_000

    private func session(resuming: Bool) throws -> Session {
        try Session(
            program: BuiltPrograms.path(of: "w2w"),
            arguments: [
                "train", vectors, "--out", folder.path, "--hidden", "32", "--latent", "8", "--steps", "\(Self.steps)",
                "--placement",
                "refer",
            ] + (resuming ? ["--resume"] : []))
    }

    /// The measures of the weights come first and stay, whoever interrupts the drawing.
    @Test func controlCKeepsWhatWasMeasured() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let session = try Session(
            program: BuiltPrograms.path(of: "w2w"),
            arguments: ["evaluate", "--people", "400", "--seeds", "8", "--out", folder.path])
        defer { session.end() }
        // The measures of all people come first, which may take a while.
        try await session.waitUntil("pictures are drawn", timeout: .seconds(600)) {
            $0.text.contains("drawing  ") && !$0.text.contains("drawing  0 ")
        }
        session.send(.control("c"))
        #expect(try await session.waitForExit() == .exited(130))
        #expect(session.settingsAreRestored)
        let data = try Data(contentsOf: folder.appendingPathComponent("report.json"))
        let report = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let reconstruction = try #require(report["reconstruction"] as? [String: Any])
        #expect(((reconstruction["vae"] as? [String: Any])?["r2"] as? Double ?? 0) > 0.5)
        #expect((report["axes"] as? [String: Any])?["total"] as? Int == 64)
        #expect((report["remarks"] as? [String])?.contains { $0.hasPrefix("Stopped after ") } == true)
        #expect(FileManager.default.fileExists(atPath: folder.appendingPathComponent("report.md").path))
    }

    @Test func controlCStopsTheFitOfAPreviewAndKeepsNothing() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let home = try ExplorerProgram.Home()
        // The built-in space with pictures so large that nobody waits for them.
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for name in try FileManager.default.contentsOfDirectory(atPath: vectors) where name != "space.json" {
            try FileManager.default.createSymbolicLink(
                at: folder.appendingPathComponent(name), withDestinationURL: URL(fileURLWithPath: vectors + "/" + name))
        }
        let manifest = try String(contentsOfFile: vectors + "/space.json", encoding: .utf8)
        let large = manifest.replacingOccurrences(of: ": 128", with: ": 512")
        #expect(large != manifest)
        try Data(large.utf8).write(to: folder.appendingPathComponent("space.json"))
        let session = try Session(
            program: BuiltPrograms.path(of: "w2w"),
            arguments: ["fit-preview", "--space", folder.path, "--pictures", "64", "--cache"], environment: home.environment)
        defer { session.end() }
        try await session.waitForText("drawing  ")
        session.send(.control("c"))
        #expect(try await session.waitForExit() == .exited(130))
        #expect(session.settingsAreRestored)
        #expect(session.screenText.contains("w2w fit-preview: stopped"))
        let kept = FileManager.default.enumerator(atPath: home.path)?.contains { "\($0)".contains("latent-previews/") }
        #expect(kept == false)
    }

    @Test func controlCKeepsACheckpointAndTheRunGoesOn() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        @Sendable func stepsShown(_ model: TerminalModel) -> Int? {
            let words = model.text.split(whereSeparator: \.isWhitespace)
            guard let of = words.lastIndex(of: "of"), of > 0, of + 1 < words.count, words[of + 1] == "\(Self.steps)" else {
                return nil
            }
            return Int(words[of - 1])
        }
        var last = 0
        for resuming in [false, true] {
            let begun = last
            let session = try session(resuming: resuming)
            defer { session.end() }
            try await session.waitUntil("steps after \(begun), and an estimate") {
                (stepsShown($0) ?? 0) > begun + 200 && $0.text.contains(" left")
            }
            last = try #require(stepsShown(session.model))
            session.send(.control("c"))
            #expect(try await session.waitForExit() == .exited(130))
            #expect(session.settingsAreRestored)
            let kept = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            #expect(kept.contains { $0.contains("checkpoint") }, "\(kept)")
            #expect(!kept.contains("space.json"), "half a space is none")
        }
    }

    /// As `kill` or a closed terminal end it.
    @Test(arguments: [SIGTERM, SIGHUP])
    func otherSignalsKeepACheckpointToo(number: Int32) async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let session = try session(resuming: false)
        defer { session.end() }
        try await session.waitForText("training  ")
        session.signal(number)
        #expect(try await session.waitForExit() == .exited(130))
        #expect(FileManager.default.fileExists(atPath: folder.appendingPathComponent("checkpoint.safetensors").path))
    }

    /// The run itself waits for such a terminal, as any program does; a signal ends the wait.
    @Test func aTerminalThatTakesNothingHoldsUpNoSignal() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let session = try session(resuming: false)
        defer { session.end() }
        try await session.waitForText("training  ")
        try session.choke()
        try await Task.sleep(for: .milliseconds(400))
        session.signal(SIGTERM)
        #expect(try await session.waitForExit(timeout: .seconds(20)) == .exited(130))
        #expect(FileManager.default.fileExists(atPath: folder.appendingPathComponent("checkpoint.safetensors").path))
    }
}

/// `w2w train` without a terminal, ended in ways that it cannot answer.
@Suite(.takesTurns) struct TrainingRunTests {
    private let home: ExplorerProgram.Home
    private let folder: URL
    private let vectors = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Sources/WeightSpace/Resources/BuiltInSpace").standardizedFileURL.path

    init() throws {
        home = try ExplorerProgram.Home()
        folder = URL(fileURLWithPath: home.path)
    }

    private func arguments(_ space: String, _ more: [String] = []) -> [String] {
        [
            "train", vectors, "--out", space, "--hidden", "32", "--latent", "8", "--steps", "300", "--placement", "refer",
            "--no-flow",
        ]
            + more
    }

    private func names(_ space: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent(space).path).sorted()
    }

    /// Nothing is left of the checkpoint that was being written, and the run goes on from the one before it as if nothing had been.
    @Test func aKilledRunLeavesNothingBehindAndGoesOn() async throws {
        // A shell kills it: this process may be too busy with other tests to come in time.
        let killing = """
            "$0" "$@" >killed.log 2>&1 & run=$!
            while [ ! -e killed/checkpoint.safetensors ]; do kill -0 $run 2>/dev/null || exit 3; sleep 0.01; done
            sleep 0.05
            kill -9 $run
            wait $run
            [ $? -eq 137 ]
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        // A checkpoint after every step: most of the time goes into writing one.
        process.arguments = ["-c", killing, BuiltPrograms.path(of: "w2w")] + arguments("killed", ["--checkpoint-every", "0"])
        process.currentDirectoryURL = folder
        process.environment = ProcessInfo.processInfo.environment.merging(home.environment, uniquingKeysWith: { $1 })
        process.standardError = FileHandle.nullDevice
        try process.run()
        while process.isRunning { try await Task.sleep(for: .milliseconds(5)) }
        #expect(process.terminationStatus == 0, "the run ended before it was killed")
        let left = try names("killed")
        let known: Set = ["checkpoint.safetensors", "training.csv", "training_axes.csv", "training.png"]
        #expect(Set(left).isSubset(of: known), "\(left)")
        let again = try await ProgramRun(arguments("killed", ["--resume"]), home: home, in: folder)
        #expect(again.status == 0, "\(again.error)")
        let whole = try await ProgramRun(arguments("whole"), home: home, in: folder)
        #expect(whole.status == 0, "\(whole.error)")
        for name in ["vae.safetensors", "codes.safetensors", "vae.json", "axes.json", "training.csv"] {
            let (one, other) = (folder.appendingPathComponent("killed/" + name), folder.appendingPathComponent("whole/" + name))
            #expect(try Data(contentsOf: one) == Data(contentsOf: other), "\(name)")
        }
        #expect(!(try names("killed")).contains("checkpoint.safetensors"))
    }

    @Test func aSpaceOfOtherVectorsIsRefusedBeforeTheRun() async throws {
        let other = folder.appendingPathComponent("other")
        try FileManager.default.createDirectory(at: other, withIntermediateDirectories: true)
        for name in try FileManager.default.contentsOfDirectory(atPath: vectors) where name != "identities.csv" {
            try FileManager.default.createSymbolicLink(
                at: other.appendingPathComponent(name), withDestinationURL: URL(fileURLWithPath: vectors + "/" + name))
        }
        try Data("identity\nsomebody\n".utf8).write(to: other.appendingPathComponent("identities.csv"))
        let before = try names("other")
        let run = try await ProgramRun(arguments("other"), home: home, in: folder)
        #expect(run.status == 1 && run.errorLines.count == 2, "\(run.error)")
        #expect(run.error.contains("is a space of other vectors"), "\(run.error)")
        #expect(try names("other") == before)
    }
}
