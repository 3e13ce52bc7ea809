/// A named way to change a code: a slider beside the axes. For a strength x the code becomes `code + x * step`.
public struct DirectionDescription: Sendable, Hashable {
    /// What one unit of strength is.
    public enum Unit: String, Sendable, Hashable {
        /// From a typical person without the attribute to a typical person with it.
        case classGap = "class gap"
        /// One standard deviation of the identities along the direction.
        case deviation
    }

    /// "Eyeglasses", "Young (Male held)", "jacobian 1", or what a person called it.
    public var name: String
    /// "least-squares", "logistic", "sefa" or "jacobian".
    public var method: String
    /// The attribute that it changes; nil for an unsupervised direction.
    public var attribute: String?
    /// Attributes that it leaves alone.
    public var held: [String]
    /// Change of the code for strength 1, `[latentDim]`, in the coordinates of `SpaceDescription.model`.
    public var step: [Float]
    public var unit: Unit
    /// How many standard deviations of the identities along the direction one unit is: what keeps a slider within people, about 3 of them.
    public var deviations: Float
    /// Balanced accuracy on identities that it was not fitted to, 0...1; nil for graded attributes and unsupervised directions.
    public var accuracy: Float?
    /// Pearson correlation with the attribute on those identities, -1...1; nil for unsupervised directions.
    public var correlation: Float?
    /// Whether it is kept under its name, in the space or by the person; the others are computed anew for each attribute when a space opens.
    public var isNamed: Bool

    public init(
        name: String, method: String, attribute: String? = nil, held: [String] = [], step: [Float], unit: Unit,
        deviations: Float, accuracy: Float? = nil, correlation: Float? = nil, isNamed: Bool = false
    ) {
        self.name = name
        self.method = method
        self.attribute = attribute
        self.held = held
        self.step = step
        self.unit = unit
        self.deviations = deviations
        self.accuracy = accuracy
        self.correlation = correlation
        self.isNamed = isNamed
    }

    /// A code changed by a strength; the code itself when it is of another length.
    public func apply(to code: WeightCode, strength: Float) -> WeightCode {
        guard code.count == step.count else { return code }
        return WeightCode(zip(code.values, step).map { $0 + strength * $1 })
    }
}

/// Which directions to find.
public enum DirectionSearch: Sendable, Hashable {
    /// That of an attribute, by logistic regression or by least squares, leaving others alone.
    case attribute(String, isLogistic: Bool, holding: [String])
    /// What the decoder's first layer amplifies most (SeFa), strongest first.
    case sefa(count: Int)
    /// What changes the decoded LoRA vector most on average over identities, strongest first.
    case jacobian(count: Int)
}
