import ImageCore
import StableDiffusion
import TensorKit
import WeightSpace

/// Shows estimates of image latents without the full decoder: through a tiny decoder where the user has one, else through the linear map that
/// was fitted to the model. Lives on the engine's queue; goes on when the space changes its weight model.
final class Looks {
    private let tinyDecoder: AutoencoderTiny?
    private var linear: LatentPreview?
    private let decode: (Tensor) -> [RGBImage]
    /// What the tiny decoder takes for a latent.
    private var tinyPace: Duration?

    /// A tiny decoding up to this long is worth its time for every look.
    private static let quick = Duration.milliseconds(150)

    /// - Parameters:
    ///   - space: Whose preview and tiny decoder.
    ///   - pipeline: Its base model.
    ///   - cacheDirectory: The cache folder of the program, where previews of models without a space are kept.
    /// - Throws: What is wrong with the tiny decoder or with the stored preview.
    init(_ space: Space, _ pipeline: StableDiffusionPipeline, cacheDirectory: String) throws {
        let configuration = pipeline.vae.configuration
        decode = { latents in
            let values = pipeline.vae.decode(latents)
            return values.isFinite ? StableDiffusionPipeline.pictures(of: values) : []
        }
        tinyDecoder = try space.tinyDecoderURL.map { url in
            let decoder = try AutoencoderTiny(contentsOf: url)
            guard decoder.latentChannels == configuration.latentChannels, decoder.downscale == configuration.downscale else {
                throw SpaceError(
                    "\(url.path): decodes \(decoder.latentChannels) channels to \(decoder.downscale) pixels a latent, the base model has "
                        + "\(configuration.latentChannels) and \(configuration.downscale)",
                    advice:
                        "It belongs to another kind of model; take it away or name the right one as tiny_decoder in space.json.")
            }
            return decoder
        }
        let stored = try space.latentPreview(cacheDirectory: cacheDirectory)
        linear = stored.flatMap { $0.preview.channels == configuration.latentChannels ? $0.preview : nil }
    }

    /// A look at one picture.
    /// - Parameter latents: An estimate of its image latents, [1, H, W, C].
    /// - Returns: A picture of full size from a tiny decoder, of an eighth of the size from the linear map.
    func look(at latents: Tensor) -> RGBImage? {
        let positions = latents.shape[1] * latents.shape[2]
        if let tinyDecoder, (tinyPace ?? .zero) * positions <= Self.quick {
            let began = ContinuousClock.now
            let image = tinyDecoder.image(of: latents)
            let pace = (ContinuousClock.now - began) / positions
            // The first time also sets up the kernels.
            tinyPace = tinyPace.map { min($0, pace) } ?? .zero
            return image
        }
        if linear == nil { linear = fit(latents) }
        return linear.flatMap { $0(latents).first }
    }

    /// What `look` takes about.
    func cost(positions: Int) -> Duration { tinyDecoder == nil ? .milliseconds(1) : (tinyPace ?? .zero) * positions }

    /// For a model whose preview nobody has fitted: fits the linear map on the middle of an estimate, decoded by the real decoder.
    private func fit(_ latents: Tensor) -> LatentPreview? {
        let (height, width, channels) = (latents.shape[1], latents.shape[2], latents.shape[3])
        let (rows, columns) = (min(16, height), min(16, width))
        let crop = Tensor(uninitialized: [1, rows, columns, channels])
        for row in 0..<rows {
            let from = ((row + (height - rows) / 2) * width + (width - columns) / 2) * channels
            (crop.pointer + row * columns * channels).update(from: latents.pointer + from, count: columns * channels)
        }
        let images = decode(crop)
        return images.isEmpty ? nil : LatentPreview(fitting: crop, to: images)
    }
}
