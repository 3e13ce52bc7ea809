import EngineAPI
import ImageCore
import StableDiffusion
import TensorKit

/// A picture to look at while it comes into being.
///
/// The ladder: the finished picture, when this session has drawn it before. Else a first look: where nearly the same person was drawn before,
/// that picture, changed (`DifferenceRun`); else from the first evaluation where evaluations are slow, and after two (one ordinary step, then
/// a leap down to a middling noise level, whose estimate shows a face) where they are quick. Where the whole run would keep a person waiting,
/// a draft that fits into the time, then the whole run. Estimates on the way, now and then; the full decode at once where it is quick, else
/// after a second of rest.
final class PreviewRun: JobRun {
    private enum Stage {
        case beginning
        /// The change to another person's picture; the request's own run follows.
        case following(DifferenceRun)
        /// A draft; the request's own run follows.
        case draft(DenoisingRun, key: TrajectoryCache.Key)
        case full(DenoisingRun)
        /// Decoded when it is due.
        case finished(DenoisingRun)
    }

    private let request: RenderRequest
    private let studio: Studio
    private let began = ContinuousClock.now
    private var stage = Stage.beginning
    private var trajectory = DenoisingTrajectory()
    private var lastLook = ContinuousClock.now
    private(set) var mayBeReplaced = false
    private(set) var restsUntil: ContinuousClock.Instant?

    /// A run this short is finished about as soon as a first look could be.
    private static let shortRun = 3
    private static let drafting = "drafting"
    private static let rendering = "rendering"
    /// Whoever has not touched a key for so long looks at the picture.
    private static let rest = Duration.seconds(1)

    init(_ request: RenderRequest, in studio: Studio) {
        self.request = request
        self.studio = studio
    }

    func advance(_ report: (JobReport) -> Void) throws -> Bool {
        restsUntil = nil
        switch stage {
        case .beginning: return try begin(report)
        case .following(let run): try goOn(run, report)
        case .draft(let run, let key): try goOn(run, key, report)
        case .full(let run): try goOn(run, report)
        case .finished(let run): return try finish(run, report)
        }
        return true
    }

    private func begin(_ report: (JobReport) -> Void) throws -> Bool {
        if let known = studio.frames.value(for: request) {
            report(.picture(picture(known, .final)))
            return false
        }
        let plan = DraftPlan(for: request, pace: studio.pace)
        let draftKey = plan.map {
            TrajectoryCache.Key(settings: $0.settings, guidanceInterval: $0.guidanceInterval, reduction: $0.reduction)
        }
        // Nearest to the picture first: what a run of full size leads to, then a draft.
        if request.injection == nil, let adapter = try studio.adapter(of: request.subject) {
            for key in [ownKey, draftKey].compactMap({ $0 }) {
                guard let run = studio.trajectories.following(adapter, for: key, where: fits) else { continue }
                stage = .following(run)
                return try advance(report)
            }
        }
        if let plan, let draftKey {
            let run = try studio.start(plan, of: request)
            stage = .draft(run, key: draftKey)
            tell(Self.drafting, 0, of: run.stepCount, report)
        } else {
            try beginFull(report)
        }
        return try advance(report)
    }

    private func beginFull(_ report: (JobReport) -> Void) throws {
        let run = try studio.start(request)
        stage = .full(run)
        tell(Self.rendering, 0, of: run.stepCount, report)
    }

    /// Says how far the work is, where a person has the time to read it.
    private func tell(_ activity: String, _ done: Int, of total: Int, left: Duration? = nil, _ report: (JobReport) -> Void) {
        guard studio.pace.stepIsSlow else { return }
        report(.progress(Progress(activity: activity, done: done, total: total, secondsLeft: left.map { $0 / .seconds(1) })))
    }

    private var ownKey: TrajectoryCache.Key {
        TrajectoryCache.Key(settings: request.settings, guidanceInterval: request.guidanceInterval, reduction: 1)
    }

    /// Whether a run that follows another is done in the time that a person waits.
    private func fits(_ run: DifferenceRun) -> Bool {
        let pixels = studio.pixels(of: run.estimate)
        let evaluations = run.batchSizes.reduce(Duration.zero) {
            $0 + (studio.pace.step(.init(pixels: pixels, samples: $1)) ?? .zero)
        }
        return evaluations + (studio.pace.decoding(pixels: pixels) ?? .zero) <= DraftPlan.budget
    }

    /// One evaluation of a person's difference to another. The last one leads to the request's own run.
    private func goOn(_ state: DifferenceRun, _ report: (JobReport) -> Void) throws {
        var run = state
        try studio.step(&run)
        if run.isFinished {
            try finishDraft(run.estimate, steps: run.stepCount, report)
        } else {
            stage = .following(run)
            tell(Self.drafting, run.stepsDone, of: run.stepCount, report)
            // The first evaluation sees noise alone and exaggerates: worth a look only where the next one is long in coming.
            if run.stepsDone > 1 || studio.pace.stepIsSlow, let look = try studio.look(at: run.estimate) {
                showDraft(look, run.stepsDone, of: run.stepCount, report)
            }
        }
        mayBeReplaced = run.stepsDone > 1 || mayBeReplaced
    }

