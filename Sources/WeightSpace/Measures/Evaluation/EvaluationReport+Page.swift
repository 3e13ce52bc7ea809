import Checkpoints
import Foundation
import ImageCore

extension EvaluationReport {
    /// The charts of the page by their file's name.
    func charts() -> [(file: String, image: RGBImage)] {
        var charts = [(file: String, image: RGBImage)]()
        if let reconstruction, let vae = reconstruction.vae {
            var plot = Plot.scatter(
                "Held-out people: VAE against PCA", x: reconstruction.pca.byPerson, y: vae.byPerson, xLabel: "R2, PCA",
                yLabel: "R2, VAE")
            let all = reconstruction.pca.byPerson + vae.byPerson
            let (low, high) = (all.min() ?? 0, all.max() ?? 1)
            plot.series.append(.init("equal", x: [low, high], y: [low, high], mark: .dashes()))
            charts.append(("reconstruction.png", plot.image()))
        }
        charts.append(("axes.png", Plot.sheet(axisPlots(), columns: 2)))
        if !sources.isEmpty {
            let plots = sources.map { part in
                Plot.histogram(
                    part.title,
                    groups: [("two people", part.statistics.pairs.different), ("one person", part.statistics.pairs.same)],
                    bins: 30,
                    xLabel: "likeness", yLabel: "share", asShare: true)
            }
            charts.append(("likeness.png", Plot.sheet(plots, columns: 2)))
            for part in sources where !part.images.isEmpty {
                charts.append(
                    ("\(part.name).png", RGBImage.contactSheet(part.images, columns: plan.seeds * 4, gap: 4)))
            }
        }
        if !morphs.isEmpty {
            let series = morphs.map { part in
                let mean = (0..<(plan.frames - 1)).map { step in
                    part.steps.reduce(0) { $0 + $1[step] } / Double(max(1, part.steps.count))
                }
                return Plot.Series(part.name, x: mean.indices.map { Double($0 + 1) }, y: mean)
            }
            var plot = Plot("Steps of a walk", xLabel: "step", yLabel: "change of the face", series: series)
            plot.yRange = 0...((series.flatMap(\.y).max() ?? 1) * 1.1)
            charts.append(("morphs.png", plot.image()))
        }
        return charts
    }

    private func axisPlots() -> [Plot] {
        let kl = axes.map { Double($0.axis.kl) }.sorted(by: >)
        var plots = [
            Plot(
                "KL of the axes", xLabel: "axis, by KL", yLabel: "nats",
                series: [.init(y: kl, mark: .bars())])
        ]
        let drawn = axes.filter { $0.faceEffect != nil }
        if drawn.isEmpty {
            plots.append(
                .scatter(
                    "Variance and KL", x: axes.map { Double($0.axis.variance) }, y: axes.map { Double($0.axis.kl) },
                    xLabel: "variance of the posterior mean", yLabel: "KL, nats"))
        } else {
            plots.append(
                .scatter(
                    "What one deviation changes", x: drawn.map { Double($0.axis.effect) }, y: drawn.compactMap(\.faceEffect),
                    xLabel: "LoRA vector (relative)", yLabel: "face (distance of embeddings)"))
        }
        return plots
    }

    /// The page: tables and the charts.
    func page(charts: [String]) -> String {
        var lines = ["# What the space \"\(spaceName)\" is worth", "", "Model: \(model). `report.json` has all numbers.", ""]
        if let embedder, let dPrime = embedder.dPrime {
            lines += [
                "Faces are compared by \(embedderTitle ?? "an embedder"). It tells people whom it never saw apart with d' "
                    + "\(Self.figure(dPrime))"
                    + (embedder.hardDPrime.map { " (\(Self.figure($0)) against others of equal skin and hair)" } ?? "")
                    + ".", "",
            ]
        }
        lines += reconstructionLines + axisLines + sampleLines + morphLines
        if !remarks.isEmpty { lines += ["## Remarks", ""] + remarks.map { "- \($0)" } + [""] }
        let shown = Set(charts)
        return lines.filter { line in
            guard line.hasPrefix("!["), let start = line.range(of: "](", options: .backwards) else { return true }
            return shown.contains(String(line[start.upperBound...].dropLast()))
        }.joined(separator: "\n")
    }

    private static func figure(_ value: Double?, _ digits: Int = 2) -> String {
        value.map { $0.isFinite ? String(format: "%.\(digits)f", $0) : "–" } ?? "–"
    }

