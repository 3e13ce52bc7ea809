import ImageCore

/// How different two pictures of faces are.
public protocol FaceDistance: AnyObject {
    /// What measures, in words for a person.
    var title: String { get }

    /// The distances between neighbours in a row of pictures of one size.
    /// - Parameter images: at least 2.
    /// - Returns: one number less than pictures, none below 0.
    func steps(_ images: [RGBImage]) -> [Double]
}

/// The distance for spaces without an embedder: root mean square of the difference of both pictures at 16 pixels, where only the large shapes
/// and colours of hair, skin and beard are left and no noise of single pixels; 0...1.
public final class LowFrequencyDistance: FaceDistance {
    private static let side = 16

    public init() {}

    public var title: String { "low-frequency picture distance" }

    public func steps(_ images: [RGBImage]) -> [Double] {
        let small = images.map { $0.resized(width: Self.side, height: Self.side) }
        return zip(small, small.dropFirst()).map { first, second in
            let sum = zip(first.pixels, second.pixels).reduce(0.0) { sum, pair in
                let difference = Double(pair.0) - Double(pair.1)
                return sum + difference * difference
            }
            return (sum / Double(max(1, first.pixels.count))).squareRoot() / 255
        }
    }
}

/// Positions along a path from which each step is equally long, by what was measured at other positions.
public enum EvenPacing {
    /// - Parameters:
    ///   - positions: where pictures were taken, rising from 0 to 1.
    ///   - steps: distances between them, one less.
    /// - Returns: as many positions, from 0 to 1; the old ones when nothing changes along the path.
    public static func retimed(_ positions: [Float], steps: [Double]) -> [Float] {
        precondition(positions.count == steps.count + 1, "\(steps.count) steps between \(positions.count) positions")
        let total = steps.reduce(0, +)
        guard total > 0, total.isFinite, positions.count > 2 else { return positions }
        var result = [positions[0]]
        var (before, index) = (0.0, 0)
        for frame in 1..<(positions.count - 1) {
            let wanted = total * Double(frame) / Double(positions.count - 1)
            while index < steps.count - 1, before + steps[index] < wanted {
                before += steps[index]
                index += 1
            }
            let share = steps[index] > 0 ? max(0, min(1, (wanted - before) / steps[index])) : 0
            result.append(positions[index] + Float(share) * (positions[index + 1] - positions[index]))
        }
        return result + [positions[positions.count - 1]]
    }

    /// Largest step as a multiple of the mean step; 1 when nothing changes.
    public static func unevenness(_ steps: [Double]) -> Double {
        let total = steps.reduce(0, +)
        guard total > 0, let largest = steps.max() else { return 1 }
        return largest * Double(steps.count) / total
    }
}
