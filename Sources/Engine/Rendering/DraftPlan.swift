import EngineAPI

/// How a picture is drawn first where drawing it in full would keep a person waiting: smaller, in fewer steps, with guidance on fewer of
/// them. The settled picture is always the full run of the request.
struct DraftPlan: Equatable {
    /// Width and height are the draft's own.
    var settings: GenerationSettings
    /// How many times smaller than the request, each way: 1, 2 or 4. The draft's first noise is the request's, pooled, so that both pictures
    /// are laid out alike.
    var reduction: Int
    var guidanceInterval: ClosedRange<Int>?

    /// From key to a good draft, as long as a person may be kept waiting.
    static let budget = Duration.seconds(5)
    /// Fewer evaluations give no good draft.
    static let fewestSteps = 6
    /// A draft is never smaller than this, each way, unless the request is.
    private static let smallestSide = 256
    /// Of a model that has not been measured yet: sizes from here on are drafted smaller.
    private static let unmeasuredPixels = 320 * 320
    /// Above this time step guidance moves the picture least: see `w2w bench shortcuts` for what leaving it out loses.
    static let guided = 0...900

    /// nil when the request itself fits into the time, so that there is nothing to draft.
    /// - Parameters:
    ///   - request: What is wanted in the end.
    ///   - pace: What this machine does.
    init?(for request: RenderRequest, pace: Pace) {
        let settings = request.settings
        let samples = settings.guidance > 1 ? 2 : 1
        func durations(_ reduction: Int) -> (step: Duration, decoding: Duration)? {
            let pixels = settings.width * settings.height / (reduction * reduction)
            guard let step = pace.step(.init(pixels: pixels, samples: samples)) else { return nil }
            return (step, pace.decoding(pixels: pixels) ?? .zero)
        }
        if let full = durations(1), full.step * settings.steps + full.decoding <= Self.budget { return nil }

        var draft = settings
        reduction = 1
        for candidate in [1, 2, 4] {
            let (width, height) = (settings.width / candidate, settings.height / candidate)
            if candidate > 1 {
                // The U-Net halves latents of an eighth three times.
                guard settings.width % (64 * candidate) == 0, settings.height % (64 * candidate) == 0,
                    max(width, height) >= Self.smallestSide
                else { break }
            }
            (reduction, draft.width, draft.height) = (candidate, width, height)
            guard let (step, decoding) = durations(candidate) else {
                draft.steps = min(settings.steps, 8)
                if width * height <= Self.unmeasuredPixels { break }
                continue
            }
            let affordable = Int((Self.budget - decoding) / step)
            draft.steps = min(settings.steps, max(affordable, Self.fewestSteps))
            if affordable >= Self.fewestSteps { break }
        }
        if draft.steps == settings.steps, reduction == 1 { return nil }
        // The best of the deterministic samplers for few steps; a distilled model keeps its own.
        if settings.scheduler != .lcm { draft.scheduler = .dpmpp2m }
        self.settings = draft
        guidanceInterval = request.guidanceInterval ?? (samples == 2 ? Self.guided : nil)
    }

    /// The draft as a request of its own, for the caches: its size tells it from the full picture's.
    func request(of request: RenderRequest) -> RenderRequest {
        RenderRequest(
            subject: request.subject, settings: settings, injection: request.injection, guidanceInterval: guidanceInterval)
    }
}
