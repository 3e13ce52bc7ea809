import Checkpoints
import Foundation
import ImageCore

/// What a run leaves for its reader: two tables and a sheet of charts. Written with every checkpoint, so that a run can be watched.
public struct TrainingLog {
    /// Names of the files in the folder of the space.
    public static let table = "training.csv", axisTable = "training_axes.csv", sheet = "training.png"

    private let lines: [WeightVAETrainer.LogLine]
    private let plan: TrainingPlan
    private let proposal: BetaProposal
    private let pcaR2: Double
    private let description: String

    /// - Parameter trainer: a run with any number of log lines.
    public init(_ trainer: WeightVAETrainer) {
        (lines, plan, proposal) = (trainer.log, trainer.plan, trainer.proposal)
        pcaR2 = trainer.linearR2.validation
        let widths = ([trainer.vae.configuration.vectorLength] + plan.hiddenDims + [plan.latentDim]).map(String.init)
        description =
            "\(plan.variant.rawValue)\(plan.linearPath ? " + linear path" : ""), \(widths.joined(separator: " → ")), seed \(plan.seed)"
    }

    /// Writes tables and charts.
    /// - Parameter folder: exists.
    /// - Throws: `CheckpointError` or `ImageFileError` when a file cannot be written.
    public func write(to folder: URL) throws {
        let tables = [(Self.table, lossTable), (Self.axisTable, axes)]
        for (name, text) in tables {
            try AtomicFile.write(to: folder.appendingPathComponent(name)) { try $0.append(text) }
        }
        guard !lines.isEmpty else { return }
        try Plot.sheet(plots).writePNG(to: folder.appendingPathComponent(Self.sheet).path)
    }

    /// A line of the log in a row; KL in nats for each vector.
    private var lossTable: String {
        let hasAdversary = plan.adversarialWeight > 0
        return "step,loss,reconstruction,kl,beta,active_axes,validation_r2\(hasAdversary ? ",adversarial,discriminator" : "")\n"
            + lines.map {
                "\($0.step),\($0.loss),\($0.reconstruction),\($0.kl * Float(plan.latentDim)),\($0.beta),\($0.activeAxes),\($0.validationR2)"
                    + (hasAdversary ? ",\($0.adversarial),\($0.discriminator)" : "") + "\n"
            }.joined()
    }

    /// KL of each axis in nats, a line of the log in a row.
    private var axes: String {
        "step," + (0..<plan.latentDim).map { "kl_\($0)" }.joined(separator: ",") + "\n"
            + lines.map { line in "\(line.step)," + line.axisKL.map { "\($0)" }.joined(separator: ",") + "\n" }.joined()
    }

    private var plots: [Plot] {
        let steps = lines.map { Double($0.step) }
        func values(_ value: (WeightVAETrainer.LogLine) -> Float) -> [Double] { lines.map { Double(value($0)) } }
        func chart(_ title: String, _ yLabel: String, _ series: [Plot.Series], logarithmic: Bool = false) -> Plot {
            var plot = Plot(title, xLabel: "step", yLabel: yLabel, series: series)
            plot.yScale = logarithmic ? .logarithmic : .linear
            return plot
        }
        var loss = chart(
            "Loss", "per element",
            [
                .init("loss", x: steps, y: values(\.loss)),
                .init("reconstruction", x: steps, y: values(\.reconstruction)),
                .init("beta · KL", x: steps, y: values { $0.kl * $0.beta }),
            ], logarithmic: true)
        loss.subtitle = description
        let flat = { (value: Double) in [Double](repeating: value, count: steps.count) }
        var quality = chart(
            "Reconstruction of people kept aside", "R2",
            [.init("validation", x: steps, y: values(\.validationR2))]
                + [.init("PCA of equal dimension", x: steps, y: flat(pcaR2), mark: .dashes())])
        // A start from nothing begins far below zero; what matters lies above.
        quality.yRange = min(max(-0.2, (quality.series.flatMap(\.y).min() ?? 0) - 0.02), 0.9)...1
        let kl = chart(
            "KL", "nats for each vector",
            [.init("KL", x: steps, y: values { $0.kl * Float(plan.latentDim) })])
        let beta = chart("Weight of the KL term", "beta", [.init("beta", x: steps, y: values(\.beta), colour: Plot.palette[1])])
        let active = chart(
            "Active axes", "axes",
            [
                .init("active", x: steps, y: lines.map { Double($0.activeAxes) }),
                .init(
                    "expected from the spectrum", x: steps, y: flat(Double(proposal.expectedActiveAxes)), mark: .dashes()),
            ])
        return [loss, quality, kl, beta, active, axisChart]
    }

    /// KL of the axes, largest first, at a few moments of the run.
    private var axisChart: Plot {
        let moments = Array(Set([lines.count / 4, lines.count / 2, lines.count - 1].filter { $0 >= 0 })).sorted()
        let series = moments.map { index in
            Plot.Series("step \(lines[index].step)", y: lines[index].axisKL.map(Double.init).sorted(by: >))
        }
        return Plot("KL of each axis", xLabel: "axis, largest first", yLabel: "nats", series: series)
    }
}
