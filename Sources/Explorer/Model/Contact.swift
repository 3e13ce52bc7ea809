import EngineAPI
import ScreenModel

/// One face under several seeds, side by side: whether what one sees is the person or the noise.
struct Contact: Sendable {
    var requests: [RenderRequest]
    var selected = 0
    /// How alike the faces are, once all are drawn and compared.
    var comparison: FaceComparison?
    var isCompared = false

    /// "seed 88", with the mean likeness to the other faces once that is known: of every face in the same words, in the longest that fit into
    /// so many columns for all of them.
    func captions(columns: Int) -> [String] {
        let likeness = requests.indices.map { comparison?.meanLikeness(of: $0).map(Format.similarity) }
        let seeds = requests.map { "\($0.settings.seed)" }
        let forms = [("seed ", "  "), ("", "  "), ("", " ")].map { word, gap in
            zip(seeds, likeness).map { seed, likeness in word + seed + (likeness.map { gap + $0 } ?? "") }
        }
        return forms.first { $0.allSatisfy { TextWidth.columns(of: $0) <= columns } } ?? forms[2]
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
