/// A way to change a code that has a name: an attribute, or what the decoder reacts to most.
///
/// Strength is calibrated: `code + strength * step`. For an attribute that people have or have not, one unit moves its score by the distance
/// between the classes' means, from a typical person without it to a typical person with it; for a graded attribute and for unsupervised
/// directions one unit is one standard deviation of the identities along the direction.
public struct Direction: Sendable, Equatable {
    /// How a direction was found; raw values are those of `directions.json` and the command line.
    public enum Method: String, Sendable, CaseIterable {
        /// Least squares of the labels on the codes (pseudo-inverse), as weights2weights does it.
        case leastSquares = "least-squares"
        /// Logistic regression with an L2 penalty and balanced classes.
        case logistic
        /// An eigenvector of AᵀA, A the decoder's first linear layer (Shen and Zhou 2021, "SeFa").
        case sefa
        /// An eigenvector of E[JᵀJ], J the decoder's Jacobian.
        case jacobian
    }

    /// What one unit of strength is.
    public enum Unit: String, Sendable {
        case classGap = "class gap"
        case deviation
    }

    /// How well the direction tells people apart whom it was not fitted to.
    public struct Score: Sendable, Equatable {
        /// People whom it was measured on, and how many of them have the attribute (0 for a graded one).
        public let count, positives: Int
        /// Share of right answers, threshold half-way between the classes' means; nil for a graded attribute.
        public let accuracy: Double?
        /// Mean of the shares of right answers among those with and those without; nil for a graded attribute, or when nobody has or lacks it.
        public let balancedAccuracy: Double?
        /// Share of pairs (one with, one without) in right order; nil like `balancedAccuracy`.
        public let areaUnderCurve: Double?
        /// Pearson correlation of score and label.
        public let correlation: Double

        public init(
            count: Int, positives: Int, accuracy: Double?, balancedAccuracy: Double?, areaUnderCurve: Double?, correlation: Double
        ) {
            self.count = count
            self.positives = positives
            self.accuracy = accuracy
            self.balancedAccuracy = balancedAccuracy
            self.areaUnderCurve = areaUnderCurve
            self.correlation = correlation
        }
    }

    public var name: String
    /// The model whose codes it changes.
    public let model: WeightModelKind
    /// `Space.fingerprint` of the space it was found in, with that model: elsewhere the same numbers do something else.
    public let fingerprint: String
    public let method: Method
    /// What it changes; nil for an unsupervised direction.
    public let attribute: String?
    /// Attributes that it leaves alone: their directions were projected out.
    public let held: [String]
    /// Change of the code for strength 1, [d].
    public let step: [Float]
    public let unit: Unit
    /// How many standard deviations of the identities along the direction one unit is.
    public let deviations: Float
    /// Of an attribute.
    public let score: Score?
    /// Of an unsupervised direction: its eigenvalue as a share of the sum of all.
    public let share: Float?

    public init(
        name: String, model: WeightModelKind, fingerprint: String, method: Method, attribute: String? = nil, held: [String] = [],
        step: [Float], unit: Unit, deviations: Float, score: Score? = nil, share: Float? = nil
    ) {
        self.name = name
        self.model = model
        self.fingerprint = fingerprint
        self.method = method
        self.attribute = attribute
        self.held = held
        self.step = step
        self.unit = unit
        self.deviations = deviations
        self.score = score
        self.share = share
    }

    /// A code changed by a strength.
    /// - Parameters:
    ///   - code: [d]
    ///   - strength: in units.
    /// - Returns: [d]
    /// - Precondition: the code has the direction's length.
    public func apply(to code: [Float], strength: Float) -> [Float] {
        precondition(code.count == step.count, "a direction of \(step.count) numbers on a code of \(code.count)")
        return zip(code, step).map { $0 + strength * $1 }
    }
}
