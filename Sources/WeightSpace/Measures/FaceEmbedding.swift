import Checkpoints
import Foundation
import ImageCore
import TensorKit

/// Turns pictures of faces into directions whose cosine says how alike two people are.
public protocol FaceEmbedding: AnyObject {
    /// d, the length of an embedding.
    var embeddingDimension: Int { get }
    /// Side in pixels of the square pictures that it sees; others are brought to it.
    var imageSize: Int { get }
    /// What it is, in words for a person ("the space's embedder").
    var title: String { get }
    /// What is known of how well it tells people apart, or nil.
    var record: FaceEmbedderRecord? { get }

    /// The embeddings of pictures of any size that show one face each.
    /// - Parameter images: N pictures.
    /// - Returns: [N, d], rows of length 1.
    func embeddings(of images: [RGBImage]) -> Tensor
}

extension FaceEmbedding {
    /// The middle squares of pictures at `imageSize`, each number of a pixel (0...255) taken through `scale`.
    /// - Returns: [N, imageSize, imageSize, 3]
    func squares(of images: [RGBImage], scale: (Float) -> Float) -> Tensor {
        let side = imageSize
        let result = Tensor(uninitialized: [images.count, side, side, 3])
        for (index, image) in images.enumerated() {
            let small = image.middleSquare.resized(width: side, height: side, filter: .box)
            let target = result.pointer + index * side * side * 3
            for (i, value) in small.pixels.enumerated() { target[i] = scale(Float(value)) }
        }
        return result
    }

    /// How well people are told apart by their photographs.
    /// - Parameters:
    ///   - people: places in the album.
    ///   - album: the photographs.
    /// - Returns: against all other people, and against those of equal skin and hair (nil when labels do not tell).
    func separation(of people: [Int], in album: PhotoAlbum) -> (all: Separation, alike: Separation?) {
        let pictures = people.flatMap { album.photos[$0] }
        let owners = people.flatMap { person in album.photos[person].map { _ in person } }
        let points = embeddings(of: pictures)
        let cosines = FaceLikeness.cosines(points, points).array
        let all = Separation.pairs(cosines: cosines, people: owners)
        guard !album.kinds.isEmpty else { return (Separation(same: all.same, different: all.different), nil) }
        let alike = Separation.pairs(cosines: cosines, people: owners) { album.kinds[$0] == album.kinds[$1] }
        return (
            Separation(same: all.same, different: all.different), Separation(same: alike.same, different: alike.different)
        )
    }

    /// The embedding of one picture: d numbers, of length 1 together.
    public func embedding(of image: RGBImage) -> [Float] { embeddings(of: [image]).array }
}

/// Opens face embedders of any kind.
public enum FaceEmbedders {
    /// Opens an `embedder.json` of `w2w train --embedder`, or a file with the weights of an InceptionResnetV1 (FaceNet for photographs).
    /// - Parameter url: the JSON file, or a state dictionary (.pt, .safetensors).
    /// - Returns: ready to look at pictures.
    /// - Throws: `CheckpointError`, `SpaceError` or `StateDictionaryMismatch`: what does not fit.
    public static func open(_ url: URL) throws -> any FaceEmbedding {
        if url.pathExtension.lowercased() == "json" && !url.lastPathComponent.contains(".index.") {
            return try FaceEmbedder(contentsOf: url)
        }
        return try InceptionResnetV1(StateDictionary(opening: url))
    }
}

/// Likeness and distance of faces by their embeddings.
public enum FaceLikeness {
    /// The cosine of two embeddings, -1...1: 1 for the same face.
    public static func cosine(_ a: [Float], _ b: [Float]) -> Double {
        precondition(a.count == b.count, "embeddings of \(a.count) and \(b.count) numbers")
        var (dot, first, second) = (0.0, 0.0, 0.0)
        for i in a.indices {
            let (x, y) = (Double(a[i]), Double(b[i]))
            dot += x * y
            first += x * x
            second += y * y
        }
        return dot / max((first * second).squareRoot(), .leastNonzeroMagnitude)
    }

    /// How far apart two faces are: the Euclidean distance of their embeddings of length 1, 0...2.
    public static func distance(_ a: [Float], _ b: [Float]) -> Double { max(0, 2 - 2 * cosine(a, b)).squareRoot() }

    /// All cosines between two sets of embeddings of length 1.
    /// - Parameters:
    ///   - a: [N, d]
    ///   - b: [M, d]
    /// - Returns: [N, M]
    public static func cosines(_ a: Tensor, _ b: Tensor) -> Tensor { Kernels.product(a, b, transposeB: true) }
}
