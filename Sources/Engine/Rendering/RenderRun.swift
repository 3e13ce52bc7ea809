import EngineAPI
import ImageCore
import StableDiffusion

/// One finished picture, with progress.
final class RenderRun: JobRun {
    private let request: RenderRequest
    private let studio: Studio
    private let keepsModels: Bool
    private let began = ContinuousClock.now
    private var run: DenoisingRun?
    private var estimator: ProgressEstimator

    /// - Parameters:
    ///   - request: Whom, drawn how.
    ///   - studio: Where.
    ///   - keepsModels: Whether a large U-Net's memory is kept for the next picture.
    init(_ request: RenderRequest, in studio: Studio, keepsModels: Bool) {
        self.request = request
        self.keepsModels = keepsModels
        self.studio = studio
        estimator = ProgressEstimator(activity: "drawing", total: request.settings.steps)
    }

    func advance(_ report: (JobReport) -> Void) throws -> Bool {
        guard var run else {
            if let known = studio.frames.value(for: request) {
                finish(known, report)
                return false
            }
            studio.pipeline.keepsUNet = keepsModels
            let fresh = try studio.start(request)
            // Some samplers ask more than once in a step.
            estimator = ProgressEstimator(activity: "drawing", total: fresh.stepCount)
            run = fresh
            return true
        }
        let clock = ContinuousClock.now
        try studio.step(&run)
        self.run = run
        estimator.add(units: 1, seconds: (ContinuousClock.now - clock) / .seconds(1))
        report(.progress(estimator.progress))
        guard run.isFinished else { return true }
        if !keepsModels { studio.pipeline.releaseUNet() }
        if let image = try studio.decode(run.latents).first {
            studio.keep(image, for: request)
            finish(image, report)
        }
        return false
    }

    private func finish(_ image: RGBImage, _ report: (JobReport) -> Void) {
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        report(.picture(Picture(request: request, image: image, stage: .final, seconds: seconds)))
    }
}
