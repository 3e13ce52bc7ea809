import NeuralNetworks
import TensorKit

/// About how much memory a picture takes, to refuse one that there is no room for before anything is drawn: what was measured with models of Stable
/// Diffusion 1.5's size from 64 to 768 pixels, and up to a sixth more.
struct MemoryEstimate {
    /// Bytes of the U-Net's weights, laid out for calculating.
    let weights: Int
    /// Bytes of the decoder's weights.
    let decoderWeights: Int
    /// Bytes of what the U-Net calculates at once.
    let noise: Int
    /// Bytes of what the decoder calculates at once.
    let image: Int

    /// - Parameters:
    ///   - unet: with its shapes; weights need not be loaded.
    ///   - vae: the same.
    ///   - precision: of the networks.
    ///   - isHalf: whether the U-Net's file has half-precision numbers, which float32 products may keep as they are.
    ///   - width: of a picture, in pixels.
    ///   - height: of a picture, in pixels.
    ///   - samples: of a batch, twice the pictures with guidance.
    init(
        unet: UNet2DConditionModel, vae: AutoencoderKL, precision: Precision, isHalf: Bool, width: Int, height: Int,
        samples: Int
    ) {
        let isHalved = precision == .fast && Precision.hasBrainFloat
        let positions = width / vae.configuration.downscale * (height / vae.configuration.downscale) * samples
        let levels = unet.configuration.levels
        // Winograd's filtering keeps up to four numbers for one where images are large, Strassen's products seven for four: by the number of levels
        // where they are. Few rows may meet oneDNN's layout, which is of float32 numbers.
        let large = levels.indices.count { positions >> (2 * $0) >= ConvolutionKernel.manyRows }
        let bytesPerWeight =
            isHalved
            ? (Precision.hasHalfProducts ? [2, 2.2, 2.8, 2.8, 3.05] : [2, 2, 2.36, 2.56])
            : isHalf && Precision.hasWideVectors ? [3.4, 2.65, 2.4, 3.35] : [4, 4.02, 4.12, 4.62]
        weights = Int(Double(unet.parameterCount) * bytesPerWeight[min(large, bytesPerWeight.count - 1)])
        // Half of the image VAE is the decoder.
        decoderWeights = Int(Double(vae.parameterCount) * (isHalved ? 4 : 8.6))
        noise = Int(Double(positions) * 40_000 * Double(levels[0].channels) / 320)
        image = Int(Double(width * height) * 2_900 * Double(vae.configuration.blockOutChannels[0]) / 128)
    }

    /// Bytes that are still to be taken.
    /// - Parameters:
    ///   - laidOut: bytes of weights that lie in memory already.
    ///   - kept: bytes that are kept for activations.
    ///   - keepsUNet: whether the U-Net's weights stay while the decoder calculates.
    /// - Returns: 0 or more.
    func missing(laidOut: Int, kept: Int, keepsUNet: Bool) -> Int {
        let held = laidOut + kept
        if keepsUNet { return max(0, weights + decoderWeights + max(noise, image) - held) }
        return max(0, weights + noise - held, decoderWeights + image - held)
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
