import Checkpoints
import EngineAPI
import ImageCore
import NeuralNetworks
import StableDiffusion
import WeightSpace

/// Carries out commands on the space that is open. Lives on the engine's queue.
final class Renderer: JobRunner {
    /// The space, its models and what was made with them; nil until one is open.
    private var studio: Studio?
    private let thumbnails: ThumbnailCache
    private let shelf: DirectionShelf
    private let cacheDirectory: String
    private let precision: PrecisionName
    private let use: EngineUse
    private let slowStep: Duration

    init(cacheDirectory: String, directionsDirectory: String, precision: PrecisionName, use: EngineUse, slowStep: Duration) {
        self.precision = precision
        self.slowStep = slowStep
        self.use = use
        self.cacheDirectory = cacheDirectory
        thumbnails = ThumbnailCache(directory: cacheDirectory)
        shelf = DirectionShelf(directory: directionsDirectory)
    }

    func begin(_ command: EngineCommand) throws -> any JobRun {
        if case .open(let source, let model) = command {
            // The models of the space before go first, so that two spaces are never in memory at once.
            studio = nil
            return OpenRun(
                source, model: model, shelf: shelf, cacheDirectory: cacheDirectory, precision: precision,
                warmsUp: use == .exploring
            ) { [self] in
                studio = $0
                studio?.pace.slowStep = slowStep
            }
        }
        guard let studio else { throw EngineFailure(message: "no space is open.", advice: "Open one first.") }
        switch command {
        case .open: preconditionFailure("handled above")
        case .use(let model): return UseRun(model, in: studio, shelf: shelf) { [self] in self.studio = $0 }
        case .preview(let request):
            try Studio.check(request.settings)
            return PreviewRun(request, in: studio)
        case .render(let request):
            try Studio.check(request.settings)
            return RenderRun(request, in: studio, keepsModels: use != .drawingOne)
        case .thumbnails(let requests): return ThumbnailsRun(requests, in: studio, cache: thumbnails)
        case .findDirections(let search): return DirectionsRun(.find(search), in: studio, shelf: shelf)
        case .keepDirection(let direction): return DirectionsRun(.keep(direction), in: studio, shelf: shelf)
        case .forgetDirection(let name): return DirectionsRun(.forget(name), in: studio, shelf: shelf)
        case .compare(let images): return ComparisonRun(images, in: studio)
        case .sample(let request): return SampleRun(request, in: studio)
        case .morph(let request):
            try Studio.check(request.settings)
            return try MorphRun(request, in: studio)
        }
    }

    func failure(for error: any Error) -> EngineFailure {
        switch error {
        case let failure as EngineFailure: failure
        case let failure as SpaceError: EngineFailure(message: failure.message, advice: failure.advice)
        default: EngineFailure(message: "\(error)")
        }
    }
}
