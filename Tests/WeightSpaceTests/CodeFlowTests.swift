import Foundation
import NeuralNetworks
import TensorKit
import Testing

@testable import WeightSpace

struct CodeFlowTests {
    private static let small = CodeFlowConfiguration(latentDim: 2, hiddenDim: 32, blocks: 2, integrationSteps: 16)

    /// Two groups of people far apart, wide in the second coordinate.
    private static let groups: [Float] = (0..<40).flatMap { (i: Int) -> [Float] in [i < 20 ? 2 : -2, Float(i % 20) / 20 - 0.475] }

    private func trained(steps: Int, seed: UInt64 = 0) throws -> CodeFlowTrainer {
        let trainer = try CodeFlowTrainer(
            CodeFlowPlan(steps: steps, batch: 128, learningRate: 5e-3, seed: seed), configuration: Self.small, codes: Self.groups,
            dimension: 2)
        while !trainer.isFinished { trainer.advance() }
        return trainer
    }

    @Test func aFieldThatWasNotTrainedLeavesTheNoise() throws {
        let trainer = try CodeFlowTrainer(CodeFlowPlan(steps: 1), configuration: Self.small, codes: Self.groups, dimension: 2)
        let noise = TorchRandomSource(seed: 1).normal(shape: [5, 2])
        #expect(trainer.flow.codes(of: noise).array == noise.array)
    }

    @Test func noiseArrivesWherePeopleAre() throws {
        let flow = try trained(steps: 600).flow
        let noise = TorchRandomSource(seed: 5).normal(shape: [400, 2])
        let codes = flow.codes(of: noise)
        let far = { (points: Tensor) in
            (0..<400).count { abs(abs(points.pointer[2 * $0]) - 2) > 0.75 || abs(points.pointer[2 * $0 + 1]) > 1 }
        }
        let right = (0..<400).count { codes.pointer[2 * $0] > 0 }
        #expect(far(noise) > 300)
        #expect(far(codes) < 80)
        #expect((120...280).contains(right))
    }

    @Test func theWayBackLeadsToTheNoise() throws {
        let flow = try trained(steps: 300).flow
        let noise = TorchRandomSource(seed: 6).normal(shape: [50, 2])
        let back = flow.noise(of: flow.codes(of: noise))
        let error = (0..<100).map { pow(Double(back.pointer[$0] - noise.pointer[$0]), 2) }.sorted()
        #expect((error[50]).squareRoot() < 0.05)
    }

    @Test func aSeedMeansTheSameRun() throws {
        let noise = TorchRandomSource(seed: 2).normal(shape: [3, 2])
        let first = try trained(steps: 20).flow.codes(of: noise).array
        #expect(try trained(steps: 20).flow.codes(of: noise).array == first)
        #expect(try trained(steps: 20, seed: 1).flow.codes(of: noise).array != first)
    }

    @Test func gradientsOfTheFieldMatchDifferences() throws {
        let flow = CodeFlow(Self.small)
        flow.start(TorchRandomSource(seed: 3))
        let random = TorchRandomSource(seed: 4)
        for (_, parameter) in flow.namedParameters() where parameter.shape == [2, 32] {
            parameter.value = Kernels.scale(random.normal(shape: [2, 32]), by: 0.3)
        }
        let x = random.normal(shape: [4, 2])
        let target = random.normal(shape: [4, 2])
        let times: [Float] = [0, 0.3, 0.7, 1]
        func loss() -> Double {
            let y = flow.velocity(x, at: times)
            return (0..<8).reduce(0.0) { $0 + pow(Double(y.pointer[$1] - target.pointer[$1]), 2) } / 8
        }
        let tape = Tape()
        flow.clearGradients()
        let value = meanSquaredError(flow.velocity(x, at: times, tape: tape), target: target, tape: tape)
        tape.backward(from: value, seed: Tensor([1], [1]))
        for (name, parameter) in flow.namedParameters() {
            let gradient = try #require(parameter.gradient, "\(name)")
            let place = parameter.value.count / 3
            let before = parameter.value.pointer[place]
            let step: Float = 1e-2
            parameter.value.pointer[place] = before + step
            parameter.markChanged()
            let above = loss()
            parameter.value.pointer[place] = before - step
            parameter.markChanged()
            let below = loss()
            parameter.value.pointer[place] = before
            parameter.markChanged()
            let expected = (above - below) / Double(2 * step)
            #expect(abs(expected - Double(gradient.pointer[place])) < 2e-3 + 0.02 * abs(expected), "\(name)")
        }
    }

    @Test func aPriorOfAnotherSpaceIsRefused() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("w2w-flow-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let manifest = SpaceManifest(name: "small", paths: [.base: "base", .layout: "layout.json"], defaults: .init())
        try Data(manifest.json.utf8).write(to: folder.appendingPathComponent("space.json"))
        try trained(steps: 5).write(to: folder)
        let written = try SpaceManifest(contentsOf: folder.appendingPathComponent("space.json"))
        #expect(written.paths[.flow] == "flow.json" && written.digests["flow.safetensors"] != nil)
        let url = folder.appendingPathComponent("flow.json")
        let flow = try CodeFlow(contentsOf: url, dimension: 2)
        #expect(flow.configuration == Self.small)
        #expect(throws: SpaceError.self) { try CodeFlow(contentsOf: url, dimension: 64) }
    }

    @Test func theBuiltInSpaceHasALearnedPriorThatLiesNearerToItsPeople() throws {
        let space = try Space.builtIn()
        let flow = try CodeSampler(of: space, source: .flow).sample(count: 100, seed: 3)
        let normal = try CodeSampler(of: space, source: .prior).sample(count: 100, seed: 3)
        let people = (0..<space.identities.names.count).map(space.code(at:))
        func squaredDistance(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
        func distance(_ codes: [[Float]]) -> Float {
            let nearest = codes.map { code in people.map { squaredDistance($0, code) }.min() ?? 0 }
            return nearest.reduce(0, +) / 100
        }
        #expect(distance(flow) < 0.6 * distance(normal))
    }
}
