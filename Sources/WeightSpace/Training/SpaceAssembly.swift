import Checkpoints
import Foundation
import NeuralNetworks
import TensorKit

/// Turns a finished training run into a space on disk.
public struct SpaceAssembly {
    public let source: TrainingSource
    public let folder: URL
    public var name: String
    /// How the base model comes into the new space.
    public var base: SpaceWriter.Placement

    public init(source: TrainingSource, folder: URL, name: String, base: SpaceWriter.Placement) {
        self.source = source
        self.folder = folder
        self.name = name
        self.base = base
    }

    /// What the run came to.
    public struct Report: Sendable {
        /// Share of the variance that survives encoding and decoding, by split; from the weights as stored.
        public let trainR2, validationR2, testR2: Double
        /// Of a PCA of the training vectors with as many components as the code has numbers, on the same test vectors.
        public let pcaTestR2: Double
        public let activeAxes: Int
        /// KL in nats for each identity, summed over the axes.
        public let kl: Double
        /// Variance of decoded N(0, I) codes as a share of the training vectors' variance.
        public let sampleVariance: Double
    }

    /// Writes the space. Parts appear one by one, `space.json` last; weights are stored as float16.
    /// - Parameter trainer: a finished run; its weights are standardised in place, and the optimiser's memory is given back.
    /// - Returns: the measures, which are also recorded.
    /// - Throws: `CheckpointError` when a file cannot be written, `SpaceError` when there is no base model.
    public func write(_ trainer: WeightVAETrainer) throws -> Report {
        guard let baseURL = source.baseURL else {
            throw SpaceError(
                "\(source.weightsURL.path): there is no base model beside the weights",
                advice: "Put its diffusers folder there as base/.")
        }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let url = { folder.appendingPathComponent($0) }
        // Measuring needs a second network beside the trained one.
        trainer.optimizer.forgetMoments()
        StorageAllocator.shared.releaseAll()
        let training = measured(trainer, trainer.split.train)
        try standardize(trainer, rows: training)
        try SafetensorsWriter.write(trainer.vae.stored(as: .float16), to: url("vae.safetensors"))
        // What is measured and recorded is what the file holds, not what it was rounded from.
        let vae = try WeightVAE(weights: url("vae.safetensors"), configuration: trainer.vae.configuration)
        let codes = try encodeAll(vae)
        try SafetensorsWriter.write(
            [StoredTensor("mean", codes.mean), StoredTensor("log_variance", codes.logVariance)], to: url("codes.safetensors"))
        let axes = AxisSurvey.axes(of: vae, means: codes.mean, logVariances: codes.logVariance, labels: source.labels)
        try write(LatentAxis.json(axes), to: url("axes.json"))
        let report = try measure(trainer, vae: vae, training: training, axes: axes)
        try write(record(trainer, report), to: url("vae.json"))
        try TrainingLog(trainer).write(to: folder)

        var paths: [SpaceManifest.Part: String] = [
            .layout: "layout.json", .weights: "weights.safetensors", .vae: "vae.json", .codes: "codes.safetensors",
            .axes: "axes.json",
        ]
        try copy(source.layoutURL, to: url("layout.json"))
        try copy(source.weightsURL, to: url("weights.safetensors"))
        if let identities = source.identitiesURL {
            try copy(identities, to: url("identities.csv"))
        } else {
            try write("identity\n" + source.labels.names.map { $0 + "\n" }.joined(), to: url("identities.csv"))
        }
        paths[.identities] = "identities.csv"
        paths[.base] = try SpaceWriter.placeBase(baseURL, in: folder, base, copy: copy)
        var manifest = SpaceManifest(name: name, paths: paths, defaults: source.defaults)
        manifest.digests = try digests(base: paths[.base] ?? "base")
        try write(manifest.json, to: url("space.json"))
        return report
    }

    /// Rows of a split that are measured: all of them in memory, some of streamed vectors.
    private func measured(_ trainer: WeightVAETrainer, _ rows: [Int]) -> [Int] {
        trainer.vectors is StreamedVectors ? StreamedVectors.spread(rows, 512) : rows
    }

    private func standardize(_ trainer: WeightVAETrainer, rows: [Int]) throws {
        let codes = trainer.vae.encodeScaled(try trainer.vectors.scaled(rows))
        let moments = CodeMoments(
            means: codes.mean.array, logVariances: codes.logVariance.array, dimension: trainer.plan.latentDim)
        CodeStandardization.apply(to: trainer.vae, moments: moments)
    }

    /// Posteriors of all identities, a few hundred vectors at a time.
    private func encodeAll(_ vae: WeightVAE) throws -> (mean: Tensor, logVariance: Tensor) {
        let (count, d) = (source.weights.shape[0], vae.configuration.latentDim)
        let (means, logVariances) = (Tensor(uninitialized: [count, d]), Tensor(uninitialized: [count, d]))
        for start in stride(from: 0, to: count, by: 544) {
            let rows = start..<min(count, start + 544)
            let codes = vae.encode(try source.weights.tensor(rows: rows))
            (means.pointer + start * d).update(from: codes.mean.pointer, count: codes.mean.count)
            (logVariances.pointer + start * d).update(from: codes.logVariance.pointer, count: codes.mean.count)
            source.weights.release(rows: rows)
        }
        return (means, logVariances)
    }

