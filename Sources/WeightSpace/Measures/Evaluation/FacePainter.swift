import ImageCore
import StableDiffusion
import TensorKit

/// Draws LoRA vectors for the measures and looks at the pictures with the embedder.
final class FacePainter {
    private let pipeline: StableDiffusionPipeline
    private let embedder: any FaceEmbedding
    private let layout: LoRALayout
    private let defaults: SpaceManifest.Defaults
    private let scheduler: SchedulerKind
    private let steps: Int
    /// Pictures drawn together.
    private static let batch = 8
    /// Is told of every picture; ends the work by throwing.
    private let drawn: (Int) throws -> Void

    /// - Parameters:
    ///   - pipeline: the base model.
    ///   - embedder: looks at the pictures.
    ///   - space: layout and default settings.
    ///   - steps: denoising steps; nil takes the space's.
    ///   - drawn: is told how many pictures were drawn since it was called last; ends the work by throwing.
    /// - Throws: `StateDictionaryMismatch` when the layout does not belong to the base model.
    init(
        _ pipeline: StableDiffusionPipeline, embedder: any FaceEmbedding, space: Space, steps: Int?,
        drawn: @escaping (Int) throws -> Void
    ) throws {
        (self.pipeline, self.embedder, layout, defaults) = (pipeline, embedder, space.layout, space.manifest.defaults)
        scheduler = defaults.scheduler
        self.steps = steps ?? defaults.steps
        self.drawn = drawn
    }

    /// Pictures of vectors.
    struct Pictures {
        /// [N, d]
        let embeddings: Tensor
        /// The first so many as they were drawn.
        let images: [RGBImage]
    }

    /// Draws pictures, one after the other in `order`.
    /// - Parameters:
    ///   - vectors: raw LoRA vectors, [M, n].
    ///   - order: row of the vector and seed of each picture.
    ///   - prompt: nil takes the space's.
    ///   - keeping: number of pictures, from the first on, that are kept.
    /// - Returns: embeddings of all pictures.
    /// - Throws: what the pipeline says, or what `drawn` threw.
    func draw(
        _ vectors: Tensor, order: [(row: Int, seed: UInt64)], prompt: String? = nil, keeping: Int = 0
    ) throws -> Pictures {
        let result = Tensor(uninitialized: [order.count, embedder.embeddingDimension])
        var images = [RGBImage]()
        for start in stride(from: 0, to: order.count, by: Self.batch) {
            let part = order[start..<min(order.count, start + Self.batch)]
            let pictures = try pipeline(
                DenoisingRequest(
                    prompt: prompt ?? defaults.prompt, negativePrompt: defaults.negativePrompt, seeds: part.map(\.seed),
                    adapters: part.map { layout.adapter(of: vectors.rows($0.row..<($0.row + 1))) }, steps: steps,
                    guidance: defaults.guidance, scheduler: scheduler, width: defaults.width, height: defaults.height))
            let points = embedder.embeddings(of: pictures)
            (result.pointer + start * embedder.embeddingDimension).update(from: points.pointer, count: points.count)
            images += pictures.prefix(max(0, keeping - images.count))
            try drawn(part.count)
        }
        return Pictures(embeddings: result, images: images)
    }

    /// Draws each vector with the same seeds: all pictures of the first, then of the second, and so on.
    func draw(_ vectors: Tensor, seeds: [UInt64], keeping: Int = 0) throws -> (group: FaceGroup, images: [RGBImage]) {
        let order = (0..<vectors.shape[0]).flatMap { row in seeds.map { (row: row, seed: $0) } }
        let pictures = try draw(vectors, order: order, keeping: keeping * seeds.count)
        return (
            FaceGroup(embeddings: pictures.embeddings, people: vectors.shape[0], pictures: seeds.count), pictures.images
        )
    }
}
