import Checkpoints
import EngineAPI
import Foundation
import WeightSpace

extension SpaceRecord {
    /// What is on record about a space. Files that are missing or say something else than expected leave their part empty: they describe
    /// the space and decide nothing.
    init(_ space: Space) {
        var measures = Self.measures(ofReport: space.folder.appendingPathComponent("report.json"))
        for (name, result) in [
            ("reconstruction.vae.r2", "test_r2"), ("reconstruction.pca.r2", "test_r2_pca"), ("axes.kl", "kl_nats"),
        ] where !measures.contains(where: { $0.name == name }) {
            if let value = space.record?.result(result) { measures.append(Measure(name: name, value: Double(value))) }
        }
        self.init(
            measures: measures, training: Self.training(in: space.folder.appendingPathComponent("training.csv")),
            parts: space.manifest.digests.sorted { $0.key < $1.key }.map { Part(path: $0.key, digest: $0.value) })
    }

    /// Every number of a report, under the path of its keys.
    private static func measures(ofReport url: URL) -> [Measure] {
        guard let report = try? JSONConfiguration(contentsOf: url) else { return [] }
        var found: [Measure] = []
        func collect(_ value: JSONValue, _ path: String) {
            switch value {
            case .integer(let number): found.append(Measure(name: path, value: Double(number)))
            case .number(let number): found.append(Measure(name: path, value: number))
            case .object(let members): for member in members { collect(member.value, "\(path).\(member.key)") }
            default: break
            }
        }
        for member in report.members { collect(member.value, member.key) }
        return found
    }

    /// The log of the training: a header that names `step`, `loss` and perhaps `validation_r2`, then a line for each report.
    private static func training(in url: URL) -> [TrainingPoint] {
        guard let data = try? Data(contentsOf: url), let text = String(data: data, encoding: .utf8) else { return [] }
        let lines = text.split(whereSeparator: \.isNewline).map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        guard let header = lines.first, let step = header.firstIndex(of: "step"), let loss = header.firstIndex(of: "loss") else {
            return []
        }
        let validation = header.firstIndex(of: "validation_r2")
        return lines.dropFirst().compactMap { cells in
            guard cells.count == header.count, let step = Int(cells[step]), let loss = Double(cells[loss]) else { return nil }
            return TrainingPoint(step: step, loss: loss, validationR2: validation.flatMap { Double(cells[$0]) })
        }
    }
}
