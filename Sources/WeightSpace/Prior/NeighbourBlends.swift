import Foundation
import TensorKit

/// Blends of an identity with one of its nearest neighbours (SMOTE, Chawla et al. 2002, along an arc). Remembers who is near whom; looks it up
/// when it is asked for, so that time and memory grow with what is drawn and not with the square of the identities.
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
    /// Nearest neighbours that an identity is blended with: this share of all identities, within these bounds.
    private static let neighbours = (least: 8, share: 1.0 / 64, most: 64)
    /// Distances that are in memory at once.
    private static let blockDistances = 1 << 22

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
        self.centre = centre ?? Self.mean(codes, dimension)
        self.shares = shares
        near = Array(repeating: nil, count: count)
    }

    private static func mean(_ codes: [Float], _ dimension: Int) -> [Float] {
        var sums = [Float](repeating: 0, count: dimension)
        for row in stride(from: 0, to: codes.count, by: dimension) {
            for i in 0..<dimension { sums[i] += codes[row + i] }
        }
        return sums.map { $0 / Float(codes.count / dimension) }
    }

    /// Number of identities.
    var count: Int { near.count }

    /// Neighbours that each of so many identities has.
    static func neighbourCount(of count: Int) -> Int {
        min(count - 1, max(neighbours.least, min(neighbours.most, Int(neighbours.share * Double(count)))))
    }

    /// Draws blends cos θ a + sin θ b of an identity and one of its neighbours, around the centre. Neighbours point the same way, so a blend is
    /// longer than either; that makes up for what a decoder that was trained on noisy codes shortens.
    /// - Parameters:
    ///   - number: how many.
    ///   - random: source of the choices; blend i takes the same numbers however many are drawn.
    /// - Returns: [number, d]
    func draw(_ number: Int, _ random: TorchRandomSource) -> Tensor {
        let neighbourCount = Self.neighbourCount(of: count)
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
        let blockRows = max(1, Self.blockDistances / count)
        for start in stride(from: 0, to: missing.count, by: blockRows) {
            let block = Array(missing[start..<min(missing.count, start + blockRows)])
            for (row, found) in zip(block, nearest(neighbourCount, of: block)) { near[row] = found }
        }
    }

    private func nearest(_ neighbourCount: Int, of rows: [Int]) -> [[Int32]] {
        let products = Kernels.product(codes.gathering(rows), codes, transposeB: true)
        let (count, start) = (count, products.pointer)
        var found = [[Int32]](repeating: [], count: rows.count)
        found.withUnsafeMutableBufferPointer { found in
            lengths.withUnsafeBufferPointer { lengths in
                nonisolated(unsafe) let (found, lengths) = (found, lengths)
                Parallel.ranges(rows.count, grain: 1) { range in
                    for place in range {
                        found[place] = Self.smallest(neighbourCount, of: count, besides: rows[place]) {
                            lengths[$0] - 2 * start[place * count + $0]
                        }
                    }
                }
            }
        }
        return found
    }

    /// The places of the smallest of some numbers in rising order, of equal ones the earlier place first.
    @inline(__always)
    private static func smallest(_ k: Int, of count: Int, besides own: Int, _ value: (Int) -> Float) -> [Int32] {
        var (values, places) = ([Float](), [Int32]())
        values.reserveCapacity(k + 1)
        places.reserveCapacity(k + 1)
        var largest = Float.infinity
        for i in 0..<count {
            let number = value(i)
            guard number < largest || values.count < k, i != own else { continue }
            var place = values.count
            while place > 0, values[place - 1] > number { place -= 1 }
            values.insert(number, at: place)
            places.insert(Int32(i), at: place)
            if values.count > k {
                values.removeLast()
                places.removeLast()
            }
            if values.count == k { largest = values[k - 1] }
        }
        return places
    }
}
