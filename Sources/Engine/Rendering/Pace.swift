/// What evaluations and decodings took lately on this machine: decides how often there is time for a look in between.
struct Pace {
    /// A decoding up to this long is worth its time for every look.
    private static let quickDecoding = Duration.milliseconds(60)
    /// Between two looks; a person does not gain from more.
    private static let betweenLooks = Duration.milliseconds(90)

    private(set) var step = Duration.zero
    private(set) var decoding = Duration.zero

    var decodingIsQuick: Bool { decoding <= Self.quickDecoding }

    /// Whether a first look should be made from the very first step rather than wait for a second one.
    var stepIsSlow: Bool { step > .milliseconds(150) }

    mutating func noteStep(_ duration: Duration) {
        step = step == .zero ? duration : step * 0.75 + duration * 0.25
    }

    mutating func noteDecoding(_ duration: Duration) {
        // The first decoding of a size also sets up its kernels; the quicker of two says more.
        decoding = decoding == .zero ? duration : min(duration, decoding * 0.5 + duration * 0.5)
    }

    /// Whether a look in the middle of a run is due.
    /// - Parameters:
    ///   - elapsed: Since the last one was shown.
    ///   - stepsLeft: Of the run.
    /// - Returns: Never when the finished picture is about as near as the look would be.
    func lookIsDue(elapsed: Duration, stepsLeft: Int) -> Bool {
        elapsed >= Self.betweenLooks && step * Double(stepsLeft) >= decoding * 2
    }
}
