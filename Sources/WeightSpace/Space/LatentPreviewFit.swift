import Foundation
import ImageCore
import StableDiffusion
import TensorKit

/// Fits the linear preview of a model: draws a few of the space's people (or, without any, what the prompt says under several seeds) and
/// compares the estimates on the way with what the decoder makes of them.
public struct LatentPreviewFit {
    /// Pictures in all; every fourth is left out of the fit and measures it.
    public var pictures = 8
    /// Sides are made smaller than this, in pixels: the map is the same at all sizes.
    public var largestSide = 256
    /// Evaluations for each picture.
    public var steps = 10

    public init() {}

    /// - Parameters:
    ///   - space: whose base model, and whom to draw.
    ///   - pipeline: that base model, loaded.
    ///   - progress: called with the number of pictures done; throws to stop.
    /// - Returns: the fit with its measure.
    /// - Throws: what `progress` throws, `SpaceError` for a decoder that shows nothing, what the pipeline says of the settings.
    public func callAsFunction(
        _ space: Space, _ pipeline: StableDiffusionPipeline, progress: (Int) throws -> Void
    ) throws -> StoredLatentPreview {
        let defaults = space.manifest.defaults
        var (latents, images): ([Tensor], [RGBImage]) = ([], [])
        var (heldOut, heldOutImages): ([Tensor], [RGBImage]) = ([], [])
        let reduction = max(1, (max(defaults.width, defaults.height) + largestSide - 1) / largestSide)
        for number in 0..<pictures {
            try progress(number)
            let request = DenoisingRequest(
                prompt: defaults.prompt, negativePrompt: defaults.negativePrompt, seeds: [defaults.seed + UInt64(number)],
                adapters: [try adapter(number, space)], steps: steps, guidance: defaults.guidance, scheduler: .dpmpp2M,
                width: max(64, defaults.width / reduction / 64 * 64), height: max(64, defaults.height / reduction / 64 * 64))
            var run = try pipeline.start(request)
            while !run.isFinished {
                try progress(number)
                run.step()
                // Looks are taken at estimates, half-finished ones among them.
                guard [steps / 3, 2 * steps / 3, steps].contains(run.stepsDone), let estimate = run.estimate else { continue }
                if number % 4 == 3 {
                    heldOut.append(estimate)
                    heldOutImages += pipeline.decode(estimate)
                } else {
                    latents.append(estimate)
                    images += pipeline.decode(estimate)
                }
            }
        }
        try progress(pictures)
        guard let preview = LatentPreview(fitting: Self.stacked(latents), to: images) else {
            throw SpaceError("\(space.folder.path): the decoder's pictures do not fit its latents")
        }
        return StoredLatentPreview(
            preview: preview, model: try space.baseDigest(),
            r2: heldOut.isEmpty ? 0 : preview.determination(of: Self.stacked(heldOut), heldOutImages), pictures: pictures)
    }

    private func adapter(_ number: Int, _ space: Space) throws -> LoRAAdapter? {
        let count = space.identities.count
        guard count > 0 else { return nil }
        let row = number * max(1, count / pictures) % count
        let vector =
            space.weights == nil
            ? try space.decode(Tensor([1, space.latentDimension], space.code(at: row))) : try space.vector(at: row)
        return space.layout.adapter(of: vector)
    }

    private static func stacked(_ tensors: [Tensor]) -> Tensor {
        let result = Tensor(uninitialized: [tensors.count] + tensors[0].shape.dropFirst())
        for (index, tensor) in tensors.enumerated() {
            (result.pointer + index * tensor.count).update(from: tensor.pointer, count: tensor.count)
        }
        return result
    }
}
