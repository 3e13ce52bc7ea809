import ScreenModel

private func key(_ character: Character) -> KeyEvent { KeyEvent(.character(character)) }
private func control(_ character: Character) -> KeyEvent { KeyEvent(.character(character), control: true) }
private func shift(_ key: Key) -> KeyEvent { KeyEvent(key, shift: true) }
private func named(_ key: Key) -> KeyEvent { KeyEvent(key) }

extension KeyTable {
    /// The keys as they come: arrows and vim's letters both, the letters of the words where there is one.
    public static let standard = KeyTable(
        exploreKeys + childrenKeys + contactKeys + peopleKeys + morphKeys + savedKeys + modelKeys + keysEverywhere)

    private static let keysEverywhere: [Binding] = [
        Binding(.everywhere, .showExplore, [key("1")]),
        Binding(.everywhere, .showPeople, [key("2")]),
        Binding(.everywhere, .showMorph, [key("3")]),
        Binding(.everywhere, .showSaved, [key("4")]),
        Binding(.everywhere, .showModel, [key("5")]),
        Binding(.everywhere, .nextScreen, [named(.tab)]),
        Binding(.everywhere, .previousScreen, [shift(.tab)]),
        Binding(.everywhere, .setA, [key("a")]),
        Binding(.everywhere, .setB, [key("b")]),
        Binding(.everywhere, .walk, [key("m")]),
        Binding(.everywhere, .keep, [key("f")]),
        Binding(.everywhere, .keepNamed, [key("F")]),
        Binding(.everywhere, .export, [key("e")]),
        Binding(.everywhere, .palette, [key(":")]),
        Binding(.everywhere, .help, [key("?"), named(.function(1))]),
        Binding(.everywhere, .back, [named(.escape)]),
        Binding(.everywhere, .redraw, [control("l")]),
        Binding(.everywhere, .suspend, [control("z")]),
        Binding(.everywhere, .quit, [key("q")]),
        Binding(.everywhere, .quitNow, [control("c")]),
    ]

    private static let exploreKeys: [Binding] = [
        Binding(.explore, .axisUp, [named(.up), key("k")]),
        Binding(.explore, .axisDown, [named(.down), key("j")]),
        Binding(.explore, .axisPageUp, [named(.pageUp)]),
        Binding(.explore, .axisPageDown, [named(.pageDown)]),
        Binding(.explore, .axisFirst, [named(.home), key("g")]),
        Binding(.explore, .axisLast, [named(.end), key("G")]),
        Binding(.explore, .less, [named(.left), key("h")]),
        Binding(.explore, .more, [named(.right), key("l")]),
        Binding(.explore, .lessCoarse, [shift(.left), key("H")]),
        Binding(.explore, .moreCoarse, [shift(.right), key("L")]),
        Binding(.explore, .lessFine, [key(",")]),
        Binding(.explore, .moreFine, [key(".")]),
        Binding(.explore, .typeValue, [key("=")]),
        Binding(.explore, .zero, [key("0")]),
        Binding(.explore, .mute, [key(" ")]),
        Binding(.explore, .zeroAll, [key("R")]),
        Binding(.explore, .undo, [key("u")]),
        Binding(.explore, .redo, [control("r")]),
        Binding(.explore, .toOrigin, [key("U")]),
        Binding(.explore, .sample, [key("n")]),
        Binding(.explore, .children, [key("N")]),
        Binding(.explore, .truncationDown, [key("t")]),
        Binding(.explore, .truncationUp, [key("T")]),
        Binding(.explore, .rerollSeed, [key("s")]),
        Binding(.explore, .lockSeed, [key("S")]),
        Binding(.explore, .typeSeed, [key("#")]),
        Binding(.explore, .prompt, [key("i")]),
        Binding(.explore, .flip, [key("c")]),
        Binding(.explore, .findAxes, [key("/")]),
        Binding(.explore, .axisOrder, [key("o")]),
        Binding(.explore, .collapsedAxes, [key("z")]),
        Binding(.explore, .draftsOnly, [key("d")]),
        Binding(.explore, .toDirections, [key("v")]),
        Binding(.explore, .hold, [key("K")]),
        Binding(.explore, .passport, [key("p")]),
        Binding(.explore, .seedTest, [key("x")]),
        Binding(.explore, .compareModels, [key("w")]),
        Binding(.explore, .drawAgain, [named(.enter)]),
    ]

