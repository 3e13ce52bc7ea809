import Explorer
import Foundation
import Library

/// Finds themes: the user's own first, then those beside the executable and in the package, then the ones that are compiled in.
struct ThemeShelf {
    /// Folders that may hold `NAME.toml`, the most personal first.
    private let folders: [String]

    /// - Parameters:
    ///   - directories: the user's folders.
    ///   - executable: the program's own path, to find the themes that come with it.
    init(directories: Directories, executable: String? = Bundle.main.executablePath) {
        var folders = [directories.themes]
        if let executable {
            let resolved = URL(fileURLWithPath: executable).resolvingSymlinksInPath()
            var folder = resolved.deletingLastPathComponent()
            folders.append(folder.appendingPathComponent("themes").path)
            // A build folder lies inside the package.
            for _ in 0..<5 {
                folder.deleteLastPathComponent()
                if FileManager.default.fileExists(atPath: folder.appendingPathComponent("Package.swift").path) {
                    folders.append(folder.appendingPathComponent("themes").path)
                    break
                }
            }
        }
        self.folders = folders
    }

    /// All themes, the one to begin with first.
    /// - Parameters:
    ///   - wanted: a name or the path of a TOML file, from the command line.
    ///   - remembered: what was chosen last time.
    /// - Returns: the themes, and one sentence on what could not be read, if anything.
    /// - Throws: `CommandFailure` when `wanted` does not exist.
    func themes(wanted: String?, remembered: String?) throws -> (themes: [Theme], complaint: String?) {
        var complaint: String?
        var found: [Theme] = []
        for path in files {
            guard let (theme, problem) = read(path, known: Theme.builtIn) else { continue }
            complaint = complaint ?? problem
            if !found.contains(where: { $0.name == theme.name }) { found.append(theme) }
        }
        for theme in Theme.builtIn where !found.contains(where: { $0.name == theme.name }) { found.append(theme) }
        found.sort { $0.name < $1.name }

        var first = remembered ?? Theme.dusk.name
        if let wanted {
            if wanted.hasSuffix(".toml") {
                guard let (theme, problem) = read((wanted as NSString).expandingTildeInPath, known: found) else {
                    throw CommandFailure("the theme \(wanted) cannot be read.", advice: "Check the path.", status: .wrongUsage)
                }
                complaint = problem
                found.removeAll { $0.name == theme.name }
                found.append(theme)
                first = theme.name
            } else if found.contains(where: { $0.name == wanted }) {
                first = wanted
            } else {
                throw CommandFailure(
                    "there is no theme '\(wanted)'.",
                    advice: "There are: \(found.map(\.name).joined(separator: ", ")); a path that ends in .toml works too.",
                    status: .wrongUsage)
            }
        }
        let begin = found.firstIndex { $0.name == first } ?? found.firstIndex { $0.name == Theme.dusk.name } ?? 0
        found.insert(found.remove(at: begin), at: 0)
        return (found, complaint)
    }

    private var files: [String] {
        folders.flatMap { folder -> [String] in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return names.filter { $0.hasSuffix(".toml") }.sorted().map { "\(folder)/\($0)" }
        }
    }

    private func read(_ path: String, known: [Theme]) -> (Theme, String?)? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        let name = ((path as NSString).lastPathComponent as NSString).deletingPathExtension
        let result = Theme.parse(String(decoding: data, as: UTF8.self), file: path, name: name, known: known)
        return (result.theme, result.problems.first?.description)
    }
}
