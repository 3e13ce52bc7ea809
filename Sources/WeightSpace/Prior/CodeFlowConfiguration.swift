import Checkpoints
import Foundation

/// The shape of a learned prior: what `flow.json` says.
public struct CodeFlowConfiguration: Sendable, Equatable {
    /// d, the length of a code.
    public var latentDim: Int
    /// Width of the layers.
    public var hiddenDim: Int
    /// Residual blocks.
    public var blocks: Int
    /// Equal steps from noise to a code, two evaluations each.
    public var integrationSteps: Int

    /// Frequencies at which the network sees the time.
    static let octaves = 8
    static let timeFeatures = 1 + 2 * octaves

    /// - Parameters:
    ///   - latentDim: d, the length of a code.
    ///   - hiddenDim: width of the layers; nil means 512, for codes of more than 256 numbers twice their length.
    ///   - blocks: residual blocks.
    ///   - integrationSteps: equal steps from noise to a code.
    public init(latentDim: Int, hiddenDim: Int? = nil, blocks: Int = 3, integrationSteps: Int = 32) {
        self.latentDim = latentDim
        self.hiddenDim = hiddenDim ?? max(512, 2 * latentDim)
        self.blocks = blocks
        self.integrationSteps = integrationSteps
    }

    /// - Throws: `SpaceError` when no network has this shape.
    func validate() throws {
        guard (1...65_536).contains(latentDim), (1...65_536).contains(hiddenDim), (1...64).contains(blocks),
            (1...1000).contains(integrationSteps)
        else {
            throw SpaceError(
                "a learned prior of \(latentDim) numbers, \(blocks) blocks of \(hiddenDim) and \(integrationSteps) steps cannot be",
                advice: "Make it again with `w2w train --flow`.")
        }
    }

    /// Reads the shape from a `flow.json`.
    /// - Throws: `CheckpointError` with the key that is missing or wrong, `SpaceError` when no network has this shape.
    init(_ json: JSONConfiguration) throws {
        guard try json.require("format", as: Int.self) == 1 else { throw json.wrong("format", expected: "1") }
        self.init(
            latentDim: try json.require("latent_dim"), hiddenDim: try json.require("hidden_dim", as: Int.self),
            blocks: try json.require("blocks"), integrationSteps: try json.require("integration_steps"))
        try validate()
    }

    var jsonMembers: [JSONValue.Member] {
        [
            .init("format", .integer(1)), .init("latent_dim", .integer(latentDim)), .init("hidden_dim", .integer(hiddenDim)),
            .init("blocks", .integer(blocks)), .init("integration_steps", .integer(integrationSteps)),
        ]
    }
}
