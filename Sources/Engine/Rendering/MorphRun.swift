import EngineAPI
import ImageCore
import WeightSpace

/// The frames between two people: the ends first, then the middle outwards, so that the shape of the walk shows early. An even walk is drawn
/// in rounds, each retimed by what the one before measured.
final class MorphRun: JobRun {
    /// A walk that is even within this is left as it is.
    private static let evenEnough = 1.15
    private static let rounds = 4

    private let request: MorphRequest
    private let path: CodePath
    private let studio: Studio
    /// Where the frames lie on the path, 0...1.
    private var positions: [Float]
    private var batch: BatchRun?
    private var estimator: ProgressEstimator
    /// Measures the steps: always of an even walk, and of others that are not too long to be kept at once.
    private let distance: (any FaceDistance)?
    private static let mostMeasured = 65
    private var drawn: [Int: RGBImage] = [:]
    // Of an even walk.
    private var round = 0
    /// Everything that was drawn in any round, by position.
    private var seen: [Float: RGBImage] = [:]
    private var unevennessBefore: Double?
    private var best: (positions: [Float], images: [Int: RGBImage], steps: [Double], unevenness: Double, spread: Double)?

    /// - Throws: `EngineFailure` for codes of another space or fewer than two frames; of an even walk also what opening the face embedder throws.
    init(_ request: MorphRequest, in studio: Studio) throws {
        guard (2...10_000).contains(request.frames) else {
            throw EngineFailure(message: "a walk of \(request.frames) pictures is none.", advice: "Choose at least 2.")
        }
        self.request = request
        self.studio = studio
        path = try studio.path(request)
        if request.path == .even {
            distance = try studio.faceDistance()
        } else {
            // Here figures are all that a damaged embedder takes away, and no reason to draw no walk.
            distance = request.frames <= Self.mostMeasured ? try? studio.faceDistance() : nil
        }
        positions = (0..<request.frames).map { Float($0) / Float(request.frames - 1) }
        estimator = ProgressEstimator(activity: "walking", total: request.frames)
    }

    /// 0, n - 1, then the middle and alternating places outwards.
    static func order(_ frames: Int) -> [Int] {
        let inner = (frames - 1) / 2
        let places = (0..<frames).filter { $0 != 0 && $0 != frames - 1 }
        return (frames > 1 ? [0, frames - 1] : [0]) + places.sorted { (abs($0 - inner), $0) < (abs($1 - inner), $1) }
    }

    func advance(_ report: (JobReport) -> Void) throws -> Bool {
        if batch == nil { begin(report) }
        if let isFinished = batch?.isFinished, !isFinished {
            let clock = ContinuousClock.now
            let finished = try batch?.advance() ?? []
            estimator.add(units: finished.count, seconds: (ContinuousClock.now - clock) / .seconds(1))
            for (index, subject, image) in finished {
                studio.keep(image, for: RenderRequest(subject: subject, settings: request.settings))
                send(index, image, report)
            }
            // Where an evaluation takes long, a person wants to know before the first frames are there.
            if !finished.isEmpty || studio.pace.stepIsSlow {
                report(.progress(estimator.progress(inHand: batch?.inHand ?? 0)))
            }
        }
        guard batch?.isFinished == true else { return true }
        guard let distance else { return false }
        return pace(distance, report)
    }

    /// Sends what was drawn before in this session, and queues the rest.
    private func begin(_ report: (JobReport) -> Void) {
        var missing: [(index: Int, subject: Subject)] = []
        for index in Self.order(request.frames) {
            let subject = Subject.code(code(index))
            if let known = studio.frames.value(for: RenderRequest(subject: subject, settings: request.settings)) {
                estimator.add(units: 1, seconds: 0, counts: false)
                send(index, known, report)
            } else {
                missing.append((index, subject))
            }
        }
        batch = BatchRun(missing, settings: request.settings, in: studio)
        report(.progress(estimator.progress))
    }

    /// Measures a finished round.
    /// - Returns: Whether another round is to be drawn.
    private func pace(_ distance: any FaceDistance, _ report: (JobReport) -> Void) -> Bool {
        let images = drawn.sorted { $0.key < $1.key }.map(\.value)
        guard images.count == request.frames, images.count > 2 else { return false }
        let steps = distance.steps(images)
        let unevenness = EvenPacing.unevenness(steps)
        guard request.path == .even else {
            report(
                .paced(
                    MorphPacing(
                        distance: distance.title, positions: positions, steps: steps.map { Float($0) },
                        unevenness: Float(unevenness), unevennessBefore: Float(unevenness))))
            return false
        }
        let before = unevennessBefore ?? unevenness
        unevennessBefore = before
        let spread = EvenPacing.spread(steps)
        if spread < best?.spread ?? .infinity { best = (positions, drawn, steps, unevenness, spread) }
        for (index, image) in drawn { seen[positions[index]] = image }
        round += 1
        let isLast = unevenness <= Self.evenEnough || round == Self.rounds
        if isLast, let best, best.positions != positions {
            // The last round was not the most even one.
            positions = best.positions
            for (index, image) in best.images { send(index, image, report) }
        }
        report(
            .paced(
                MorphPacing(
                    distance: distance.title, positions: positions,
                    steps: (isLast ? best?.steps ?? steps : steps).map { Float($0) },
                    unevenness: Float(isLast ? best?.unevenness ?? unevenness : unevenness), unevennessBefore: Float(before))))
        if isLast { return false }
        let known = seen.sorted { $0.key < $1.key }
        positions = EvenPacing.retimed(
            known.map(\.key), steps: distance.steps(known.map(\.value)), frames: request.frames)
        batch = nil
        estimator = ProgressEstimator(activity: "walking evenly, round \(round + 1)", total: request.frames)
        return true
    }

    private func code(_ index: Int) -> WeightCode { WeightCode(path.code(at: positions[index])) }

    private func send(_ index: Int, _ image: RGBImage, _ report: (JobReport) -> Void) {
        if distance != nil { drawn[index] = image }
        report(.frame(MorphFrame(index: index, position: positions[index], code: code(index), image: image)))
    }
}
