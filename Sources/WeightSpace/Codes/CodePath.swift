import Foundation

/// Ways from one code to another.
public struct CodePath: Sendable {
    /// Which way a path takes.
    public enum Kind: String, Sendable, CaseIterable {
        /// Along the great circle, the length interpolated (White 2016); over the active axes only, since the noise of collapsed axes
        /// would dominate the angle. Inactive axes go straight.
        case slerp
        /// The straight line.
        case lerp
    }

    public let from: [Float]
    public let to: [Float]
    public let kind: Kind
    private let centre: [Float]
    private let active: [Bool]
    private let scale: [Float]
    /// Angle between the two ends seen from the centre, and their lengths; nil when the way is straight.
    private let arc: (angle: Double, fromLength: Double, toLength: Double)?

    /// - Parameters:
    ///   - from: where position 0 is.
    ///   - to: where position 1 is.
    ///   - kind: the way.
    ///   - centre: what the angle is seen from: the mean of the aggregated posterior.
    ///   - active: by axis, whether identities differ along it.
    ///   - scale: deviation of the prior along each axis, in which angle and length are measured; nil for 1.
    /// - Precondition: all of the same length.
    public init(from: [Float], to: [Float], kind: Kind, centre: [Float], active: [Bool], scale: [Float]? = nil) {
        precondition(
            from.count == to.count && from.count == centre.count && from.count == active.count, "codes of different lengths")
        self.from = from
        self.to = to
        self.kind = kind
        self.centre = centre
        self.active = active
        self.scale = scale ?? Array(repeating: 1, count: from.count)
        precondition(self.scale.count == from.count, "codes of different lengths")
        var (dot, first, second) = (0.0, 0.0, 0.0)
        for i in from.indices where active[i] {
            let unit = Double(self.scale[i])
            let (a, b) = (Double(from[i] - centre[i]) / unit, Double(to[i] - centre[i]) / unit)
            dot += a * b
            first += a * a
            second += b * b
        }
        let lengths = (first.squareRoot(), second.squareRoot())
        let cosine = max(-1, min(1, dot / (lengths.0 * lengths.1)))
        let angle = acos(cosine)
        // Between parallel or opposite codes, or from the centre itself, there is no one great circle.
        let isRound = kind == .slerp && angle.isFinite && sin(angle) > 1e-4
        arc = isRound ? (angle, lengths.0, lengths.1) : nil
    }

    /// The code at a position; exactly `from` at 0 and `to` at 1.
    /// - Parameter position: 0...1
    /// - Returns: [d]
    public func code(at position: Float) -> [Float] {
        if position <= 0 { return from }
        if position >= 1 { return to }
        let t = Double(position)
        let straight = from.indices.map { Float(Double(from[$0]) * (1 - t) + Double(to[$0]) * t) }
        guard let arc else { return straight }
        let length = arc.fromLength * (1 - t) + arc.toLength * t
        let first = sin((1 - t) * arc.angle) / sin(arc.angle) * length / arc.fromLength
        let second = sin(t * arc.angle) / sin(arc.angle) * length / arc.toLength
        return from.indices.map { i in
            guard active[i] else { return straight[i] }
            let (a, b, c) = (Double(from[i]), Double(to[i]), Double(centre[i]))
            return Float(c + first * (a - c) + second * (b - c))
        }
    }

    /// Codes at equal steps of position, both ends included.
    /// - Precondition: at least 2 frames.
    public func codes(frames: Int) -> [[Float]] {
        precondition(frames >= 2, "a path has at least 2 frames")
        return (0..<frames).map { code(at: Float($0) / Float(frames - 1)) }
    }
}