    /// One evaluation of a draft. The last one leads to the request's own run.
    private func goOn(_ state: DenoisingRun, _ key: TrajectoryCache.Key, _ report: (JobReport) -> Void) throws {
        var run = state
        _ = try step(&run)
        trajectory.note(state, run)
        if run.isFinished {
            if request.injection == nil, let adapter = try studio.adapter(of: request.subject) {
                studio.trajectories.insert(trajectory, of: adapter, for: key)
            }
            trajectory = DenoisingTrajectory()
            try finishDraft(run.latents, steps: run.stepCount, report)
        } else {
            stage = .draft(run, key: key)
            tell(Self.drafting, run.stepsDone, of: run.stepCount, report)
            if let look = try run.estimate.flatMap(studio.look) { showDraft(look, run.stepsDone, of: run.stepCount, report) }
        }
        mayBeReplaced = true
    }

    /// Shows a finished draft, decoded where there is time, and begins the request's own run.
    private func finishDraft(_ latents: Tensor, steps: Int, _ report: (JobReport) -> Void) throws {
        let image = try hasTimeToDecode(latents) ? studio.decode(latents).first : studio.look(at: latents)
        if let image { showDraft(image, steps, of: steps, report) }
        try beginFull(report)
    }

    private func showDraft(_ image: RGBImage, _ step: Int, of count: Int, _ report: (JobReport) -> Void) {
        show(image, mayBeReplaced || step == count ? .draft(step: step, of: count) : .firstLook, report)
        hasDraft = true
    }

    /// Whether the full decode of a draft is not in the way: a person who waited for it rests already.
    private func hasTimeToDecode(_ latents: Tensor) -> Bool {
        let cost = studio.pace.decoding(pixels: studio.pixels(of: latents)) ?? .zero
        return cost <= Pace.decodingWithoutRest || ContinuousClock.now - began >= Self.rest
    }

    /// One evaluation of the request's own run.
    private func goOn(_ state: DenoisingRun, _ report: (JobReport) -> Void) throws {
        var run = state
        if !mayBeReplaced, run.stepsDone == 1, run.stepCount > Self.shortRun {
            // The second evaluation is a leap ahead.
            if let glimpse = run.glimpse(studio.noiseSchedule) {
                try studio.check(glimpse)
                if let image = try studio.look(at: glimpse) { show(image, .firstLook, report) }
            }
            mayBeReplaced = true
            return
        }
        let left = try step(&run)
        trajectory.note(state, run)
        let decoding = studio.pace.decoding(pixels: studio.pixels(of: run.latents)) ?? .zero
        tell(Self.rendering, run.stepsDone, of: run.stepCount, left: left + decoding, report)
        if run.isFinished {
            if request.injection == nil, let adapter = try studio.adapter(of: request.subject) {
                studio.trajectories.insert(trajectory, of: adapter, for: ownKey)
            }
            stage = .finished(run)
            if !hasTimeToDecode(run.latents) {
                // Somebody may still be at the keys: the best look there is, then a pause before a decode that nothing can interrupt.
                if let image = try run.estimate.flatMap(studio.look) {
                    show(image, .draft(step: run.stepCount, of: run.stepCount), report)
                }
                mayBeReplaced = true
                restsUntil = began + Self.rest
            }
            return
        }
        stage = .full(run)
        guard let estimate = run.estimate else { return }
        let isFirst = !mayBeReplaced && studio.pace.stepIsSlow
        let due = studio.pace.lookIsDue(elapsed: ContinuousClock.now - lastLook, left: left, cost: studio.lookCost(of: estimate))
        // After a draft, estimates of the first half of the run would be a step back.
        let isWorse = hasDraft && run.stepsDone * 2 < run.stepCount
        if isFirst || (mayBeReplaced && due && !isWorse), let image = try studio.look(at: estimate) {
            hasDraft = hasDraft && !isFirst
            show(image, isFirst ? .firstLook : .draft(step: run.stepsDone, of: run.stepCount), report)
        }
    }

    /// Something better than early estimates was shown.
    private var hasDraft = false

    private func finish(_ run: DenoisingRun, _ report: (JobReport) -> Void) throws -> Bool {
        guard let image = try studio.decode(run.latents).first else { return false }
        studio.keep(image, for: request)
        report(.picture(picture(image, .final)))
        return false
    }

    /// - Returns: How long the rest of the run will take.
    private func step(_ run: inout DenoisingRun) throws -> Duration {
        try studio.step(&run)
        let shape = Pace.Shape(pixels: studio.pixels(of: run.latents), samples: run.nextSamples)
        return (studio.pace.step(shape) ?? studio.pace.step) * (run.stepCount - run.stepsDone)
    }

    private func show(_ image: RGBImage, _ stage: Picture.Stage, _ report: (JobReport) -> Void) {
        report(.picture(picture(image, stage)))
        lastLook = .now
        mayBeReplaced = true
    }

    private func picture(_ image: RGBImage, _ stage: Picture.Stage) -> Picture {
        Picture(request: request, image: image, stage: stage, seconds: (ContinuousClock.now - began) / .seconds(1))
    }
}
