import ArgumentParser
import Engine
import EngineAPI
import Foundation
import Library
import Terminal
import WeightSpace

/// `w2w probe`: what there is to work with.
struct ProbeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "Say what this terminal, this processor and its libraries can do.",
        discussion: """
            Put the answer into a report of a fault. Sixel pictures need a terminal that says so when it is asked; where the answer is wrong, \
            `w2w --graphics sixel` insists.

            Examples:
              w2w probe
              w2w probe --space ~/spaces/celeb
            """
    )

    @OptionGroup var space: SpaceOptions

    func run() throws {
        print(Self.section("terminal", terminalLines()))
        print(Self.section("computing", MachineReport.current.lines))
        print(Self.section("space", spaceLines()))
        let folders = Directories()
        print(
            Self.section(
                "folders",
                [
                    ("favourites", folders.library), ("settings", folders.configuration), ("cache", folders.cache),
                    ("log", folders.log),
                ]))
    }

    /// A heading and aligned facts.
    static func section(_ title: String, _ lines: [(name: String, value: String)]) -> String {
        let width = (lines.map(\.name.count).max() ?? 0) + 2
        let rows = lines.map { "  \($0.name)\(String(repeating: " ", count: width - $0.name.count))\($0.value)" }
        return ([title] + rows).joined(separator: "\n") + "\n"
    }

    private func terminalLines() -> [(name: String, value: String)] {
        do {
            let report = try TerminalReport.collect(environment: ProcessInfo.processInfo.environment)
            return report.lines.map { ($0.name, $0.value) } + report.advice.map { ("advice", $0) }
        } catch {
            return [("pictures", "this is no terminal: run `w2w probe` in one to see what it can show")]
        }
    }

    private func spaceLines() -> [(name: String, value: String)] {
        do {
            let opened = try OpenedSpace(space.source).space
            return [
                ("name", opened.manifest.name), ("folder", opened.folder.path), ("base model", opened.baseFolder.path),
                ("identities", "\(opened.identities.count), \(opened.weights == nil ? "without" : "with") their LoRA vectors"),
                ("LoRA vector", "\(opened.layout.vectorLength) numbers, rank \(opened.layout.rank)"),
                (
                    "weight VAE",
                    opened.vae == nil
                        ? "none: train one with `w2w train`"
                        : "\(opened.latentDimension) axes, \(opened.axes.count(where: \.isActive)) of them active"
                ),
                ("PCA", opened.pca.map { "\($0.latentDimension) components of \($0.rows) vectors" } ?? "none: run `w2w pca`"),
                ("fingerprint", try opened.fingerprint()),
            ]
        } catch {
            return [("error", "\(error)".replacingOccurrences(of: "\n", with: " "))]
        }
    }
}
