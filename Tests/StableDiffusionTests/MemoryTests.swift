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
        let small = MemoryEstimate(pipeline, width: 128, height: 128, samples: 1)
        let large = MemoryEstimate(pipeline, width: 1024, height: 1024, samples: 1)
        let guided = MemoryEstimate(pipeline, width: 1024, height: 1024, samples: 32)
        #expect(large.activations == 64 * small.activations && guided.activations > large.activations)
        #expect(small.weights == large.weights && small.weights > 4 * pipeline.unet.parameterCount)
        let held = small.weights + small.decoderWeights
        #expect(small.missing(laidOut: held, kept: small.activations) == 0)
        #expect(small.missing(laidOut: 0, kept: 0) == held + small.activations)
    }

    @Test func thisMachineKnowsItsMemory() throws {
        #if os(Linux)
            #expect(try #require(AvailableMemory.bytes) > 0)
        #endif
    }
}
