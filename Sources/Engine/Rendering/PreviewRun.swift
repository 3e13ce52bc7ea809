import EngineAPI
import ImageCore
import StableDiffusion

/// A picture to look at while it comes into being.
///
/// The ladder: the finished picture, when this session has drawn it before; else a first look after two evaluations (one ordinary step, then
/// a leap down to a middling noise level, whose estimate shows a face); then estimates of the run itself now and then; then the finished
/// picture.
final class PreviewRun: JobRun {
    private let request: RenderRequest
    private let studio: Studio
    private let began = ContinuousClock.now
    private var run: DenoisingRun?
    private var lastLook = ContinuousClock.now
    private(set) var mayBeReplaced = false

    /// A run this short is finished about as soon as a first look could be.
    private static let shortRun = 3

    init(_ request: RenderRequest, in studio: Studio) {
        self.request = request
        self.studio = studio
    }

    func advance(_ report: (JobReport) -> Void) throws -> Bool {
        guard var run else {
            if let known = studio.frames.value(for: request) {
                report(.picture(picture(known, .final)))
                return false
            }
            var fresh = try studio.start(request)
            studio.step(&fresh)
            self.run = fresh
            if studio.pace.stepIsSlow, !fresh.isFinished, let estimate = fresh.estimate, let image = studio.look(at: estimate) {
                show(image, .firstLook, report)
            }
            return true
        }
        if !mayBeReplaced, run.stepCount > Self.shortRun {
            if let glimpse = run.glimpse(studio.noiseSchedule), let image = studio.look(at: glimpse) {
                show(image, .firstLook, report)
            }
            mayBeReplaced = true
            return true
        }
        if !run.isFinished {
            studio.step(&run)
            self.run = run
            let left = run.stepCount - run.stepsDone
            if left > 0, studio.pace.lookIsDue(elapsed: ContinuousClock.now - lastLook, stepsLeft: left),
                let estimate = run.estimate,
                let image = studio.look(at: estimate)
            {
                show(image, .draft(step: run.stepsDone, of: run.stepCount), report)
            }
            if left > 0 { return true }
        }
        guard let image = studio.decode(run.latents).first else { return false }
        studio.keep(image, for: request)
        report(.picture(picture(image, .final)))
        return false
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
