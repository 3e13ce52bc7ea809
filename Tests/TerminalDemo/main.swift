// A small program on `Terminal` alone, which the tests drive through a pseudo-terminal: no engine, no explorer.
import Foundation
import Glibc
import ImageCore
import ScreenModel
import Terminal

@MainActor
final class Demo {
    let screen: TerminalScreen
    var sliders = [0.3, 0.5, 0.7, 0.8]
    var selected = 0
    var page = Page.preview
    var overlay = false
    var lastInput = "none"
    var note = ""
    var isRunning = true
    var nextKey: UInt64 = 1
    var keys: [String: ImageKey] = [:]
    var pictures: [ImageKey: RGBImage] = [:]
    /// A draft is shown until the finished picture replaces it.
    var draftUntil: ContinuousClock.Instant?

    /// How far the list is scrolled.
    var offset = 10

    enum Page { case preview, gallery, strip, list }

    init(arguments: [String], environment: [String: String]) throws {
        var options = TerminalOptions(errorLog: environment["DEMO_LOG"], environment: environment)
        for argument in arguments {
            if let graphics = TerminalOptions.Graphics(rawValue: argument) { options.graphics = graphics }
        }
        screen = try TerminalScreen(options: options, environment: environment)
    }

    func run() {
        while isRunning {
            show()
            for event in screen.wait(until: draftUntil) { handle(event) }
            if let due = draftUntil, ContinuousClock.now >= due { draftUntil = nil }
        }
        screen.close()
    }

    func handle(_ event: InputEvent) {
        switch event {
        case .key(let key): handle(key)
        case .mouse(let mouse):
            lastInput = "\(mouse.action) \(mouse.position.x),\(mouse.position.y)"
        case .resized(let size): note = "resized \(size.columns)x\(size.rows)"
        case .graphics(let mode, let words): note = "graphics \(mode.rawValue)" + (words.map { ": " + $0 } ?? "")
        case .terminate: isRunning = false
        }
    }

    func handle(_ key: KeyEvent) {
        lastInput = Self.name(key)
        switch key.key {
        case .up: selected = (selected + sliders.count - 1) % sliders.count
        case .down: selected = (selected + 1) % sliders.count
        case .left: change(-0.05)
        case .right: change(0.05)
        case .character("c") where key.control: isRunning = false
        case .character("q"): isRunning = false
        case .character("g"): page = .gallery
        case .character("m"): page = .strip
        case .character("p"): page = .preview
        case .character("v"): page = .list
        case .pageUp: offset -= 5
        case .pageDown: offset += 5
        case .character("o"): overlay.toggle()
        case .character("X"): raise(SIGSEGV)
        case .character("T"):
            let none: [Int] = []
            note = "\(none[selected + 1])"
        case .character("E"): exit(3)
        case .character("H"): while true { sleep(10) }
        case .character("L"): waitForHangUp()
        default: break
        }
    }

    /// Busy with something else while the terminal goes away, and told by nobody: it shows with the next thing that is written.
    func waitForHangUp() {
        signal(SIGHUP, SIG_IGN)
        var polls = [pollfd(fd: 0, events: 0, revents: 0)]
        while polls[0].revents & Int16(POLLHUP) == 0 { poll(&polls, 1, 100) }
        screen.redraw()
    }

    func change(_ step: Double) {
        sliders[selected] = min(1, max(0, sliders[selected] + step))
        draftUntil = .now + .milliseconds(120)
    }

    static func name(_ key: KeyEvent) -> String {
        var words = ""
        if key.control { words += "ctrl-" }
        if key.alt { words += "alt-" }
        if key.shift { words += "shift-" }
        if case .character(let character) = key.key { return words + String(character) }
        return words + "\(key.key)"
    }

    func show() {
        let size = screen.size
        var grid = CellGrid(size: size)
        guard size.columns >= 50, size.rows >= 12 else {
            grid.put("make the window at least 50x12 (now \(size.columns)x\(size.rows))", x: 0, y: 0)
            screen.present(Frame(grid: grid)) { _ in nil }
            return
        }
        if page == .list {
            showList(size)
            return
        }
        let accent = Style(foreground: Colour(index: 215, rgb: 0xe8a868))
        let dim = Style(foreground: Colour(index: 239, rgb: 0x4b5059))
        let body = Rect(x: 0, y: 0, columns: size.columns, rows: size.rows - 1)
        let (left, right) = body.split(column: size.columns * 2 / 5)
        grid.border(left, style: dim, title: "Sliders", titleStyle: accent)
        grid.border(right, style: dim, title: "\(page)", note: draftUntil == nil ? "final" : "rendering")
        for (index, value) in sliders.enumerated() {
            let style = index == selected ? accent : .plain
            let percent = Int((value * 100).rounded())
            grid.put("\(index == selected ? "▸" : " ") axis \(index) \(percent)%", x: 2, y: 2 + 2 * index, style: style)
            let width = left.columns - 6
            let knob = Int((value * Double(width - 1)).rounded())
            let bar = String(repeating: "━", count: knob) + "●" + String(repeating: "·", count: width - 1 - knob)
            grid.put(bar, x: 4, y: 3 + 2 * index, style: style)
        }
        grid.put("input: \(lastInput)", x: 2, y: left.maxY - 2, clip: left.inset(by: 1))
        grid.put(note, x: 1, y: size.rows - 1, columns: size.columns - 2)

        var placements: [ImagePlacement] = []
        if !overlay {
            placements = places(in: right.inset(left: 2, top: 1, right: 2, bottom: 1), grid: &grid)
        } else {
            let middle = right.inset(
                left: right.columns / 4, top: right.rows / 4, right: right.columns / 4, bottom: right.rows / 4)
            grid.border(middle, style: accent, title: "Help")
            grid.putCentred("an overlay over the pictures", in: middle, row: middle.rows / 2)
        }
        screen.present(Frame(grid: grid, placements: placements)) { pictures[$0] }
    }

