import Checkpoints
import Foundation

/// What `vae.json` says of a weight VAE: everything besides its numbers.
public struct WeightVAEConfiguration: Sendable, Equatable {
    /// The families of weight VAEs; raw values are those of `vae.json` and the command line.
    public enum Variant: String, Sendable, CaseIterable {
        /// Linear layers with LeakyReLU, a hyperbolic tangent at the end; the published model.
        case vanilla
    }

    /// How the vectors were scaled before they met the network.
    public enum Scaling: Sendable, Equatable {
        /// raw * factor
        case factor(Float)
        /// (raw - offset) / scale, both in the weights' file.
        case affine
    }

    public var variant: Variant
    /// n, the length of a LoRA vector.
    public var vectorLength: Int
    /// h1...hk, from the vector inwards.
    public var hiddenDims: [Int]
    public var latentDim: Int
    /// LeakyReLU's slope below zero.
    public var negativeSlope: Float
    public var scaling: Scaling
    /// `LoRALayout.digest` of the layout that the vectors have, if it is recorded.
    public var layoutDigest: String?

    public init(
        variant: Variant = .vanilla, vectorLength: Int, hiddenDims: [Int], latentDim: Int, negativeSlope: Float = 0.01,
        scaling: Scaling = .affine, layoutDigest: String? = nil
    ) {
        self.variant = variant
        self.vectorLength = vectorLength
        self.hiddenDims = hiddenDims
        self.latentDim = latentDim
        self.negativeSlope = negativeSlope
        self.scaling = scaling
        self.layoutDigest = layoutDigest
    }

    /// Reads the configuration part of a `vae.json`; what it records of the training is left to `TrainingRecord`.
    /// - Throws: `CheckpointError` with the key that is missing, unknown or of the wrong kind.
    public init(_ json: JSONConfiguration) throws {
        try json.refuseKeys(besides: [
            "format", "variant", "vector_length", "hidden_dims", "latent_dim", "activation", "negative_slope",
            "output_activation", "data_scaling", "layout_sha256", "training",
        ])
        guard try json.require("format", as: Int.self) == 1 else { throw json.wrong("format", expected: "1") }
        let name = try json.require("variant", as: String.self)
        guard let variant = Variant(rawValue: name) else {
            throw json.wrong("variant", expected: "one of " + Variant.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard try json.value("activation", default: "leaky_relu") == "leaky_relu" else {
            throw json.wrong("activation", expected: "\"leaky_relu\"")
        }
        guard try json.value("output_activation", default: "tanh") == "tanh" else {
            throw json.wrong("output_activation", expected: "\"tanh\"")
        }
        let scalingJSON = try json.object("data_scaling")
        let scaling: Scaling
        switch try scalingJSON.require("kind", as: String.self) {
        case "affine":
            try scalingJSON.refuseKeys(besides: ["kind"])
            scaling = .affine
        case "factor":
            try scalingJSON.refuseKeys(besides: ["kind", "factor"])
            let factor = try scalingJSON.require("factor", as: Float.self)
            guard factor.isFinite, factor != 0 else { throw scalingJSON.wrong("factor", expected: "a number other than 0") }
            scaling = .factor(factor)
        default: throw scalingJSON.wrong("kind", expected: "\"affine\" or \"factor\"")
        }
        self.init(
            variant: variant, vectorLength: try json.count("vector_length", limit: 1 << 28),
            hiddenDims: try json.counts("hidden_dims"), latentDim: try json.count("latent_dim"),
            negativeSlope: try json.value("negative_slope", default: 0.01), scaling: scaling,
            layoutDigest: try json.optional("layout_sha256"))
    }

    /// The members of `vae.json` that this type reads.
    var jsonMembers: [JSONValue.Member] {
        let scalingMembers: [JSONValue.Member] =
            switch scaling {
            case .affine: [.init("kind", .string("affine"))]
            case .factor(let factor): [.init("kind", .string("factor")), .init("factor", .number(Double(factor)))]
            }
        return [
            .init("format", .integer(1)), .init("variant", .string(variant.rawValue)),
            .init("vector_length", .integer(vectorLength)), .init("hidden_dims", .array(hiddenDims.map { .integer($0) })),
            .init("latent_dim", .integer(latentDim)), .init("activation", .string("leaky_relu")),
            .init("negative_slope", .number(Double(negativeSlope))), .init("output_activation", .string("tanh")),
            .init("data_scaling", .object(scalingMembers)),
        ] + (layoutDigest.map { [.init("layout_sha256", .string($0))] } ?? [])
    }
}
