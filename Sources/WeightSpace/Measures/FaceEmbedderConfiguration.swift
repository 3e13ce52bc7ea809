import Checkpoints
import Foundation

/// The shape of a face embedder: what `embedder.json` says.
public struct FaceEmbedderConfiguration: Sendable, Equatable {
    /// Side in pixels of the square pictures that the network sees, divisible by 2 to the number of stages.
    public var imageSize: Int
    /// Channels of the stages; each halves the sides.
    public var channels: [Int]
    /// Groups of the group norms; divides all channels.
    public var groups: Int
    /// d, the length of an embedding.
    public var embeddingDim: Int

    public init(imageSize: Int = 64, channels: [Int] = [24, 48, 96, 160], groups: Int = 8, embeddingDim: Int = 128) {
        self.imageSize = imageSize
        self.channels = channels
        self.groups = groups
        self.embeddingDim = embeddingDim
    }

    /// Numbers that the last stage hands to the embedding.
    var features: Int {
        let side = imageSize >> channels.count
        return side * side * (channels.last ?? 0)
    }

    /// - Throws: `SpaceError` when no network has this shape.
    func validate() throws {
        guard (1...8).contains(channels.count), (8...512).contains(imageSize), imageSize % (1 << channels.count) == 0,
            groups >= 1, channels.allSatisfy({ (1...4096).contains($0) && $0 % groups == 0 }), (2...4096).contains(embeddingDim)
        else {
            throw SpaceError(
                "a face embedder of \(imageSize) pixels, channels \(channels), \(groups) groups and \(embeddingDim) numbers "
                    + "cannot be", advice: "Make it again with `w2w train --embedder`.")
        }
    }

    /// Reads the shape from an `embedder.json`.
    /// - Throws: `CheckpointError` with the key that is missing or wrong, `SpaceError` when no network has this shape.
    init(_ json: JSONConfiguration) throws {
        guard try json.require("format", as: Int.self) == 1 else { throw json.wrong("format", expected: "1") }
        self.init(
            imageSize: try json.require("image_size"), channels: try json.require("channels"),
            groups: try json.require("groups"), embeddingDim: try json.require("embedding_dim"))
        try validate()
    }

    var jsonMembers: [JSONValue.Member] {
        [
            .init("format", .integer(1)), .init("image_size", .integer(imageSize)),
            .init("channels", .array(channels.map { .integer($0) })), .init("groups", .integer(groups)),
            .init("embedding_dim", .integer(embeddingDim)),
        ]
    }
}