    private var reconstructionLines: [String] {
        guard let part = reconstruction else { return [] }
        var lines = [
            "## Reconstruction", "",
            "Share of the variance of LoRA vectors that survives encoding and decoding (R2), \(part.components) numbers a code; "
                + "\(part.people) people whom \(part.isSplitKnown ? "neither model" : "the PCA never") saw"
                + (part.isSplitKnown ? "." : "; whom the weight VAE was trained on is not recorded."), "",
            "| model | \(part.isSplitKnown ? "unseen" : "held-out") people | training people |",
            "| --- | --- | --- |",
        ]
        if let vae = part.vae {
            lines.append("| \(model) | \(Self.figure(vae.r2, 3)) | \(Self.figure(part.vaeTraining?.r2, 3)) |")
        }
        lines += [
            "| PCA | \(Self.figure(part.pca.r2, 3)) | \(Self.figure(part.pcaTraining.r2, 3)) |",
            "| PCA of standardised numbers | \(Self.figure(part.pcaStandardized.r2, 3)) | |", "",
            "![Reconstruction](reconstruction.png)", "",
        ]
        return lines
    }

    private var axisLines: [String] {
        var lines = ["## Axes", "", "\(axes.filter(\.axis.isActive).count) of \(axes.count) axes are active."]
        if let posterior {
            let counts = Posterior.thresholds.map { "\(posterior.active(above: $0)) above \($0)" }.joined(separator: ", ")
            lines += [
                "Variance of the posterior mean: \(counts). KL \(Self.figure(posterior.meanKL, 1)) nats = "
                    + "\(Self.figure(posterior.mutualInformation, 1)) about which identity it is (at most "
                    + "\(Self.figure(posterior.ceiling, 1)), the logarithm of their number) + \(Self.figure(posterior.marginalKL, 1)) between "
                    + "the aggregated posterior and N(0, I). A Gaussian fitted to the codes lies \(Self.figure(posterior.fittedKL, 1)) nats from "
                    + "N(0, I)."
            ]
        }
        lines += ["", "![Axes](axes.png)", "", "| axis | KL | effect | face | attributes |", "| --- | --- | --- | --- | --- |"]
        for part in axes.sorted(by: { ($0.faceEffect ?? 0, $0.axis.effect) > ($1.faceEffect ?? 0, $1.axis.effect) }).prefix(16) {
            let attributes = part.axis.correlations.prefix(3).map {
                "\($0.attribute) \($0.value < 0 ? "−" : "+")\(String(format: "%.2f", abs($0.value)))"
            }
            lines.append(
                "| \(part.axis.index) | \(Self.figure(Double(part.axis.kl))) | \(Self.figure(Double(part.axis.effect))) | "
                    + "\(Self.figure(part.faceEffect)) | \(attributes.joined(separator: ", ")) |")
        }
        return lines + [""]
    }

    private var sampleLines: [String] {
        guard !sources.isEmpty else { return [] }
        var lines = [
            "## People", "",
            "d' between likenesses of one person's pictures (other seeds) and of two people's; consistency is the former's mean, diversity 1 - "
                + "the latter's; novelty 1 - likeness to the nearest training person; distance of embeddings (0 to 2) to the nearest held-out "
                + "person, in photographs.", "",
            "| people | d' | consistency | other prompts | diversity | novelty | nearest held-out | own photographs | typicality | cycle error |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        ]
        for part in sources {
            let figures = [
                part.statistics.separation.dPrime, part.statistics.consistency, part.overPrompts, part.statistics.diversity,
                part.novelty, part.nearestHeldOut, part.ownLikeness, part.typicality, part.cycleError,
            ].map { Self.figure($0) }
            lines.append("| \(part.title) | \(figures.joined(separator: " | ")) |")
        }
        lines += ["", "![Likeness](likeness.png)", ""]
        for part in sources {
            lines += ["\(part.title), \(plan.seeds) seeds each:", "", "![\(part.title)](\(part.name).png)", ""]
        }
        return lines
    }

    private var morphLines: [String] {
        guard !morphs.isEmpty else { return [] }
        return ["## Walks", "", "Largest step over mean step, 1 is perfectly even:", ""]
            + morphs.map { "- \($0.name): \(Self.figure($0.smoothness))" } + ["", "![Walks](morphs.png)", ""]
    }

    /// Writes `report.json`, `report.md` and the charts; the folder appears whole or not at all.
    /// - Parameter folder: new, or empty.
    /// - Throws: `CheckpointError` or an error of the picture's file when one cannot be written.
    public func write(to folder: URL) throws {
        try DraftFolder.fill(folder) { draft in
            func write(_ text: String, _ name: String) throws {
                try AtomicFile.write(to: draft.appendingPathComponent(name)) { try $0.append(text) }
            }
            let charts = charts()
            for chart in charts { try chart.image.writePNG(to: draft.appendingPathComponent(chart.file).path) }
            try write(page(charts: charts.map(\.file)), "report.md")
            try write(json, "report.json")
        }
    }
}
