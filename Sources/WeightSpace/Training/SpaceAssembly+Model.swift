import Checkpoints
import Foundation
import NeuralNetworks
import TensorKit

/// What a run leaves of the weight VAE itself, and how good it is.
extension SpaceAssembly {
    /// Writes the weight VAE with the codes of everybody and the facts about its axes, and measures it. The trained weights become the stored ones
    /// where they lie, so that no second network is in memory.
    func writeModel(_ trainer: WeightVAETrainer, to folder: URL, _ progress: ProgressHandler) throws -> Report {
        let url = { folder.appendingPathComponent($0) }
        let vae = trainer.vae
        try progress("standardizing the axes", 0, 1)
        let training = measured(trainer, trainer.split.train)
        try standardize(trainer, rows: training)
        try progress("writing the weights", 0, 1)
        try vae.write(to: url("vae.safetensors"), as: .float16)
        // What is measured and recorded is what the file holds, not what it was rounded from.
        try vae.takeValues(from: StateDictionary(safetensors: url("vae.safetensors")))
        let codes = try encodeAll(vae, progress)
        try SafetensorsWriter.write(
            [StoredTensor("mean", codes.mean), StoredTensor("log_variance", codes.logVariance)], to: url("codes.safetensors"))
        let axes = try AxisSurvey.axes(
            of: vae, means: codes.mean, logVariances: codes.logVariance, labels: source.labels, progress: progress)
        try write(LatentAxis.json(axes), to: url("axes.json"))
        try progress("measuring", 0, 1)
        let report = try measure(trainer, vae: vae, training: training, axes: axes)
        try write(record(trainer, report), to: url("vae.json"))
        return report
    }

    /// Rows of a split that are measured: all of them in memory, some of streamed vectors.
    private func measured(_ trainer: WeightVAETrainer, _ rows: [Int]) -> [Int] {
        trainer.vectors is StreamedVectors ? StreamedVectors.spread(rows, WeightVAETrainer.sampled.test) : rows
    }

    private func standardize(_ trainer: WeightVAETrainer, rows: [Int]) throws {
        let codes = trainer.vae.encodeScaled(try trainer.vectors.scaled(rows))
        let moments = CodeMoments(
            means: codes.mean.array, logVariances: codes.logVariance.array, dimension: trainer.plan.latentDim)
        CodeStandardization.apply(to: trainer.vae, moments: moments)
    }

    /// Posteriors of all identities, a few hundred vectors at a time.
    private func encodeAll(_ vae: WeightVAE, _ progress: ProgressHandler) throws -> (mean: Tensor, logVariance: Tensor) {
        let (count, d) = (source.weights.shape[0], vae.configuration.latentDim)
        let (means, logVariances) = (Tensor(uninitialized: [count, d]), Tensor(uninitialized: [count, d]))
        for start in stride(from: 0, to: count, by: 544) {
            let rows = start..<min(count, start + 544)
            if start == 0 { source.weights.fetch(rows: rows) }
            let vectors = try source.weights.tensor(rows: rows)
            source.weights.fetch(rows: rows.upperBound..<min(count, rows.upperBound + rows.count))
            let codes = vae.encode(vectors)
            (means.pointer + start * d).update(from: codes.mean.pointer, count: codes.mean.count)
            (logVariances.pointer + start * d).update(from: codes.logVariance.pointer, count: codes.mean.count)
            source.weights.release(rows: rows)
            try progress("encoding everybody", rows.upperBound, count)
        }
        return (means, logVariances)
    }

    /// In scaled units, which are raw ones but for a common factor.
    private func measure(_ trainer: WeightVAETrainer, vae: WeightVAE, training: [Int], axes: [LatentAxis]) throws -> Report {
        let split = trainer.split
        func r2(_ rows: [Int]) throws -> Double {
            try WeightVAETrainer.reconstructionR2(of: vae, trainer.vectors, rows: measured(trainer, rows))
        }
        let noise = TorchRandomSource(seed: trainer.plan.seed).normal(shape: [256, trainer.plan.latentDim])
        let sampled = try Spectrum(of: vae.decodeScaled(noise), components: 1).total
        return Report(
            trainR2: try r2(training), validationR2: try r2(split.validation), testR2: try r2(split.test),
            pcaTestR2: trainer.linearR2.test,
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
}
