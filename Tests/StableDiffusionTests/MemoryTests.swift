import Checkpoints
import Foundation
import TensorKit
import Testing

@testable import StableDiffusion

/// Pictures that there is no room for are refused before anything is drawn.
@Suite struct MemoryTests {
    @Test func whatIsMissingIsNamed() throws {
        #expect(throws: StableDiffusionError.memory(needed: 8 << 30, available: 2 << 30, width: 512, height: 768)) {
            try MemoryEstimate.check(missing: 8 << 30, available: 2 << 30, width: 512, height: 768)
        }
        let text = StableDiffusionError.memory(needed: 8_600_000_000, available: 2_000_000_000, width: 512, height: 768)
            .description
        #expect(text.hasPrefix("drawing 512 x 768 pixels takes about 8.6 GB more memory, 2.0 GB can be had"), "\(text)")
        // Within the estimate's error, for small models, and where nobody knows what is free, a picture is tried.
        try MemoryEstimate.check(missing: 8 << 30, available: 7 << 30 + 1 << 29, width: 64, height: 64)
        try MemoryEstimate.check(missing: 100 << 20, available: 1, width: 64, height: 64)
        try MemoryEstimate.check(missing: 8 << 30, available: nil, width: 64, height: 64)
    }

    @Test func itGrowsWithThePictureAndCountsWhatIsHeld() throws {
        let pipeline = try StableDiffusionPipeline(ModelFolder(builtInModel))
        func estimate(_ side: Int, samples: Int) -> MemoryEstimate {
            MemoryEstimate(
                unet: pipeline.unet, vae: pipeline.vae, precision: .f32, isHalf: false, width: side, height: side,
                samples: samples)
        }
        let (small, large, guided) = (estimate(128, samples: 1), estimate(1024, samples: 1), estimate(1024, samples: 32))
        #expect(large.image == 64 * small.image && guided.noise == 32 * large.noise)
        #expect(small.weights >= 4 * pipeline.unet.parameterCount && large.weights > small.weights)
        let (held, activations) = (small.weights + small.decoderWeights, max(small.noise, small.image))
        #expect(small.missing(laidOut: held, kept: activations, keepsUNet: true) == 0)
        #expect(small.missing(laidOut: 0, kept: 0, keepsUNet: true) == held + activations)
        #expect(
            small.missing(laidOut: 0, kept: 0, keepsUNet: false)
                == max(small.weights + small.noise, small.decoderWeights + small.image))
    }

    /// Gigabytes that whole processes took at most to evaluate a U-Net of Stable Diffusion 1.5's size, less the 0.1 of a process that draws nothing.
    /// By the side in pixels and the samples of a batch: float32 with a file of float32 numbers, with one of half-precision numbers, fast; with
    /// bfloat16 products.
    @Test(
        arguments: [
            (64, 1, (3.40, 2.89, 1.71)), (128, 1, (3.44, 2.26, 1.71)), (256, 1, (3.52, 2.02, 1.83)),
            (256, 2, (3.56, 2.05, 2.08)), (256, 8, (4.22, 3.08, 2.31)), (512, 1, (4.08, 2.99, 2.25)),
            (512, 2, (4.16, 3.06, 2.39)), (768, 1, (4.18, 3.09, 2.41)),
        ])
    func itIsAtMostASixthAboveWhatWasMeasured(side: Int, samples: Int, measured: (Double, Double, Double)) throws {
        let down = #"["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]"#
        let up = #"["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]"#
        let unet = try UNet2DConditionModel(
            UNet2DConditionConfiguration(
                JSONConfiguration(
                    text: """
                        {"block_out_channels": [320, 640, 1280, 1280], "down_block_types": \(down), "up_block_types": \(up),
                         "cross_attention_dim": 768, "attention_head_dim": 8, "in_channels": 4, "out_channels": 4}
                        """, file: "unet")))
        let vae = try AutoencoderKL(
            AutoencoderKLConfiguration(
                JSONConfiguration(
                    text: """
                        {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "latent_channels": 4,
                         "down_block_types": \([String](repeating: "DownEncoderBlock2D", count: 4)),
                         "up_block_types": \([String](repeating: "UpDecoderBlock2D", count: 4))}
                        """, file: "vae")))
        var cases = [(Precision.f32, false, measured.0)]
        if Precision.hasWideVectors { cases.append((.f32, true, measured.1)) }
        if Precision.hasBrainFloat && !Precision.hasHalfProducts { cases.append((.fast, true, measured.2)) }
        for (precision, isHalf, measured) in cases {
            let estimate = MemoryEstimate(
                unet: unet, vae: vae, precision: precision, isHalf: isHalf, width: side, height: side, samples: samples)
            let bytes = Double(estimate.missing(laidOut: 0, kept: 0, keepsUNet: false)) / 1e9
            #expect((measured...1.167 * measured).contains(bytes), "\(bytes) GB \(precision), \(isHalf), measured \(measured)")
        }
    }

    @Test func thisMachineKnowsItsMemory() throws {
        #if os(Linux)
            #expect(try #require(AvailableMemory.bytes) > 0)
        #endif
    }
}
