/// What the explorer needs to know of an opened space. Large tables are shared, not copied.
public struct SpaceDescription: Sendable {
    public var name: String
    /// The folder it was opened from.
    public var path: String
    /// SHA-256 over what decides a picture of a code (base model, layout, model in use); favourites carry it.
    public var fingerprint: String
    /// Length of a LoRA vector.
    public var vectorLength: Int
    /// What decodes codes, in words: "vanilla VAE", "PCA".
    public var decoder: String
    /// The model in use, whose coordinates all of this is in; nil when the space has none.
    public var model: WeightModel?
    /// The models that the space has, for `EngineCommand.use`.
    public var models: [WeightModel]
    /// One per latent axis, by index.
    public var axes: [AxisDescription]
    public var identities: IdentityTable
    public var defaults: GenerationSettings
    /// Sliders beside the axes, in the coordinates of `model`: named directions first, then one for each attribute that varies. Others are found
    /// by `EngineCommand.findDirections`, kept by `keepDirection`.
    public var directions: [DirectionDescription]
    /// Held-out reconstruction of the LoRA vectors, R2, if the space records it.
    public var reconstructionR2: Float?

    /// Whether the space has a face embedder, for `EngineCommand.compare`.
    public var hasEmbedder: Bool

    /// Measures, training and files.
    public var record: SpaceRecord

    /// What the base model is.
    public var modelFacts: [ModelFact] = []

    /// The sampler's class that a model without a space asks for and that is not to be had: another draws where nobody chooses one.
    public var unknownSampler: String?

    public init(
        name: String, path: String, fingerprint: String, vectorLength: Int, decoder: String, axes: [AxisDescription],
        identities: IdentityTable, defaults: GenerationSettings, reconstructionR2: Float? = nil, model: WeightModel? = .vae,
        models: [WeightModel] = [.vae], directions: [DirectionDescription] = [], hasEmbedder: Bool = false,
        record: SpaceRecord = SpaceRecord()
    ) {
        self.name = name
        self.path = path
        self.fingerprint = fingerprint
        self.vectorLength = vectorLength
        self.decoder = decoder
        self.axes = axes
        self.identities = identities
        self.defaults = defaults
        self.reconstructionR2 = reconstructionR2
        self.model = model
        self.models = models
        self.directions = directions
        self.hasEmbedder = hasEmbedder
        self.record = record
    }

    public var latentDimension: Int { axes.count }

    /// The middle of the space: the mean of the aggregated posterior. `[latentDim]`
    public var centre: WeightCode { WeightCode(axes.map(\.mean)) }
}

/// One latent axis and what is known of it.
public struct AxisDescription: Sendable, Hashable {
    /// Place in the weight code, from 0.
    public var index: Int
    /// Information in nats, averaged over the identities: KL of the posterior to the prior.
    public var kl: Float
    /// Variance of the posterior mean over the identities; the axis is active above 0.01.
    public var variance: Float
    /// How strongly the axis acts: mean change of the decoded LoRA vector for one sigma, relative to the strongest axis, 0...1.
    public var effect: Float
    /// What one sigma does to the face: half the distance of the face embedder's points (0...2) one sigma up and one down, as `w2w evaluate
    /// --update-axes` measures it; nil where nobody has.
    public var faceEffect: Float?
    public var isActive: Bool
    /// Mean of the aggregated posterior: where a slider stands at zero.
    public var mean: Float
    /// Standard deviation of the aggregated posterior: one sigma of a slider.
    public var deviation: Float
    /// The attributes that go along with the axis, strongest first: name and Pearson correlation, -1...1.
    public var correlations: [Correlation]

    /// How much an attribute goes along with the axis, Pearson's coefficient from -1 to 1.
    public struct Correlation: Sendable, Hashable {
        public var attribute: String
        public var value: Float

        public init(attribute: String, value: Float) {
            self.attribute = attribute
            self.value = value
        }
    }

    public init(
        index: Int, kl: Float, variance: Float, effect: Float, isActive: Bool, mean: Float, deviation: Float,
        correlations: [Correlation] = [], faceEffect: Float? = nil
    ) {
        self.index = index
        self.kl = kl
        self.variance = variance
        self.effect = effect
        self.isActive = isActive
        self.mean = mean
        self.deviation = deviation
        self.correlations = correlations
        self.faceEffect = faceEffect
    }
}

/// The identities of a space: names, attribute labels and weight codes, row by row.
public struct IdentityTable: Sendable {
    public var names: [String]
    public var attributeNames: [String]
    /// `[names.count, attributeNames.count]`, row-major; NaN where a label is missing.
    public var attributes: [Float]
    /// `[names.count, latentDim]`, row-major: the posterior means.
    public var codes: [Float]
    public var latentDimension: Int

    public init(names: [String], attributeNames: [String], attributes: [Float], codes: [Float], latentDimension: Int) {
        precondition(attributes.count == names.count * attributeNames.count, "one label per name and attribute")
        precondition(codes.count == names.count * latentDimension, "one code per name")
        self.names = names
        self.attributeNames = attributeNames
        self.attributes = attributes
        self.codes = codes
        self.latentDimension = latentDimension
    }

    public var count: Int { names.count }

    /// The weight code of an identity.
    /// - Precondition: `row` lies in 0..<count.
    public func code(at row: Int) -> WeightCode {
        WeightCode(Array(codes[(row * latentDimension)..<((row + 1) * latentDimension)]))
    }

    /// An identity's value of an attribute.
    /// - Precondition: `row` lies in 0..<count, `column` in the names' range.
    public func attribute(_ column: Int, at row: Int) -> Float {
        attributes[row * attributeNames.count + column]
    }
}
