import EngineAPI
import StableDiffusion

/// How a picture is drawn first where drawing it in full would keep a person waiting: smaller, in fewer steps, with guidance on fewer of
/// them. The settled picture is always the full run of the request.
struct DraftPlan: Equatable {
    /// Width and height are the draft's own.
    var settings: GenerationSettings
    /// How many times smaller than the request, each way: 1, 2 or 4. The draft's first noise is the request's, pooled, so that both pictures
    /// are laid out alike.
    var reduction: Int
    var guidanceInterval: ClosedRange<Int>?

    /// What its evaluations leave out.
    var shortcuts: StepShortcuts?

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

    /// What a draft of `fewestSteps` evaluations may leave out. The figures are those of `w2w bench shortcuts`: likeness to the full run of 12
    /// evaluations, median over eight people of the built-in space, and cosine of the face embedder to it.
    struct Saving {
        /// Time steps at which there is guidance, where the request has some.
        var guided: ClosedRange<Int>
        var shortcuts: StepShortcuts?
        /// Whole evaluations with guidance and without, and evaluations of the shallow layers without it.
        var work: (guided: Int, alone: Int, shallow: Int)

        /// The best first; for requests with guidance.
        static let withGuidance = [
            // 34.9 dB, 0.99
            Saving(guided: DraftPlan.guided, shortcuts: nil, work: (5, 1, 0)),
            // 31.8 dB, 0.98: the last third follows the deep features of the fourth evaluation; there is no guidance in it.
            Saving(guided: 200...900, shortcuts: StepShortcuts(whole: [0, 1, 2, 3], layers: .max), work: (3, 1, 2)),
            // 31.8 dB, 0.97: also takes over in every second evaluation what guidance added in the one before.
            Saving(
                guided: DraftPlan.guided, shortcuts: StepShortcuts(whole: [0, 1, 2, 3], layers: .max, guided: [0, 3]),
                work: (2, 2, 2)),
        ]
        static let withoutGuidance = [
            Saving(guided: DraftPlan.guided, shortcuts: nil, work: (0, 6, 0)),
            Saving(guided: DraftPlan.guided, shortcuts: StepShortcuts(whole: [0, 1, 2, 3], layers: .max), work: (0, 4, 2)),
        ]
    }

    /// nil when the request itself fits into the time, so that there is nothing to draft.
    /// - Parameters:
    ///   - request: What is wanted in the end.
    ///   - pace: What this machine does.
    init?(for request: RenderRequest, pace: Pace) {
        let settings = request.settings
        let samples = settings.guidance > 1 ? 2 : 1
        func step(_ pixels: Int, _ samples: Int, isWhole: Bool = true) -> Duration? {
            pace.step(.init(pixels: pixels, samples: samples, isWhole: isWhole))
        }
        func decoding(_ pixels: Int) -> Duration { pace.decoding(pixels: pixels) ?? .zero }
        let pixels = settings.width * settings.height
        if let full = step(pixels, samples), full * settings.steps + decoding(pixels) <= Self.budget { return nil }

        var draft = settings
        reduction = 1
        // A distilled model needs few steps, each of them whole.
        let savings =
            settings.steps < Self.fewestSteps || settings.scheduler == .lcm
            ? [] : samples == 2 ? Saving.withGuidance : Saving.withoutGuidance
        var saving = savings.first
        sizes: for candidate in [1, 2, 4] {
            let (width, height) = (settings.width / candidate, settings.height / candidate)
            if candidate > 1 {
                // The U-Net halves latents of an eighth three times.
                guard settings.width % (64 * candidate) == 0, settings.height % (64 * candidate) == 0,
                    max(width, height) >= Self.smallestSide
                else { break }
            }
            (reduction, draft.width, draft.height) = (candidate, width, height)
            let pixels = width * height
            guard let whole = step(pixels, samples), let alone = step(pixels, 1),
                let shallow = step(pixels, 1, isWhole: false)
            else {
                draft.steps = min(settings.steps, 8)
                if pixels <= Self.unmeasuredPixels { break }
                continue
            }
            let time = Self.budget - decoding(pixels)
            let affordable = Int(time / whole)
            draft.steps = min(settings.steps, max(affordable, Self.fewestSteps))
            saving = savings.first
            if affordable >= Self.fewestSteps { break }
            for candidate in savings {
                saving = candidate
                let work = candidate.work
                // A little room, since no evaluation takes as long as the one before.
                if whole * work.guided + alone * work.alone + shallow * work.shallow <= time * 0.95 { break sizes }
            }
        }
        if draft.steps == settings.steps, reduction == 1, saving?.shortcuts == nil { return nil }
        // The best of the deterministic samplers for few steps.
        if settings.scheduler != .lcm { draft.scheduler = .dpmpp2m }
        self.settings = draft
        guidanceInterval = request.guidanceInterval ?? (samples == 2 ? saving?.guided ?? Self.guided : nil)
        shortcuts = saving?.shortcuts
    }

    /// The draft as a request of its own, for the caches: its size tells it from the full picture's.
    func request(of request: RenderRequest) -> RenderRequest {
        RenderRequest(
            subject: request.subject, settings: settings, injection: request.injection, guidanceInterval: guidanceInterval)
    }
}
