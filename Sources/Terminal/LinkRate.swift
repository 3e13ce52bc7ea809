/// How fast pictures reach the terminal, learnt from its acknowledgements: on a slow link they get fewer colours instead of arriving late.
struct LinkRate: Sendable {
    /// Bytes per millisecond; nil until a picture worth measuring has been acknowledged.
    private(set) var bytesPerMillisecond: Double?
    /// What the way there and back costs by itself; infinite while nothing has been answered.
    private(set) var shortestAnswer = Double.infinity

    /// A draft should not take longer than this, in milliseconds.
    private static let draftBudget = 250.0
    /// Nor a finished picture longer than this.
    private static let finalBudget = 1200.0
    /// Below this size the way there and back is most of the time.
    private static let measurable = 12_000

    /// An answer that had no picture before it: what the way there and back costs by itself.
    mutating func answered(after milliseconds: Double) {
        shortestAnswer = min(shortestAnswer, max(0, milliseconds))
    }

    /// A picture was consumed.
    mutating func acknowledged(bytes: Int, after milliseconds: Double) {
        shortestAnswer = min(shortestAnswer, milliseconds)
        guard bytes >= Self.measurable else { return }
        let rate = Double(bytes) / max(1, milliseconds - (shortestAnswer == milliseconds ? 0 : shortestAnswer))
        bytesPerMillisecond = bytesPerMillisecond.map { 0.6 * $0 + 0.4 * rate } ?? rate
    }

    /// How many bytes may be under way at once: a tenth of a second, within bounds.
    var window: Int {
        guard let bytesPerMillisecond else { return 24_000 }
        return min(128_000, max(4_000, Int(bytesPerMillisecond * 100)))
    }

    /// How long so many bytes will take, in milliseconds; 0 while nothing is known.
    func time(for bytes: Int) -> Double {
        bytesPerMillisecond.map { Double(bytes) / $0 } ?? 0
    }

    /// The best form in which a picture of so many pixels still arrives in time.
    func effort(pixels: Int, isDraft: Bool) -> PictureEffort {
        let budget = isDraft ? Self.draftBudget : Self.finalBudget
        let choices = isDraft ? PictureEffort.allCases.dropFirst() : PictureEffort.allCases[...]
        return choices.first { time(for: Int(Double(pixels) * $0.bytesPerPixel)) <= budget } ?? .least
    }
}
