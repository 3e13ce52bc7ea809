import EngineAPI
import ScreenModel
import Testing

@testable import Explorer

@Suite("Parts") struct PartTests {
    static func step(_ number: Int, axis: Int? = nil, time: Double = 0) -> Step {
        Step(
            code: WeightCode([Float(number)]), settings: TestSpace.description().defaults, label: "step \(number)",
            origin: "start",
            startsWalk: number == 0, changes: number, axis: axis, time: time)
    }

    @Test("a trail walked at random: undo is the inverse of a step, redo of an undo, and nothing is ever lost")
    func trail() {
        for seed in 1...40 {
            var random = SeedSource(UInt64(seed))
            var trail = Trail(start: Self.step(0))
            var path = [Float(0)]
            var ahead: [Float] = []
            for number in 1...200 {
                switch random.seed() % 5 {
                case 0, 1:
                    trail.push(Self.step(number))
                    path.append(Float(number))
                    ahead = []
                case 2, 3:
                    let undone = trail.undo()
                    #expect((undone != nil) == (path.count > 1))
                    if undone != nil { ahead.append(path.removeLast()) }
                default:
                    // Redo leads along the branch that was left last, also one that was left before a detour.
                    let redone = trail.redo()
                    if let expected = ahead.popLast() {
                        #expect(redone?.code[0] == expected)
                        path.append(expected)
                    } else if let redone {
                        path.append(redone.code[0])
                    }
                }
                #expect(trail.step.code[0] == path.last)
                #expect(trail.canUndo == (path.count > 1))
                let (steps, position) = trail.line(limit: 9)
                #expect(steps.count <= 9 && steps[position] == trail.current)
            }
            while trail.undo() != nil {}
            #expect(trail.step.code[0] == 0)
        }
    }

    @Test("moves on one axis join within a moment, not across a pause, another axis, other settings or an undo")
    func joining() {
        var trail = Trail(start: Self.step(0))
        trail.push(Self.step(1, axis: 3, time: 0))
        trail.push(Self.step(2, axis: 3, time: 1))
        #expect(trail.count == 2)
        trail.push(Self.step(3, axis: 3, time: 4))
        #expect(trail.count == 3)
        trail.push(Self.step(4, axis: 5, time: 4.1))
        #expect(trail.count == 4)
        _ = trail.undo()
        trail.push(Self.step(5, axis: 3, time: 4.2))
        #expect(trail.count == 5)
        trail.jump(to: 0)
        #expect(trail.step.code[0] == 0)
        trail.jump(to: 99)
        #expect(trail.step.code[0] == 0)
    }

    @Test("the picture store keeps what is used and stays within its budget")
    func pictures() {
        var store = PictureStore(budget: 10 * 16 * 16 * 3)
        let settings = TestSpace.description().defaults
        func request(_ number: Int) -> RenderRequest { RenderRequest(subject: .identity("\(number)"), settings: settings) }
        var keys: [ImageKey] = []
        for number in 0..<14 {
            keys.append(store.add(TestSpace.picture(UInt8(number)), finishedFor: request(number)))
            store.touch(keys[0])
            store.trim(keeping: [keys[1 % keys.count]])
        }
        #expect(store.bytes <= store.budget)
        #expect(store.image(keys[0]) == TestSpace.picture(0))
        #expect(store.contains(keys[1]))
        #expect(!store.contains(keys[2]))
        #expect(store.finishedPicture(of: request(2)) == nil)
        #expect(store.finishedPicture(of: request(13)) == keys[13])
        #expect(Set(keys).count == keys.count)
        // Drawn once more it keeps its name; in another size it is another picture.
        #expect(store.add(TestSpace.picture(13), finishedFor: request(13)) == keys[13])
        #expect(store.add(TestSpace.picture(13, side: 8), finishedFor: request(13)) != keys[13] && !store.contains(keys[13]))
    }

    @Test("names of axes: at most two attributes, never twice the same thing, the sign told")
    func axisNames() {
        let index = SpaceIndex(TestSpace.description())
        #expect(index.axisNames[0] == "male, beard")
        #expect(index.axisNames[1] == "age, −beard")
        #expect(index.axisNames[2] == "eyeglasses")
        #expect(index.axisNames[3].isEmpty)
        #expect(index.number(of: 7) == "07")
        #expect(index.spokenName(of: 3) == "axis 03")
    }

