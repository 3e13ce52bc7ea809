import Foundation
import TensorKit
import Testing

@testable import WeightSpace

/// The start that solves the output layers beside a linear path.
struct ReadoutTests {
    /// Vectors of two numbers z and of their product, which no linear path finds.
    private func vectors(bend: Float) -> Tensor {
        let random = TorchRandomSource(seed: 3)
        let (count, n) = (200, 40)
        let basis = random.normal(shape: [3, n])
        let codes = random.normal(shape: [count, 2])
        let result = Tensor(uninitialized: [count, n])
        for row in 0..<count {
            let (a, b) = (codes.pointer[2 * row], codes.pointer[2 * row + 1])
            for i in 0..<n {
                result.pointer[row * n + i] =
                    0.02 * (a * basis.pointer[i] + b * basis.pointer[n + i] + bend * a * b * basis.pointer[2 * n + i])
            }
        }
        return result
    }

    private func trainer(
        _ vectors: Tensor, _ initialization: Initialization, width: [Int], _ variant: WeightVAEConfiguration.Variant
    )
        throws -> WeightVAETrainer
    {
        let layout = try LoRALayout(rank: 1, alpha: 1, entries: [("a", .a, [1, 20]), ("a", .b, [20, 1])], file: "layout.json")
        return try WeightVAETrainer(
            TrainingPlan(
                variant: variant, hiddenDims: width, latentDim: 2, linearPath: true, blocks: 1, heads: 2, beta: .level(1e-5),
                initialization: initialization, steps: 1, batch: 8, seed: 1), vectors: vectors, layout: layout)
    }

    @Test(arguments: [WeightVAEConfiguration.Variant.vanilla, .residual, .transformer])
    func whatIsNotLinearIsFoundWithoutASingleStep(variant: WeightVAEConfiguration.Variant) throws {
        let bent = vectors(bend: 0.5)
        let width = variant == .vanilla ? [128, 16] : [32]
        let linear = try trainer(bent, .spectral, width: width, variant)
        let solved = try trainer(bent, .readout, width: width, variant)
        // The test identities chose nothing, neither weights nor penalty.
        let (before, after) = try (
            linear.reconstructionR2(rows: linear.split.test), solved.reconstructionR2(rows: solved.split.test)
        )
        #expect(1 - after < 0.6 * (1 - before), "\(variant): \(before), then \(after)")
        let readout = try #require(solved.readout)
        #expect(readout.after > readout.before && readout.penalty.isFinite)
        #expect(abs(readout.before - (try linear.reconstructionR2(rows: linear.split.validation))) < 1e-4)
        #expect(linear.readout == nil)
    }

    @Test func withoutALinearPathItIsRefused() throws {
        #expect(throws: SpaceError.self) { try TrainingPlan(initialization: .readout).validate(count: 100) }
        #expect(!Initialization.readout.fits(WeightVAEConfiguration(vectorLength: 8, hiddenDims: [4], latentDim: 2)))
    }
}
