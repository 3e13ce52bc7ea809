import Checkpoints
import Foundation
import NeuralNetworks
import TensorKit

/// Carries N(0, I) to where the codes of people lie: the learned prior of a weight VAE.
///
/// The identities' codes fill a small part of N(0, I), so that most draws from it are nobody in particular. This network is a velocity field
/// v(x, t), fitted by flow matching (Lipman et al. 2022, 2210.02747, with straight paths); a code is where noise arrives that follows the field
/// from t = 0 to 1. Its map from noise to codes is continuous and can be undone; a VAE with a second model of its codes is the scheme
/// of Dai and Wipf 2019 (1903.05789).
///
/// Keys: `input`, `blocks.<i>.{norm, linear1, linear2}`, `output`.
public final class CodeFlow: Module {
    public let configuration: CodeFlowConfiguration
    private let input, output: Linear
    private let blocks: [Block]

    /// A network without weights yet.
    /// - Precondition: the configuration is one that `validate` lets pass.
    init(_ configuration: CodeFlowConfiguration) {
        self.configuration = configuration
        let (d, hidden) = (configuration.latentDim, configuration.hiddenDim)
        input = Linear(inFeatures: d + CodeFlowConfiguration.timeFeatures, outFeatures: hidden)
        blocks = (0..<configuration.blocks).map { _ in Block(hidden) }
        output = Linear(inFeatures: hidden, outFeatures: d)
    }

    /// Opens a `flow.json` and the `flow.safetensors` beside it.
    /// - Parameters:
    ///   - url: the JSON file.
    ///   - dimension: length of the codes that it has to give.
    /// - Throws: `CheckpointError`, `SpaceError` or `StateDictionaryMismatch`: what does not fit.
    public convenience init(contentsOf url: URL, dimension: Int) throws {
        let configuration = try CodeFlowConfiguration(JSONConfiguration(contentsOf: url))
        guard configuration.latentDim == dimension else {
            throw SpaceError(
                "\(url.path): the learned prior gives codes of \(configuration.latentDim) numbers, the weight VAE has \(dimension)",
                advice: "It belongs to another space; make one for this with `w2w train --flow`.")
        }
        self.init(configuration)
        try load(StateDictionary(safetensors: url.deletingPathExtension().appendingPathExtension("safetensors")))
    }

    public var children: [(name: String, module: any Module)] {
        [("input", input)] + blocks.enumerated().map { ("blocks.\($0.offset)", $0.element) } + [("output", output)]
    }

    /// PyTorch's default start; the field is 0 everywhere at first.
    func start(_ random: TorchRandomSource) {
        Initialization.torch(self, random)
        for (_, parameter) in output.parameters { parameter.value = Tensor(zeros: parameter.shape) }
    }

    /// The velocity at points on their way.
    /// - Parameters:
    ///   - x: [N, d]
    ///   - times: N numbers from 0 (noise) to 1 (codes).
    ///   - tape: records the backward pass.
    /// - Returns: [N, d]
    func velocity(_ x: Tensor, at times: [Float], tape: Tape? = nil) -> Tensor {
        let known = joinFeatures([x, Self.features(of: times)])
        let hidden = blocks.reduce(input(known, tape: tape)) { $1($0, tape: tape) }
        return output(silu(hidden, tape: tape), tape: tape)
    }

    /// Follows the field from noise to codes, by Heun's method in `configuration.integrationSteps` equal steps.
    /// - Parameter noise: draws from N(0, I), [N, d].
    /// - Returns: codes, [N, d].
    public func codes(of noise: Tensor) -> Tensor { follow(noise, from: 0, to: 1) }

    /// Follows the field backwards: the noise that becomes these codes, up to the error of the integration.
    /// - Parameter codes: [N, d]
    /// - Returns: [N, d]
    public func noise(of codes: Tensor) -> Tensor { follow(codes, from: 1, to: 0) }

    private func follow(_ start: Tensor, from first: Float, to last: Float) -> Tensor {
        let (steps, rows) = (configuration.integrationSteps, start.shape[0])
        let size = (last - first) / Float(steps)
        func velocity(_ x: Tensor, _ step: Int) -> Tensor {
            self.velocity(x, at: [Float](repeating: first + Float(step) * size, count: rows))
        }
        var x = start
        for step in 0..<steps {
            let here = velocity(x, step)
            let ahead = x.copy()
            Kernels.accumulate(here, into: ahead, factor: size)
            let there = velocity(ahead, step + 1)
            let next = x.copy()
            Kernels.accumulate(here, into: next, factor: size / 2)
            Kernels.accumulate(there, into: next, factor: size / 2)
            x = next
        }
        return x
    }

    /// The time itself and sines and cosines of it at doubling frequencies, [N, timeFeatures].
    private static func features(of times: [Float]) -> Tensor {
        let width = CodeFlowConfiguration.timeFeatures
        var values = [Float]()
        values.reserveCapacity(times.count * width)
        for time in times {
            values.append(time)
            for octave in 0..<CodeFlowConfiguration.octaves {
                let angle = Float(1 << octave) * .pi * time
                values += [sin(angle), cos(angle)]
            }
        }
        return Tensor([times.count, width], values)
    }

    /// x + linear2(SiLU(linear1(LayerNorm(x)))), all equally wide.
    private final class Block: Module {
        private let norm: LayerNorm
        private let linear1, linear2: Linear

        init(_ width: Int) {
            norm = LayerNorm(features: width)
            linear1 = Linear(inFeatures: width, outFeatures: width)
            linear2 = Linear(inFeatures: width, outFeatures: width)
        }

        var children: [(name: String, module: any Module)] { [("norm", norm), ("linear1", linear1), ("linear2", linear2)] }

        func callAsFunction(_ x: Tensor, tape: Tape?) -> Tensor {
            add(x, linear2(linear1(norm(x, tape: tape), activation: .silu, tape: tape), tape: tape), tape: tape)
        }
    }
}

extension Space {
    /// The learned prior of the space's weight VAE.
    /// - Throws: `SpaceError` when the space has none or another model is in use, and what opening it throws.
    public func codeFlow() throws -> CodeFlow {
        guard let path = manifest.paths[.flow], kind == .vae else {
            throw SpaceError(
                kind == .vae
                    ? "\(folder.path): has no learned prior" : "\(folder.path): the learned prior belongs to the weight VAE",
                advice: kind == .vae
                    ? "Fit one with `w2w train SPACE --flow --out SPACE`, or sample from blends." : "Choose it with --model vae.")
        }
        return try CodeFlow(contentsOf: Self.url(path, folder: folder), dimension: latentDimension)
    }
}
