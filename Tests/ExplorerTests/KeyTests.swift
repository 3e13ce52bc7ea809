import EngineAPI
import ScreenModel
import Testing

@testable import Explorer

@Suite("Keys, help and palette") struct KeyTests {
    @Test("a key means one thing in a scope")
    func noDuplicates() {
        for scope in Scope.allCases {
            var seen: [KeyEvent: Command] = [:]
            for binding in KeyTable.standard.bindings(in: scope) {
                #expect(!binding.keys.isEmpty, "\(binding.command) has no key")
                for key in binding.keys {
                    #expect(
                        seen[key] == nil,
                        "\(KeyName.words(for: key)) is \(binding.command) and \(String(describing: seen[key])) in \(scope)")
                    seen[key] = binding.command
                }
            }
        }
    }

    @Test("a key of a screen does not hide one that works everywhere, but for the exports of a walk")
    func shadows() {
        let everywhere = KeyTable.standard.bindings(in: .everywhere)
        for scope in Scope.allCases where scope != .everywhere {
            for binding in KeyTable.standard.bindings(in: scope) {
                for key in binding.keys where everywhere.contains(where: { $0.keys.contains(key) }) {
                    #expect(binding.command == .exportStrip, "\(binding.command) hides a key")
                }
            }
        }
    }

    @Test("every key of the table reaches its command", arguments: Scope.allCases)
    func dispatch(scope: Scope) {
        for binding in KeyTable.standard.bindings(in: scope) {
            for key in binding.keys {
                #expect(KeyTable.standard.command(for: key, in: scope) == binding.command)
            }
        }
    }

    @Test("every key does something or says why not, on every screen, loading or open", arguments: Scope.allCases, [true, false])
    func pressEverything(scope: Scope, isOpen: Bool) {
        for binding in KeyTable.standard.bindings(in: scope) {
            for key in binding.keys {
                var story = isOpen ? Story.opened() : Story()
                switch scope {
                case .everywhere, .explore: break
                case .children:
                    story.press("N")
                    story.answerSample(0.4)
                case .contact: story.press("x")
                case .model: story.press("5")
                case .people: story.press("2")
                case .morph: story.press("3")
                case .saved: story.press("4")
                }
                story.wait(10)
                let before = story.frame
                story.press(key)
                let acted = story.frame != before || !story.effects.isEmpty
                // At the edge of a list, or on the screen one is on, a key may have nothing to do.
                let mayRest: Set<Command> = [
                    .axisUp, .axisFirst, .axisPageUp, .galleryLeft, .galleryRight, .galleryUp, .galleryDown, .galleryFirst,
                    .galleryLast, .galleryPageUp, .galleryPageDown, .showExplore, .back, .larger, .smaller, .childLeft,
                    .childUp, .childDown, .childRight, .swapEnds, .contactLeft, .contactUp, .contactRight, .contactDown,
                ]
                #expect(acted || mayRest.contains(binding.command), "\(KeyName.words(for: key)) in \(scope) does nothing")
            }
        }
    }

    @Test("hints name commands that have keys")
    func hints() {
        for scope in Scope.allCases {
            for hint in KeyTable.hints(in: scope) {
                for command in hint.commands {
                    #expect(!KeyTable.standard.keys(for: command, in: scope).isEmpty, "\(hint.label) in \(scope)")
                }
            }
        }
    }

    @Test("titles are there, and no two are alike")
    func titles() {
        #expect(Set(Command.allCases.map(\.title)).count == Command.allCases.count)
        #expect(Command.allCases.allSatisfy { !$0.title.isEmpty })
    }

    @Test("help lists every binding, the present screen first; typing filters")
    func help() throws {
        var story = Story.opened()
        story.press("3")
        let lines = story.model.helpLines(filter: "")
        // Long words go on in the next line, under no key of their own.
        var titles: [String] = []
        for case .key(let keys, let words, _) in lines {
            if keys.isEmpty, let last = titles.popLast() { titles.append(last + " " + words) } else { titles.append(words) }
        }
        for binding in KeyTable.standard.bindings {
            #expect(titles.contains(binding.command.title), "\(binding.command)")
        }
        let columns = story.model.overlayRect(size: story.model.size).columns
        let room = columns - 4 - story.model.helpKeyColumns(columns: columns - 4) - 3
        for case .key(_, let words, _) in lines { #expect(TextWidth.columns(of: words) <= room, "\(words)") }
        #expect(lines.first == .heading("Morph"))
        story.press("?")
        #expect(story.screen.contains("Keys"))
        story.type("seed")
        #expect(story.screen.contains("type a seed"))
        #expect(!story.screen.contains("first frame: A"))
        #expect(story.model.screen == .morph)
        story.press(.escape)
        #expect(story.model.overlay == nil)
    }

    @Test("pictures are hidden below help and palette, and come back")
    func overlayHidesPictures() {
        var story = Story.opened()
        let before = story.frame.placements
        #expect(!before.isEmpty)
        story.press(":")
        let overlay = story.model.overlayRect(size: story.model.size)
        #expect(story.frame.placements.allSatisfy { !$0.rect.intersects(overlay) })
        story.press(.escape)
        #expect(story.frame.placements == before)
    }

    @Test("every command is found in the palette by the words of its title")
    func paletteFindsAll() {
        let model = Story.opened().model
        for command in Command.allCases where ![.palette, .back, .quitNow].contains(command) {
            let words = command.title.split { !($0.isLetter || $0.isNumber || $0 == ".") }
            let query = words.filter { $0.count > 2 }.joined(separator: " ")
            #expect(model.paletteEntries(query: query).contains(.command(command)), "\(command): \(query)")
        }
    }

    @Test("the palette shows keys and reasons, and goes to the screen that a command belongs to")
    func palette() {
        var story = Story.opened()
        story.press(":")
        story.type("gif")
        #expect(story.screen.contains("choose A and B first"))
        story.press(KeyEvent(.character("u"), control: true))
        story.type("order people like")
        story.press(.enter)
        #expect(story.model.screen == .people)
        #expect(story.model.peopleOrder == .similarity)
        story.press(":")
        story.type("draw somebody")
        story.press(.enter)
        #expect(story.model.screen == .explore)
        #expect(story.effects.contains { if case .submit(.sample, _) = $0 { true } else { false } })
        story.press(":")
        story.type("xyzzy")
        #expect(story.screen.contains("no command has these words"))
        story.press(.enter)
        #expect(story.effects.isEmpty)
    }

    @Test("a theme is chosen through the palette and remembered")
    func theme() {
        var story = Story.opened()
        story.press(":")
        story.type("theme mono")
        story.press(.enter)
        #expect(story.model.theme.name == "mono")
        #expect(story.effects.contains { if case .remember(.theme("mono")) = $0 { true } else { false } })
        #expect(story.frame.grid.cells.allSatisfy { $0.style.foreground == nil && $0.style.background == nil })
    }

    @Test("the key table in Markdown has a row for every binding")
    func markdown() {
        let text = KeyTable.standard.markdown()
        for binding in KeyTable.standard.bindings {
            let row = text.split(separator: "\n").first { row in
                row.hasSuffix("| \(binding.command.title) |")
                    && binding.keys.allSatisfy { row.contains("`\(KeyName.words(for: $0))`") }
            }
            #expect(row != nil, "\(binding.command)")
        }
    }

    @Test("what stands at the foot of a screen comes first in palette and help; who looks for arrows finds them farther down")
    func mostUsefulFirst() throws {
        var story = Story.opened()
        func entries() -> [PaletteEntry] { story.model.paletteEntries(query: "") }
        #expect(entries().prefix(5) == [.command(.sample), .command(.undo), .command(.setA), .command(.setB), .command(.keep)])
        let arrow = try #require(entries().firstIndex(of: .command(.axisUp)))
        let quit = try #require(entries().firstIndex(of: .command(.quit)))
        #expect(arrow > quit)
        // Nothing is left out or there twice.
        #expect(Set(entries()).count == entries().count && entries().count == Command.allCases.count - 3 + Theme.builtIn.count)
        story.press("2")
        #expect(entries().first == .command(.open))
        guard case .key(_, _, command: .galleryLeft) = story.model.helpLines(filter: "").dropFirst().first else {
            Issue.record("\(story.model.helpLines(filter: "").prefix(3))")
            return
        }
    }
}