    private static let contactKeys: [Binding] = [
        Binding(.contact, .contactLeft, [named(.left), key("h")]),
        Binding(.contact, .contactRight, [named(.right), key("l")]),
        Binding(.contact, .contactUp, [named(.up), key("k")]),
        Binding(.contact, .contactDown, [named(.down), key("j")]),
        Binding(.contact, .takeContact, [named(.enter)]),
        Binding(.contact, .seedTest, [key("x")]),
    ]

    private static let modelKeys: [Binding] = [
        Binding(.model, .axisUp, [named(.up), key("k")]),
        Binding(.model, .axisDown, [named(.down), key("j")]),
        Binding(.model, .axisPageUp, [named(.pageUp)]),
        Binding(.model, .axisPageDown, [named(.pageDown)]),
        Binding(.model, .axisFirst, [named(.home), key("g")]),
        Binding(.model, .axisLast, [named(.end), key("G")]),
        Binding(.model, .openAxis, [named(.enter)]),
        Binding(.model, .findAxes, [key("/")]),
        Binding(.model, .axisOrder, [key("o")]),
        Binding(.model, .collapsedAxes, [key("z")]),
        Binding(.model, .useModel, [key("w")]),
        Binding(.model, .spacePane, [key("v")]),
    ]

    private static let childrenKeys: [Binding] = [
        Binding(.children, .childLeft, [named(.left), key("h")]),
        Binding(.children, .childRight, [named(.right), key("l")]),
        Binding(.children, .childUp, [named(.up), key("k")]),
        Binding(.children, .childDown, [named(.down), key("j")]),
        Binding(.children, .takeChild, [named(.enter)]),
        Binding(.children, .otherChildren, [key("N")]),
    ]

    private static let peopleKeys: [Binding] =
        galleryKeys(.people) + [
            Binding(.people, .findPeople, [key("/")]),
            Binding(.people, .peopleOrder, [key("o")]),
        ]

    private static let savedKeys: [Binding] =
        galleryKeys(.saved) + [
            Binding(.saved, .findSaved, [key("/")]),
            Binding(.saved, .rename, [key("r")]),
            Binding(.saved, .delete, [named(.delete), key("d")]),
            Binding(.saved, .restore, [key("u")]),
        ]

    private static func galleryKeys(_ scope: Scope) -> [Binding] {
        [
            Binding(scope, .galleryLeft, [named(.left), key("h")]),
            Binding(scope, .galleryRight, [named(.right), key("l")]),
            Binding(scope, .galleryUp, [named(.up), key("k")]),
            Binding(scope, .galleryDown, [named(.down), key("j")]),
            Binding(scope, .galleryPageUp, [named(.pageUp)]),
            Binding(scope, .galleryPageDown, [named(.pageDown)]),
            Binding(scope, .galleryFirst, [named(.home), key("g")]),
            Binding(scope, .galleryLast, [named(.end), key("G")]),
            Binding(scope, .open, [named(.enter)]),
            Binding(scope, .larger, [key("+")]),
            Binding(scope, .smaller, [key("-")]),
        ]
    }

    private static let morphKeys: [Binding] = [
        Binding(.morph, .play, [key("p"), key(" ")]),
        Binding(.morph, .frameBack, [key("["), named(.left), key("h")]),
        Binding(.morph, .frameForward, [key("]"), named(.right), key("l")]),
        Binding(.morph, .frameFirst, [named(.home), key("g")]),
        Binding(.morph, .frameLast, [named(.end), key("G")]),
        Binding(.morph, .moreFrames, [key("+")]),
        Binding(.morph, .fewerFrames, [key("-")]),
        Binding(.morph, .path, [key("y")]),
        Binding(.morph, .swapEnds, [key("x")]),
        Binding(.morph, .openFrame, [named(.enter)]),
        Binding(.morph, .exportStrip, [key("e")]),
        Binding(.morph, .exportAnimation, [key("E")]),
    ]

