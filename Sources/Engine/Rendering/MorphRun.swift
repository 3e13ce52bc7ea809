import EngineAPI
import ImageCore

/// The frames between two people: the ends first, then the middle outwards, so that the shape of the walk shows early.
final class MorphRun: JobRun {
    private let request: MorphRequest
    private let codes: [WeightCode]
    private let studio: Studio
    private var batch: BatchRun?
    private var estimator: ProgressEstimator

    /// - Throws: `EngineFailure` for codes of another space or fewer than two frames.
    init(_ request: MorphRequest, in studio: Studio) throws {
        guard (2...10_000).contains(request.frames) else {
            throw EngineFailure(message: "a walk of \(request.frames) pictures is none.", advice: "Choose at least 2.")
        }
        self.request = request
        self.studio = studio
        codes = try studio.path(request)
        estimator = ProgressEstimator(activity: "walking", total: request.frames)
    }

    /// 0, n - 1, then the middle and alternating places outwards.
    static func order(_ frames: Int) -> [Int] {
        let inner = (frames - 1) / 2
        let places = (0..<frames).filter { $0 != 0 && $0 != frames - 1 }
        return (frames > 1 ? [0, frames - 1] : [0]) + places.sorted { (abs($0 - inner), $0) < (abs($1 - inner), $1) }
    }

    func advance(_ report: (JobReport) -> Void) throws -> Bool {
        if batch == nil {
            // What was drawn before in this session need not be drawn again.
            var missing: [(index: Int, subject: Subject)] = []
            for index in Self.order(request.frames) {
                let subject = Subject.code(codes[index])
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
        guard let isFinished = batch?.isFinished, !isFinished else { return false }
        let clock = ContinuousClock.now
        let finished = try batch?.advance() ?? []
        estimator.add(units: finished.count, seconds: (ContinuousClock.now - clock) / .seconds(1))
        for (index, subject, image) in finished {
            studio.keep(image, for: RenderRequest(subject: subject, settings: request.settings))
            send(index, image, report)
        }
        if !finished.isEmpty { report(.progress(estimator.progress)) }
        return batch?.isFinished == false
    }

    private func send(_ index: Int, _ image: RGBImage, _ report: (JobReport) -> Void) {
        let position = Float(index) / Float(request.frames - 1)
        report(.frame(MorphFrame(index: index, position: position, code: codes[index], image: image)))
    }
}
