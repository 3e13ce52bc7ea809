/// What evaluations and decodings took lately on this machine, by size: decides how often there is time for a look in between, and how good a
/// draft fits into the time that a person waits.
struct Pace {
    /// What one evaluation works on.
    struct Shape: Hashable {
        /// Pixels of a picture.
        var pixels: Int
        /// Pictures in the batch, twice with guidance.
        var samples: Int
        /// Whether the whole U-Net is computed, not the layers above its deep features alone.
        var isWhole = true

        /// The work grows about as the pixels do.
        fileprivate var work: Double { Double(pixels) * Double(samples) }
    }

    /// A decoding up to this long is worth its time for every look.
    private static let quickDecoding = Duration.milliseconds(60)
    /// A full decode up to this long follows without a pause.
    static let decodingWithoutRest = Duration.milliseconds(100)
    /// Between two looks; a person does not gain from more.
    private static let betweenLooks = Duration.milliseconds(90)

    /// Of Stable Diffusion 1.5's operations, what the last up block and the layers that it needs take.
    private static let shallowShare = 0.33

    /// Duration of the latest evaluation.
    private(set) var step = Duration.zero
    private var steps: [Shape: Duration] = [:]
    private var decodings: [Int: Duration] = [:]

    /// Expected duration of an evaluation: measured, or scaled from the nearest size that was; nil before anything was measured.
    func step(_ shape: Shape) -> Duration? {
        if let known = steps[shape] { return known }
        if !shape.isWhole { return step(.init(pixels: shape.pixels, samples: shape.samples)).map { $0 * Self.shallowShare } }
        guard
            let nearest = steps.filter({ $0.key.isWhole }).min(by: {
                Self.distance($0.key.work, shape.work) < Self.distance($1.key.work, shape.work)
            })
        else { return nil }
        return nearest.value * (shape.work / nearest.key.work)
    }

    /// Expected duration of a full decode of one picture; nil before anything was measured.
    func decoding(pixels: Int) -> Duration? {
        if let known = decodings[pixels] { return known }
        guard
            let nearest = decodings.min(by: {
                Self.distance(Double($0.key), Double(pixels)) < Self.distance(Double($1.key), Double(pixels))
            })
        else { return nil }
        return nearest.value * (Double(pixels) / Double(nearest.key))
    }

    func decodingIsQuick(pixels: Int) -> Bool { (decoding(pixels: pixels) ?? .zero) <= Self.quickDecoding }

    /// What a person notices of a single evaluation.
    static let noticeable = Duration.milliseconds(150)

    /// An evaluation that takes longer is a slow one.
    var slowStep = noticeable

    /// Whether a first look should be made from the very first evaluation rather than wait for a second one.
    var stepIsSlow: Bool { step > slowStep }

    mutating func noteStep(_ duration: Duration, _ shape: Shape) {
        if shape.isWhole { step = duration }
        // The first evaluation of a size also sets up its kernels; the quicker of two says more.
        steps[shape] = steps[shape].map { min(duration, $0 * 0.5 + duration * 0.5) } ?? duration
    }

    mutating func noteDecoding(_ duration: Duration, pixels: Int) {
        decodings[pixels] = decodings[pixels].map { min(duration, $0 * 0.5 + duration * 0.5) } ?? duration
    }

    /// Whether a look in the middle of a run is due.
    /// - Parameters:
    ///   - elapsed: Since the last one was shown.
    ///   - left: How long the finished picture is still away.
    ///   - cost: What the look takes.
    /// - Returns: Never when the finished picture is about as near as the look would be.
    func lookIsDue(elapsed: Duration, left: Duration, cost: Duration) -> Bool {
        elapsed >= Self.betweenLooks && left >= cost * 2
    }

    private static func distance(_ a: Double, _ b: Double) -> Double { a > b ? a / b : b / a }
}
