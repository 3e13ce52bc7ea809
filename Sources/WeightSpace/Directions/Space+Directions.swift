extension Space {
    /// Codes beyond which the directions of attributes are not computed unasked.
    private static let unaskedLimit = 1 << 24

    /// The directions for the model in use: named ones first, then one by least squares for every attribute that none of them changes freely.
    /// - Parameter saved: a person's own, beside those that the space names.
    /// - Returns: those that were found with this model and this space; each name once.
    /// - Throws: `CheckpointError` when a part cannot be read for the fingerprint.
    public func directions(including saved: [Direction] = []) throws -> [Direction] {
        guard let kind else { return [] }
        let fingerprint = try fingerprint()
        var names = Set<String>()
        let named = (saved + namedDirections).filter {
            $0.model == kind && $0.fingerprint == fingerprint && $0.step.count == latentDimension
                && names.insert($0.name).inserted
        }
        guard !identities.attributeNames.isEmpty, codes.count <= Self.unaskedLimit, let finder = try? DirectionFinder(self) else {
            return named
        }
        let free = Set(named.filter(\.held.isEmpty).compactMap(\.attribute))
        return named
            + finder.attributeDirections().filter { !free.contains($0.attribute ?? "") && names.insert($0.name).inserted }
    }
}
