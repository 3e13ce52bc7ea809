import Checkpoints
import Foundation
import TensorKit
import Testing

@testable import WeightSpace

/// The measures of a space as a whole.
struct EvaluationTests {
    /// A small run on the built-in space: report, page and charts.
    @Test func aSmallEvaluationOfTheBuiltInSpace() throws {
        let plan = EvaluationPlan(people: 2, seeds: 2, morphs: 1, frames: 3, axisPeople: 0, steps: 1, seed: 3)
        let folder = try TemporaryFolder()
        var texts: [String] = []
        for run in 0..<2 {
            let evaluation = try Evaluation(Space.builtIn(), plan: plan)
            var drawn = 0
            let report = try evaluation.run { drawn += $0 }
            #expect(drawn == evaluation.pictures)
            texts.append(report.json)
            let out = folder.url.appendingPathComponent("report\(run)")
            try report.write(to: out)
            let page = try String(contentsOf: out.appendingPathComponent("report.md"), encoding: .utf8)
            let shown = page.split(separator: "\n").filter { $0.hasPrefix("![") }.compactMap {
                $0.split(separator: "(").last.map { String($0.dropLast()) }
            }
            // Each chart stands on the page, and each picture of the page is there.
            let written = try FileManager.default.contentsOfDirectory(atPath: out.path).filter { $0.hasSuffix(".png") }
            #expect(shown.sorted() == written.sorted())
        }
        #expect(texts[0] == texts[1], "the same plan gives the same numbers")
        let json = try JSONConfiguration(text: texts[0], file: "report.json")
        let reconstruction = try json.object("reconstruction")
        let vae = try reconstruction.object("vae").require("r2", as: Double.self)
        let pca = try reconstruction.object("pca").require("r2", as: Double.self)
        #expect(vae > pca && pca > 0.5 && vae < 1)
        let axes = try json.object("axes")
        let (total, active): (Int, Int) = (try axes.require("total"), try axes.require("active"))
        #expect(total == 64 && active > 32)
        let identity = try json.object("identity")
        for name in ["consistency", "diversity", "novelty", "d_prime"] {
            #expect(try identity.require(name, as: Double.self).isFinite, "\(name)")
        }
    }

    /// The built-in space with some parts only, and a weight VAE that says nothing about its training.
    private func space(of parts: [SpaceManifest.Part], in folder: TemporaryFolder) throws -> Space {
        let whole = try Space.builtIn()
        var manifest = SpaceManifest(name: "part", paths: [:], defaults: whole.manifest.defaults)
        for part in [.base, .layout, .identities] + parts {
            manifest.paths[part] = try Space.url(#require(whole.manifest.paths[part]), folder: whole.folder).path
        }
        if let path = manifest.paths[.vae] {
            let url = URL(fileURLWithPath: path)
            let configuration = try WeightVAEConfiguration(JSONConfiguration(contentsOf: url))
            manifest.paths[.vae] = "vae.json"
            let text = JSONValue.object(configuration.jsonMembers).text()
            try Data(text.utf8).write(to: folder.url.appendingPathComponent("vae.json"))
            try FileManager.default.createSymbolicLink(
                at: folder.url.appendingPathComponent("vae.safetensors"),
                withDestinationURL: url.deletingPathExtension().appendingPathExtension("safetensors"))
        }
        try Data(manifest.json.utf8).write(to: folder.url.appendingPathComponent("space.json"))
        return try Space(folder.url)
    }

    /// weights2weights hands out its PCA without the vectors: faces are measured, reconstruction is not.
    @Test func aSpaceWithoutVectorsIsMeasuredByItsCodes() throws {
        let folder = try TemporaryFolder()
        let space = try space(of: [.pca, .embedder, .photos], in: folder)
        let plan = EvaluationPlan(people: 2, seeds: 2, morphs: 0, frames: 3, axisPeople: 0, steps: 1)
        let evaluation = try Evaluation(space, plan: plan)
        var drawn = 0
        let report = try evaluation.run { drawn += $0 }
        #expect(drawn == evaluation.pictures)
        #expect(report.reconstruction == nil && report.sources.map(\.name) == ["people", "pca_prior"])
        #expect(report.json.contains("\"identity\"") && report.remarks.contains { $0.contains("carries no LoRA vectors") })
    }

    /// Nobody claims that a weight VAE of unknown training never saw somebody.
    @Test func aSplitThatIsNotRecordedIsNotClaimed() throws {
        let folder = try TemporaryFolder()
        let space = try space(of: [.weights, .vae, .codes, .axes], in: folder)
        let report = try Evaluation(space, plan: EvaluationPlan()).run { _ in }
        #expect(report.json.contains("\"held_out_recorded\": false"))
        #expect(report.summary.contains("may have seen them") && !report.summary.contains("unseen"))
        #expect(!report.page(charts: []).contains("neither model saw"))
    }

    @Test func stoppingKeepsWhatWasMeasured() throws {
        struct Stopped: Error {}
        let plan = EvaluationPlan(people: 2, seeds: 2, morphs: 0, axisPeople: 0, steps: 1)
        let evaluation = try Evaluation(Space.builtIn(), plan: plan)
        #expect(evaluation.found == nil)
        #expect(throws: Stopped.self) { try evaluation.run { _ in throw Stopped() } }
        let report = try #require(evaluation.found).stopped(drawn: 4, of: 40)
        #expect(report.reconstruction != nil && report.sources.isEmpty && report.axes.count == 64)
        let folder = try TemporaryFolder()
        try report.write(to: folder.url.appendingPathComponent("report"))
        let page = try String(contentsOf: folder.url.appendingPathComponent("report/report.md"), encoding: .utf8)
        #expect(page.contains("Stopped after 4 of 40 pictures"))
    }

    @Test(arguments: [
        EvaluationPlan(people: 1), EvaluationPlan(seeds: 1), EvaluationPlan(frames: 2), EvaluationPlan(axisPeople: -1),
        EvaluationPlan(steps: 0),
    ])
    func plansThatMeasureNothingAreRefused(plan: EvaluationPlan) {
        #expect(throws: SpaceError.self) { try plan.validate() }
    }

    @Test func aRunThatDrawsNoAxesKeepsWhatAnEarlierOneMeasured() {
        let axes = (0..<2).map { index in
            LatentAxis(
                index: index, kl: 1, variance: 0.5, mean: 0, deviation: 1, effect: 1, correlations: [], faceEffect: 0.25)
        }
        var report = EvaluationReport(spaceName: "a", plan: EvaluationPlan(), defaultSource: "vae_blended", model: "VAE")
        report.axes = [.init(axis: axes[0]), .init(axis: axes[1], faceEffect: 0.5)]
        #expect(report.measuredAxes.map(\.faceEffect) == [0.25, 0.5])
    }

    @Test func measuredAxesAreReadBack() throws {
        let axis = LatentAxis(
            index: 0, kl: 1, variance: 0.5, mean: 0, deviation: 1, effect: 1,
            correlations: [.init(attribute: "Bald", value: 0.5)],
            faceEffect: 0.25)
        let folder = try TemporaryFolder()
        let url = folder.url.appendingPathComponent("axes.json")
        try LatentAxis.json([axis]).write(to: url, atomically: true, encoding: .utf8)
        #expect(try LatentAxis.read(url) == [axis])
    }
}
