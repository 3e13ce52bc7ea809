import EngineAPI

/// One face under several seeds, side by side: whether what one sees is the person or the noise.
struct Contact: Sendable {
    var requests: [RenderRequest]
    var selected = 0
    /// How alike the faces are, once all are drawn and compared.
    var comparison: FaceComparison?
    var isCompared = false

    /// "seed 88", with the mean likeness to the other faces once that is known.
    func caption(of place: Int) -> String {
        let seed = "seed \(requests[place].settings.seed)"
        return comparison?.meanLikeness(of: place).map { "\(seed)  \(Format.similarity($0))" } ?? seed
    }

    /// Seeds of a test, the one in use first.
    static let count = 6

    init(of request: RenderRequest) {
        requests = (0..<UInt64(Self.count)).map { place in
            var other = request
            other.settings.seed &+= place
            return other
        }
    }
}
