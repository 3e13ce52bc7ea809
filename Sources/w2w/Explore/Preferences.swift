import Explorer
import Foundation

/// What is remembered from one start of the explorer to the next; a file that is missing or damaged counts as empty.
struct Preferences: Codable, Equatable {
    var welcomeSeen = false
    var theme: String?

    init() {}

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        welcomeSeen = try container.decodeIfPresent(Bool.self, forKey: .welcomeSeen) ?? false
        theme = try container.decodeIfPresent(String.self, forKey: .theme)
    }

    static func load(from path: String) -> Preferences {
        guard let data = FileManager.default.contents(atPath: path) else { return Preferences() }
        return (try? JSONDecoder().decode(Preferences.self, from: data)) ?? Preferences()
    }

    mutating func apply(_ preference: Preference) {
        switch preference {
        case .welcomeSeen: welcomeSeen = true
        case .theme(let name): theme = name
        }
    }

    /// Writes the file whole; a folder that cannot be written is no reason to disturb anybody.
    func save(to path: String) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        do {
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try encoder.encode(self).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            LogFile.note("preferences were not kept: \(path): \(error)")
        }
    }
}
