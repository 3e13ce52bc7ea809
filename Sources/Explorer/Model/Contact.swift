import EngineAPI

/// One face under several seeds, side by side: whether what one sees is the person or the noise.
struct Contact: Sendable {
    var requests: [RenderRequest]
    var selected = 0

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
