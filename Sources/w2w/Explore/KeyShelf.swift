import Explorer
import Foundation

/// Finds the keys: those of the user's file over the standard ones.
enum KeyShelf {
    /// The keys to use.
    /// - Parameter path: of the user's `keys.toml`; it need not exist.
    /// - Returns: the table, and one sentence on what the file gets wrong, if anything; all of it goes to the log.
    static func keys(at path: String) -> (keys: KeyTable, complaint: String?) {
        guard FileManager.default.fileExists(atPath: path) else { return (.standard, nil) }
        guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8) else {
            return (.standard, "\(path) cannot be read as text; the standard keys are used")
        }
        let (keys, problems) = KeyTable.parse(text, file: path)
        for problem in problems { LogFile.note("\(problem)") }
        guard let first = problems.first else { return (keys, nil) }
        return (keys, problems.count == 1 ? "\(first)" : "\(first) (and \(problems.count - 1) more in the log)")
    }
}
