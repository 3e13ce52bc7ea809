import ArgumentParser
import EngineAPI

/// Delayed injection: whose weights draw the beginning of a picture.
struct InjectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Delayed injection: other weights draw while the training time step is above t, this person's from t on. 700 to 1000 changes a \
            face as a whole, 400 to 700 its details.
            """, valueName: "t"))
    var injectAt: Int?

    @Option(
        help: ArgumentHelp(
            "Who draws the beginning: an identity or a code file; without it the base model.", valueName: "who"))
    var injectOver: String?

    func validate() throws {
        if let injectAt, !(0...1000).contains(injectAt) {
            throw ValidationError("'--inject-at \(injectAt)' is outside 0 to 1000.")
        }
        if injectOver != nil, injectAt == nil {
            throw ValidationError("'--inject-over' says who draws the beginning; '--inject-at T' must say until when.")
        }
    }

    /// What was asked for, or nil.
    /// - Throws: `CommandFailure` for somebody whom the space does not know.
    func injection(in description: SpaceDescription) throws -> DelayedInjection? {
        guard let injectAt else { return nil }
        guard let injectOver else { return DelayedInjection(early: .base, timestep: injectAt) }
        return DelayedInjection(early: try ResumePoint(injectOver, in: description).subject, timestep: injectAt)
    }
}

/// Two time steps as `a..b`.
struct TimestepInterval {
    let range: ClosedRange<Int>

    /// - Throws: `ValidationError` with what is expected.
    init(_ argument: String) throws {
        let ends = argument.split(separator: ".", omittingEmptySubsequences: true).map(String.init)
        guard argument.contains(".."), ends.count == 2, let low = Int(ends[0]), let high = Int(ends[1]),
            (0...1000).contains(low), (low...1000).contains(high)
        else { throw ValidationError("It should be two time steps, the lower one first, such as 0..900.") }
        range = low...high
    }
}
