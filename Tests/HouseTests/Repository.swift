import Foundation

/// The files of this package as they lie on disk.
enum Repository {
    /// The folder that holds `Package.swift`.
    static let root: String = {
        var path = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { path.deleteLastPathComponent() }
        return path.path
    }()

    /// Names in a folder, sorted.
    static func names(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(root)/\(folder)").sorted()
    }

    /// All files below a folder, relative to the root, sorted.
    static func files(below folder: String, ending: String = "") throws -> [String] {
        guard let walk = FileManager.default.enumerator(atPath: "\(root)/\(folder)") else { return [] }
        var found: [String] = []
        for case let path as String in walk where path.hasSuffix(ending) {
            var isFolder: ObjCBool = false
            let exists = FileManager.default.fileExists(atPath: "\(root)/\(folder)/\(path)", isDirectory: &isFolder)
            if exists, !isFolder.boolValue { found.append("\(folder)/\(path)") }
        }
        return found.sorted()
    }

    /// The text of a file; nil for one that is not text.
    static func text(_ file: String) throws -> String? {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(root)/\(file)"))
        return data.prefix(8192).contains(0) ? nil : String(data: data, encoding: .utf8)
    }
}
