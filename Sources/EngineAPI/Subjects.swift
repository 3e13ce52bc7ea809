/// The models that a space may have over its LoRA vectors; raw values are those of the command line.
public enum WeightModel: String, Sendable, Hashable, Codable, CaseIterable {
    case vae, pca
}

/// A point of the space: the coordinates that the model in use decodes to LoRA weights. `[latentDim]`, in the prior's units for a weight VAE,
/// plain coefficients for a PCA.
public struct WeightCode: Sendable, Hashable, Codable {
    public var values: [Float]

    public init(_ values: [Float]) {
        self.values = values
    }

    public var count: Int { values.count }

    public subscript(axis: Int) -> Float {
        get { values[axis] }
        set { values[axis] = newValue }
    }
}

/// Whose picture is drawn.
public indirect enum Subject: Sendable, Hashable, Codable {
    /// The base model without an adapter.
    case base
    /// The person whom a weight code decodes to.
    case code(WeightCode)
    /// An identity of the space by name, drawn with its own LoRA vector rather than with the decoded one.
    case identity(String)
    /// Somebody as a model of the space sees them: their LoRA vector (of an identity its own, of a code the one that the model in use decodes)
    /// encoded and decoded by `model`. For one person side by side in the weight VAE and in the PCA.
    case through(WeightModel, Subject)
}

/// Names a job of the engine. Later jobs have larger numbers within one source of numbers.
public struct JobID: Sendable, Hashable, Comparable {
    public let rawValue: UInt64

    public init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public static func < (left: JobID, right: JobID) -> Bool { left.rawValue < right.rawValue }
}
