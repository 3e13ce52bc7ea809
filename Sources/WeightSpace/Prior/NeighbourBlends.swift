import Foundation
import TensorKit

/// Blends of an identity with one of its nearest neighbours (SMOTE, Chawla et al. 2002, along an arc). Remembers who is near whom.
final class NeighbourBlends {
    /// [N, d]
    private let codes: Tensor
    /// Squared lengths of the codes, [N].
    private let lengths: [Float]
    /// The middle of the codes, [d].
    private let centre: [Float]
    /// Where a blend lies between its two identities, as a share of a right angle: 0 is the first one.
    private let shares: ClosedRange<Double>
    private var near: [[Int32]?]
    /// Nearest neighbours that an identity is blended with: at least this many, and this share of all identities.
    private static let neighbours = (least: 8, share: 1.0 / 64)

    /// - Parameters:
    ///   - codes: of at least two identities, [N, d] row-major.
    ///   - dimension: d.
    ///   - centre: what blends turn around, [d]; nil means the mean code.
    ///   - shares: of a right angle, within 0...1.
    init(codes: [Float], dimension: Int, centre: [Float]? = nil, shares: ClosedRange<Double>) {
        let count = codes.count / dimension
        self.codes = Tensor([count, dimension], codes)
        lengths = (0..<count).map { row in
            (0..<dimension).reduce(0) { $0 + codes[row * dimension + $1] * codes[row * dimension + $1] }
        }
        self.centre =
            centre ?? (0..<dimension).map { i in (0..<count).reduce(0) { $0 + codes[$1 * dimension + i] } / Float(count) }
        self.shares = shares
        near = Array(repeating: nil, count: count)
    }

    /// Number of identities.
    var count: Int { near.count }

    /// Draws blends cos θ a + sin θ b of an identity and one of its neighbours, around the centre. Neighbours point the same way, so a blend is
    /// longer than either; that makes up for what a decoder that was trained on noisy codes shortens.
    /// - Parameters:
    ///   - number: how many.
    ///   - random: source of the choices; blend i takes the same numbers however many are drawn.
    /// - Returns: [number, d]
    func draw(_ number: Int, _ random: TorchRandomSource) -> Tensor {
        let neighbourCount = min(count - 1, max(Self.neighbours.least, Int(Self.neighbours.share * Double(count))))
        let choices = (0..<number).map { _ in
            (
                first: random.integer(below: count), rank: random.integer(below: neighbourCount),
                share: Double(random.uniform(1)[0])
            )
        }
        find(neighbourCount, of: choices.map(\.first))
        let d = codes.shape[1]
        let result = Tensor(uninitialized: [number, d])
        for (row, choice) in choices.enumerated() {
            let angle = (shares.lowerBound + (shares.upperBound - shares.lowerBound) * choice.share) * .pi / 2
            let second = near[choice.first].map { Int($0[choice.rank]) } ?? choice.first
            let (a, b) = (codes.pointer + choice.first * d, codes.pointer + second * d)
            for i in 0..<d {
                let (x, y) = (Double(a[i] - centre[i]), Double(b[i] - centre[i]))
                result.pointer[row * d + i] = centre[i] + Float(cos(angle) * x + sin(angle) * y)
            }
        }
        return result
    }

    /// Looks up the nearest neighbours that are not known yet, nearest first; of equal distances the earlier row.
    private func find(_ neighbourCount: Int, of rows: [Int]) {
        let missing = Set(rows.filter { near[$0] == nil }).sorted()
        guard !missing.isEmpty else { return }
        let products = Kernels.product(codes.gathering(missing), codes, transposeB: true)
        let count = count
        let start = products.pointer
        var found = [[Int32]](repeating: [], count: missing.count)
        found.withUnsafeMutableBufferPointer { found in
            nonisolated(unsafe) let found = found
            Parallel.ranges(missing.count, grain: 1) { range in
                for place in range {
                    let own = start + place * count
                    let distances = (0..<count).map { lengths[$0] - 2 * own[$0] }
                    let others = (0..<count).filter { $0 != missing[place] }
                        .sorted { (distances[$0], $0) < (distances[$1], $1) }
                    found[place] = others.prefix(neighbourCount).map(Int32.init)
                }
            }
        }
        for (place, row) in missing.enumerated() { near[row] = found[place] }
    }
}
