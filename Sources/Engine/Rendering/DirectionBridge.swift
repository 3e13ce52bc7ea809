import EngineAPI
import WeightSpace

extension DirectionShelf {
    /// All directions of the model in use, for the explorer.
    /// - Throws: `CheckpointError` or `SpaceError` when the file of a person's own is damaged.
    func descriptions(of space: Space) throws -> [DirectionDescription] {
        let saved = try saved(for: space)
        let named = Set((saved + space.namedDirections).map(\.name))
        return try space.directions(including: saved).map { DirectionDescription($0, isNamed: named.contains($0.name)) }
    }
}

extension DirectionDescription {
    init(_ direction: Direction, isNamed: Bool) {
        self.init(
            name: direction.name, method: direction.method.rawValue, attribute: direction.attribute, held: direction.held,
            step: direction.step, unit: direction.unit == .classGap ? .classGap : .deviation, deviations: direction.deviations,
            accuracy: direction.score?.balancedAccuracy.map { Float($0) },
            correlation: direction.score.map { Float($0.correlation) }, isNamed: isNamed)
    }
}