    /// The most useful first: what stands at the foot of a screen as it stands there, then the others as they come.
    static func byUse<Item>(_ items: [Item], in scope: Scope, command: (Item) -> Command) -> [Item] {
        let foot = hints(in: scope).flatMap(\.commands)
        func rank(_ item: Item) -> Int { foot.firstIndex(of: command(item)) ?? foot.count }
        return items.enumerated().sorted { (rank($0.element), $0.offset) < (rank($1.element), $1.offset) }.map(\.element)
    }

    /// The words at the foot of the screen, most useful first: what does not fit is left out from the end.
    static func hints(in scope: Scope) -> [Hint] {
        let closing = [Hint(commands: [.palette], label: "commands"), Hint(commands: [.help], label: "help")]
        let own: [Hint] =
            switch scope {
            case .explore:
                [
                    Hint(commands: [.less, .more], label: "change"), Hint(commands: [.axisUp, .axisDown], label: "axis"),
                    Hint(commands: [.sample], label: "new"), Hint(commands: [.undo], label: "undo"),
                    Hint(commands: [.setA, .setB], label: "ends"), Hint(commands: [.keep], label: "save"),
                    Hint(commands: [.children], label: "children"), Hint(commands: [.prompt], label: "prompt"),
                    Hint(commands: [.rerollSeed], label: "seed"), Hint(commands: [.passport], label: "passport"),
                    Hint(commands: [.seedTest], label: "seed test"),
                ]
            case .children:
                [
                    Hint(commands: [.childLeft, .childUp, .childDown, .childRight], label: "choose"),
                    Hint(commands: [.takeChild], label: "go on with it"), Hint(commands: [.otherChildren], label: "others"),
                    Hint(commands: [.back], label: "back"),
                ]
            case .contact:
                [
                    Hint(commands: [.contactLeft, .contactUp, .contactDown, .contactRight], label: "choose"),
                    Hint(commands: [.takeContact], label: "take this seed"), Hint(commands: [.back], label: "back"),
                ]
            case .model:
                [
                    Hint(commands: [.axisUp, .axisDown], label: "axis"), Hint(commands: [.openAxis], label: "move it"),
                    Hint(commands: [.axisOrder], label: "order"), Hint(commands: [.findAxes], label: "find"),
                    Hint(commands: [.useModel], label: "other model"), Hint(commands: [.spacePane], label: "passport, space"),
                    Hint(commands: [.collapsedAxes], label: "silent axes"),
                ]
            case .people:
                [
                    Hint(commands: [.galleryLeft, .galleryUp, .galleryDown, .galleryRight], label: "move"),
                    Hint(commands: [.open], label: "explore"), Hint(commands: [.findPeople], label: "find"),
                    Hint(commands: [.setA, .setB], label: "ends"), Hint(commands: [.peopleOrder], label: "order"),
                    Hint(commands: [.keep], label: "save"), Hint(commands: [.larger, .smaller], label: "size"),
                ]
            case .morph:
                [
                    Hint(commands: [.play], label: "play"), Hint(commands: [.frameBack, .frameForward], label: "frame"),
                    Hint(commands: [.path], label: "path"), Hint(commands: [.moreFrames, .fewerFrames], label: "frames"),
                    Hint(commands: [.openFrame], label: "explore"), Hint(commands: [.keep], label: "save"),
                    Hint(commands: [.exportStrip, .exportAnimation], label: "export"), Hint(commands: [.swapEnds], label: "swap"),
                ]
            case .saved:
                [
                    Hint(commands: [.open], label: "explore"), Hint(commands: [.findSaved], label: "find"),
                    Hint(commands: [.rename], label: "rename"), Hint(commands: [.delete], label: "delete"),
                    Hint(commands: [.restore], label: "bring back"), Hint(commands: [.setA, .setB], label: "ends"),
                ]
            case .everywhere: []
            }
        return own + closing
    }
}
