import ArgumentParser
import EngineAPI
import Foundation
import WeightSpace

/// `w2w train`: a weight VAE over LoRA vectors, and the space around it.
struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a weight VAE on LoRA vectors and write a space.",
        discussion: """
            WEIGHTS is a weights.safetensors with layout.json, identities.csv and base/ beside it, or a space folder. The run is decided \
            by its options and its seed: the same command makes the same space. A tenth of the identities is kept aside for validation, \
            a tenth for the test. At the end a learned prior is fitted to the codes, which carries N(0, I) to where people lie. The run leaves \
            its log and charts in SPACE (training.csv, training_axes.csv, training.png). SPACE may be a space of the same vectors: it keeps \
            what it has and gets the new weight VAE at the end.

            Ctrl-C, SIGTERM or a closed terminal keep a checkpoint in SPACE; --resume goes on from it exactly, also when the run was killed \
            or the disk was full: the last whole checkpoint stays. There has to be room for two of them (12 bytes for a weight, 8 with \
            --moments bf16).

            Examples:
              w2w train celeb/weights.safetensors --out ~/spaces/celeb
              w2w train celeb --out ~/spaces/wide --latent 128 --hidden 1024,512
              w2w train celeb --out ~/spaces/residual --variant residual --hidden 1024 --latent 1024 --adversarial 0.1
              w2w train celeb --out ~/spaces/celeb --resume
              w2w train ~/spaces/celeb --embedder --out ~/spaces/celeb
              w2w train ~/spaces/celeb --flow --out ~/spaces/celeb
            """
    )

    @Argument(help: "LoRA vectors: a safetensors file or a space folder.")
    var weights: String

    @Option(help: ArgumentHelp("The folder of the new space.", valueName: "space"))
    var out: String

    @Option(help: "The family of the weight VAE.")
    var variant: WeightVAEConfiguration.Variant = .vanilla

    @Option(help: ArgumentHelp("Numbers in a code.", valueName: "n"))
    var latent = 64

    @Option(
        help: ArgumentHelp(
            "Widths of the hidden layers, from the vector inwards (vanilla and convolutional: 512,256); one width for residual (256) and "
                + "transformer (64).", valueName: "a,b,…"))
    var hidden: String?

    @Flag(help: "Vanilla: batch norm after each hidden layer.")
    var batchNorm = false

    @Flag(help: "A linear path beside the network, started from a PCA.")
    var linearPath = false

    @Option(help: ArgumentHelp("Learning rate of the linear path as a share of the network's.", valueName: "x"))
    var linearRate = 0.01

    @Option(help: ArgumentHelp("Learning rate of the network's encoder as a share of the decoder's.", valueName: "x"))
    var encoderRate = 1.0

    @Option(help: ArgumentHelp("Blocks of the residual network and the transformer, each way.", valueName: "n"))
    var blocks = 4

    @Option(help: ArgumentHelp("Heads of the transformer's attention.", valueName: "n"))
    var heads = 4

    @Option(help: ArgumentHelp("Level of the KL term: a number, or auto from the spectrum of the vectors.", valueName: "auto|x"))
    var beta = "auto"

    @Option(help: "How the KL term sets in.")
    var schedule: KLSchedule = .annealed

    @Option(help: ArgumentHelp("Nats that each axis may carry for free.", valueName: "x"))
    var freeBits = 0.0

    @Option(help: ArgumentHelp("Weight of an adversarial loss (published: 0.1); 0 leaves it out.", valueName: "x"))
    var adversarial = 0.0

    @Option(
        help:
            "Where the weights start; without it spectral where the network allows it. readout solves the network beside a linear path."
    )
    var initialization: Initialization?

    @Option(
        help: ArgumentHelp(
            "Steps; without it 3000, for an embedder 1000; a learned prior takes twice the VAE's.", valueName: "n"))
    var steps: Int?

    @Option(help: ArgumentHelp("Vectors in a step; without it 64, for a learned prior alone 256.", valueName: "n"))
    var batch: Int?

    @Option(
        help: ArgumentHelp(
            "Adam's learning rate at its highest; without it 0.00002, for an embedder 0.002, for a learned prior alone 0.001.",
            valueName: "x"))
    var learningRate: Double?

    @Option(help: ArgumentHelp("AdamW's pull of the weights towards zero.", valueName: "x"))
    var weightDecay = 0.0

    @Option(help: "How Adam's running averages are kept; bf16 takes half their memory.")
    var moments: TrainingPlan.Moments = .f32

    @Option(help: ArgumentHelp("Share of a batch that blends two identities, 0 to 1.", valueName: "x"))
    var mixing = 1.0

    @Option(help: ArgumentHelp("Decides split, initial weights, batches and noise.", valueName: "n"))
    var seed: UInt64 = 0

    @Option(
        help: ArgumentHelp(
            "Copy the base model into a new space, or only refer to it; without it copy, but a model in one file is only referred to. "
                + "Photographs of a space WEIGHTS go the same way; its embedder, PCA and preview are copied.",
            valueName: "copy|refer"))
    var placement: SpaceWriter.Placement?

    @Option(help: ArgumentHelp("The name of the space; without it its own, of a new one that of WEIGHTS.", valueName: "text"))
    var name: String?

    @Option(
        help: ArgumentHelp(
            "Seconds between two checkpoints; without it 30, for large ones as many as writing takes a tenth of.", valueName: "s")
    )
    var checkpointEvery: Double?

    @Flag(help: "Go on from the checkpoint in SPACE.")
    var resume = false

    @Flag(help: "Train the face embedder of the space WEIGHTS on its photographs instead; SPACE may be the same.")
    var embedder = false

    @Flag(
        help:
            "Fit only the learned prior of the space WEIGHTS anew, by --steps, --batch, --learning-rate and --seed; SPACE is the same."
    )
    var flow = false

    @Flag(help: "Leave the learned prior out.")
    var noFlow = false

    /// Vectors that take more as float32 are streamed from their file.
    private static let residentBytes = 1 << 30

    func validate() throws {
        _ = try widths()
        _ = try level()
        if let checkpointEvery, !(checkpointEvery >= 0 && checkpointEvery < 1e9) {
            throw ValidationError("'--checkpoint-every \(checkpointEvery)' should be seconds from 0 on.")
        }
        if flow && (noFlow || embedder) {
            throw ValidationError("'--flow' trains the learned prior alone; leave the others out.")
        }
        if flow || embedder {
            try IdleOptions.refuse(optionsOfTheVAE, "with '\(flow ? "--flow" : "--embedder")'")
            return
        }
        let network = "with the \(variant.rawValue) network"
        let hasBlocks = variant == .residual || variant == .transformer
        try IdleOptions.refuse([("--blocks", !hasBlocks && blocks != 4)], network)
        try IdleOptions.refuse([("--heads", variant != .transformer && heads != 4)], network)
        try IdleOptions.refuse([("--batch-norm", variant != .vanilla && batchNorm)], network)
        try IdleOptions.refuse([("--linear-rate", !linearPath && linearRate != 0.01)], "without '--linear-path'")
    }

    /// Options of the weight VAE, and whether they were given something else than they are without.
    private var optionsOfTheVAE: [(name: String, isGiven: Bool)] {
        [
            ("--variant", variant != .vanilla), ("--latent", latent != 64), ("--hidden", hidden != nil),
            ("--batch-norm", batchNorm),
            ("--linear-path", linearPath), ("--linear-rate", linearRate != 0.01), ("--encoder-rate", encoderRate != 1),
            ("--blocks", blocks != 4), ("--heads", heads != 4), ("--beta", beta != "auto"), ("--schedule", schedule != .annealed),
            ("--free-bits", freeBits != 0), ("--adversarial", adversarial != 0), ("--initialization", initialization != nil),
            ("--weight-decay", weightDecay != 0), ("--moments", moments != .f32), ("--mixing", mixing != 1),
            ("--name", name != nil), ("--placement", placement != nil), ("--no-flow", noFlow),
            ("--checkpoint-every", checkpointEvery != nil), ("--resume", resume),
        ]
    }

    private func widths() throws -> [Int] {
        guard let hidden else {
            return switch variant {
            case .vanilla, .convolutional: [512, 256]
            case .residual: [256]
            case .transformer: [64]
            }
        }
        let parts = hidden.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard !parts.isEmpty, !parts.contains(where: { ($0 ?? 0) < 1 }) else {
            throw ValidationError("'--hidden \(hidden)' should be widths from 1 on, such as 512,256.")
        }
        return parts.compactMap { $0 }
    }

    private func level() throws -> TrainingPlan.Beta {
        if beta == "auto" { return TrainingPlan().beta }
        guard let level = Double(beta), level.isFinite, level >= 0 else {
            throw ValidationError("'--beta \(beta)' should be auto or a number from 0 on.")
        }
        return .level(level)
    }

    func run() throws {
        let given = URL(fileURLWithPath: (weights as NSString).expandingTildeInPath)
        let folder = URL(fileURLWithPath: (out as NSString).expandingTildeInPath)
        try OutputFile.checkFolder(folder)
        if embedder {
            var plan = FaceEmbedderPlan(batch: batch ?? 64, seed: seed)
            if let steps { plan.steps = steps }
            if let learningRate { plan.learningRate = Float(learningRate) }
            try EmbedderTraining(space: given, out: folder, plan: plan).run()
            return
        }
        if flow {
            guard given.resolvingSymlinksInPath().path == folder.resolvingSymlinksInPath().path else {
                throw CommandFailure(
                    "the learned prior belongs into the space whose codes it is fitted to, but --out names another folder.",
                    advice: "Give --out \(given.path).", status: .wrongUsage)
            }
            try FlowTraining(space: folder, plan: flowPlan).run()
            return
        }
        let source = try TrainingSource(given)
        let assembly = try SpaceAssembly(source: source, folder: folder, name: name, base: placement ?? .copy)
        if assembly.isThere { try IdleOptions.refuse([("--placement", placement != nil)], "on a space, which has its own") }
        let total = steps ?? 3000
        let plan = TrainingPlan(
            variant: variant, hiddenDims: try widths(), latentDim: latent, batchNorm: batchNorm, linearPath: linearPath,
            linearRate: linearRate, encoderRate: encoderRate,
            blocks: blocks, heads: heads, beta: try level(), freeBits: freeBits, adversarialWeight: adversarial,
            schedule: schedule, initialization: initialization, steps: total, batch: batch ?? 64,
            learningRate: learningRate ?? 2e-5,
            weightDecay: weightDecay, moments: moments, mixing: mixing, seed: seed, logInterval: min(50, max(1, total / 20)))
        do {
            try plan.validate(count: source.labels.count)
        } catch let error as SpaceError {
            throw CommandFailure(error.message, advice: error.advice, status: .wrongUsage)
        }
        try assembly.checkRoom(for: plan)
        Interruption.shared.listen()
        let trainer = try prepared(plan, source)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let run = try TrainingRun(trainer, assembly, every: checkpointEvery, resumes: resume)
        describe(trainer, source)
        let report = try run.run()
        let figure = { (value: Double) in String(format: "%.3f", value) }
        print(
            """
            reconstruction R2: train \(figure(report.trainR2)), validation \(figure(report.validationR2)), test \
            \(figure(report.testR2)) (PCA with \(latent) components on the same test: \(figure(report.pcaTestR2)))
            \(report.activeAxes) of \(latent) axes active, KL \(String(format: "%.1f", report.kl)) nats, decoded N(0, I) codes have \
            \(figure(report.sampleVariance)) of the identities' variance
            space: \(folder.path)
            """)
        if !noFlow { try FlowTraining(space: folder, plan: flowPlan).run() }
    }

    private var flowPlan: CodeFlowPlan {
        var plan = CodeFlowPlan(steps: steps.map { flow ? $0 : 2 * $0 } ?? CodeFlowPlan().steps, seed: seed)
        if flow {
            if let batch { plan.batch = batch }
            if let learningRate { plan.learningRate = Float(learningRate) }
        }
        return plan
    }

    /// Scales the vectors, measures their spectrum, sets the first weights; of a large file that takes a while.
    private func prepared(_ plan: TrainingPlan, _ source: TrainingSource) throws -> WeightVAETrainer {
        defer { ProgressLine.clear() }
        guard source.weights.count * 4 > Self.residentBytes else {
            return try WeightVAETrainer(plan, vectors: source.weights.tensor(), layout: source.layout)
        }
        return try WeightVAETrainer(plan, streaming: source.weights, layout: source.layout) { activity, done, total in
            ProgressLine.show(Progress(activity: activity, done: done, total: total))
            try Interruption.shared.check(kept: "the run had not begun.")
        }
    }

    private func describe(_ trainer: WeightVAETrainer, _ source: TrainingSource) {
        let split = trainer.split
        print(
            """
            \(source.labels.count) identities of \(source.layout.vectorLength) numbers: \(split.train.count) to train on, \
            \(split.validation.count) for validation, \(split.test.count) for the test
            \(trainer.proposal.explanation)
            """)
        if let readout = trainer.readout {
            let figure = { (value: Double) in String(format: "%.3f", value) }
            print("readout: R2 of the validation identities \(figure(readout.before)), with the network \(figure(readout.after))")
        }
    }
}

extension TrainingPlan.Moments: ExpressibleByArgument {}
extension WeightVAEConfiguration.Variant: ExpressibleByArgument {}
extension KLSchedule: ExpressibleByArgument {}
extension Initialization: ExpressibleByArgument {}
