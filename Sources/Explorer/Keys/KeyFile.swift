import ScreenModel
import TOMLKit

/// Keys of one's own as TOML: a table for each screen, in it an action with its keys. An action that is not named keeps its keys.
///
///     [explore]
///     sample = "w"                     # instead of n
///     less = ["Left", "Shift-Tab"]
///     zero-all = []                    # no key; the palette still has it
///
/// Keys are single characters or names, with `Ctrl-`, `Alt-`, `Shift-` before them; `KeyName.event(named:)` lists them.
extension KeyTable {
    /// Something in a key file that is not understood or cannot be; the line counts as not there.
    public struct Problem: Sendable, Hashable, CustomStringConvertible {
        public var file: String
        /// Counted from 1; 0 when it concerns the whole file.
        public var line: Int
        public var message: String

        public var description: String { line > 0 ? "\(file):\(line): \(message)" : "\(file): \(message)" }
    }

    /// Reads a key file.
    /// - Parameters:
    ///   - text: the file's contents.
    ///   - file: its path, for messages.
    ///   - standard: what holds where the file says nothing.
    /// - Returns: the table with every line of the file that holds, and what is wrong with the others, by line.
    public static func parse(_ text: String, file: String, standard: KeyTable = .standard) -> (
        keys: KeyTable, problems: [Problem]
    ) {
        var reader = KeyFileReader(text: text, file: file, standard: standard)
        reader.read()
        let bindings = reader.withoutClashes()
        return (KeyTable(bindings), reader.problems.sorted { $0.line < $1.line })
    }
}

/// The work of `KeyTable.parse`.
private struct KeyFileReader {
    let text: String
    let file: String
    let standard: KeyTable
    var problems: [KeyTable.Problem] = []
    /// What the file binds, by place in the standard table.
    private var own: [Int: (keys: [KeyEvent], line: Int)] = [:]

    init(text: String, file: String, standard: KeyTable) {
        self.text = text
        self.file = file
        self.standard = standard
    }

    private mutating func report(_ line: Int, _ message: String) {
        problems.append(KeyTable.Problem(file: file, line: line, message: message))
    }

    // MARK: What stands there

