import Checkpoints
import Foundation
import TensorKit
import Testing

@testable import WeightSpace

/// Every kind of weight VAE learns, and every kind of run goes on exactly where it stopped.
struct FamilyTrainingTests {
    static let plans: [String: TrainingPlan] = {
        var plans = [String: TrainingPlan]()
        func add(_ name: String, _ change: (inout TrainingPlan) -> Void) {
            var plan = TrainingPlan(
                hiddenDims: [24, 16], latentDim: 4, initialization: .torch, steps: 120, batch: 8, learningRate: 3e-3, warmup: 4,
                seed: 5, logInterval: 40)
            change(&plan)
            plans[name] = plan
        }
        add("batch norm") { $0.batchNorm = true }
        add("linear path") {
            $0.linearPath = true
            $0.initialization = .spectral
        }
        add("readout") {
            $0.linearPath = true
            $0.initialization = .readout
        }
        add("residual") {
            ($0.variant, $0.hiddenDims, $0.blocks) = (.residual, [16], 2)
        }
        add("adversarial") {
            ($0.variant, $0.hiddenDims, $0.blocks, $0.adversarialWeight) = (.residual, [16], 1, 0.01)
        }
        add("transformer") {
            ($0.variant, $0.hiddenDims, $0.blocks, $0.heads) = (.transformer, [8], 1, 2)
        }
        add("convolutional") { $0.variant = .convolutional }
        add("half moments") {
            $0.moments = .bf16
            $0.freeBits = 0.05
        }
        return plans
    }()

    /// 128 + 32 numbers in two modules.
    private func layout() throws -> LoRALayout {
        try LoRALayout(
            rank: 1, alpha: 1,
            entries: [("a", .a, [1, 64]), ("a", .b, [64, 1]), ("b", .a, [1, 16]), ("b", .b, [16, 1])], file: "layout.json")
    }

    private func trainer(_ plan: TrainingPlan) throws -> WeightVAETrainer {
        try WeightVAETrainer(plan, vectors: syntheticVectors(count: 60, length: 160, rank: 4), layout: layout())
    }

    @Test(arguments: plans.keys.sorted())
    func learnsAndResumesBitForBit(_ name: String) throws {
        let plan = try #require(Self.plans[name])
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("checkpoint.safetensors")
        let whole = try trainer(plan)
        let before = try whole.reconstructionR2(rows: whole.split.train)
        for _ in 0..<17 { try whole.advance() }
        try TrainingCheckpoint.write(whole, to: file)
        while !whole.isFinished { try whole.advance() }
        let after = try whole.reconstructionR2(rows: whole.split.train)
        #expect(1 - after < max(0.5 * (1 - before), 0.5), "R2 from \(before) to \(after)")
        #expect(whole.log.last?.axisKL.count == 4)

        let second = try trainer(plan)
        try TrainingCheckpoint.restore(second, from: file)
        while !second.isFinished { try second.advance() }
        #expect(whole.log == second.log)
        for (one, other) in zip(whole.vae.namedParameters(), second.vae.namedParameters()) {
            #expect(one.parameter.value.array == other.parameter.value.array, "\(one.name) differs")
        }
        let codes = TorchRandomSource(seed: 1).normal(shape: [3, 4])
        #expect(whole.vae.decode(codes).array.allSatisfy { $0.isFinite })
    }

    @Test func momentsInBfloat16KeepTheLossCurve() throws {
        var plan = try #require(Self.plans["linear path"])
        plan.learningRate = 1e-3
        func curve(_ moments: TrainingPlan.Moments) throws -> [Float] {
            plan.moments = moments
            let run = try trainer(plan)
            return try (0..<plan.steps).map { _ in try run.advance().reconstruction }
        }
        let (full, half) = (try curve(.f32), try curve(.bf16))
        let mean = { (curve: [Float], range: Range<Int>) in curve[range].reduce(0, +) / Float(range.count) }
        for start in stride(from: 0, to: 120, by: 40) {
            let (a, b) = (mean(full, start..<(start + 40)), mean(half, start..<(start + 40)))
            #expect(abs(a / b - 1) < 0.01, "steps from \(start): \(a) and \(b)")
        }
        #expect(full != half)
    }

