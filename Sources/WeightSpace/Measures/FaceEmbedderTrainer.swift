import Checkpoints
import Foundation
import ImageCore
import NeuralNetworks
import TensorKit

/// Trains a face embedder on the photographs of a space: told apart are the people of the training split, by cosines with one direction for
/// each of them (CosFace), with a wider margin towards people of equal skin and hair, since colour alone would tell the others apart.
public final class FaceEmbedderTrainer {
    public let plan: FaceEmbedderPlan
    public let album: PhotoAlbum
    /// Places in the album; the same draw as a weight VAE's split of the same seed when everybody has photographs.
    public let split: DataSplit
    public let embedder: FaceEmbedder
    /// Steps taken.
    public private(set) var step = 0
    private let directions: Parameter
    private let optimizer: Adam
    private let schedule: LearningRateSchedule
    private let random: TorchRandomSource

    /// - Parameters:
    ///   - plan: the settings.
    ///   - album: photographs at the size of the plan's configuration.
    /// - Throws: `SpaceError` when the plan cannot be.
    public init(_ plan: FaceEmbedderPlan, album: PhotoAlbum) throws {
        try plan.validate()
        self.plan = plan
        self.album = album
        split = DataSplit(count: album.names.count, seed: plan.seed)
        random = TorchRandomSource(seed: plan.seed)
        embedder = FaceEmbedder(plan.configuration)
        embedder.start(random)
        directions = Parameter(shape: [split.train.count, plan.configuration.embeddingDim])
        directions.value = normalizeRows(random.normal(shape: directions.shape))
        optimizer = Adam(
            embedder.namedParameters() + [("directions", directions)], learningRate: plan.learningRate,
            weightDecay: plan.weightDecay, decoupledDecay: true)
        schedule = .cosine(warmup: min(100, plan.steps / 10), total: plan.steps, final: 0.02)
    }

    public var isFinished: Bool { step >= plan.steps }

    /// Takes one step of the optimiser.
    /// - Returns: the loss before it.
    @discardableResult
    public func advance() -> Float {
        let (x, classes) = batch()
        let tape = Tape()
        optimizer.clearGradients()
        tape.watch(directions.value)
        let cosines = rowProducts(embedder(x, tape: tape), normalizeRows(directions.value, tape: tape), tape: tape)
        let kinds = album.kinds.isEmpty ? [] : split.train.map { album.kinds[$0] }
        let logits = marginLogits(
            cosines: cosines, classes: classes, margin: plan.margin, likenessMargin: plan.likenessMargin, groups: kinds,
            scale: plan.logitScale, tape: tape)
        let loss = crossEntropy(logits: logits, classes: classes, tape: tape)
        tape.backward(from: loss, seed: Tensor([1], [1]))
        if let gradient = tape.gradient(of: directions.value) { directions.accumulateGradient(gradient) }
        optimizer.learningRate = plan.learningRate * schedule.factor(at: step)
        optimizer.step()
        step += 1
        return loss.pointer[0]
    }

    /// Pictures of the training people, each varied in its own way, and whose they are.
    private func batch() -> (pictures: Tensor, classes: [Int]) {
        let side = plan.configuration.imageSize
        let classes = (0..<plan.batch).map { _ in random.integer(below: split.train.count) }
        let pictures = classes.map { place in
            let own = album.photos[split.train[place]]
            return own[random.integer(below: own.count)]
        }
        let variations = classes.map { _ in PictureVariation(random) }
        let x = Tensor(uninitialized: [plan.batch, side, side, 3])
        let start = x.pointer
        Parallel.ranges(plan.batch, grain: 1) { range in
            for i in range { variations[i].draw(pictures[i], into: start + i * side * side * 3) }
        }
        return (x, classes)
    }

    /// How well people are told apart by their photographs as they are.
    /// - Parameter people: places in the album.
    /// - Returns: against all other people, and against those of equal skin and hair (nil when labels do not tell).
    public func separation(of people: [Int]) -> (all: Separation, alike: Separation?) {
        embedder.separation(of: people, in: album)
    }

    /// Writes `embedder.safetensors` (float16) and `embedder.json`, whole or not at all, and measures what was written.
    /// - Parameter folder: where they go.
    /// - Returns: the record with its d'.
    /// - Throws: `CheckpointError` when a file cannot be written.
    public func write(to folder: URL) throws -> FaceEmbedderRecord {
        let weights = folder.appendingPathComponent("embedder.safetensors")
        try SafetensorsWriter.write(embedder.storedTensors(as: .float16), to: weights)
        let stored = FaceEmbedder(plan.configuration)
        try stored.load(StateDictionary(safetensors: weights))
        let record = record(of: stored)
        let members = plan.configuration.jsonMembers + [.init("training", .object(record.members))]
        try AtomicFile.write(to: folder.appendingPathComponent("embedder.json")) {
            try $0.append(JSONValue.object(members).text() + "\n")
        }
        return record
    }

    private func record(of embedder: FaceEmbedder) -> FaceEmbedderRecord {
        let names = { (places: [Int]) in JSONValue.array(places.sorted().map { .string(self.album.names[$0]) }) }
        var members: [JSONValue.Member] = [
            .init("steps", .integer(plan.steps)), .init("batch", .integer(plan.batch)),
            .init("learning_rate", .float(plan.learningRate)), .init("weight_decay", .float(plan.weightDecay)),
            .init("margin", .float(plan.margin)), .init("likeness_margin", .float(plan.likenessMargin)),
            .init("logit_scale", .float(plan.logitScale)), .init("seed", .integer(Int(truncatingIfNeeded: plan.seed))),
            .init("split", .object([.init("validation", names(split.validation)), .init("test", names(split.test))])),
        ]
        for (name, people) in [("train", split.train), ("validation", split.validation), ("test", split.test)] {
            let (all, alike) = embedder.separation(of: people, in: album)
            members.append(.init(name, all.json))
            if let alike { members.append(.init("\(name)_same_skin_and_hair", alike.json)) }
        }
        return FaceEmbedderRecord(members: members)
    }
}

extension FaceEmbedder {
    /// PyTorch's default start of every layer: weights uniform within 1 / sqrt(inputs), norms at 1 and 0.
    func start(_ random: TorchRandomSource) {
        for (name, parameter) in namedParameters() {
            let values: [Float]
            if name.contains("norm") {
                values = [Float](repeating: name.hasSuffix("weight") ? 1 : 0, count: parameter.shape[0])
            } else {
                let inputs = name == "embedding.bias" ? configuration.features : parameter.shape.dropFirst().reduce(1, *)
                let bound = 1 / Float(inputs).squareRoot()
                values = random.uniform(parameter.shape.reduce(1, *)).map { ($0 * 2 - 1) * bound }
            }
            parameter.value = Tensor(parameter.shape, values)
        }
    }
}
