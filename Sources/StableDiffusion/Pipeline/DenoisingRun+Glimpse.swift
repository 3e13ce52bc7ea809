import TensorKit

extension DenoisingRun {
    /// What the run seems to be heading for, seen early: leaps from where it stands down to a middling noise level, as DDIM would
    /// (formula (12) of 2010.02502 with sigma = 0), and asks the model once there. After a single step this shows a face where the step's
    /// own estimate still shows a mean of faces. The run itself does not move.
    ///
    /// - Parameters:
    ///   - schedule: the noise levels of the model.
    ///   - share: how far to leap, as a share of the time step at which the run stands.
    /// - Returns: an estimate of the finished image latents, [N, H, W, C]; nil before the first step and after the last.
    public func glimpse(_ schedule: NoiseSchedule, share: Float = 0.65) -> Tensor? {
        guard let estimate, let here = nextTimestep, here > 0 else { return nil }
        let there = (here * share).rounded(.down)
        let (a, s) = schedule.signalAndNoise(at: here)
        let (b, r) = schedule.signalAndNoise(at: there)
        // noise = (x - a x_0) / s, leapt = b x_0 + r noise
        let leapt = linear(r / s, modelInput, b - r * a / s, estimate)
        let output = predict(leapt, timestep: there)
        switch schedule.predictionType {
        case .epsilon: return linear(1 / b, leapt, -r / b, output)
        case .sample: return output
        case .vPrediction: return linear(b, leapt, -r, output)
        }
    }
}

extension NoiseSchedule {
    /// sqrt(alpha) and sqrt(1 - alpha), what a clean sample and the noise are multiplied by at a training time step, whole or between two.
    func signalAndNoise(at timestep: Float) -> (signal: Double, noise: Double) {
        let alpha = interpolated(alphasCumprod, at: timestep)
        return (alpha.squareRoot(), (1 - alpha).squareRoot())
    }
}
