import EngineAPI
import Foundation
import StableDiffusion
import TensorKit
import WeightSpace

/// Opens a space: first what can be shown without a model, told by `.opened`, then the models.
final class OpenRun: JobRun {
    private enum Stage {
        case space
        case typicality(Space, SpaceDescription, PipelineLoader)
        case models(Space, SpaceDescription, PipelineLoader)
        case warmUp(Studio, bytes: Int)
    }

    private let source: SpaceSource
    private let model: WeightModel?
    private let shelf: DirectionShelf
    private let cacheDirectory: String
    private let precision: PrecisionName
    private let warmsUp: Bool
    private let install: (Studio) -> Void
    private var stage = Stage.space
    private static let stages = 3

    private static func loading(_ loader: PipelineLoader) -> EngineAPI.Progress {
        EngineAPI.Progress(activity: "loading", done: loader.loadedBytes, total: loader.totalBytes, unit: .bytes)
    }

    /// - Parameters:
    ///   - source: What to open.
    ///   - model: Whose coordinates count; nil for the weight VAE where there is one.
    ///   - shelf: A person's own directions.
    ///   - cacheDirectory: The cache folder of the program.
    ///   - precision: How exactly its models compute.
    ///   - warmsUp: Whether a large model evaluates something before it is ready; a small one always does.
    ///   - install: Takes the finished studio.
    init(
        _ source: SpaceSource, model: WeightModel?, shelf: DirectionShelf, cacheDirectory: String, precision: PrecisionName,
        warmsUp: Bool, install: @escaping (Studio) -> Void
    ) {
        self.precision = precision
        self.warmsUp = warmsUp
        self.source = source
        self.model = model
        self.shelf = shelf
        self.cacheDirectory = cacheDirectory
        self.install = install
    }

    func advance(_ report: (JobReport) -> Void) throws -> Bool {
        switch stage {
        case .space:
            report(.progress(Progress(activity: "opening the space", done: 0, total: Self.stages)))
            let opened = try OpenedSpace(source)
            if let model { try opened.use(model) }
            // All names and shapes are held against the networks before anything is shown.
            let loader = try opened.loader()
            var description = try SpaceDescription(opened.space, shelf: shelf)
            description.modelFacts = opened.facts(loader)
            report(.opened(description))
            report(.progress(Self.loading(loader)))
            stage = .typicality(opened.space, description, loader)
            return true
        case .typicality(let space, let description, let loader):
            if let gauge = space.typicalityGauge { report(.typicality(gauge)) }
            stage = .models(space, description, loader)
            return true
        case .models(let space, let description, let loader):
            if loader.advance() {
                report(.progress(Self.loading(loader)))
                return true
            }
            let pipeline = StableDiffusionPipeline(loader)
            pipeline.precision = Precision(rawValue: precision.rawValue) ?? .f32
            let looks = try Looks(space, pipeline, cacheDirectory: cacheDirectory)
            let studio = try Studio(space: space, pipeline: pipeline, looks: looks, description: description)
            // The first evaluation of a large model takes a while, on a machine that has not seen it before above all.
            guard warmsUp || studio.isSmall else {
                install(studio)
                report(.progress(Progress(activity: "ready", done: Self.stages, total: Self.stages)))
                return false
            }
            if studio.isSmall { report(.progress(Progress(activity: "warming up", done: 2, total: Self.stages))) }
            stage = .warmUp(studio, bytes: loader.totalBytes)
            return true
        case .warmUp(let studio, let bytes):
            // Kernels are set up for a shape at its first use: better now than at the first key.
            try studio.warmUp { share in
                let progress =
                    share < 1
                    ? Progress(activity: "laying out weights", done: Int(share * Double(bytes)), total: bytes, unit: .bytes)
                    : Progress(activity: "trying kernels", done: 2, total: Self.stages)
                report(.progress(progress))
            }
            install(studio)
            report(.progress(Progress(activity: "ready", done: Self.stages, total: Self.stages)))
            return false
        }
    }
}
