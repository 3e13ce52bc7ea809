import EngineAPI
import WeightSpace

/// Turns an open space to another of its models; the loaded base model stays.
final class UseRun: JobRun {
    private let model: WeightModel
    private let studio: Studio
    private let shelf: DirectionShelf
    private let install: (Studio) -> Void

    /// - Parameters:
    ///   - model: What codes are to mean from now on.
    ///   - studio: The open space.
    ///   - shelf: A person's own directions.
    ///   - install: Takes the studio that goes on in its place.
    init(_ model: WeightModel, in studio: Studio, shelf: DirectionShelf, install: @escaping (Studio) -> Void) {
        self.model = model
        self.studio = studio
        self.shelf = shelf
        self.install = install
    }

    func advance(_ report: (JobReport) -> Void) throws -> Bool {
        try studio.space.use(model.kind)
        var description = try SpaceDescription(studio.space, shelf: shelf)
        description.modelFacts = studio.description.modelFacts
        let next = try Studio(space: studio.space, pipeline: studio.pipeline, looks: studio.looks, description: description)
        next.pace = studio.pace
        next.trajectories = studio.trajectories
        install(next)
        report(.opened(next.description))
        if let gauge = next.space.typicalityGauge { report(.typicality(gauge)) }
        return false
    }
}
