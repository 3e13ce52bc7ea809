import Foundation

/// Where this user's files belong (XDG Base Directory Specification).
struct UserFolders {
    /// Things that can be made again: thumbnails.
    var cache: String
    /// What a person would miss but not mourn: logs.
    var state: String
    /// Favourites and the session log.
    var data: String
    /// Themes and keys.
    var configuration: String

    /// - Parameter environment: `XDG_*_HOME` and `HOME`; relative paths are ignored, as the specification asks.
    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        let home = environment["HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? NSHomeDirectory()
        func folder(_ variable: String, _ fallback: String) -> String {
            if let path = environment[variable], path.hasPrefix("/") { return path + "/w2w" }
            return "\(home)/\(fallback)/w2w"
        }
        cache = folder("XDG_CACHE_HOME", ".cache")
        state = folder("XDG_STATE_HOME", ".local/state")
        data = folder("XDG_DATA_HOME", ".local/share")
        configuration = folder("XDG_CONFIG_HOME", ".config")
    }
}
