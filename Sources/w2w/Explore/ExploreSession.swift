import EngineAPI
import Explorer
import Foundation
import Library
import ScreenModel
import Terminal

/// The loop that joins the explorer's pure model with the terminal, the engine and the library.
///
/// Everything here is on the main thread. The engine answers through the message box, so no key ever waits for it.
@MainActor final class ExploreSession {
    private var model: ExplorerModel
    private let screen: TerminalScreen
    private let engine: any EngineService
    private let library: Library
    private let box: MessageBox
    private var preferences: Preferences
    private let preferencesPath: String
    private var hasEnded = false
    private var cellAspect: Double

    init(
        model: ExplorerModel, screen: TerminalScreen, engine: any EngineService, library: Library, box: MessageBox,
        preferences: Preferences, preferencesPath: String
    ) {
        self.model = model
        self.screen = screen
        self.engine = engine
        self.library = library
        self.box = box
        self.preferences = preferences
        self.preferencesPath = preferencesPath
        cellAspect = model.options.cellAspect
    }

    /// Runs until the person quits.
    func run() {
        // The frame before the first effects: a person sees the screen while the models load behind it.
        present()
        handle(.start)
        for notice in library.notices { handle(.library(notice)) }
        present()
        while !hasEnded {
            let inputs = screen.wait(until: deadline)
            for input in inputs { handle(.input(input)) }
            noteCellAspect()
            for message in box.takeAll() { handle(message) }
            if let tick = model.nextTick, tick <= Self.now { handle(.tick) }
            present()
        }
    }

    private static var now: Double { Date().timeIntervalSince1970 }

    /// When the model wants to move by itself.
    private var deadline: ContinuousClock.Instant? {
        model.nextTick.map { .now + .seconds(max(0, $0 - Self.now)) }
    }

    private func present() {
        guard !hasEnded else { return }
        let frame = model.view(size: screen.size)
        screen.present(frame) { model.image(for: $0) }
    }

    /// A change of font changes the shape of the cells, and with it how much room a square picture takes.
    private func noteCellAspect() {
        let aspect = screen.cellAspect
        guard aspect != cellAspect else { return }
        cellAspect = aspect
        handle(.cellAspect(aspect))
    }

    private func handle(_ message: ExplorerMessage) {
        for effect in model.update(message, at: Self.now) {
            guard !hasEnded else { return }
            carryOut(effect)
        }
    }

    private func carryOut(_ effect: ExplorerEffect) {
        switch effect {
        case .submit(let command, let id):
            engine.submit(command, as: id)
        case .cancel(let id):
            engine.cancel(id)
        case .library(let request):
            for event in library.perform(request) { handle(.library(event)) }
        case .export(let request):
            let box = box
            // Off the main thread: a long animation takes a while to compress.
            DispatchQueue.global(qos: .utility).async {
                do {
                    box.post(.exported(path: try ExportWriter.write(request)))
                } catch {
                    box.post(.exportFailed("\(request.path) was not written: \(CommandEnd.sentence(of: error))"))
                }
            }
        case .remember(let preference):
            preferences.apply(preference)
            preferences.save(to: preferencesPath)
        case .redraw:
            screen.redraw()
        case .suspend:
            screen.suspend()
        case .quit:
            hasEnded = true
        }
    }
}
