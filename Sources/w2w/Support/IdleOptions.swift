import ArgumentParser

/// Options that would change nothing where they stand: they are refused, so that nobody believes in an effect that is not there.
enum IdleOptions {
    /// - Parameters:
    ///   - options: name, and whether it was given something else than it is without.
    ///   - circumstance: completes "has no effect": "with --flow", "without --linear-path".
    /// - Throws: `ValidationError` that names the first that was given.
    static func refuse(_ options: [(name: String, isGiven: Bool)], _ circumstance: String) throws {
        guard let idle = options.first(where: \.isGiven) else { return }
        throw ValidationError("'\(idle.name)' has no effect \(circumstance); leave it out.")
    }
}
