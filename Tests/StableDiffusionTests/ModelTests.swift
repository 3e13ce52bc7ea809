import Checkpoints
import Foundation
import NeuralNetworks
import StableDiffusion
import TensorKit
import Testing

/// The small random model of Fixtures/make_small_model.py against diffusers, transformers and PEFT.
@Suite struct ModelTests {
    private let folder: ModelFolder
    private let expected: StateDictionary

    init() throws {
        folder = try ModelFolder(fixture("small"))
        expected = try StateDictionary(safetensors: fixture("small_expected.safetensors"))
    }

    private func array(_ name: String) throws -> Tensor { try expected.entry(name).tensor() }

    private func tokens() throws -> [[Int]] {
        let entry = try expected.entry("text/tokens")
        let ids = try entry.integers()
        return stride(from: 0, to: ids.count, by: entry.shape[1]).map { Array(ids[$0..<($0 + entry.shape[1])]) }
    }

    /// An adapter of the fixture, as PEFT named it.
    private func adapter(_ number: Int, scale: Float) throws -> LoRAAdapter {
        var factors = [String: LoRAAdapter.Factors]()
        let prefix = "lora/\(number)/"
        for name in expected.names where name.hasPrefix(prefix) && name.hasSuffix(".lora_A") {
            let path = String(name.dropFirst(prefix.count).dropLast(".lora_A".count))
            factors[path] = .init(a: try array(name), b: try array("\(prefix)\(path).lora_B"))
        }
        return LoRAAdapter(factors: factors, scale: scale)
    }

    @Test func textStates() throws {
        let states = try folder.loadTextModel()(tokens())
        expectClose("text states", states, try array("text/states"), tolerance: 1e-4)
    }

    @Test(arguments: ["even", "odd"]) func noisePrediction(size: String) throws {
        let unet = try folder.loadUNet()
        let states = try array("text/states")
        let conditioning = unet.conditioning((0..<2).map { unet.prepare(states.rows($0..<($0 + 1))) })
        let steps = try expected.entry("unet/\(size)/timesteps").integers().map(Float.init)
        let sample = try array("unet/\(size)/sample")
        for pass in 1...2 {
            let output = unet(sample, timesteps: steps, conditioning: conditioning)
            expectClose("U-Net output, \(size), pass \(pass)", output, try array("unet/\(size)/output"), tolerance: 1e-3)
        }
    }

    /// Two samples with an identity of their own each equal two batches of PEFT with one identity, whatever the order.
    @Test func adaptersPerSample() throws {
        let unet = try folder.loadUNet()
        let states = try array("text/states")
        let prompts = (0..<2).map { unet.prepare(states.rows($0..<($0 + 1))) }
        let sample = try array("unet/odd/sample")
        let steps = try expected.entry("unet/odd/timesteps").integers().map(Float.init)
        let adapters = [try adapter(0, scale: 27), try adapter(1, scale: 2)]
        let references = try ["unet/odd/lora0", "unet/odd/lora1"].map(array) + [array("unet/odd/output")]
        for (first, second) in [(0, 0), (1, 1), (0, 1), (1, 0), (2, 1), (0, 2)] {
            let chosen = [first, second].map { $0 < 2 ? adapters[$0] : nil }
            for adapter in chosen.compactMap({ $0 }) { try unet.check(adapter, file: "fixture") }
            let conditioning = unet.conditioning(prompts, adapters: LoRABatch(chosen))
            let output = unet(sample, timesteps: steps, conditioning: conditioning)
            for (row, choice) in [first, second].enumerated() {
                expectClose(
                    "U-Net output of sample \(row), adapters \(first) and \(second)", output.rows(row..<(row + 1)),
                    references[choice].rows(row..<(row + 1)), tolerance: 1e-3)
            }
        }
    }

    @Test func adaptersOfAnotherModelAreNamed() throws {
        let unet = try folder.loadUNet()
        let path = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
        let wrong = LoRAAdapter(
            factors: [
                path: .init(a: Tensor(zeros: [1, 7]), b: Tensor(zeros: [16, 1])),
                "somewhere.to_q": .init(a: Tensor(zeros: [1, 7]), b: Tensor(zeros: [8, 1])),
            ], scale: 1)
        let text = message { try unet.check(wrong, file: "x.safetensors") }
        #expect(text.contains("x.safetensors") && text.contains("\(path): expected [16, 16], found [16, 7]"), "\(text)")
        #expect(text.contains("somewhere.to_q: unexpected, found [8, 7]"), "\(text)")
    }

    @Test func decoder() throws {
        let pictures = try folder.loadVAE().decode(array("vae/latents"))
        expectClose("decoded pictures", pictures, try array("vae/decoded"), tolerance: 3e-4)
    }

    @Test func encoder() throws {
        let distribution = try folder.loadVAE().encode(array("vae/pictures"))
        expectClose("mean", distribution.mean, try array("vae/mean"), tolerance: 3e-4)
        expectClose("image latents", distribution.imageLatents(), try array("vae/mode"), tolerance: 3e-4)
        let ones = Tensor(distribution.mean.shape, [Float](repeating: 1, count: distribution.mean.count))
        let drawn = distribution.imageLatents(noise: ones)
        let deviation = zip(drawn.array, distribution.imageLatents().array).map { ($0 - $1) / 0.7 }
        expectClose("standard deviation", Tensor(drawn.shape, deviation), try array("vae/std"), tolerance: 3e-4)
    }

    /// With a tape every part computes the same numbers, and gradients reach the adapter: the loss falls along them as they predict.
    @Test func gradientsReachTheAdapter() throws {
        let unet = try folder.loadUNet()
        unet.setTrainable(false)
        let path = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v"
        let shape = try #require(unet.adaptableShapes[path])
        let random = TorchRandomSource(seed: 3)
        let a = Tensor([2, 1, shape[1]], random.normal(2 * shape[1]))
        let b = Tensor([2, shape[0], 1], random.normal(2 * shape[0]))
        let sample = try array("unet/odd/sample")
        let states = try array("text/states")
        let seed = Tensor(sample.shape, random.normal(sample.count))
        func forward(_ b: Tensor, tape: Tape) -> Tensor {
            let adapters = LoRABatch(updates: [path: LowRankUpdate(a: a, b: b, scale: 1)], samples: 2)
            let conditioning = unet.conditioning(states: states, adapters: adapters, tape: tape)
            return unet(sample, timesteps: [500, 20], conditioning: conditioning, tape: tape)
        }
        func loss(_ b: Tensor) -> Double {
            zip(forward(b, tape: Tape()).array, seed.array).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        let tape = Tape()
        tape.watch(a)
        tape.watch(b)
        let output = forward(b, tape: tape)
        tape.backward(from: output, seed: seed)
        let gradient = try #require(tape.gradient(of: b))
        let direction = random.normal(b.count)
        let step: Float = 1e-2
        func moved(_ factor: Float) -> Tensor { Tensor(b.shape, zip(b.array, direction).map { $0 + factor * $1 }) }
        let numeric = (loss(moved(step)) - loss(moved(-step))) / Double(2 * step)
        let analytic = zip(gradient.array, direction).reduce(0.0) { $0 + Double($1.0 * $1.1) }
        #expect(abs(numeric - analytic) <= 1e-2 * abs(analytic), "\(numeric) by differences, \(analytic) by the tape")
    }
}
