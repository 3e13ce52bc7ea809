import Checkpoints
import Foundation
import NeuralNetworks
import StableDiffusion
import TensorKit
import Testing

/// Unusual shapes (Fixtures/make_shapes.py): batches of eight, pictures that are not square, sides that no halving divides.
@Suite struct ShapeTests {
    private let folder: ModelFolder
    private let expected: StateDictionary

    init() throws {
        folder = try ModelFolder(fixture("small"))
        expected = try StateDictionary(safetensors: fixture("shapes.safetensors"))
    }

    private func array(_ name: String) throws -> Tensor { try expected.entry(name).tensor() }

    @Test(arguments: ["8x6x10", "1x5x7", "3x14x4", "2x1x9"]) func noisePrediction(_ shape: String) throws {
        let unet = try folder.loadUNet()
        let states = try array("unet/\(shape)/states")
        let conditioning = unet.conditioning((0..<states.shape[0]).map { unet.prepare(states.rows($0..<($0 + 1))) })
        let output = unet(
            try array("unet/\(shape)/sample"), timesteps: try expected.entry("unet/\(shape)/timesteps").floats(),
            conditioning: conditioning)
        expectClose("U-Net, \(shape)", output, try array("unet/\(shape)/output"), tolerance: 1e-3)
    }

    @Test(arguments: ["1x3x5", "2x7x2"]) func imageVAE(_ shape: String) throws {
        let vae = try folder.loadVAE()
        let decoded = vae.decode(try array("vae/\(shape)/latents"))
        expectClose("decoder, \(shape)", decoded, try array("vae/\(shape)/decoded"), tolerance: 3e-4)
        let mean = vae.encode(try array("vae/\(shape)/pictures")).mean
        expectClose("encoder, \(shape)", mean, try array("vae/\(shape)/mean"), tolerance: 3e-4)
    }
}
