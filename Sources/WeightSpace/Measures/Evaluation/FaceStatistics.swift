import TensorKit

/// Pictures of a number of people as embeddings: so many of each, one after the other.
struct FaceGroup {
    /// [people * pictures, d], rows of length 1.
    let embeddings: Tensor
    let people: Int
    /// Pictures of each.
    let pictures: Int

    /// What the likenesses of the pictures say.
    struct Statistics {
        /// d' of one person's pictures against those of two.
        let separation: Separation
        /// Likenesses of the pairs.
        let pairs: (same: [Double], different: [Double])
        /// Mean cosine of two pictures of one person.
        var consistency: Double { separation.same.mean }
        /// 1 - mean cosine of two people's pictures.
        var diversity: Double { 1 - separation.different.mean }
    }

    var statistics: Statistics {
        let cosines = FaceLikeness.cosines(embeddings, embeddings).array
        let owners = (0..<people).flatMap { person in Array(repeating: person, count: pictures) }
        let pairs = Separation.pairs(cosines: cosines, people: owners)
        return Statistics(separation: Separation(same: pairs.same, different: pairs.different), pairs: pairs)
    }

    /// The mean direction of each person's pictures, [people, d], rows of length 1.
    var centres: Tensor { Self.centres(embeddings, counts: Array(repeating: pictures, count: people)) }

    /// Mean directions of consecutive rows.
    /// - Parameters:
    ///   - embeddings: [sum of counts, d]
    ///   - counts: rows of each mean.
    /// - Returns: [counts, d], rows of length 1.
    static func centres(_ embeddings: Tensor, counts: [Int]) -> Tensor {
        let d = embeddings.shape[1]
        let result = Tensor(zeros: [counts.count, d])
        var row = 0
        for (person, count) in counts.enumerated() {
            let target = result.pointer + person * d
            for _ in 0..<count {
                for i in 0..<d { target[i] += embeddings.pointer[row * d + i] }
                row += 1
            }
            let length = (0..<d).reduce(Float(0)) { $0 + target[$1] * target[$1] }.squareRoot()
            for i in 0..<d { target[i] /= max(length, 1e-12) }
        }
        return result
    }

    /// The largest cosine of each row with any row of others.
    /// - Parameters:
    ///   - rows: [N, d]
    ///   - others: [M, d], at least one.
    /// - Returns: N likenesses, and which of the others it is.
    static func nearest(_ rows: Tensor, among others: Tensor) -> [(likeness: Double, index: Int)] {
        let cosines = FaceLikeness.cosines(rows, others)
        let count = others.shape[0]
        return (0..<rows.shape[0]).map { row in
            let values = cosines.pointer + row * count
            let best = (0..<count).reduce(0) { values[$1] > values[$0] ? $1 : $0 }
            return (Double(values[best]), best)
        }
    }
}
