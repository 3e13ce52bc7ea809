import Checkpoints
import Engine
import EngineAPI
import Foundation
import StableDiffusion
import TensorKit
import WeightSpace

/// What a person waits for at the keys: from the command to the events of a preview.
extension BenchSuite {
    /// When the pictures of a preview came, in milliseconds after the command.
    private struct Times {
        /// The first one.
        var look = 0.0
        /// The first that a whole draft, or the whole run, led to.
        var draft = 0.0
        var final = 0.0
    }

    /// A person that was not drawn before, then the same one changed a little, as a notch of a slider does.
    func preview() throws -> [BenchResult] {
        let folder = NSTemporaryDirectory() + "w2w-bench-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let client = EngineClient(cacheDirectory: folder, precision: precisionName, use: .exploring)
        let description = try client.open(try previewSource(folder))
        var (fresh, changed): ([Times], [Times]) = ([], [])
        let warmUp = 1
        for number in 0..<(warmUp + stopwatch.repeats) {
            let request = Self.freshRequest(number, description)
            let first = try times(of: request, client)
            let second = try times(of: Self.changed(request, description), client)
            if number >= warmUp {
                fresh.append(first)
                changed.append(second)
            }
        }
        let settings = description.defaults
        let size =
            "\(settings.width) x \(settings.height), \(settings.steps) steps, guidance \(settings.guidance), \(settings.scheduler.rawValue)"
        func result(_ name: String, _ samples: [Double], _ work: String) -> BenchResult {
            BenchResult(name: name, unit: "ms", samples: samples, work: "\(work), \(size)")
        }
        return [
            result("preview-first-look", fresh.map(\.look), "somebody new: key to first look"),
            result("preview-draft", fresh.map(\.draft), "somebody new: key to a good draft"),
            result("preview-finished", fresh.map(\.final), "somebody new: key to finished face"),
            result("preview-change-first-look", changed.map(\.look), "a notch of a slider: key to first look"),
            result("preview-change-draft", changed.map(\.draft), "a notch of a slider: key to a good draft"),
            result("preview-change-finished", changed.map(\.final), "a notch of a slider: key to finished face"),
        ]
    }

    private func times(of request: RenderRequest, _ client: EngineClient) throws -> Times {
        try Interruption.shared.check()
        let began = ContinuousClock.now
        var (look, draft, final): (Double?, Double?, Double?)
        try client.run(.preview(request), showsProgress: false) { event in
            guard case .picture(_, let picture) = event else { return }
            let now = (ContinuousClock.now - began) / .milliseconds(1)
            look = look ?? now
            switch picture.stage {
            case .firstLook: break
            case .draft(let step, let count): if step == count { draft = draft ?? now }
            case .final:
                draft = draft ?? now
                final = now
            }
        }
        guard let look, let draft, let final else { throw CommandFailure("the engine drew no picture.") }
        return Times(look: look, draft: draft, final: final)
    }

    /// A person that has not been drawn yet.
    private static func freshRequest(_ number: Int, _ description: SpaceDescription) -> RenderRequest {
        let names = description.identities.names.filter { !$0.hasSuffix(changedSuffix) }
        let row = number * 37 % max(1, names.count)
        let subject: Subject =
            description.latentDimension > 0 ? .code(description.identities.code(at: row)) : .identity(names[row])
        var settings = description.defaults
        settings.seed += UInt64(number)
        return RenderRequest(subject: subject, settings: settings)
    }

    /// Nearly the same person.
    private static func changed(_ request: RenderRequest, _ description: SpaceDescription) -> RenderRequest {
        var request = request
        switch request.subject {
        case .code(var code):
            if let axis = description.axes.max(by: { $0.effect < $1.effect }) { code[axis.index] += 0.25 * axis.deviation }
            request.subject = .code(code)
        case .identity(let name): request.subject = .identity(name + changedSuffix)
        default: break
        }
        return request
    }

    private static let changedSuffix = "-changed"

    /// The space, or, where nobody is in it, one with random rank-1 adapters over its model.
    private func previewSource(_ folder: String) throws -> SpaceSource {
        let space = try OpenedSpace(source).space
        if space.latentDimension > 0 { return source }
        let url = URL(fileURLWithPath: folder + "/space")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        let count = 1 + stopwatch.repeats
        let length = space.layout.vectorLength
        let random = TorchRandomSource(seed: 1)
        let vectors = Tensor(uninitialized: [2 * count, length])
        for number in 0..<count {
            let (own, change) = (random.normal(length), random.normal(length))
            for i in 0..<length {
                vectors.pointer[2 * number * length + i] = 0.01 * own[i]
                vectors.pointer[(2 * number + 1) * length + i] = 0.01 * (own[i] + 0.05 * change[i])
            }
        }
        try SafetensorsWriter.write([StoredTensor("weights", vectors)], to: url.appendingPathComponent("weights.safetensors"))
        try Data(space.layout.json.utf8).write(to: url.appendingPathComponent("layout.json"))
        let names = (0..<count).map { "p\($0)\np\($0)\(Self.changedSuffix)\n" }
        try Data(("identity\n" + names.joined()).utf8).write(to: url.appendingPathComponent("identities.csv"))
        var defaults = space.manifest.defaults
        (defaults.width, defaults.height, defaults.steps, defaults.guidance) = (256, 256, 12, 3)
        let manifest = SpaceManifest(
            name: "bench",
            paths: [
                .base: space.baseFolder.path, .layout: "layout.json", .weights: "weights.safetensors",
                .identities: "identities.csv",
            ], defaults: defaults)
        try Data(manifest.json.utf8).write(to: url.appendingPathComponent("space.json"))
        return .folder(url.path)
    }
}