    @Test(arguments: [ElementType.float32, .float16])
    func streamedVectorsAreThoseOfTheFile(_ type: ElementType) throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("weights.safetensors")
        let raw = syntheticVectors(count: 300, length: 160, rank: 4)
        try SafetensorsWriter.write([StoredTensor("weights", raw, as: type)], to: file)
        let entry = try StateDictionary(safetensors: file).entry("weights")
        let split = DataSplit(count: 300, seed: 5)
        // A window of one block: 240 rows to train on make four windows an epoch, three of them full.
        let streamed = try StreamedVectors(entry, split: split, windowBytes: 1, seed: 5)
        let resident = ResidentVectors(entry.tensor(), split: split)
        expectClose(try streamed.scaled([7, 299, 0]), resident.scaled([7, 299, 0]), tolerance: 1e-6, "rows")
        var seen = Set<[Float]>()
        let random = TorchRandomSource(seed: 1)
        for step in 0..<12 {
            try streamed.prepare(step: step, size: 16)
            for row in 0..<16 {
                let (first, _) = streamed.pair(row, random: random)
                seen.insert(Array(UnsafeBufferPointer(start: first, count: 160)))
            }
        }
        #expect(seen.count >= 180 && seen.count <= 192)
        let training = Set(split.train.map { row in resident.scaled([row]).array })
        #expect(seen.isSubset(of: training))
    }

    @Test func aStreamedRunResumesBitForBit() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("weights.safetensors")
        let checkpoint = folder.url.appendingPathComponent("checkpoint.safetensors")
        try SafetensorsWriter.write(
            [StoredTensor("weights", syntheticVectors(count: 300, length: 160, rank: 4), as: .float16)], to: file)
        let entry = try StateDictionary(safetensors: file).entry("weights")
        var plan = try #require(Self.plans["linear path"])
        plan.steps = 40
        let whole = try WeightVAETrainer(plan, streaming: entry)
        for _ in 0..<23 { try whole.advance() }
        try TrainingCheckpoint.write(whole, to: checkpoint)
        while !whole.isFinished { try whole.advance() }
        let second = try WeightVAETrainer(plan, streaming: entry)
        try TrainingCheckpoint.restore(second, from: checkpoint)
        while !second.isFinished { try second.advance() }
        #expect(whole.log == second.log && whole.log.count == 1)
        try TrainingLog(whole).write(to: folder.url)
        for name in [TrainingLog.table, TrainingLog.axisTable, TrainingLog.sheet] {
            #expect(FileManager.default.fileExists(atPath: folder.url.appendingPathComponent(name).path))
        }
    }

    @Test func streamedNumbersThatAreNotFiniteAreRefused() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("weights.safetensors")
        let raw = syntheticVectors(count: 40, length: 160, rank: 4)
        raw.pointer[5 * 160 + 3] = .infinity
        try SafetensorsWriter.write([StoredTensor("weights", raw)], to: file)
        let entry = try StateDictionary(safetensors: file).entry("weights")
        let error = #expect(throws: SpaceError.self) {
            let vectors = try StreamedVectors(entry, split: DataSplit(count: 40, seed: 0), windowBytes: 1, seed: 0)
            _ = try vectors.scaled(Array(0..<40))
        }
        #expect(error?.message.contains("not finite") == true)
    }

    @Test func collapseIsSeenAndNamed() throws {
        var plan = TrainingPlan(
            hiddenDims: [24, 16], latentDim: 4, beta: .level(50), schedule: .constant, initialization: .torch, steps: 80,
            batch: 8,
            learningRate: 3e-3, warmup: 4, seed: 5, logInterval: 40)
        let run = try trainer(plan)
        #expect(run.proposal.expectedActiveAxes == 0)
        #expect(run.proposal.explanation.contains("0 of 4 axes should"))
        while !run.isFinished { try run.advance() }
        #expect(run.watch?.kind == "collapsed" && run.log.last?.activeAxes == 0)
        plan.beta = .automatic(share: 0.2)
        let good = try trainer(plan)
        #expect(good.proposal.expectedActiveAxes == 4 && good.proposal.firstAxisDies < good.proposal.allAxesDie)
        let watch = { (active: Int, beta: Double, loss: Float) in
            CollapseWatch(active: active, latentDim: 4, proposal: good.proposal, beta: beta, loss: loss).kind
        }
        #expect(watch(4, 1, 1) == "healthy" && watch(2, 1, 1) == "thinning" && watch(0, 1, 1) == "collapsed")
        #expect(watch(0, 0, 1) == "free of the KL term" && watch(4, 1, .nan) == "diverged")
    }
}
