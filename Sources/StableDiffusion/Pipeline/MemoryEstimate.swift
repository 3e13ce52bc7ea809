import NeuralNetworks
import TensorKit

/// About how much memory a picture takes, to refuse one that there is no room for before anything is drawn.
///
/// From measurements of Stable Diffusion 1.5's size at 512 pixels: weights as kernels keep them take 4.6 bytes each (in `fast` 2.8, since few stay in
/// float32), the U-Net's activations 37 KB for each position and sample of 320 channels, the decoder's 2.6 KB for each pixel of 128 channels.
struct MemoryEstimate {
    /// Bytes of the U-Net's weights, laid out for calculating.
    let weights: Int
    /// Bytes of the decoder's weights.
    let decoderWeights: Int
    /// Bytes of what the larger of the two networks calculates at once.
    let activations: Int

    /// - Parameters:
    ///   - pipeline: the model.
    ///   - width: of a picture, in pixels.
    ///   - height: of a picture, in pixels.
    ///   - samples: of a batch, twice the pictures with guidance.
    init(_ pipeline: StableDiffusionPipeline, width: Int, height: Int, samples: Int) {
        let isHalf = pipeline.knowsPrecision && pipeline.precision == .fast && Precision.hasBrainFloat
        let (unet, vae) = (pipeline.unet.configuration, pipeline.vae.configuration)
        weights = Int(Double(pipeline.unet.parameterCount) * (isHalf ? 2.8 : 4.6))
        decoderWeights = pipeline.vae.parameterCount * 4
        let positions = Double(width / vae.downscale * (height / vae.downscale) * samples)
        let noise = positions * 37_000 * Double(unet.levels[0].channels) / 320
        let image = Double(width * height) * 2_600 * Double(vae.blockOutChannels[0]) / 128
        activations = Int(max(noise, image))
    }

    /// Bytes that are still to be taken.
    /// - Parameters:
    ///   - laidOut: bytes of weights that lie in memory already.
    ///   - kept: bytes that are kept for activations.
    /// - Returns: 0 or more.
    func missing(laidOut: Int, kept: Int) -> Int {
        max(0, weights + decoderWeights - laidOut) + max(0, activations - kept)
    }

    /// Small models are drawn without asking.
    private static let noteworthy = 1 << 29

    /// - Parameters:
    ///   - missing: bytes that are still to be taken.
    ///   - available: bytes that can be taken, nil when nobody knows.
    ///   - width: for the message.
    ///   - height: for the message.
    /// - Throws: `StableDiffusionError.memory` when a tenth or more is lacking; the estimate is no better than that.
    static func check(missing: Int, available: @autoclosure () -> Int?, width: Int, height: Int) throws {
        guard missing >= noteworthy, let available = available(), available < missing / 10 * 9 else { return }
        throw StableDiffusionError.memory(needed: missing, available: available, width: width, height: height)
    }
}
