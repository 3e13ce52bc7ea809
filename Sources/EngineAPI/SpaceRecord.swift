/// What is on record about a space: measures, the training of its weight VAE, and which files it is.
public struct SpaceRecord: Sendable, Hashable {
    /// One figure of the space's `report.json`, or of what the training recorded.
    public struct Measure: Sendable, Hashable {
        /// The path of its keys: "reconstruction.vae.r2".
        public var name: String
        public var value: Double

        public init(name: String, value: Double) {
            self.name = name
            self.value = value
        }
    }

    /// One line of the training's log.
    public struct TrainingPoint: Sendable, Hashable {
        public var step: Int
        /// Loss on the training rows.
        public var loss: Double
        /// Reconstruction of the rows kept aside for validation, R2; nil where it was not measured.
        public var validationR2: Double?

        public init(step: Int, loss: Double, validationR2: Double? = nil) {
            self.step = step
            self.loss = loss
            self.validationR2 = validationR2
        }
    }

    /// A file of the space and its SHA-256.
    public struct Part: Sendable, Hashable {
        /// Relative to the space's folder.
        public var path: String
        /// 64 hexadecimal digits.
        public var digest: String

        public init(path: String, digest: String) {
            self.path = path
            self.digest = digest
        }
    }

    public var measures: [Measure]
    public var training: [TrainingPoint]
    public var parts: [Part]

    public init(measures: [Measure] = [], training: [TrainingPoint] = [], parts: [Part] = []) {
        self.measures = measures
        self.training = training
        self.parts = parts
    }

    /// A figure by its path, or nil when it is not on record.
    public func measure(_ name: String) -> Double? { measures.first { $0.name == name }?.value }
}
