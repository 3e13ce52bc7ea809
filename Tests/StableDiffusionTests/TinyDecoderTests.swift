import Checkpoints
import Foundation
import StableDiffusion
import TensorKit
import Testing

/// The decoder of an `AutoencoderTiny` of diffusers (Fixtures/make_tiny_decoder.py), in both layouts.
@Suite struct TinyDecoderTests {
    @Test(arguments: ["tiny", "tiny/diffusion_pytorch_model.safetensors", "taesd_decoder.safetensors"])
    func decodesAsDiffusersDoes(path: String) throws {
        let decoder = try AutoencoderTiny(contentsOf: fixture(path))
        #expect(decoder.latentChannels == 4 && decoder.downscale == 4)
        let expected = try StateDictionary(safetensors: fixture("tiny_expected.safetensors"))
        let decoded = decoder.decode(try expected.entry("latents").tensor())
        expectClose(path, decoded, try expected.entry("decoded").tensor(), tolerance: 1e-4)
    }

    @Test func whatIsNoTinyDecoderIsNamed() throws {
        #expect(message { try AutoencoderTiny(contentsOf: fixture("nothing.safetensors")) }.contains("nothing.safetensors"))
        let other = message { try AutoencoderTiny(contentsOf: fixture("small_expected.safetensors")) }
        #expect(other.contains("small_expected.safetensors") && other.contains("decoder.layers.0.weight"), "\(other)")
        let vae = message { try AutoencoderTiny(contentsOf: fixture("small/vae")) }
        #expect(vae.contains("AutoencoderKL") && vae.contains("AutoencoderTiny"), "\(vae)")
    }
}
