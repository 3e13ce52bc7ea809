import Checkpoints
import Foundation
import TensorKit
import Testing

@testable import WeightSpace

/// The PCA against PyTorch's (`Fixtures/pca.py`).
struct PCATests {
    private let folder: TemporaryFolder
    private let expected: StateDictionary
    private let weights: TensorEntry

    init() throws {
        folder = try TemporaryFolder()
        expected = try StateDictionary(safetensors: fixture("pca.safetensors"))
        weights = try expected.entry("vectors")
    }

    private func finished(_ plan: PCAPlan, rows: [Int]? = nil) throws -> WeightPCA {
        let fit = try PCAFit(plan, weights: weights, rows: rows)
        while !fit.isFinished { try fit.advance() }
        return try fit.result()
    }

    @Test(arguments: [true, false], [PCAPlan.Method.exact, .randomized])
    func equalsPyTorchs(standardizes: Bool, method: PCAPlan.Method) throws {
        // Blocks of seven vectors, so that there are many.
        let plan = PCAPlan(
            components: 12, standardizes: standardizes, method: method, passes: 40, tolerance: 1e-7, blockSize: 7 * 70)
        let pca = try finished(plan)
        let name = standardizes ? "" : "centred."
        let tensor = { (key: String) in try expected.entry(name + key).tensor() }
        // Measured: 2e-6 and less.
        expectClose(pca.mean, try tensor("mean"), tolerance: 1e-6, "mean")
        expectClose(pca.std, try tensor("std"), tolerance: 1e-5, "std")
        expectClose(
            Tensor([12], pca.singularValues), try tensor("singular_values"), tolerance: 1e-5, "singular values")
        expectClose(pca.components, try tensor("components"), tolerance: 1e-4, "components")
        expectClose(Tensor([90, 12], pca.coefficients), try tensor("coefficients"), tolerance: 1e-4, "coefficients")
        let five = pca.codes(of: try weights.tensor(rows: 0..<5))
        expectClose(pca.decode(five), try tensor("unprojected"), tolerance: 1e-4, "unprojected")
    }

    @Test(arguments: [PCAPlan.Method.exact, .randomized])
    func aResumedFitEqualsAnUninterruptedOneBitForBit(method: PCAPlan.Method) throws {
        let plan = PCAPlan(components: 5, method: method, passes: 4, tolerance: 1e-9, blockSize: 9 * 70)
        let whole = try finished(plan)
        let url = folder.url.appendingPathComponent("checkpoint.safetensors")
        // Stopped at every place there is.
        var fit = try PCAFit(plan, weights: weights)
        var stops = 0
        while !fit.isFinished {
            try PCACheckpoint.write(fit, to: url)
            fit = try PCAFit(plan, weights: weights)
            try PCACheckpoint.restore(fit, from: url)
            try fit.advance()
            stops += 1
        }
        let resumed = try fit.result()
        #expect(stops > 20)
        #expect(whole.components.array == resumed.components.array && whole.singularValues == resumed.singularValues)
        #expect(whole.coefficients == resumed.coefficients)
    }

    @Test func aCheckpointOfOtherSettingsOrVectorsIsRefused() throws {
        let url = folder.url.appendingPathComponent("checkpoint.safetensors")
        try PCACheckpoint.write(PCAFit(PCAPlan(components: 5), weights: weights), to: url)
        let other = try PCAFit(PCAPlan(components: 6), weights: weights)
        #expect(throws: SpaceError.self) { try PCACheckpoint.restore(other, from: url) }
        let fewer = try PCAFit(PCAPlan(components: 5), weights: weights, rows: Array(0..<80))
        #expect(throws: SpaceError.self) { try PCACheckpoint.restore(fewer, from: url) }
    }

    @Test func someRowsAreFittedAndEverybodyIsProjected() throws {
        let pca = try finished(PCAPlan(components: 5), rows: Array(0..<60))
        #expect(pca.rows == 60 && pca.coefficients.count == 90 * 5)
        let sum = (0..<60).reduce(Float(0)) { $0 + pca.coefficients[$1 * 5] }
        #expect(abs(sum) < 1e-2)
        let all = pca.codes(of: weights.tensor())
        expectClose(all, Tensor([90, 5], pca.coefficients), tolerance: 1e-5, "coefficients")
    }

