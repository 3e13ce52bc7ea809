import StableDiffusion

extension Benchmark {
    static let shortcuts = Benchmark(
        name: "shortcuts", summary: "what the preview's shortcuts lose against full runs (not part of all)", isPartOfAll: false,
        need: ("coordinates and eight people", { $0.latentDimension > 0 && $0.identities.count >= 8 })
    ) { try $0.shortcuts() }
}

/// What the shortcuts of the preview lose: not time but likeness, against the full runs that they stand for.
extension BenchSuite {
    /// Runs that go on from the middle of another person's, that follow another person's at a distance, drafts from noise, and guidance on a
    /// part of the way.
    func shortcuts() throws -> [BenchResult] {
        let (space, pipeline) = try models()
        var trial = try ShortcutTrial(space, pipeline)
        for name in trial.names {
            try resume(name, &trial)
            try follow(name, &trial)
        }
        if let name = trial.names.last {
            for steps in [3, 4, 6, 8] {
                try trial.measureRun("draft", name, "from noise in \(steps) evaluations") { $0.steps = steps }
            }
            try save(name, &trial)
            try reuse(name, &trial)
            for interval: ClosedRange<Float> in [0...900, 0...800, 100...1000, 200...900] {
                let bounds = "\(Int(interval.lowerBound))..\(Int(interval.upperBound))"
                try trial.measureRun("interval", name, "guidance at \(bounds) alone") { $0.guidanceInterval = interval }
            }
        }
        return trial.results
    }

    /// The rest of the known run, with the wanted person's weights.
    private func resume(_ name: String, _ trial: inout ShortcutTrial) throws {
        for share in [0.25, 0.5, 0.75] {
            try trial.measure("resume", name, "resumed after \(Int(share * 100)) % of the run") { change in
                guard var run = change.known.resumed(at: Int(share * Double(change.known.count)), adapters: [change.wanted])
                else { return nil }
                while !run.isFinished { run.step() }
                return run.latents
            }
        }
    }

    /// The difference to the known run alone.
    private func follow(_ name: String, _ trial: inout ShortcutTrial) throws {
        for guided: ClosedRange<Float>? in [nil, 0...900, 200...900] {
            let words = guided.map { ", compared with guidance at \(Int($0.lowerBound))..\(Int($0.upperBound)) alone" } ?? ""
            for evaluations in guided == nil ? [1, 2, 3, 4, 6] : [3, 4, 6] {
                try trial.measure("follow", name, "followed in \(evaluations) evaluations\(words)") { change in
                    guard
                        var run = change.known.difference(evaluations: evaluations, adapters: [change.wanted], guided: guided)
                    else { return nil }
                    while !run.isFinished { run.step() }
                    return run.estimate
                }
            }
        }
    }

    /// Drafts of six evaluations that leave something out.
    private func save(_ name: String, _ trial: inout ShortcutTrial) throws {
        let kept = Set([0, 1, 2, 3])
        for (words, interval, shortcuts): (String, ClosedRange<Float>, StepShortcuts?) in [
            ("guidance at 0..900", 0...900, nil),
            (
                "guidance at 200..900, deep features kept from the fourth on", 200...900,
                StepShortcuts(whole: kept, layers: .max)
            ),
            (
                "deep features kept from the fourth on, guidance asked at the second and fourth", 0...900,
                StepShortcuts(whole: kept, layers: .max, guided: [0, 3])
            ),
        ] {
            try trial.measureRun("saving", name, "from noise in 6 evaluations, \(words)") { request in
                request.steps = 6
                request.guidanceInterval = interval
                request.shortcuts = shortcuts
            }
        }
    }

    /// Full runs in which some evaluations keep deep features of the one before.
    private func reuse(_ name: String, _ trial: inout ShortcutTrial) throws {
        for layers in [1, 2] {
            for period in [2, 3] {
                try trial.measureRun("reuse", name, "the full run, \(layers) layers follow, whole at every \(period)") {
                    request in
                    request.shortcuts = StepShortcuts(
                        whole: Set((0..<request.steps).filter { $0 % period == 0 }), layers: layers)
                }
            }
        }
    }
}
