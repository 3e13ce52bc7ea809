import ImageCore

/// What the engine can be asked to do. A command is a value; nothing of it is shared with the engine.
public enum EngineCommand: Sendable {
    /// Opens a space and loads its models, in the coordinates of one of them: its weight VAE where it has one, unless another is named. Tells
    /// `.opened` as soon as it can be shown, `.typicality` soon after, and ends when pictures can be drawn.
    case open(SpaceSource, model: WeightModel? = nil)
    /// Chooses another of the open space's models (`SpaceDescription.models`). Nothing is loaded anew: `.opened` follows at once with the
    /// description in that model's coordinates, under a fingerprint of its own, and codes mean that model's from then on. Jobs asked for
    /// before it are cancelled, since their codes are of the other model. `.typicality` follows.
    case use(WeightModel)
    /// A picture to look at while it comes into being: several `.picture` events, coarse to fine. A newer preview replaces a queued one,
    /// and a running one as soon as its first look is out.
    case preview(RenderRequest)
    /// One finished picture, in its turn.
    case render(RenderRequest)
    /// Small finished pictures for a gallery, in the order given, from the cache where it has them: one `.thumbnail` each. A newer list
    /// replaces the one under way; previews and morphs go first.
    case thumbnails([RenderRequest])
    /// Directions in the coordinates of the model in use: `.directions`, which are not kept.
    case findDirections(DirectionSearch)
    /// Keeps a direction under its name for the model in use, for this person and from the next opening on in `SpaceDescription.directions`;
    /// one of the same name is replaced. Answers with `.directions`: all that the description would list now.
    case keepDirection(DirectionDescription)
    /// Forgets a direction that was kept under this name. Answers like `keepDirection`.
    case forgetDirection(String)
    /// How alike pictures of faces are to the face embedder of the space: `.compared`. Fails where there is none
    /// (`SpaceDescription.hasEmbedder`).
    case compare([RGBImage])
    /// New people: `.sampled`.
    case sample(SampleRequest)
    /// The frames between two people: one `.frame` each, both ends first, then the middle outwards. A newer morph replaces the running one.
    case morph(MorphRequest)
}

/// Where a space comes from.
public indirect enum SpaceSource: Sendable, Hashable {
    case builtIn
    /// A space folder; also a model alone, as a diffusers folder or a checkpoint in one file, which is a space without anybody in it.
    case folder(String)
    /// A space whose base model has LoRA files added to its weights, in this order.
    case adapted(SpaceSource, [AdapterFile])
}

/// A LoRA file that becomes part of the base model.
public struct AdapterFile: Sendable, Hashable {
    /// A file, or a folder of PEFT.
    public var path: String
    /// 1 as trained, 0 nothing.
    public var multiplier: Float

    public init(path: String, multiplier: Float = 1) {
        self.path = path
        self.multiplier = multiplier
    }
}

/// Whose picture, drawn how.
public struct RenderRequest: Sendable, Hashable {
    public var subject: Subject
    public var settings: GenerationSettings
    /// Somebody else who draws the beginning of the picture, or nil.
    public var injection: DelayedInjection?
    /// Training time steps between which there is guidance (2404.07724); outside the prompt alone is asked, in half the time. nil is
    /// guidance everywhere, which is exact.
    public var guidanceInterval: ClosedRange<Int>?

    public init(
        subject: Subject, settings: GenerationSettings, injection: DelayedInjection? = nil,
        guidanceInterval: ClosedRange<Int>? = nil
    ) {
        self.subject = subject
        self.settings = settings
        self.injection = injection
        self.guidanceInterval = guidanceInterval
    }
}

/// Delayed injection (weights2weights): the picture is begun with other weights, so that what they lay out stays while the subject changes
/// the rest. 700 to 1000 changes a face as a whole, 400 to 700 its details.
public struct DelayedInjection: Sendable, Hashable {
    /// Whose weights denoise while the time step is above `timestep`.
    public var early: Subject
    /// Training time step, 0...1000: the request's subject takes over at the first evaluation at or below it.
    public var timestep: Int

    public init(early: Subject, timestep: Int) {
        self.early = early
        self.timestep = timestep
    }
}

/// What codes of new people are drawn from.
public enum SampleSource: String, Sendable, Hashable, Codable, CaseIterable {
    /// The model's prior: N(0, I) of a weight VAE; of a PCA each coefficient with the mean and deviation that it has over the identities, as
    /// weights2weights does it.
    case prior
    /// A Gaussian with the mean and covariance of the identities' codes (the aggregated posterior).
    case fitted
    /// N(0, I) carried to where people lie by the weight VAE's learned prior.
    case flow
    /// Blends of an identity and one of its nearest neighbours.
    case blended
}

/// Draws codes from the space.
public struct SampleRequest: Sendable, Hashable {
    public var count: Int
    public var seed: UInt64
    /// What from; nil means the model's usual source: blends for a weight VAE whose identities are known, else the prior.
    public var source: SampleSource?
    /// Scale of the deviation: 1 samples as widely as the identities lie.
    public var temperature: Float
    /// Pulls samples towards the centre: 1 leaves them, 0 gives the centre (z = centre + truncation (z - centre)).
    public var truncation: Float
    /// Children: sample around this code instead of around the centre.
    public var parent: WeightCode?

    public init(
        count: Int, seed: UInt64, source: SampleSource? = nil, temperature: Float = 1, truncation: Float = 1,
        parent: WeightCode? = nil
    ) {
        self.count = count
        self.seed = seed
        self.source = source
        self.temperature = temperature
        self.truncation = truncation
        self.parent = parent
    }
}

/// How a morph travels.
public enum MorphPath: String, Sendable, Hashable, Codable, CaseIterable {
    /// Along the great circle over the active axes, lengths interpolated.
    case slerp
    /// Along the straight line.
    case lerp
    /// Along slerp's way, the frames retimed so that each step changes the face equally. The walk is drawn two to four times: `.paced` tells
    /// after each round how even it is, and a `.frame` of a later round replaces the one of the same index.
    case even
}

/// A walk from one code to another in a number of frames, both ends included.
public struct MorphRequest: Sendable, Hashable {
    public var from: WeightCode
    public var to: WeightCode
    /// At least 2, both ends included.
    public var frames: Int
    public var path: MorphPath
    public var settings: GenerationSettings

    public init(from: WeightCode, to: WeightCode, frames: Int, path: MorphPath, settings: GenerationSettings) {
        self.from = from
        self.to = to
        self.frames = frames
        self.path = path
        self.settings = settings
    }
}

/// Where commands go. Both calls return at once, from any thread.
public protocol EngineService: Sendable {
    /// Queues a command. Its events carry `id` and arrive in order, exactly one of finished, cancelled or failed last.
    func submit(_ command: EngineCommand, as id: JobID)
    /// Asks a job to end. Nothing happens when it has ended already.
    func cancel(_ id: JobID)
}
