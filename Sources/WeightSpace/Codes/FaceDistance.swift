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
    /// Positions in equal steps of the measured distance.
    ///
    /// Where a picture jumps (hair is long or short, nothing between), the distance of two neighbours that lie close together cannot be divided
    /// by a frame between them: such a jump counts as one step at most, and the other frames share the rest.
    /// - Parameters:
    ///   - positions: where pictures were taken, rising from 0 to 1.
    ///   - steps: distances between neighbours, one less.
    ///   - frames: how many positions are wanted, at least 2.
    /// - Returns: positions from 0 to 1; in equal steps of the path when nothing changes along it.
    public static func retimed(_ positions: [Float], steps: [Double], frames: Int) -> [Float] {
        precondition(positions.count == steps.count + 1, "\(steps.count) steps between \(positions.count) positions")
        let even = (0..<frames).map { Float($0) / Float(frames - 1) }
        var weights = steps
        let narrow = Float(0.1) / Float(frames - 1)
        for _ in 0..<8 {
            let step = weights.reduce(0, +) / Double(frames - 1)
            for i in steps.indices where positions[i + 1] - positions[i] <= narrow { weights[i] = min(steps[i], step) }
        }
        let total = weights.reduce(0, +)
        guard total > 0, total.isFinite, frames > 2, positions.count > 2 else { return even }
        var result: [Float] = [0]
        var (before, index) = (0.0, 0)
        for frame in 1..<(frames - 1) {
            let wanted = total * Double(frame) / Double(frames - 1)
            while index < weights.count - 1, before + weights[index] < wanted {
                before += weights[index]
                index += 1
            }
            let share = weights[index] > 0 ? max(0, min(1, (wanted - before) / weights[index])) : 0
            result.append(positions[index] + Float(share) * (positions[index + 1] - positions[index]))
        }
        return result + [1]
    }

    /// Largest step as a multiple of the mean step; 1 when nothing changes.
    public static func unevenness(_ steps: [Double]) -> Double {
        let total = steps.reduce(0, +)
        guard total > 0, let largest = steps.max() else { return 1 }
        return largest * Double(steps.count) / total
    }

    /// Root mean square of the steps as a multiple of their mean: 1 when all are equal. Unlike `unevenness` it also sees what lies beside a
    /// jump.
    public static func spread(_ steps: [Double]) -> Double {
        let total = steps.reduce(0, +)
        guard total > 0 else { return 1 }
        return (steps.reduce(0) { $0 + $1 * $1 } * Double(steps.count)).squareRoot() / total
    }
}
