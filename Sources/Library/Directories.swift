import Glibc

/// Where w2w keeps things, after the XDG Base Directory Specification.
///
/// The folders need not exist; who writes makes them.
public struct Directories: Sendable, Hashable {
    /// Settings and themes: `$XDG_CONFIG_HOME/w2w`, by default `~/.config/w2w`.
    public let configuration: String
    /// What must not be lost: `$XDG_DATA_HOME/w2w`, by default `~/.local/share/w2w`.
    public let data: String
    /// What can be made again: `$XDG_CACHE_HOME/w2w`, by default `~/.cache/w2w`.
    public let cache: String
    /// Logs: `$XDG_STATE_HOME/w2w`, by default `~/.local/state/w2w`.
    public let state: String

    /// - Parameters:
    ///   - environment: looks a variable up; by default in this process.
    ///   - home: the home folder for when `HOME` is not set; by default the system's entry of this user, else `/tmp`.
    public init(environment: (String) -> String? = Directories.variable, home: () -> String = Directories.homeOfUser) {
        // The specification: a relative path is invalid and to be ignored.
        func absolute(_ name: String) -> String? {
            environment(name).flatMap { $0.hasPrefix("/") ? $0 : nil }
        }
        let root = absolute("HOME") ?? home()
        func folder(_ name: String, _ fallback: String) -> String {
            var base = absolute(name) ?? "\(root)/\(fallback)"
            while base.hasSuffix("/") { base.removeLast() }
            return "\(base)/w2w"
        }
        configuration = folder("XDG_CONFIG_HOME", ".config")
        data = folder("XDG_DATA_HOME", ".local/share")
        cache = folder("XDG_CACHE_HOME", ".cache")
        state = folder("XDG_STATE_HOME", ".local/state")
    }

    /// The file of favourites and visits.
    public var library: String { "\(data)/library.sqlite" }
    /// The folder of a person's own directions.
    public var directions: String { "\(data)/directions" }
    /// The folder of the user's themes.
    public var themes: String { "\(configuration)/themes" }
    /// The file of the user's own keys.
    public var keys: String { "\(configuration)/keys.toml" }
    /// What went wrong, for whoever wants to look.
    public var log: String { "\(state)/w2w.log" }

    /// A variable of this process; nil when it is not set or empty.
    /// - Parameter name: of the variable.
    /// - Returns: its value.
    public static func variable(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    /// The home folder in the system's list of users, `/tmp` for a user who is not in it.
    /// - Returns: an absolute path.
    public static func homeOfUser() -> String {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var room = [CChar](repeating: 0, count: 16_384)
        return room.withUnsafeMutableBufferPointer { room in
            guard let base = room.baseAddress, getpwuid_r(getuid(), &entry, base, room.count, &found) == 0, found != nil,
                let home = entry.pw_dir
            else { return "/tmp" }
            return String(cString: home)
        }
    }
}
