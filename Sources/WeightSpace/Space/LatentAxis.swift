import Checkpoints
import Foundation

/// One axis of the weight code and what is known of it (`axes.json`).
public struct LatentAxis: Sendable, Equatable {
    /// How an attribute goes along with an axis.
    public struct Correlation: Sendable, Equatable {
        public let attribute: String
        /// Pearson's, -1...1.
        public let value: Float

        public init(attribute: String, value: Float) {
            self.attribute = attribute
            self.value = value
        }
    }

    /// Place in the code, from 0.
    public let index: Int
    /// KL of the posterior to the prior in nats, averaged over the identities.
    public let kl: Float
    /// Variance of the posterior mean over the identities.
    public let variance: Float
    /// Mean and standard deviation of the aggregated posterior.
    public let mean: Float
    public let deviation: Float
    /// Mean Euclidean change of the decoded vector for one deviation up or down, relative to the strongest axis: 0...1.
    public let effect: Float
    /// The attributes that go along with it, strongest first.
    public let correlations: [Correlation]
    /// How far one deviation up or down moves the drawn face, as a distance of embeddings (0...2); nil until `w2w evaluate --update-axes`.
    public var faceEffect: Float?

    /// An axis of a weight VAE is active when the identities differ along it: variance of the posterior mean above 0.01 (Burda et al. 2016).
    /// All axes of a PCA are.
    public let isActive: Bool
    public static let activeVariance: Float = 0.01

    public init(
        index: Int, kl: Float, variance: Float, mean: Float, deviation: Float, effect: Float, correlations: [Correlation],
        isActive: Bool? = nil, faceEffect: Float? = nil
    ) {
        self.index = index
        self.kl = kl
        self.variance = variance
        self.mean = mean
        self.deviation = deviation
        self.effect = effect
        self.correlations = correlations
        self.isActive = isActive ?? (variance > Self.activeVariance)
        self.faceEffect = faceEffect
    }

    /// Reads `axes.json`.
    /// - Throws: `CheckpointError` when a key is missing or wrong, or the axes are not numbered 0, 1, 2...
    static func read(_ url: URL) throws -> [LatentAxis] {
        let json = try JSONConfiguration(contentsOf: url)
        try json.refuseKeys(besides: ["format", "axes"])
        guard try json.require("format", as: Int.self) == 1 else { throw json.wrong("format", expected: "1") }
        return try json.objects("axes").enumerated().map { place, item in
            try item.refuseKeys(besides: [
                "index", "kl", "variance", "mean", "deviation", "effect", "active", "correlations",
                "face_effect",
            ])
            guard try item.require("index", as: Int.self) == place else { throw item.wrong("index", expected: "\(place)") }
            let deviation = try item.require("deviation", as: Float.self)
            guard deviation.isFinite, deviation > 0 else { throw item.wrong("deviation", expected: "above 0") }
            return LatentAxis(
                index: place, kl: try item.require("kl"), variance: try item.require("variance"),
                mean: try item.require("mean"), deviation: deviation, effect: try item.require("effect"),
                correlations: try item.objects("correlations").map {
                    Correlation(attribute: try $0.require("attribute"), value: try $0.require("value"))
                }, faceEffect: try item.optional("face_effect"))
        }
    }

    /// The text of `axes.json`.
    static func json(_ axes: [LatentAxis]) -> String {
        let items = axes.map { axis -> JSONValue in
            var members: [JSONValue.Member] = [
                .init("index", .integer(axis.index)), .init("kl", .float(axis.kl)), .init("variance", .float(axis.variance)),
                .init("mean", .float(axis.mean)), .init("deviation", .float(axis.deviation)),
                .init("effect", .float(axis.effect)),
            ]
            if let faceEffect = axis.faceEffect { members.append(.init("face_effect", .float(faceEffect))) }
            let correlations = axis.correlations.map { item -> JSONValue in
                .object([.init("attribute", .string(item.attribute)), .init("value", .float(item.value))])
            }
            members += [.init("active", .bool(axis.isActive)), .init("correlations", .array(correlations))]
            return .object(members)
        }
        return JSONValue.object([.init("format", .integer(1)), .init("axes", .array(items))]).text() + "\n"
    }
}
