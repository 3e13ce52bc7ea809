import BuiltPrograms
import Foundation
import PseudoTerminal
import Testing

/// `w2w train` on a terminal, as a person runs it and loses patience.
@Suite struct TrainingSessionTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("w2w-train-\(UUID().uuidString)")
    private let vectors = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Sources/WeightSpace/Resources/BuiltInSpace").standardizedFileURL.path

    /// More steps than anybody waits for.
    private static let steps = 200_000

    private func session(resuming: Bool) throws -> Session {
        try Session(
            program: BuiltPrograms.path(of: "w2w"),
            arguments: [
                "train", vectors, "--out", folder.path, "--hidden", "32", "--latent", "8", "--steps", "\(Self.steps)", "--base",
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
        try await session.waitUntil("pictures are drawn") { $0.text.contains("drawing  ") && !$0.text.contains("drawing  0 ") }
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
}
