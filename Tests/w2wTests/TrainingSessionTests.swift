import BuiltPrograms
import Foundation
import PseudoTerminal
import Testing

/// `w2w train` on a terminal, as a person runs it and loses patience.
@Suite struct TrainingSessionTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("w2w-train-\(UUID().uuidString)")
    private let vectors = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Sources/WeightSpace/Resources/BuiltInSpace").standardizedFileURL.path

    private func session(resuming: Bool) throws -> Session {
        try Session(
            program: BuiltPrograms.path(of: "w2w"),
            arguments: [
                "train", vectors, "--out", folder.path, "--hidden", "32", "--latent", "8", "--steps", "2500", "--base", "refer",
            ] + (resuming ? ["--resume"] : []))
    }

    @Test func controlCKeepsACheckpointAndTheRunGoesOn() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        func files() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }
        @Sendable func stepsShown(_ model: TerminalModel) -> Int? {
            let words = model.text.split(whereSeparator: \.isWhitespace)
            guard let of = words.lastIndex(of: "of"), of > 0, of + 1 < words.count, words[of + 1] == "2500" else { return nil }
            return Int(words[of - 1])
        }

        let first = try session(resuming: false)
        defer { first.end() }
        try await first.waitUntil("some steps, and an estimate") { (stepsShown($0) ?? 0) > 200 && $0.text.contains(" left") }
        first.send(.control("c"))
        #expect(try await first.waitForExit() == .exited(130))
        #expect(first.settingsAreRestored)
        let kept = try files()
        #expect(kept.contains { $0.contains("checkpoint") }, "\(kept)")
        #expect(!kept.contains("space.json"), "half a space is none")

        let second = try session(resuming: true)
        defer { second.end() }
        try await second.waitUntil("the run going on from its checkpoint") { (stepsShown($0) ?? 0) > 0 }
        #expect(try #require(stepsShown(second.model)) >= 200)
        #expect(try await second.waitForExit() == .exited(0))
        #expect(second.screenText.contains("reconstruction R2"))
        let whole = try files()
        #expect(whole.contains("space.json") && whole.contains("vae.safetensors"), "\(whole)")
        #expect(!whole.contains { $0.contains("checkpoint") }, "\(whole)")
    }
}