    @Test("sigma and similarity")
    func index() {
        let index = SpaceIndex(TestSpace.description(identities: 400))
        let centre = index.description.centre
        #expect(index.sigma(centre, 4) == 0)
        #expect(index.coordinate(sigma: -1.5, 4) == 0.5 - 3)
        let a = index.description.identities.code(at: 0)
        #expect(abs(index.similarity(a, a) - 1) < 1e-5)
        let mirrored = WeightCode(a.values.map { 1 - $0 })
        #expect(abs(index.similarity(a, mirrored) + 1) < 1e-5)
        let all = index.similarities(to: a)
        for row in stride(from: 0, to: 400, by: 37) {
            #expect(abs(all[row] - index.similarity(index.description.identities.code(at: row), a)) < 1e-5)
        }
        let near = index.nearest(to: a, count: 5, excluding: 0)
        let best = all.enumerated().filter { $0.offset != 0 }.map(\.element).sorted(by: >).prefix(5)
        #expect(zip(near.map(\.similarity), best).allSatisfy { abs($0 - $1) < 1e-6 })
    }

    @Test("a space without identities, without active axes, with broken numbers")
    func oddSpaces() {
        for description in [
            TestSpace.description(identities: 0), TestSpace.description(identities: 1, axes: 1), TestSpace.description(axes: 0),
        ] {
            var story = Story.opened(description)
            for key in ["2", "3", "4", "1", "o", "z", "n", "t", "R", "a", "c"] { story.press(Character(key)) }
            story.press(.right)
            story.press(.down)
            #expect(!story.screen.isEmpty)
        }
        var broken = TestSpace.description()
        for axis in broken.axes.indices {
            broken.axes[axis].deviation = .nan
            broken.axes[axis].effect = .infinity
        }
        broken.identities.codes[0] = .nan
        var story = Story.opened(broken)
        story.press(.right)
        story.press("2")
        story.wait(1)
        story.press("o")
        story.press("1")
        #expect(!story.screen.isEmpty)
    }

    @Test("a space without a weight VAE: people can be looked at, and every other key says why not")
    func withoutCodes() {
        var story = Story.opened(TestSpace.description(axes: 0))
        #expect(story.lastPreview?.request.subject == .identity("p00001"))
        #expect(story.screen.contains("this space has no weight VAE"))
        story.press("3")
        #expect(story.screen.contains("this space has no weight VAE, so no walks between people"))
        #expect(!story.screen.contains("not chosen yet"))
        story.press("1")
        for key in ["n", "N", "a", "R"] {
            story.press(Character(key))
            #expect(story.toast.contains("w2w train makes one"))
        }
        story.press("2")
        #expect(GalleryStories.requested(story).first?.subject == .identity("p00002"))
        story.press(.right)
        story.press(.enter)
        #expect(story.lastPreview?.request.subject == .identity("p00002"))
    }

    @Test("numbers as they are shown")
    func format() {
        #expect(Format.signed(1.25) == "+1.25")
        #expect(Format.signed(-0.5) == "−0.50")
        #expect(Format.signed(-0.001) == "0.00")
        #expect(Format.signed(.nan) == "?")
        #expect(Format.step("wearing lipstick +1.25", columns: 22) == "wearing lipstick +1.25")
        #expect(Format.step("wearing lipstick −1.25", columns: 17) == "wearing li… −1.25")
        #expect(Format.step("wearing lipstick +1.25", columns: 7) == "wearin…")
        #expect(Format.step("a prompt of many words", columns: 10) == "a prompt …" && Format.step("p00001", columns: 4) == "p00…")
        #expect(Format.similarity(0.81) == ".81")
        #expect(Format.similarity(-0.2) == "−.20")
        #expect(Format.similarity(1) == "1.00")
        #expect(Format.count(1012) == "1,012")
        #expect(Format.count(65_000_123) == "65,000,123")
        #expect(Format.duration(0.09) == "90 ms")
        #expect(Format.duration(1.44) == "1.4 s")
        #expect(Format.duration(99.4) == "99 s")
        #expect(Format.duration(117) == "1 min 57 s")
        #expect(Format.duration(119.6) == "2 min")
        #expect(Format.duration(725) == "12 min")
        #expect(Format.duration(7500) == "2 h 5 min")
        #expect(Format.date(1_795_500_000, secondsFromUTC: 0) == "2026-11-24 06:00")
        #expect(Format.date(1_795_500_000, secondsFromUTC: -7 * 3600) == "2026-11-23 23:00")
        #expect(Format.date(951_782_400, secondsFromUTC: 0) == "2000-02-29 00:00")
        #expect(Format.date(-1, secondsFromUTC: 0) == "1969-12-31 23:59")
        #expect(Format.fileName("p00042 + 2 changes") == "p00042-2-changes")
        #expect(Format.fileName("../../etc/passwd") == "etc-passwd")
        #expect(Format.fileName("…") == "face")
    }

