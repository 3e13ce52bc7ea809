import ImageCore
import TensorKit

/// Turns pictures of faces into directions whose cosine says how alike two people are.
public protocol FaceEmbedding: AnyObject {
    /// d, the length of an embedding.
    var embeddingDimension: Int { get }

    /// The embeddings of pictures of any size that show one face each.
    /// - Parameter images: N pictures.
    /// - Returns: [N, d], rows of length 1.
    func embeddings(of images: [RGBImage]) -> Tensor
}

extension FaceEmbedding {
    /// The embedding of one picture: d numbers, of length 1 together.
    public func embedding(of image: RGBImage) -> [Float] { embeddings(of: [image]).array }
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