    mutating func read() {
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            report(error.source.begin.line, "\(error.description); the standard keys are used")
            return
        } catch {
            report(0, "no TOML: \(error); the standard keys are used")
            return
        }
        for name in table.keys {
            guard let scope = Scope(rawValue: name) else {
                report(
                    line(of: name, in: nil),
                    "unknown screen “\(name)”; known are \(Scope.allCases.map(\.rawValue).joined(separator: ", "))")
                continue
            }
            guard let actions = table[name]?.table else {
                report(line(of: name, in: nil), "\(name) is not a table; write [\(name)] and actions below it")
                continue
            }
            for action in actions.keys { read(action, actions[action], in: scope) }
        }
    }

    private mutating func read(_ action: String, _ value: (any TOMLValueConvertible)?, in scope: Scope) {
        let line = line(of: action, in: scope)
        guard let command = Command(rawValue: action) else {
            report(line, "unknown action “\(action)”\(suggestion(action, in: scope))")
            return
        }
        guard let place = standard.bindings.firstIndex(where: { $0.scope == scope && $0.command == command }) else {
            let homes = standard.bindings.filter { $0.command == command }.map { "[\($0.scope.rawValue)]" }
            report(
                line,
                homes.isEmpty
                    ? "\(action) has no key of its own; the palette has it"
                    : "\(action) belongs to \(homes.joined(separator: ", "))")
            return
        }
        let words: [String]
        if let one = value?.string {
            words = [one]
        } else if let list = value?.array, list.allSatisfy({ $0.string != nil }) {
            words = list.compactMap(\.string)
        } else {
            report(line, "\(action) is not a key such as \"x\", nor a list of keys such as [\"x\", \"Ctrl-X\"]")
            return
        }
        var keys: [KeyEvent] = []
        for word in words {
            guard let key = KeyName.event(named: word) else {
                report(
                    line,
                    "\(action): “\(word)” is no key; write one character, or Ctrl-, Alt-, Shift- and a name such as Left, PgUp, F2"
                )
                return
            }
            if !keys.contains(key) { keys.append(key) }
        }
        if command == .quitNow, keys.isEmpty {
            report(line, "\(action) needs a key: it is the way out that always works")
            return
        }
        if [.quitNow, .redraw, .suspend].contains(command),
            let plain = keys.first(where: { if case .character = $0.key { !$0.control && !$0.alt } else { false } })
        {
            report(
                line,
                "\(action): \(KeyName.words(for: plain)) alone cannot be it, since it is typed into lines of text; add Ctrl- or Alt-"
            )
            return
        }
        own[place] = (keys, line)
    }

    private func suggestion(_ action: String, in scope: Scope) -> String {
        let known = standard.bindings.filter { $0.scope == scope }.map(\.command.rawValue)
        let parts = action.lowercased().split { !$0.isLetter }
        let near = known.filter { name in parts.contains { name.contains($0) } || name.hasPrefix(action.prefix(3)) }.prefix(4)
        return "; [\(scope.rawValue)] has \((near.isEmpty ? known.prefix(6) + ["…"] : Array(near)).joined(separator: ", "))"
    }

    // MARK: What clashes

    /// The bindings, without lines of the file that give a key a second meaning.
    mutating func withoutClashes() -> [Binding] {
        while true {
            var bindings = standard.bindings
            for (place, change) in own { bindings[place].keys = change.keys }
            guard let (place, message) = clash(in: bindings) else { return bindings.filter { !$0.keys.isEmpty } }
            report(own[place]?.line ?? 0, message)
            // What is taken back may clash in its turn with another line: until the standard table is left, at the latest.
            own[place] = nil
        }
    }

    /// A line of the file that gives a key a second meaning, the last one there is.
    private func clash(in bindings: [Binding]) -> (place: Int, message: String)? {
        var found: (place: Int, message: String)?
        for (place, binding) in bindings.enumerated() {
            guard let line = own[place]?.line else { continue }
            for (other, against) in bindings.enumerated() where other != place {
                let sameScope = against.scope == binding.scope
                guard sameScope || against.scope == .everywhere || binding.scope == .everywhere,
                    let key = binding.keys.first(where: against.keys.contains), sameScope || !shadows(binding, against)
                else { continue }
                let otherLine = own[other]?.line ?? -1
                guard otherLine <= line, line > (found.map { own[$0.place]?.line ?? 0 } ?? 0) else { continue }
                let origin = otherLine >= 0 ? "on line \(otherLine)" : "as it comes"
                found = (
                    place,
                    "\(KeyName.words(for: key)) for \(binding.command.rawValue) is \(against.command.rawValue) in [\(against.scope.rawValue)] already (\(origin)); \(binding.command.rawValue) keeps its keys"
                )
            }
        }
        return found
    }

    /// Whether the standard table lets the same command of a screen go before the same one for everywhere.
    private func shadows(_ one: Binding, _ other: Binding) -> Bool {
        func keys(_ binding: Binding) -> [KeyEvent] {
            standard.bindings.first { $0.scope == binding.scope && $0.command == binding.command }?.keys ?? []
        }
        return keys(one).contains(where: keys(other).contains)
    }

    // MARK: Lines

    /// The line on which an action of a screen stands (or the screen itself, without one), from 1; 0 where it is not found.
    private func line(of key: String, in scope: Scope?) -> Int {
        var section: Substring = ""
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.drop { $0 == " " || $0 == "\t" }
            if words.first == "[" {
                section = words.dropFirst().prefix { $0 != "]" }
                if scope == nil, section.trimmingPrefix(" ").hasPrefix(key) { return number + 1 }
                continue
            }
            var rest = words
            if let scope, section.filter({ $0 != " " }) != scope.rawValue {
                // "explore.sample = …" before any table.
                guard section.isEmpty, rest.hasPrefix(scope.rawValue + ".") else { continue }
                rest = rest.dropFirst(scope.rawValue.count + 1)
            }
            if rest.first == "\"" { rest = rest.dropFirst() }
            guard rest.hasPrefix(key) else { continue }
            let next = rest.dropFirst(key.count).drop { $0 == "\"" || $0 == " " || $0 == "\t" }.first
            if next == "=" || next == "." { return number + 1 }
        }
        return 0
    }
}