    @Test("a line is edited as lines are")
    func lineEditor() {
        var line = LineEditor(.prompt, label: "prompt", text: "a red hat")
        func take(_ keys: KeyEvent...) { for key in keys { _ = line.take(key) } }
        take(KeyEvent(.character("w"), control: true))
        #expect(line.text == "a red ")
        take(KeyEvent(.home), KeyEvent(.delete), KeyEvent(.character("日")), KeyEvent(.end), KeyEvent(.left), KeyEvent(.backspace))
        #expect(line.text == "日 re ")
        #expect(line.visible(columns: 4).text == " re ")
        #expect(line.take(KeyEvent(.enter)) == .accepted)
        #expect(line.take(KeyEvent(.escape)) == .cancelled)
        take(KeyEvent(.character("u"), control: true))
        #expect(line.text.isEmpty && line.cursor == 0)
        take(KeyEvent(.backspace), KeyEvent(.left), KeyEvent(.delete))
        #expect(line.text.isEmpty)
    }

    @Test("seeds are the same for the same beginning, and fit on a line")
    func seeds() {
        var one = SeedSource(7)
        var other = SeedSource(7)
        let seeds = (0..<200).map { _ in one.seed() }
        #expect(seeds == (0..<200).map { _ in other.seed() })
        #expect(seeds.allSatisfy { (1...9999).contains($0) })
        #expect(Set(seeds).count > 150)
    }

    @Test("a suggested name gives way to what is typed, takes a tag behind it, and is edited after any other key")
    func suggestions() {
        func typed(_ keys: [Key]) -> String {
            var line = LineEditor(.keep, label: "save as", text: "sample 7431", isSuggestion: true)
            for key in keys { _ = line.take(KeyEvent(key)) }
            #expect(!line.isSuggestion)
            return line.text
        }
        #expect(typed([.character("B"), .character("o")]) == "Bo")
        #expect(typed([.character("#"), .character("x")]) == "sample 7431 #x")
        #expect(typed([.character(" "), .character("#")]) == "sample 7431 #")
        #expect(typed([.enter]) == "sample 7431")
        #expect(typed([.backspace]) == "")
        #expect(typed([.left, .character("8")]) == "sample 74381")
        var line = LineEditor(.keep, label: "save as", text: "sample 7431", isSuggestion: true)
        _ = line.take(KeyEvent(.character("w"), control: true))
        #expect(line.text == "sample ")
        #expect(!LineEditor(.keep, label: "save as", isSuggestion: true).isSuggestion)
    }

    @Test("long names are cut where they do not differ")
    func shortNames() {
        #expect(Format.shortName("sample 7431", to: 10) == "sampl…7431")
        #expect(Format.shortName("p00001 → p00003 at 0.38", to: 13) == "p00001 … 0.38")
        #expect(Format.shortName("Anna Maria Wilhelmine", to: 10) == "Anna Mari…")
        #expect(Format.shortName("p00042", to: 10) == "p00042")
        for columns in 0..<30 {
            for name in ["sample 7431", "王王王王王王王 12", "p00001 → p00003 at 0.38"] {
                #expect(TextWidth.columns(of: Format.shortName(name, to: columns)) <= columns)
            }
        }
    }
}