    /// In scaled units, which are raw ones but for a common factor.
    private func measure(_ trainer: WeightVAETrainer, vae: WeightVAE, training: [Int], axes: [LatentAxis]) throws -> Report {
        let split = trainer.split
        func r2(_ rows: [Int]) throws -> Double {
            try WeightVAETrainer.reconstructionR2(of: vae, trainer.vectors, rows: measured(trainer, rows))
        }
        let test = try trainer.vectors.scaled(measured(trainer, split.test))
        let noise = TorchRandomSource(seed: trainer.plan.seed).normal(shape: [256, trainer.plan.latentDim])
        let sampled = try Spectrum(of: vae.decodeScaled(noise), components: 1).total
        return Report(
            trainR2: try r2(training), validationR2: try r2(split.validation), testR2: try r2(split.test),
            pcaTestR2: trainer.spectrum.explained(of: test, components: trainer.plan.latentDim),
            activeAxes: axes.filter(\.isActive).count, kl: axes.reduce(0) { $0 + Double($1.kl) },
            sampleVariance: sampled / trainer.spectrum.total)
    }

    private func record(_ trainer: WeightVAETrainer, _ report: Report) -> String {
        let plan = trainer.plan
        let names = { (rows: [Int]) in JSONValue.array(rows.sorted().map { .string(source.labels.names[$0]) }) }
        let results: [JSONValue.Member] = [
            ("train_r2", report.trainR2), ("validation_r2", report.validationR2), ("test_r2", report.testR2),
            ("test_r2_pca", report.pcaTestR2), ("active_axes", Double(report.activeAxes)), ("kl_nats", report.kl),
            ("sample_variance", report.sampleVariance),
        ].map { .init($0.0, .float(Float($0.1))) }
        let training: [JSONValue.Member] = [
            .init("steps", .integer(plan.steps)), .init("batch", .integer(plan.batch)),
            .init("learning_rate", .number(plan.learningRate)), .init("final_learning_rate", .number(plan.finalLearningRate)),
            .init("warmup", .integer(plan.warmup)), .init("mixing", .number(plan.mixing)),
            .init("schedule", .string(plan.schedule.rawValue)),
            .init("initialization", .string(plan.initialization.rawValue)), .init("beta", .float(Float(trainer.beta))),
            .init("decoder_variance", .float(Float(trainer.proposal.decoderVariance))),
            .init("linear_rate", .number(plan.linearRate)), .init("encoder_rate", .number(plan.encoderRate)),
            .init("free_bits", .number(plan.freeBits)),
            .init("adversarial_weight", .number(plan.adversarialWeight)),
            .init("weight_decay", .number(plan.weightDecay)), .init("moments", .string(plan.moments.rawValue)),
            .init("seed", .integer(Int(truncatingIfNeeded: plan.seed))),
            .init(
                "split",
                .object([.init("validation", names(trainer.split.validation)), .init("test", names(trainer.split.test))])),
            .init("results", .object(results)),
        ]
        return JSONValue.object(trainer.vae.configuration.jsonMembers + [.init("training", .object(training))]).text() + "\n"
    }

    private func write(_ text: String, to url: URL) throws {
        try AtomicFile.write(to: url) { try $0.append(text) }
    }

    private func copy(_ from: URL, to: URL) throws {
        guard from.resolvingSymlinksInPath() != to.resolvingSymlinksInPath() else { return }
        // A large data set is not doubled where the file system can give it a second name.
        let size = try FileManager.default.attributesOfItem(atPath: from.path)[.size] as? Int ?? 0
        if size > 1 << 30 {
            try? FileManager.default.removeItem(at: to)
            if (try? FileManager.default.linkItem(at: from, to: to)) != nil { return }
        }
        let file = try MappedFile(from)
        try AtomicFile.write(to: to) { try $0.append(file.bytes) }
    }

    private func digests(base: String) throws -> [String: String] {
        var digests = [String: String]()
        var parts = ["layout.json", "weights.safetensors", "identities.csv", "vae.json", "vae.safetensors", "codes.safetensors"]
        parts.append("axes.json")
        let baseFolder = Space.url(base, folder: folder)
        if baseFolder.fileKind == .folder {
            let files = try FileManager.default.subpathsOfDirectory(atPath: baseFolder.path)
            parts += files.filter { $0.hasSuffix(".safetensors") }.map { base + "/" + $0 }
        }
        for part in parts { digests[part] = try SHA256.hexDigest(of: Space.url(part, folder: folder)) }
        return digests
    }
}
