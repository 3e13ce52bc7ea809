import Checkpoints
import Foundation
import TensorKit
import WeightSpace

extension Benchmark {
    static let training = Benchmark(
        name: "train", summary: "one training step of the weight VAE",
        need: ("200 LoRA vectors", { ($0.weights?.shape[0] ?? 0) >= 200 })
    ) { try $0.training() }
    static let fullTraining = Benchmark(
        name: "train-full",
        summary: "the same at full size (99,648 numbers, 4096 wide, 512 axes), only when named: 11 GB of memory",
        isPartOfAll: false
    ) { try $0.fullTraining(moments: .f32) }
    static let fullTrainingInHalf = Benchmark(
        name: "train-full-bf16", summary: "the same with moments in bfloat16, only when named: 8 GB of memory", isPartOfAll: false
    ) { try $0.fullTraining(moments: .bf16) }
}

/// Steps of the weight VAE's training, for the space and at the original project's size.
extension BenchSuite {
    fileprivate func training() throws -> [BenchResult] {
        let space = try models().space
        guard let weights = space.weights else { return [] }
        let trainer = try WeightVAETrainer(TrainingPlan(latentDim: 64), vectors: weights.tensor())
        let samples = try stopwatch.milliseconds { _ in try trainer.advance() }
        return [
            BenchResult(
                name: "train-step", unit: "ms", samples: samples,
                work: "weight VAE \(weights.shape[1]) to \(trainer.plan.latentDim), batch \(trainer.plan.batch), one Adam step")
        ]
    }

    /// One training step at full size: vectors streamed from a file, batch 64; the peak of the process' memory beside it.
    func fullTraining(moments: TrainingPlan.Moments) throws -> [BenchResult] {
        let (length, count) = (99_648, 640)
        let plan = TrainingPlan(
            hiddenDims: [4096], latentDim: 512, beta: .level(0.005), schedule: .constant, initialization: .torch,
            steps: 1_000_000, batch: 64, learningRate: 1e-4, moments: moments, mixing: 0, logInterval: 1_000_000)
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("w2w-bench-\(getpid()).safetensors")
        defer { try? FileManager.default.removeItem(at: file) }
        try SyntheticVectors.write(count: count, length: length, to: file)
        StorageAllocator.shared.releaseAll()
        let trainer = try WeightVAETrainer(plan, streaming: StateDictionary(safetensors: file).entry("weights"))
        let samples = try stopwatch.milliseconds { _ in try trainer.advance() }
        let work = "weight VAE \(length) to 4096 to 512, batch \(plan.batch), one Adam step, moments \(moments.rawValue)"
        let suffix = moments == .bf16 ? "-bf16" : ""
        return [
            BenchResult(name: "train-full" + suffix, unit: "ms", samples: samples, work: work),
            BenchResult(
                name: "train-full-memory" + suffix, unit: "MB", samples: [Double(MachineReport.peakMemory ?? 0) / 1e6],
                work: "the process' largest memory"),
        ]
    }
}
