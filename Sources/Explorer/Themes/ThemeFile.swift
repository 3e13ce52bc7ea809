import ScreenModel
import TOMLKit

/// Themes as TOML: roles with the colours they are drawn in.
///
///     summary = "dark, amber accent"
///     inherits = "dusk"
///
///     [roles]
///     accent = "215 #e8a868 bold"
///     selection = "on 236 #2c3038"
///
/// A role is words: a palette number (0...255), `#rrggbb` for terminals with 24-bit colour, `default` for the terminal's own; after `on`
/// the same for the background; and `bold`, `dim`, `underline`, `reverse`. A number without `#rrggbb` is shown everywhere; `#rrggbb` without a
/// number takes the nearest palette entry where 24 bits are too many. What is not named comes from the theme that is inherited.
extension Theme {
    /// Something in a theme file that is not understood; the default is used in its place.
    public struct Problem: Sendable, Hashable, CustomStringConvertible {
        public var file: String
        /// Counted from 1; 0 when it concerns the whole file.
        public var line: Int
        public var message: String

        public init(file: String, line: Int, message: String) {
            self.file = file
            self.line = line
            self.message = message
        }

        public var description: String { line > 0 ? "\(file):\(line): \(message)" : "\(file): \(message)" }
    }

    /// Reads a theme file.
    /// - Parameters:
    ///   - text: the file's contents.
    ///   - file: its path, for messages.
    ///   - name: what the theme is called: the file's name without its extension.
    ///   - known: themes that it may inherit from; the first one is what it inherits from when it does not say.
    /// - Returns: the theme, whatever could be read of it, and all that could not.
    public static func parse(_ text: String, file: String, name: String, known: [Theme] = builtIn) -> (
        theme: Theme, problems: [Problem]
    ) {
        var theme = known.first ?? .dusk
        theme.name = name
        theme.summary = ""
        var problems: [Problem] = []
        func report(_ key: String, _ message: String) {
            problems.append(Problem(file: file, line: line(of: key, in: text), message: message))
        }
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            problems.append(
                Problem(file: file, line: error.source.begin.line, message: "\(error.description); the default theme is used"))
            return (theme, problems)
        } catch {
            problems.append(Problem(file: file, line: 0, message: "no TOML: \(error); the default theme is used"))
            return (theme, problems)
        }
        if let parent = table["inherits"] {
            if let wanted = parent.string, let found = known.first(where: { $0.name == wanted }) {
                theme.styles = found.styles
            } else {
                report(
                    "inherits",
                    "no theme \(parent.string ?? "of this kind") to inherit from; known are \(known.map(\.name).joined(separator: ", "))"
                )
            }
        }
        for key in table.keys where !["inherits", "summary", "roles"].contains(key) {
            report(key, "unknown key “\(key)”; known are summary, inherits, [roles]")
        }
        if let summary = table["summary"] {
            if let words = summary.string { theme.summary = words } else { report("summary", "summary is not a text") }
        }
        guard let given = table["roles"] else { return (theme, problems) }
        guard let roles = given.table else {
            report("roles", "roles is not a table")
            return (theme, problems)
        }
        for key in roles.keys {
            guard let role = Role(rawValue: key) else {
                report(key, "unknown role “\(key)”; known are \(Role.allCases.map(\.rawValue).joined(separator: ", "))")
                continue
            }
            guard let words = roles[key]?.string else {
                report(key, "\(key) is not a text such as \"215 #e8a868 bold\"")
                continue
            }
            do {
                theme.styles[role] = try Style(words: words)
            } catch {
                report(key, "\(key): \(error.message); the default is used")
            }
        }
        return (theme, problems.sorted { $0.line < $1.line })
    }

    /// The line on which a key stands, from 1; 0 where it is not found.
    private static func line(of key: String, in text: String) -> Int {
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var rest = line.drop { $0 == " " || $0 == "\t" || $0 == "[" }
            if rest.first == "\"" { rest = rest.dropFirst() }
            guard rest.hasPrefix(key) else { continue }
            let next = rest.dropFirst(key.count).drop { $0 == "\"" || $0 == " " || $0 == "\t" }.first
            if next == "=" || next == "]" || next == "." { return number + 1 }
        }
        return 0
    }
}

/// Why the words of a role are not understood.
struct StyleError: Error {
    var message: String
}

extension Style {
    /// Reads "215 #e8a868 bold" or "on 236 #2c3038".
    init(words: String) throws(StyleError) {
        self.init()
        var isBackground = false
        var indices: [UInt8?] = [nil, nil]
        var values: [UInt32?] = [nil, nil]
        for word in words.lowercased().split(separator: " ") {
            let place = isBackground ? 1 : 0
            switch word {
            case "on": isBackground = true
            case "bold": bold = true
            case "dim": dim = true
            case "underline": underline = true
            case "reverse": reverse = true
            case "default":
                indices[place] = nil
                values[place] = nil
            default:
                if word.first == "#" {
                    guard word.count == 7, let value = UInt32(word.dropFirst(), radix: 16) else {
                        throw StyleError(message: "“\(word)” is no colour; write six hexadecimal digits, as #e8a868")
                    }
                    values[place] = value
                } else if let number = Int(word) {
                    guard let index = UInt8(exactly: number) else {
                        throw StyleError(message: "palette entries are 0 to 255, not \(number)")
                    }
                    indices[place] = index
                } else {
                    throw StyleError(message: "“\(word)” is neither a colour nor bold, dim, underline, reverse, on, default")
                }
            }
        }
        foreground = Colour(index: indices[0], rgb: values[0])
        background = Colour(index: indices[1], rgb: values[1])
    }
}

extension Colour {
    fileprivate init?(index: UInt8?, rgb: UInt32?) {
        guard index != nil || rgb != nil else { return nil }
        self.init(index: index ?? Colour.nearest(to: rgb ?? 0), rgb: rgb)
    }

    /// The entry of xterm's colour cube or grey ramp that lies nearest.
    static func nearest(to rgb: UInt32) -> UInt8 {
        let parts = [Int(rgb >> 16 & 255), Int(rgb >> 8 & 255), Int(rgb & 255)]
        func distance(_ other: [Int]) -> Int {
            zip(parts, other).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        let levels = [0, 95, 135, 175, 215, 255]
        let cube = parts.map { part in levels.indices.min { abs(levels[$0] - part) < abs(levels[$1] - part) } ?? 0 }
        let grey = ((parts.reduce(0, +) / 3 - 3) / 10).clamped(to: 0...23)
        let greyLevel = 8 + grey * 10
        return distance(cube.map { levels[$0] }) <= distance([greyLevel, greyLevel, greyLevel])
            ? UInt8(16 + cube[0] * 36 + cube[1] * 6 + cube[2]) : UInt8(232 + grey)
    }
}
