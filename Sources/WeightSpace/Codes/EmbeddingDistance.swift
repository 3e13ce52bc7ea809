import ImageCore

/// The distance of faces as an embedder sees them: the Euclidean distance of embeddings of length 1, 0...2.
public final class EmbeddingDistance: FaceDistance {
    private let embedder: any FaceEmbedding

    public init(_ embedder: any FaceEmbedding) { self.embedder = embedder }

    public var title: String { "distance of the face embedder" }

    public func steps(_ images: [RGBImage]) -> [Double] {
        let points = embedder.embeddings(of: images)
        let rows = images.indices.map { points.rows($0..<($0 + 1)).array }
        return zip(rows, rows.dropFirst()).map { FaceLikeness.distance($0, $1) }
    }
}
