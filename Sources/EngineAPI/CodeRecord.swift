import Foundation

/// A weight code as files carry it: JSON that says which space it belongs to and how it was come by. `.z` files hold nothing else; pictures and
/// adapters hold it beside their own content.
public struct CodeRecord: Sendable, Hashable, Codable {
    /// Under this name pictures (as text) and safetensors (as metadata) carry the record.
    public static let keyword = "w2w:code"

    /// 1; a reader refuses what it does not know.
    public var format = 1
    public var name: String
    /// Name and fingerprint of the space: elsewhere the same numbers show another face.
    public var space: String
    public var spaceFingerprint: String
    /// The model whose coordinates these are; a file without one is of a weight VAE.
    public var model: WeightModel?
    /// How the code came about, in a few words.
    public var origin: String
    /// `[latentDim]`, in the model's units.
    public var code: [Float]
    /// How its picture was drawn, when there is one.
    public var settings: GenerationSettings?
    /// Steps that led here, the oldest first.
    public var lineage: [String]?

    enum CodingKeys: String, CodingKey {
        case format, name, space, model, origin, code, settings, lineage
        case spaceFingerprint = "space_fingerprint"
    }

    public init(
        name: String, space: String, spaceFingerprint: String, model: WeightModel? = nil, origin: String,
        lineage: [String]? = nil, code: [Float], settings: GenerationSettings? = nil
    ) {
        self.name = name
        self.space = space
        self.spaceFingerprint = spaceFingerprint
        self.model = model
        self.origin = origin
        self.code = code
        self.settings = settings
        self.lineage = lineage
    }

    /// The record as one line of JSON.
    /// - Throws: `EncodingError` when a number is not finite.
    public func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
