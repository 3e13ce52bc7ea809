import EngineAPI

/// What a job tells while it runs; the engine adds the job's name.
enum JobReport: Sendable {
    case progress(EngineAPI.Progress)
    case opened(SpaceDescription)
    case typicality(TypicalityGauge)
    case picture(Picture)
    case thumbnail(Picture)
    case sampled([WeightCode])
    case directions([DirectionDescription])
    case compared(FaceComparison)
    case frame(MorphFrame)
    case paced(MorphPacing)

    func event(of id: JobID) -> EngineEvent {
        switch self {
        case .progress(let progress): .progress(id, progress)
        case .opened(let description): .opened(id, description)
        case .typicality(let gauge): .typicality(id, gauge)
        case .compared(let comparison): .compared(id, comparison)
        case .picture(let picture): .picture(id, picture)
        case .thumbnail(let picture): .thumbnail(id, picture)
        case .sampled(let codes): .sampled(id, codes)
        case .directions(let directions): .directions(id, directions)
        case .frame(let frame): .frame(id, frame)
        case .paced(let pacing): .paced(id, pacing)
        }
    }
}

/// A job in the making. The engine takes it forward in short pieces, so that a more urgent one can go between any two of them and so that a
/// cancelled one is dropped after the piece under way.
protocol JobRun: AnyObject {
    /// Whether a newer job of the same kind may take this one's place: for a preview, whether its first look is out.
    var mayBeReplaced: Bool { get }

    /// When the next piece is due; nil for at once. Until then other jobs have their turn.
    var restsUntil: ContinuousClock.Instant? { get }

    /// Does the next piece, at most about one U-Net evaluation.
    /// - Parameter report: Takes what there is to tell, in order.
    /// - Returns: Whether something is left to do.
    /// - Throws: What ended the job.
    func advance(_ report: (JobReport) -> Void) throws -> Bool
}

extension JobRun {
    var mayBeReplaced: Bool { true }
    var restsUntil: ContinuousClock.Instant? { nil }
}

/// What makes runs of commands: the renderer in earnest, a script in the tests of the scheduling.
protocol JobRunner: AnyObject {
    /// Begins a job; does nothing long.
    /// - Throws: What makes the command impossible.
    func begin(_ command: EngineCommand) throws -> any JobRun

    /// Puts an error into words for a person.
    func failure(for error: any Error) -> EngineFailure
}
