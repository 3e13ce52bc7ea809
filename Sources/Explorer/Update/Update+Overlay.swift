import EngineAPI
import ScreenModel

/// A line of the palette.
enum PaletteEntry: Sendable, Hashable {
    case command(Command)
    case theme(Int)
}

extension ExplorerModel {
    // MARK: Keys while something lies over the screen

    mutating func takeInOverlay(_ event: KeyEvent) -> [ExplorerEffect] {
        switch overlay {
        case .help(let filter, let top): takeInHelp(event, filter, top)
        case .palette(let query, let selected): return takeInPalette(event, query, selected)
        case nil: break
        }
        return []
    }

    private mutating func takeInHelp(_ event: KeyEvent, _ filter: String, _ top: Int) {
        let page = max(1, overlayRect(size: size).rows - 4)
        let last = max(0, helpLines(filter: filter).count - page)
        func scrolled(_ step: Int) -> Overlay { .help(filter: filter, top: (top + step).clamped(to: 0...last)) }
        switch event.key {
        case .escape, .enter, .function: overlay = nil
        case .up: overlay = scrolled(-1)
        case .down: overlay = scrolled(1)
        case .pageUp: overlay = scrolled(-page)
        case .pageDown: overlay = scrolled(page)
        case .home: overlay = scrolled(-last)
        case .end: overlay = scrolled(last)
        case .backspace: if !filter.isEmpty { overlay = .help(filter: String(filter.dropLast()), top: 0) }
        case .character("?") where filter.isEmpty && !event.control: overlay = nil
        case .character("u") where event.control: overlay = .help(filter: "", top: 0)
        case .character(let character) where !event.control && !event.alt:
            overlay = .help(filter: filter + String(character), top: 0)
        default: break
        }
    }

    private mutating func takeInPalette(_ event: KeyEvent, _ query: String, _ selected: Int) -> [ExplorerEffect] {
        let entries = paletteEntries(query: query)
        func at(_ place: Int) -> Overlay { .palette(query: query, selected: place.clamped(to: 0...max(0, entries.count - 1))) }
        switch event.key {
        case .escape: overlay = nil
        case .up: overlay = at(selected - 1)
        case .down, .tab: overlay = at(selected + 1)
        case .pageUp: overlay = at(selected - 8)
        case .pageDown: overlay = at(selected + 8)
        case .home: overlay = at(0)
        case .end: overlay = at(entries.count)
        case .enter: if entries.indices.contains(selected) { return choose(entries[selected]) }
        case .backspace: overlay = query.isEmpty ? nil : .palette(query: String(query.dropLast()), selected: 0)
        case .character("u") where event.control: overlay = .palette(query: "", selected: 0)
        case .character("n") where event.control: overlay = at(selected + 1)
        case .character("p") where event.control: overlay = at(selected - 1)
        case .character(let character) where !event.control && !event.alt:
            overlay = .palette(query: query + String(character), selected: 0)
        default: break
        }
        return []
    }

    // MARK: The palette

    /// Everything that the typed words name, the best match first; all of it, the most useful first, when nothing is typed.
    func paletteEntries(query: String) -> [PaletteEntry] {
        let words = query.lowercased().split(separator: " ").map(String.init)
        var ranked: [(entry: PaletteEntry, rank: Int, place: Int)] = []
        let entries = paletteOrder.map { PaletteEntry.command($0) } + options.themes.indices.map { PaletteEntry.theme($0) }
        for (place, entry) in entries.enumerated() {
            let texts = searchTexts(entry)
            var rank = 0
            var found = true
            for word in words {
                if texts.title.hasPrefix(word) {
                    rank += 0
                } else if texts.title.contains(" " + word) {
                    rank += 1
                } else if texts.title.contains(word) {
                    rank += 2
                } else if texts.other.contains(word) {
                    rank += 3
                } else {
                    found = false
                    break
                }
            }
            if found { ranked.append((entry, rank, place)) }
        }
        return ranked.sorted { $0.rank == $1.rank ? $0.place < $1.place : $0.rank < $1.rank }.map(\.entry)
    }

