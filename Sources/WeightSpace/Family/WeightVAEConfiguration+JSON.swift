import Checkpoints
import Foundation

extension WeightVAEConfiguration {
    /// Reads the configuration part of a `vae.json`; what it records of the training is left to `TrainingRecord`.
    /// - Throws: `CheckpointError` with the key that is missing, unknown or of the wrong kind.
    public init(_ json: JSONConfiguration) throws {
        try json.refuseKeys(besides: [
            "format", "variant", "vector_length", "hidden_dims", "latent_dim", "activation", "negative_slope", "batch_norm",
            "output_activation", "linear_path", "blocks", "heads", "token_lengths", "channels", "kernel_size", "stride",
            "data_scaling", "layout_sha256", "training",
        ])
        guard try json.require("format", as: Int.self) == 1 else { throw json.wrong("format", expected: "1") }
        let name = try json.require("variant", as: String.self)
        guard let variant = Variant(rawValue: name) else {
            throw json.wrong("variant", expected: "one of " + Variant.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard try json.value("activation", default: variant.activation) == variant.activation else {
            throw json.wrong("activation", expected: "\"\(variant.activation)\"")
        }
        let output = try json.optional("output_activation", as: String.self)
        guard output == nil || output == "tanh" || output == "identity" else {
            throw json.wrong("output_activation", expected: "\"tanh\" or \"identity\"")
        }
        self.init(
            variant: variant, vectorLength: try json.count("vector_length", limit: 1 << 28),
            hiddenDims: try json.counts("hidden_dims"), latentDim: try json.count("latent_dim"),
            negativeSlope: try json.value("negative_slope", default: 0.01),
            batchNorm: try json.value("batch_norm", default: false), endsInTanh: output.map { $0 == "tanh" },
            hasLinearPath: try json.value("linear_path", default: false), blocks: try json.value("blocks", default: 4),
            heads: try json.value("heads", default: 4), scaling: try Self.scaling(json.object("data_scaling")),
            layoutDigest: try json.optional("layout_sha256"))
        if variant == .transformer { tokenLengths = try json.counts("token_lengths", limit: 1 << 28) }
        if variant == .convolutional {
            channels = try json.counts("channels")
            kernelSize = try json.count("kernel_size")
            stride = try json.count("stride")
        }
        do {
            try validate()
        } catch let error as SpaceError {
            throw CheckpointError(file: json.file, problem: .malformed(reason: error.message))
        }
    }

    private static func scaling(_ json: JSONConfiguration) throws -> Scaling {
        switch try json.require("kind", as: String.self) {
        case "affine":
            try json.refuseKeys(besides: ["kind"])
            return .affine
        case "factor":
            try json.refuseKeys(besides: ["kind", "factor"])
            let factor = try json.require("factor", as: Float.self)
            guard factor.isFinite, factor != 0 else { throw json.wrong("factor", expected: "a number other than 0") }
            return .factor(factor)
        case "range":
            try json.refuseKeys(besides: ["kind", "minimum", "range"])
            let (minimum, range) = (try json.require("minimum", as: Float.self), try json.require("range", as: Float.self))
            guard minimum.isFinite else { throw json.wrong("minimum", expected: "a number") }
            guard range.isFinite, range > 0 else { throw json.wrong("range", expected: "a number above 0") }
            return .range(minimum: minimum, range: range)
        default: throw json.wrong("kind", expected: "\"affine\", \"factor\" or \"range\"")
        }
    }

    /// The members of `vae.json` that this type reads.
    var jsonMembers: [JSONValue.Member] {
        var members: [JSONValue.Member] = [
            .init("format", .integer(1)), .init("variant", .string(variant.rawValue)),
            .init("vector_length", .integer(vectorLength)), .init("hidden_dims", .array(hiddenDims.map { .integer($0) })),
            .init("latent_dim", .integer(latentDim)), .init("activation", .string(variant.activation)),
        ]
        let isVanilla = variant == .vanilla || variant == .convolutional
        if isVanilla { members.append(.init("negative_slope", .float(negativeSlope))) }
        if batchNorm { members.append(.init("batch_norm", .bool(true))) }
        members.append(.init("output_activation", .string(endsInTanh ? "tanh" : "identity")))
        if hasLinearPath { members.append(.init("linear_path", .bool(true))) }
        switch variant {
        case .vanilla: break
        case .residual: members.append(.init("blocks", .integer(blocks)))
        case .transformer:
            members += [
                .init("blocks", .integer(blocks)), .init("heads", .integer(heads)),
                .init("token_lengths", .array(tokenLengths.map { .integer($0) })),
            ]
        case .convolutional:
            members += [
                .init("channels", .array(channels.map { .integer($0) })), .init("kernel_size", .integer(kernelSize)),
                .init("stride", .integer(stride)),
            ]
        }
        let scalingMembers: [JSONValue.Member] =
            switch scaling {
            case .affine: [.init("kind", .string("affine"))]
            case .factor(let factor): [.init("kind", .string("factor")), .init("factor", .float(factor))]
            case .range(let minimum, let range):
                [.init("kind", .string("range")), .init("minimum", .float(minimum)), .init("range", .float(range))]
            }
        members.append(.init("data_scaling", .object(scalingMembers)))
        return members + (layoutDigest.map { [.init("layout_sha256", .string($0))] } ?? [])
    }

    /// The configuration that a published checkpoint's keys and shapes tell: vanilla or residual.
    /// - Parameters:
    ///   - shapes: key and shape of every tensor of the state dictionary.
    ///   - scaling: how its vectors were scaled; nil takes the published model's.
    ///   - file: for messages.
    /// - Returns: the configuration; whether everything fits is seen when the network is loaded.
    /// - Throws: `SpaceError` when the keys are of neither family.
    public static func published(shapes: [String: [Int]], scaling: Scaling? = nil, file: String) throws -> Self {
        func matrix(_ key: String) -> (out: Int, in: Int)? {
            shapes[key].flatMap { $0.count == 2 ? ($0[0], $0[1]) : nil }
        }
        if let first = matrix("first_layer.0.weight"), let head = matrix("fc_mu.2.weight") {
            let blocks = (0...).first { shapes["encoder.\($0).block.0.weight"] == nil } ?? 0
            return Self(
                variant: .residual, vectorLength: first.in, hiddenDims: [first.out / 2], latentDim: head.out, blocks: blocks,
                scaling: scaling ?? .range(minimum: -0.094693, range: 0.186591))
        }
        if let first = matrix("encoder.0.0.weight"), let head = matrix("fc_mu.weight") {
            var hidden = [Int]()
            while let stage = matrix("encoder.\(hidden.count).0.weight") { hidden.append(stage.out) }
            return Self(
                vectorLength: first.in, hiddenDims: hidden, latentDim: head.out,
                batchNorm: shapes["encoder.0.1.running_mean"] != nil, scaling: scaling ?? .factor(10))
        }
        throw SpaceError(
            "\(file): the keys are of no published weight VAE (no encoder.0.0.weight with fc_mu.weight, no first_layer.0.weight with fc_mu.2.weight)",
            advice: "Give the state dictionary of a vanilla or residual weight VAE.")
    }
}

extension WeightVAEConfiguration.Variant {
    /// The name of the activation between the layers, in `vae.json`.
    var activation: String {
        switch self {
        case .vanilla, .convolutional: "leaky_relu"
        case .residual: "relu"
        case .transformer: "gelu"
        }
    }
}