    @Test(arguments: [ElementType.float32, .float16])
    func aFileBringsTheModelBack(type: ElementType) throws {
        let pca = try finished(PCAPlan(components: 12))
        let url = folder.url.appendingPathComponent("pca.safetensors")
        try pca.write(to: url, as: type)
        let read = try WeightPCA(contentsOf: url)
        #expect(read.rows == 90 && read.latentDimension == 12 && read.vectorLength == 70 && read.origin == "all 90 identities")
        let tolerance: Float = type == .float32 ? 0 : 1e-3
        expectClose(read.components, pca.components, tolerance: tolerance, "components")
        expectClose(
            Tensor([90, 12], read.coefficients), Tensor([90, 12], pca.coefficients), tolerance: tolerance, "coefficients")
        #expect(read.mean.array == pca.mean.array && read.effects == pca.effects)
    }

    @Test func axesAreWhatTheCoefficientsSay() throws {
        let pca = try finished(PCAPlan(components: 12))
        let names = (0..<90).map { "p\($0)" }
        // An attribute that is the sign of the second coefficient.
        let labels = IdentityLabels(
            names: names, attributeNames: ["A"], values: (0..<90).map { pca.coefficients[$0 * 12 + 1] > 0 ? 1 : 0 })
        let axes = pca.axes(labels: labels)
        #expect(axes.count == 12 && axes.allSatisfy(\.isActive))
        for (axis, deviation) in zip(axes, pca.deviations) {
            #expect(abs(axis.deviation / deviation - 1) < 1e-3 && abs(axis.mean) < 1e-3 * deviation + 1e-4)
        }
        #expect(axes[0].kl > axes[11].kl && axes[11].kl > 0)
        #expect(axes[1].correlations.first.map { $0.attribute == "A" && $0.value > 0.6 } == true)
    }

    @Test func vectorsThatHaveNoComponentsAreRefused() throws {
        #expect(throws: SpaceError.self) { try PCAFit(PCAPlan(components: 90), weights: weights) }
        #expect(throws: SpaceError.self) { try PCAFit(PCAPlan(components: 0), weights: weights) }
        let values = weights.tensor()
        values.pointer[13 * 70 + 2] = .infinity
        let url = folder.url.appendingPathComponent("damaged.safetensors")
        try SafetensorsWriter.write([StoredTensor("weights", values), StoredTensor("equal", Tensor(zeros: [20, 70]))], to: url)
        let damaged = try StateDictionary(safetensors: url)
        let fit = try PCAFit(PCAPlan(components: 3), weights: damaged.entry("weights"))
        let error = #expect(throws: SpaceError.self) { while !fit.isFinished { try fit.advance() } }
        #expect(error?.message.contains("vector 13 ") == true)
        let equal = try PCAFit(PCAPlan(components: 3), weights: damaged.entry("equal"))
        #expect(throws: SpaceError.self) { while !equal.isFinished { try equal.advance() } }
    }

    @Test func damagedFilesAreRefused() throws {
        let url = folder.url.appendingPathComponent("pca.safetensors")
        let mean = Tensor(zeros: [4])
        let components = Tensor([4, 1], [1, 0, 0, 0])
        func message(_ tensors: [StoredTensor], _ metadata: [String: String] = ["rows": "9"]) throws -> String {
            try SafetensorsWriter.write(tensors, metadata: metadata, to: url)
            return "\(#expect(throws: (any Error).self) { try WeightPCA(contentsOf: url) } ?? SpaceError(""))"
        }
        let parts = [StoredTensor("mean", mean), StoredTensor("components", components)]
        let values = StoredTensor("singular_values", Tensor([1], [2]))
        #expect(try message(parts).contains("std"))
        #expect(try message(parts + [values, StoredTensor("std", Tensor(zeros: [4]))]).contains("not above 0"))
        let std = StoredTensor("std", Tensor([4], [1, 1, 1, 1]))
        let whole = parts + [values, std]
        #expect(try message(parts + [values, StoredTensor("std", Tensor([4], [1, .infinity, 1, 1]))]).contains("not above 0"))
        let far = StoredTensor("mean", Tensor([4], [0, .nan, 0, 0]))
        #expect(try message([far, parts[1], values, std]).contains("`mean` holds numbers that are not finite"))
        #expect(
            try message(parts + [StoredTensor("singular_values", Tensor([1], [.nan])), std]).contains(
                "`singular_values` do not fall, or are not finite"))
        let coefficients = StoredTensor("coefficients", Tensor([2, 1], [1, -.infinity]))
        #expect(try message(whole + [coefficients]).contains("`coefficients` holds numbers that are not finite"))
        #expect(try message(whole, [:]).contains("how many vectors"))
        #expect(try message(whole + [StoredTensor("extra", mean)]).contains("extra"))
    }
}
