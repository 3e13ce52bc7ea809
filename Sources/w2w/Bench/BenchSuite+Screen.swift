import EngineAPI
import Foundation
import PseudoTerminal

extension Benchmark {
    static let keys = Benchmark(
        name: "keys", summary: "key to screen while faces are drawn, on a pseudo-terminal with sixel",
        need: ("axes to move along", { $0.latentDimension > 0 })
    ) { try $0.keys() }
}

/// Figures of the whole program as a person meets it: the explorer on a pseudo-terminal that answers as xterm with sixel.
extension BenchSuite {
    /// The program that runs, on a terminal of its own and with folders of its own.
    private func explorer(home: String) throws -> Session {
        var arguments = ["explore"]
        if case .folder(let path) = source { arguments += ["--space", URL(fileURLWithPath: path).path] }
        // As from a shell: the re-exec is part of what a person waits for.
        let environment = [
            "HOME": home, "XDG_DATA_HOME": home + "/data", "XDG_CONFIG_HOME": home + "/config", "XDG_STATE_HOME": home + "/state",
            "XDG_CACHE_HOME": home + "/cache", "OMP_WAIT_POLICY": "", "OPENBLAS_CORETYPE": "", "GOMP_SPINCOUNT": "",
            Reexecution.marker: "",
        ]
        // A quick terminal: how long another one takes to paint is not the program's.
        var behaviour = Behaviour.sixel
        behaviour.decodesPictures = false
        return try Session(
            program: URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path, arguments: arguments,
            behaviour: behaviour, columns: 120, rows: 34, environment: environment)
    }

    private func withHome<Result>(_ body: (String) throws -> Result) throws -> Result {
        let home = NSTemporaryDirectory() + "w2w-bench-home-\(getpid())"
        try? FileManager.default.removeItem(atPath: home)
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: home) }
        return try body(home)
    }

    /// The number of the slider in hand: the word before the sign of sigma in its row.
    private static func value(_ model: TerminalModel) -> Substring? {
        for row in 0..<model.rows {
            let words = model.text(row: row).split(separator: " ")
            if words.contains("▸"), let sigma = words.firstIndex(of: "σ"), sigma > 0 { return words[sigma - 1] }
        }
        return nil
    }

    private static func showsFinishedFace(_ model: TerminalModel) -> Bool {
        model.drawnPictureCount > 0 && model.text.contains(" steps · ")
    }

    /// From a key that moves a slider to its new value on the screen. The keys come faster than faces are finished, so the engine draws
    /// all the while, and pictures are on their way to the terminal.
    func keys() throws -> [BenchResult] {
        try withHome { home in
            let session = try explorer(home: home)
            defer { session.end() }
            _ = try session.seconds(until: "a finished face", timeout: 300, Self.showsFinishedFace)
            var random = SystemRandomNumberGenerator()
            let presses = max(20, stopwatch.repeats * 10)
            var samples: [Double] = []
            for number in 0..<(presses + 10) {
                try Interruption.shared.check()
                // There and back, within the slider's range; at no fixed phase of what is drawn meanwhile.
                usleep(UInt32.random(in: 20_000...120_000, using: &random))
                let before = session.model
                let old = Self.value(before)
                let spent = try session.seconds(
                    until: "a slider that moves", after: { session.send(number % 8 < 4 ? .right : .left) },
                    { Self.value($0) != nil && Self.value($0) != old })
                if number >= 10 { samples.append(spent * 1000) }
            }
            session.send("q")
            let sorted = samples.sorted()
            func percentile(_ part: Double) -> Double {
                sorted[min(sorted.count - 1, Int((part * Double(sorted.count)).rounded(.up)) - 1)]
            }
            let work = "key to screen while faces are drawn, 120 x 34 cells, sixel, of \(samples.count) keys"
            return [
                BenchResult(name: "keys", unit: "ms", samples: samples, work: work),
                BenchResult(name: "keys-p99", unit: "ms", samples: [percentile(0.99)], work: "99th percentile of the same"),
            ]
        }
    }

    /// From the start of the program to the first screen, and to the first finished face.
    func firstScreen() throws -> [BenchResult] {
        try withHome { home in
            var screens: [Double] = []
            var faces: [Double] = []
            for number in 0..<(stopwatch.warmUp + min(stopwatch.repeats, 15)) {
                try Interruption.shared.check()
                let began = ContinuousClock.now
                let session = try explorer(home: home)
                defer { session.end() }
                _ = try session.seconds(until: "the first screen", timeout: 60) { $0.text.contains("1 Explore") }
                let screen = (ContinuousClock.now - began) / .milliseconds(1)
                _ = try session.seconds(until: "a finished face", timeout: 300, Self.showsFinishedFace)
                let face = (ContinuousClock.now - began) / .milliseconds(1)
                guard number >= stopwatch.warmUp else { continue }
                screens.append(screen)
                faces.append(face)
            }
            return [
                BenchResult(
                    name: "start-first-screen", unit: "ms", samples: screens, work: "start of the program to its first screen"),
                BenchResult(
                    name: "start-first-face", unit: "ms", samples: faces, work: "start of the program to a finished face"),
            ]
        }
    }
}