    /// Commands of the present screen, then those for everywhere, those of both that only move about after them, then the rest.
    private var paletteOrder: [Command] {
        let own = Set(keys.bindings(in: scope).map(\.command))
        let general = Set(keys.bindings(in: .everywhere).map(\.command))
        let all = Command.allCases.filter { $0 != .palette && $0 != .back && $0 != .quitNow }
        let here = all.filter(own.contains) + all.filter { general.contains($0) && !own.contains($0) }
        let useful = KeyTable.byUse(here.filter { !isMotion($0) }, in: scope) { $0 }
        return useful + here.filter(isMotion) + all.filter { !own.contains($0) && !general.contains($0) }
    }

    /// Whether a command is one of the keys that everybody tries without looking it up.
    private func isMotion(_ command: Command) -> Bool {
        switch keys.keys(for: command, in: scope).first?.key {
        case .up, .down, .left, .right, .pageUp, .pageDown, .home, .end: true
        default: false
        }
    }

    private func searchTexts(_ entry: PaletteEntry) -> (title: String, other: String) {
        switch entry {
        case .command(let command): (command.title.lowercased(), "\(command.rawValue) \(command.synonyms)")
        case .theme(let index): ("theme \(options.themes[index].name)", options.themes[index].summary + " colours")
        }
    }

    mutating func choose(_ entry: PaletteEntry) -> [ExplorerEffect] {
        switch entry {
        case .command(let command):
            overlay = nil
            return perform(command)
        case .theme(let index):
            overlay = nil
            theme = options.themes[index]
            say("theme \(theme.name)")
            return [.remember(.theme(theme.name))]
        }
    }

    // MARK: The help

    enum HelpLine: Sendable, Hashable {
        case heading(String)
        case key(String, String, command: Command?)
        case blank
    }

    /// The keys of the present screen first, then those for everywhere, then the other screens, the most useful of each first; only lines with
    /// all typed words.
    func helpLines(filter: String) -> [HelpLine] {
        let words = filter.lowercased().split(separator: " ")
        let first: [Scope] = [scope, .everywhere]
        let scopes = first + Scope.allCases.filter { !first.contains($0) }
        let columns = overlayRect(size: size).columns - 4
        let room = columns - helpKeyColumns(columns: columns) - 3
        var lines: [HelpLine] = []
        func section(_ title: String, _ rows: [(String, String, Command?)]) {
            let found = rows.filter { row in
                let text = "\(title) \(row.0) \(row.1)".lowercased()
                return words.allSatisfy { text.contains($0) }
            }
            guard !found.isEmpty else { return }
            if !lines.isEmpty { lines.append(.blank) }
            lines.append(.heading(title))
            for row in found {
                // What does not fit into one line goes on in the next.
                for (place, words) in TextWidth.wrap(row.1, to: max(8, room)).enumerated() {
                    lines.append(.key(place == 0 ? row.0 : "", words, command: row.2))
                }
            }
        }
        for scope in scopes {
            section(
                scope.title,
                KeyTable.byUse(keys.bindings(in: scope), in: self.scope, command: \.command).map { binding in
                    (binding.keys.map(KeyName.words).joined(separator: "  "), binding.command.title, binding.command)
                })
        }
        section("While typing", Self.typingKeys.map { ($0.0, $0.1, nil) })
        section("Mouse", Self.mouseActions.map { ($0.0, $0.1, nil) })
        return lines
    }

    static let typingKeys: [(String, String)] = [
        ("Enter", "accept"), ("Esc", "leave it as it was"), ("←  →  Home  End", "move in the line"), ("Ctrl-U", "clear the line"),
        ("Ctrl-W", "delete a word"), ("↑  ↓", "move in the list while its filter is open"),
    ]

    static let mouseActions: [(String, String)] = [
        ("click", "choose a row, a face, a frame, a step of the trail, a screen, a word at the foot"),
        ("click again", "open the face"),
        ("drag", "move a slider"), ("wheel", "change the slider under the pointer; scroll elsewhere"),
    ]
}
