import Foundation
import Testing

@Suite struct TidinessTests {
    @Test func theTopLevelHoldsOnlyWhatBelongsThere() throws {
        let allowed: Set<String> = ["Package.swift", "README.md", "Sources", "Tests", "themes"]
        // Written by SwiftPM and ignored by git.
        let generated: Set<String> = ["Package.resolved"]
        let found = try Repository.names(in: "").filter { !$0.hasPrefix(".") && !generated.contains($0) }
        #expect(Set(found).isSubset(of: allowed), "\(Set(found).subtracting(allowed).sorted())")
    }

    @Test func onlyNumericalKernelsRunUnchecked() throws {
        let manifest = try #require(try Repository.text("Package.swift"))
        var unchecked: [String] = []
        for target in manifest.components(separatedBy: "arget(").dropFirst() {
            let name = try #require(
                target.components(separatedBy: "name: \"").dropFirst().first?.components(separatedBy: "\"").first)
            if target.contains("unchecked") { unchecked.append(name) }
        }
        #expect(Set(unchecked).isSubset(of: ["TensorKit", "Portraits"]), "\(unchecked)")
        #expect(unchecked.contains("TensorKit"))
        #expect(manifest.components(separatedBy: "-Ounchecked").count == 2, "the flag stands in one definition")
        #expect(manifest.contains("swiftLanguageModes: [.v6]"))
    }

    /// The project stands alone: nothing in it may need, or tell of, the machine it was made on.
    @Test func noFileNamesAPlaceOutside() throws {
        // Put together, so that this file does not name them either.
        let places = ["/wo" + "rk/", "../sha" + "red", "starter-" + "space", "/ro" + "ot/", "file:" + "//"]
        for file in try allFiles() {
            guard let text = try Repository.text(file) else { continue }
            for place in places { #expect(!text.contains(place), "\(file) names \(place)") }
        }
    }

    @Test func sourcesAreFinished() throws {
        let marks = ["TO" + "DO", "FIX" + "ME", "fatal" + "Error(", "try" + "!", "not implemented"]
        for file in try Repository.files(below: "Sources", ending: ".swift") {
            guard let text = try Repository.text(file) else { continue }
            // A precondition vanishes where code is unchecked: there, and only there, a programmer's error ends in fatalError.
            let allowed = file == "Sources/TensorKit/Checks.swift" ? [marks[2]] : []
            for mark in marks where !allowed.contains(mark) { #expect(!text.contains(mark), "\(file) has \(mark)") }
        }
    }

    @Test func scriptsCanBeRun() throws {
        for script in [".scripts/setup", ".scripts/w2w", ".scripts/test", ".ci/run"] {
            #expect(FileManager.default.isExecutableFile(atPath: "\(Repository.root)/\(script)"), "\(script)")
            let text = try #require(try Repository.text(script))
            #expect(text.hasPrefix("#!/usr/bin/env bash\n") && text.contains("\nset -euo pipefail\n"), "\(script)")
        }
    }

    @Test func linksOfThePagesLeadToFiles() throws {
        let pages = ["README.md"] + (try Repository.files(below: ".readme", ending: ".md"))
        #expect(pages.count > 1)
        for page in pages {
            let text = try #require(try Repository.text(page))
            let folder = URL(fileURLWithPath: "\(Repository.root)/\(page)").deletingLastPathComponent()
            for part in text.components(separatedBy: "](").dropFirst() {
                let link = part.prefix { $0 != ")" && $0 != "#" }
                if link.isEmpty || link.hasPrefix("http") { continue }
                let path = folder.appendingPathComponent(String(link)).path
                #expect(FileManager.default.fileExists(atPath: path), "\(page) links to \(link)")
            }
        }
    }

    private func allFiles() throws -> [String] {
        var files = ["Package.swift"]
        for folder in ["Sources", "Tests", "themes", ".scripts", ".ci", ".readme"] {
            files += try Repository.files(below: folder)
        }
        if FileManager.default.fileExists(atPath: "\(Repository.root)/README.md") { files.append("README.md") }
        return files
    }
}
