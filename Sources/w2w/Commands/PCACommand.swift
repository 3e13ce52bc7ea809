import ArgumentParser
import Checkpoints
import EngineAPI
import Foundation
import WeightSpace

extension PCAPlan.Method: ExpressibleByArgument {}
extension SpaceWriter.Placement: ExpressibleByArgument {}

/// `w2w pca`: the linear model of weights2weights.
struct PCACommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pca",
        abstract: "Find the principal components of LoRA vectors and write them into a space.",
        discussion: """
            WEIGHTS is a weights.safetensors with layout.json, identities.csv and base/ beside it, or a space folder; the file is read in \
            blocks and need not fit into memory. SPACE may be a space with the same vectors: it gets a PCA beside its weight VAE, and every \
            command and the explorer take either (--model vae|pca). As in weights2weights every number of the vectors is divided by its \
            deviation first; --scaling centre only subtracts the mean, which reconstructs the vectors better. Up to 6144 vectors are \
            decomposed exactly, more by passes that end when the singular values stand still. Ctrl-C keeps a checkpoint in SPACE; --resume \
            goes on from it exactly.

            Examples:
              w2w pca celeb/weights.safetensors --components 1000 --out ~/spaces/celeb-pca
              w2w pca ~/spaces/celeb --components 64 --split train --out ~/spaces/celeb
            """
    )

    /// What is done to the vectors first.
    enum Scaling: String, CaseIterable, ExpressibleByArgument {
        case standard, centre
    }

    /// Which identities are fitted.
    enum Split: String, CaseIterable, ExpressibleByArgument {
        case all, train
    }

    /// How the components are stored.
    enum Store: String, CaseIterable, ExpressibleByArgument {
        case f32, f16

        var type: ElementType { self == .f16 ? .float16 : .float32 }
    }

    @Argument(help: "LoRA vectors: a safetensors file or a space folder.")
    var weights: String

    @Option(help: ArgumentHelp("How many components.", valueName: "k"))
    var components: Int

    @Option(help: ArgumentHelp("A new folder, or the space of these vectors.", valueName: "space"))
    var out: String

    @Option(help: "Divide every number by its deviation (standard), or only subtract the mean (centre).")
    var scaling: Scaling = .standard

    @Option(help: "Fit all identities, or those that the space's weight VAE was trained on (without one, the 80 % of seed 0).")
    var split: Split = .all

    @Option(help: "The way to the components; without it exact up to 6144 vectors, randomized above.")
    var method: PCAPlan.Method?

    @Option(help: ArgumentHelp("At most so many passes of the randomised method.", valueName: "n"))
    var passes = 16

    @Option(help: ArgumentHelp("It ends when no singular value changes by more than this share in a pass.", valueName: "x"))
    var tolerance = 1e-4

    @Option(help: ArgumentHelp("Seed of its random start.", valueName: "n"))
    var seed: UInt64 = 0

    @Option(help: "How components and coefficients are stored.")
    var store: Store = .f32

    @Option(
        help: ArgumentHelp(
            "Copy the base model into a new space, or only refer to it; without it copy.", valueName: "copy|refer"))
    var placement: SpaceWriter.Placement?

    @Option(
        help: ArgumentHelp("Copy the vectors into a new space, or only refer to them; without it refer.", valueName: "copy|refer")
    )
    var vectors: SpaceWriter.Placement?

    @Option(help: ArgumentHelp("The name of the space; without it its own, of a new one that of WEIGHTS.", valueName: "text"))
    var name: String?

    @Flag(help: "Go on from the checkpoint in SPACE.")
    var resume = false

    /// Seconds between two checkpoints.
    private static let checkpointInterval = 120.0

    func validate() throws {
        guard components >= 1 else { throw ValidationError("'--components \(components)' should be 1 or more.") }
        guard passes >= 2 else { throw ValidationError("'--passes \(passes)' should be 2 or more.") }
        guard tolerance > 0, tolerance < 1 else { throw ValidationError("'--tolerance \(tolerance)' is outside 0 to 1.") }
    }

    func run() throws {
        let began = ContinuousClock.now
        let source = try TrainingSource(URL(fileURLWithPath: (weights as NSString).expandingTildeInPath))
        let folder = URL(fileURLWithPath: (out as NSString).expandingTildeInPath)
        try OutputFile.checkFolder(folder)
        let isThere = FileManager.default.fileExists(atPath: folder.appendingPathComponent("space.json").path)
        if isThere {
            try checkSpace(folder, source)
            try IdleOptions.refuse(
                [("--placement", placement != nil), ("--vectors", vectors != nil)], "on a space, which has its own")
        } else {
            try checkPlace(folder, source)
        }
        guard isThere || source.baseURL != nil else {
            throw CommandFailure(
                "\(source.weightsURL.path): there is no base model beside the weights.",
                advice: "Put its diffusers folder there as base/, or name a space folder.")
        }
        let chosen = try rows(source)
        let plan = PCAPlan(
            components: components, standardizes: scaling == .standard, method: method, passes: passes, tolerance: tolerance,
            seed: seed)
        if plan.method(rows: chosen?.rows.count ?? source.labels.count) == .exact {
            try IdleOptions.refuse(
                [("--passes", passes != 16), ("--tolerance", tolerance != 1e-4), ("--seed", seed != 0)], "with the exact method")
        }
        let fit = try PCAFit(plan, weights: source.weights, rows: chosen?.rows, origin: chosen?.origin ?? "")
        let checkpoint = folder.appendingPathComponent(PCACheckpoint.fileName)
        if resume {
            guard checkpoint.fileKind != nil else {
                throw CommandFailure(
                    "\(folder.path): there is no checkpoint to go on from.", advice: "Begin without --resume.",
                    status: .wrongUsage)
            }
            try PCACheckpoint.restore(fit, from: checkpoint)
        }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // Only if nothing was kept in it.
        defer { rmdir(folder.path) }
        Interruption.shared.listen()
        try work(fit, checkpoint: checkpoint)
        ProgressLine.clear()
        let pca = try fit.result()
        do {
            try write(pca, around: isThere ? nil : source, to: folder, checkpoint: checkpoint)
        } catch {
            ProgressLine.clear()
            // What was found is not lost with the disk that is full.
            guard (try? PCACheckpoint.write(fit, to: checkpoint)) != nil || checkpoint.fileKind != nil else { throw error }
            let kept = "The work until then is kept in \(checkpoint.path); go on with --resume."
            if error is Cancelled { throw Cancelled(kept: kept) }
            throw CommandFailure("the space could not be written: \(CommandEnd.sentence(of: error))", advice: kept)
        }
        ProgressLine.clear()
        report(fit, pca, seconds: (ContinuousClock.now - began) / .seconds(1), folder: folder)
    }

    /// Adds the PCA to the space that is there, or makes a space around the vectors.
    private func write(_ pca: WeightPCA, around source: TrainingSource?, to folder: URL, checkpoint: URL) throws {
        func progress(_ activity: String, _ done: Int, _ total: Int) throws {
            try Interruption.shared.check()
            ProgressLine.show(Progress(activity: activity, done: done, total: total))
        }
        try progress("writing the components", 0, 1)
        guard let source else {
            let rename = name.map { name in { (manifest: inout SpaceManifest) in manifest.name = name } }
            try SpaceWriter.replace([("pca.safetensors", .pca)], in: folder, adjust: rename) {
                try pca.write(to: $0.appendingPathComponent("pca.safetensors"), as: store.type)
            }
            try? FileManager.default.removeItem(at: checkpoint)
            return
        }
        func fill(_ folder: URL) throws {
            try pca.write(to: folder.appendingPathComponent("pca.safetensors"), as: store.type)
            var writer = try SpaceWriter(
                new: folder, around: source, name: name ?? source.name, base: placement ?? .copy, weights: vectors ?? .refer,
                progress: progress)
            try writer.add("pca.safetensors", as: .pca)
            try writer.finish()
        }
        // Beside its own vectors a space cannot come into being elsewhere.
        if isHome(folder, of: source) {
            try fill(folder)
            try? FileManager.default.removeItem(at: checkpoint)
        } else {
            try DraftFolder.fill(folder) {
                try fill($0)
                try? FileManager.default.removeItem(at: checkpoint)
            }
        }
    }

    private func isHome(_ folder: URL, of source: TrainingSource) -> Bool {
        source.layoutURL.deletingLastPathComponent().resolvingSymlinksInPath().standardizedFileURL.path
            == folder.resolvingSymlinksInPath().standardizedFileURL.path
    }

    /// Refuses a folder of other things for a new space.
    private func checkPlace(_ folder: URL, _ source: TrainingSource) throws {
        guard !isHome(folder, of: source) else { return }
        try OutputFile.checkEmptyFolder(out, besides: [PCACheckpoint.fileName])
    }

    /// Refuses a space of other vectors.
    private func checkSpace(_ folder: URL, _ source: TrainingSource) throws {
        let space = try Space(folder)
        guard space.layout.digest == source.layout.digest, space.identities.names == source.labels.names else {
            throw CommandFailure(
                "\(folder.path): is a space of other vectors (layout or identities differ).",
                advice: "Give --out a new folder, or the space that WEIGHTS belong to.")
        }
    }

    private func rows(_ source: TrainingSource) throws -> (rows: [Int], origin: String)? {
        guard split == .train else { return nil }
        let rows = try source.trainingRows()
        return (rows, "\(rows.count) identities of the training split")
    }

    private func work(_ fit: PCAFit, checkpoint: URL) throws {
        let clock = ContinuousClock()
        var saved = clock.now
        var (activity, started, first) = ("", saved, 0)
        while !fit.isFinished {
            if Interruption.shared.isRequested {
                try PCACheckpoint.write(fit, to: checkpoint)
                throw Cancelled(kept: "\(fit.progress.activity) is kept in \(checkpoint.path); go on with --resume.")
            }
            try fit.advance()
            let (now, progress) = (clock.now, fit.progress)
            if progress.activity != activity { (activity, started, first) = (progress.activity, now, progress.done) }
            let done = progress.done - first
            let left = done > 0 ? (now - started) / .seconds(1) / Double(done) * Double(progress.total - progress.done) : nil
            ProgressLine.show(Progress(activity: activity, done: progress.done, total: progress.total, secondsLeft: left))
            if now - saved > .seconds(Self.checkpointInterval), !fit.isFinished {
                try PCACheckpoint.write(fit, to: checkpoint)
                saved = clock.now
            }
        }
    }

    private func report(_ fit: PCAFit, _ pca: WeightPCA, seconds: Double, folder: URL) {
        let method =
            switch fit.method {
            case .exact: "exact"
            case .randomized:
                "\(fit.passes) passes, singular values within \(String(format: "%.1g", fit.change ?? 0)) of the pass before"
            }
        let memory = MachineReport.peakMemory.map { ", at most \($0 >> 20) MB of memory" } ?? ""
        print(
            """
            \(pca.latentDimension) components of \(pca.origin) (\(pca.vectorLength) numbers each), \(method)
            singular values \(pca.singularValues.first ?? 0) … \(pca.singularValues.last ?? 0); \
            \(String(format: "%.1f", seconds)) s\(memory)
            space: \(folder.path)
            """)
    }
}