    /// Lines over the whole width that move up or down, and a picture beside them that stays.
    func showList(_ size: Size) {
        var grid = CellGrid(size: size)
        for row in 0..<(size.rows - 1) {
            grid.put("line \(row + offset) of a list that is longer than the window is high", x: 16, y: row)
        }
        grid.put("from \(offset) on", x: 1, y: size.rows - 1)
        let face = place("list", Rect(x: 2, y: 2, columns: 12, rows: 6), sliders, false)
        screen.present(Frame(grid: grid, placements: [face])) { pictures[$0] }
    }

    func places(in rect: Rect, grid: inout CellGrid) -> [ImagePlacement] {
        let isDraft = draftUntil != nil
        switch page {
        case .list: return []
        case .preview: return [place("preview", rect, sliders, isDraft)]
        case .gallery:
            let columns = max(1, rect.columns / 11)
            let rows = max(1, rect.rows / 6)
            return (0..<(columns * rows)).map { index in
                let cell = Rect(x: rect.x + index % columns * 11, y: rect.y + index / columns * 6, columns: 10, rows: 5)
                var values = sliders
                values[0] = Double(index % 7) / 6
                values[1] = Double(index % 5) / 4
                grid.put("p\(10_000 + index)", x: cell.x + 2, y: cell.maxY)
                return place("gallery\(index)", cell, values, false)
            }
        case .strip:
            let (top, bottom) = rect.split(row: rect.rows - 6)
            var list = [place("frame", top, sliders, isDraft)]
            let width = bottom.columns / 9
            for index in 0..<9 where width > 1 {
                let cell = Rect(x: bottom.x + index * width, y: bottom.y, columns: width - 1, rows: 5)
                var values = sliders
                values[2] = Double(index) / 8
                grid.put(
                    String(index), x: cell.x + cell.columns / 2, y: cell.maxY, style: index == 4 ? Style(bold: true) : .plain)
                list.append(place("strip\(index)", cell, values, false))
            }
            return list
        }
    }

    func place(_ slot: String, _ rect: Rect, _ values: [Double], _ isDraft: Bool) -> ImagePlacement {
        let name = "\(values) \(isDraft)"
        let key: ImageKey
        if let known = keys[name] {
            key = known
        } else {
            key = ImageKey(nextKey)
            nextKey += 1
            keys[name] = key
            do {
                pictures[key] = Self.face(values, side: isDraft ? 32 : 128)
            }
        }
        return ImagePlacement(slot: slot, rect: rect, image: key, isDraft: isDraft)
    }

    /// A head on a blue ground: skin tone, width, light and mouth from four numbers in 0...1.
    static func face(_ values: [Double], side: Int) -> RGBImage {
        var image = RGBImage(width: side, height: side)
        for y in 0..<side {
            for x in 0..<side {
                let u = (Double(x) + 0.5) / Double(side) * 2 - 1
                let v = (Double(y) + 0.5) / Double(side) * 2 - 1
                let head = u * u / (0.3 + 0.3 * values[1]) + v * v / 0.75
                var colour = [50 + 30 * v, 80 + 30 * v, 150 - 40 * v]
                if head < 1 {
                    let light = 0.55 + 0.45 * (1 - head).squareRoot() + 0.3 * u * (values[2] - 0.5)
                    colour = [255 - 130 * values[0], 205 - 125 * values[0], 170 - 120 * values[0]].map { $0 * light }
                    let eye = (abs(u) - 0.28) * (abs(u) - 0.28) + (v + 0.15) * (v + 0.15)
                    if eye < 0.006 { colour = [30, 40, 60] }
                    let mouth = 0.42 - (values[3] - 0.5) * u * u * 3
                    if abs(u) < 0.3, abs(v - mouth) < 0.035 { colour = [150, 50, 60] }
                }
                for channel in 0..<3 {
                    image.pixels[(y * side + x) * 3 + channel] = UInt8(min(255, max(0, colour[channel])))
                }
            }
        }
        return image
    }
}

do {
    let demo = try Demo(
        arguments: Array(CommandLine.arguments.dropFirst()), environment: ProcessInfo.processInfo.environment)
    demo.run()
} catch {
    print("demo: \(error)")
    exit(2)
}
