import Checkpoints
import Foundation
import TensorKit
import Testing

@testable import WeightSpace

struct TrainingTests {
    private let plan = TrainingPlan(
        hiddenDims: [24, 16], latentDim: 4, steps: 40, batch: 8, learningRate: 1e-3, warmup: 4, seed: 5, logInterval: 10)

    private func trainer(_ plan: TrainingPlan? = nil) throws -> WeightVAETrainer {
        try WeightVAETrainer(plan ?? self.plan, vectors: syntheticVectors(count: 60, length: 48, rank: 4))
    }

    @Test func aResumedRunEqualsAnUninterruptedOneBitForBit() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("checkpoint.safetensors")
        let whole = try trainer()
        while !whole.isFinished { try whole.advance() }
        let first = try trainer()
        for _ in 0..<17 { try first.advance() }
        try TrainingCheckpoint.write(first, to: file)
        let second = try trainer()
        try TrainingCheckpoint.restore(second, from: file)
        #expect(second.step == 17)
        while !second.isFinished { try second.advance() }
        for (one, other) in zip(whole.vae.namedParameters(), second.vae.namedParameters()) {
            #expect(one.parameter.value.array == other.parameter.value.array, "\(one.name) differs")
        }
        #expect(whole.log == second.log && whole.log.count == 4)
    }

    @Test func aCheckpointOfOtherSettingsOrVectorsIsRefused() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("checkpoint.safetensors")
        try TrainingCheckpoint.write(trainer(), to: file)
        var other = plan
        other.batch = 9
        let settings = #expect(throws: SpaceError.self) { try TrainingCheckpoint.restore(trainer(other), from: file) }
        #expect(settings?.message.contains("batch was 8, is 9") == true)
        let vectors = try WeightVAETrainer(plan, vectors: syntheticVectors(count: 60, length: 48, rank: 4, seed: 2))
        #expect(throws: SpaceError.self) { try TrainingCheckpoint.restore(vectors, from: file) }
    }

    @Test func aCheckpointThatCannotBeWrittenLeavesTheOldOne() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("checkpoint.safetensors")
        let run = try trainer()
        try TrainingCheckpoint.write(run, to: file)
        let before = try Data(contentsOf: file)
        try run.advance()
        #expect(throws: CheckpointError.self) {
            try TrainingCheckpoint.write(run, to: folder.url.appendingPathComponent("none/checkpoint.safetensors"))
        }
        #expect(try Data(contentsOf: file) == before)
    }

    @Test func theSpectralStartIsTheLinearVAE() throws {
        let run = try trainer()
        // Nothing is trained yet, and yet the reconstruction is that of a PCA shrunk by the decoder's variance.
        let spectrum = run.spectrum
        let training = try run.vectors.scaled(run.split.train)
        let kept = (0..<4).reduce(0.0) { sum, i in
            let share = max(0.02, 1 - run.proposal.decoderVariance / spectrum.eigenvalues[i])
            return sum + spectrum.eigenvalues[i] * (1 - (1 - share) * (1 - share))
        }
        let r2 = try run.reconstructionR2(rows: run.split.train)
        // The hyperbolic tangent bends what lies far out.
        #expect(abs(r2 - kept / spectrum.total) < 0.02, "R2 \(r2), PCA gives \(kept / spectrum.total)")
        let codes = run.vae.encodeScaled(training)
        let moments = CodeMoments(means: codes.mean.array, logVariances: codes.logVariance.array, dimension: 4)
        for axis in 0..<4 { #expect(abs(moments.covariance[axis * 4 + axis] - 1) < 0.1) }
    }

    @Test func trainingLearnsWhatAPCAKnows() throws {
        var longer = plan
        longer.steps = 400
        longer.logInterval = 100
        let run = try trainer(longer)
        while !run.isFinished { try run.advance() }
        let last = try #require(run.log.last)
        #expect(last.step == 400 && last.activeAxes == 4)
        #expect(try run.reconstructionR2(rows: run.split.test) > 0.85)
    }

    @Test func betaComesFromTheSpectrum() throws {
        let run = try trainer()
        let smallest = run.spectrum.eigenvalues[3]
        #expect(abs(run.proposal.decoderVariance - 0.2 * smallest) < 1e-9 * max(1, smallest))
        #expect(run.proposal.expectedActiveAxes == 4)
    }

    @Test func schedulesHaveTheirPublishedShape() {
        let annealed = { KLSchedule.annealed.share(at: $0, of: 1200) }
        #expect(annealed(0) == 0 && annealed(499) == 0)
        #expect(abs(annealed(500) - 0.2) < 1e-6 && abs(annealed(700) - 0.6) < 1e-6)
        #expect(annealed(900) == 1 && annealed(1199) == 1)
        let cyclical = { KLSchedule.cyclical.share(at: $0, of: 400) }
        #expect(cyclical(0) == 0 && abs(cyclical(25) - 0.5) < 1e-6 && cyclical(60) == 1 && cyclical(100) == 0)
        #expect(KLSchedule.constant.share(at: 0, of: 10) == 1)
    }

    @Test func theSplitIsEightyTenTenAndCoversEverybody() {
        let split = DataSplit(count: 544, seed: 0)
        #expect(split.test.count == 54 && split.validation.count == 54 && split.train.count == 436)
        #expect(Set(split.train + split.validation + split.test) == Set(0..<544))
        #expect(split == DataSplit(count: 544, seed: 0) && split != DataSplit(count: 544, seed: 1))
    }

    @Test func impossiblePlansAreRefused() throws {
        func message(_ change: (inout TrainingPlan) -> Void) -> String? {
            var wrong = plan
            change(&wrong)
            return #expect(throws: SpaceError.self) { try wrong.validate(count: 60) }?.message
        }
        #expect(message { $0.hiddenDims = [] }?.contains("hidden widths") == true)
        #expect(message { $0.steps = 0 }?.contains("0 steps") == true)
        #expect(message { $0.mixing = 2 }?.contains("share of 2.0 blends") == true)
        #expect(message { $0.beta = .level(-1) }?.contains("beta -1.0") == true)
    }

    @Test func vectorsThatCannotBeTrainedOnAreRefused() {
        let damaged = syntheticVectors(count: 60, length: 48, rank: 4)
        damaged.pointer[7] = .nan
        #expect(throws: SpaceError.self) { try WeightVAETrainer(plan, vectors: damaged) }
        #expect(throws: SpaceError.self) { try WeightVAETrainer(plan, vectors: Tensor(zeros: [60, 48])) }
        #expect(throws: SpaceError.self) { try WeightVAETrainer(plan, vectors: Tensor(zeros: [3, 48])) }
    }
}
