import ImageCore

/// What the engine tells of its jobs, delivered on the engine's queue.
public enum EngineEvent: Sendable {
    /// The first event of a job that leaves the queue: until then it waits behind others.
    case began(JobID)
    case progress(JobID, Progress)
    case opened(JobID, SpaceDescription)
    /// How ordinary codes of the model in use are; does not come where there are too few identities to tell.
    case typicality(JobID, TypicalityGauge)
    case picture(JobID, Picture)
    case thumbnail(JobID, Picture)
    case sampled(JobID, [WeightCode])
    case directions(JobID, [DirectionDescription])
    case compared(JobID, FaceComparison)
    case frame(JobID, MorphFrame)
    case paced(JobID, MorphPacing)

    case finished(JobID)
    case cancelled(JobID)
    case failed(JobID, EngineFailure)

    public var job: JobID {
        switch self {
        case .began(let id), .progress(let id, _), .opened(let id, _), .picture(let id, _), .thumbnail(let id, _),
            .sampled(let id, _),
            .directions(let id, _), .paced(let id, _), .typicality(let id, _), .compared(let id, _),
            .frame(let id, _), .finished(let id), .cancelled(let id), .failed(let id, _):
            id
        }
    }

    /// Whether this is the last event of its job.
    public var isLast: Bool {
        switch self {
        case .finished, .cancelled, .failed: true
        default: false
        }
    }
}

/// How far a job is.
public struct Progress: Sendable, Hashable {
    /// What is counted.
    public enum Unit: Sendable, Hashable {
        case pieces, bytes
    }

    /// What is being done, in a word or two: "loading", "rendering".
    public var activity: String
    /// In `total`'s units.
    public var done: Int
    public var total: Int
    /// Estimate of what is left, when there is one.
    public var secondsLeft: Double?
    public var unit: Unit

    public init(activity: String, done: Int, total: Int, secondsLeft: Double? = nil, unit: Unit = .pieces) {
        self.activity = activity
        self.done = done
        self.total = total
        self.secondsLeft = secondsLeft
        self.unit = unit
    }
}

extension Progress {
    /// "3 of 8", "412 of 2066 MB".
    public var amount: String { amount(between: " of ") }

    /// - Parameter separator: between what is done and the whole.
    /// - Returns: "3/8", "412/2066 MB".
    public func amount(between separator: String) -> String {
        switch unit {
        case .pieces: "\(done)\(separator)\(total)"
        case .bytes: "\(done / 1_000_000)\(separator)\(total / 1_000_000) MB"
        }
    }
}

/// A drawn picture and how finished it is.
public struct Picture: Sendable {
    /// How far up the ladder from noise to the finished face a picture is.
    public enum Stage: Sendable, Hashable {
        /// The first recognisable face, made to be early rather than good.
        case firstLook
        /// After `step` of `of` denoising steps.
        case draft(step: Int, of: Int)
        case final
    }

    public var request: RenderRequest
    public var image: RGBImage
    public var stage: Stage
    /// Time since the job began, in seconds.
    public var seconds: Double

    public init(request: RenderRequest, image: RGBImage, stage: Stage, seconds: Double) {
        self.request = request
        self.image = image
        self.stage = stage
        self.seconds = seconds
    }
}

/// One finished frame of a morph.
public struct MorphFrame: Sendable {
    /// Place in the strip, from 0.
    public var index: Int
    /// 0 at A, 1 at B.
    public var position: Float
    public var code: WeightCode
    public var image: RGBImage

    public init(index: Int, position: Float, code: WeightCode, image: RGBImage) {
        self.index = index
        self.position = position
        self.code = code
        self.image = image
    }
}

/// How even a walk is (`MorphPath.even`).
public struct MorphPacing: Sendable, Hashable {
    /// What measures how much a step changes the face, in words: "low-frequency picture distance", the name of the space's embedder.
    public var distance: String
    /// Where the frames lie on the path, 0...1, rising, one for each.
    public var positions: [Float]
    /// How much each step changes the face, one less than frames, in the unit of `distance`.
    public var steps: [Float]
    /// Largest step of the walk as a multiple of the mean step: 1 is even.
    public var unevenness: Float
    /// The same of the walk in equal steps of the path, before it was retimed.
    public var unevennessBefore: Float

    public init(distance: String, positions: [Float], steps: [Float], unevenness: Float, unevennessBefore: Float) {
        self.distance = distance
        self.positions = positions
        self.steps = steps
        self.unevenness = unevenness
        self.unevennessBefore = unevennessBefore
    }
}

/// Why a job failed, in words for a person.
public struct EngineFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong and where.
    public var message: String
    /// What to do next, or empty.
    public var advice: String

    public init(message: String, advice: String = "") {
        self.message = message
        self.advice = advice
    }

    public var description: String { advice.isEmpty ? message : "\(message)\n\(advice)" }
}
