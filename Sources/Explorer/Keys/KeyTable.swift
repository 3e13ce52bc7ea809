import ScreenModel

/// Where a key means something.
public enum Scope: String, Sendable, Hashable, CaseIterable {
    case everywhere, explore, children, contact, people, morph, saved, model

    public var title: String {
        switch self {
        case .everywhere: "Everywhere"
        case .explore: "Explore"
        case .children: "Choosing among children"
        case .contact: "Seeds side by side"
        case .people: "People"
        case .morph: "Morph"
        case .saved: "Saved"
        case .model: "Model"
        }
    }
}

/// The keys of a command in a scope. Dispatch, help, palette, hints and the table in `.readme/keys.md` all read this.
public struct Binding: Sendable, Hashable {
    public var scope: Scope
    public var command: Command
    /// Each of them does it; the first one is shown in hints.
    public var keys: [KeyEvent]

    public init(_ scope: Scope, _ command: Command, _ keys: [KeyEvent]) {
        self.scope = scope
        self.command = command
        self.keys = keys
    }
}

/// A word at the foot of the screen for one or more commands.
struct Hint: Sendable, Hashable {
    var commands: [Command]
    var label: String
}

/// All bindings. A key has one meaning in a scope; the scope of the screen goes before `everywhere`.
public struct KeyTable: Sendable, Hashable {
    public private(set) var bindings: [Binding]
    private var lookup: [Scope: [KeyEvent: Command]] = [:]

    public init(_ bindings: [Binding]) {
        self.bindings = bindings
        for binding in bindings {
            for key in binding.keys where lookup[binding.scope]?[key] == nil {
                lookup[binding.scope, default: [:]][key] = binding.command
            }
        }
    }

    /// What a key does in a scope.
    public func command(for event: KeyEvent, in scope: Scope) -> Command? {
        lookup[scope]?[event] ?? lookup[.everywhere]?[event]
    }

    /// The keys of a command where it is bound, in the given scope first.
    public func keys(for command: Command, in scope: Scope? = nil) -> [KeyEvent] {
        let own = bindings.first { $0.command == command && $0.scope == (scope ?? $0.scope) }
        return (own ?? bindings.first { $0.command == command })?.keys ?? []
    }

    /// The scope in which a command is bound, if it is.
    public func scope(of command: Command) -> Scope? {
        bindings.first { $0.command == command }?.scope
    }

    /// The bindings of a scope in the order of the help.
    public func bindings(in scope: Scope) -> [Binding] {
        bindings.filter { $0.scope == scope }
    }

    /// The keys as tables in Markdown, one a scope: what `.readme/keys.md` shows.
    public func markdown() -> String {
        var lines: [String] = []
        for scope in Scope.allCases {
            let rows = bindings(in: scope)
            guard !rows.isEmpty else { continue }
            if !lines.isEmpty { lines.append("") }
            lines += ["| \(scope.title) | |", "| --- | --- |"]
            for row in rows {
                let keys = row.keys.map { "`\(KeyName.words(for: $0))`" }.joined(separator: " ").replacing("|", with: "\\|")
                lines.append("| \(keys) | \(row.command.title.replacing("|", with: "\\|")) |")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
