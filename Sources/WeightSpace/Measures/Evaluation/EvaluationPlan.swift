/// How much work goes into the measures of a space.
public struct EvaluationPlan: Sendable, Equatable {
    /// Codes from each source, and held-out people drawn.
    public var people: Int
    /// Pictures of each under one prompt.
    public var seeds: Int
    /// Walks between two people, drawn along each kind of path.
    public var morphs: Int
    /// Pictures of a walk, both ends included.
    public var frames: Int
    /// People around whom the effect of each axis is drawn; 0 leaves it out.
    public var axisPeople: Int
    /// Denoising steps; nil takes the space's.
    public var steps: Int?
    /// Of all draws.
    public var seed: UInt64

    public init(
        people: Int = 32, seeds: Int = 4, morphs: Int = 4, frames: Int = 9, axisPeople: Int = 1, steps: Int? = nil,
        seed: UInt64 = 0
    ) {
        self.people = people
        self.seeds = seeds
        self.morphs = morphs
        self.frames = frames
        self.axisPeople = axisPeople
        self.steps = steps
        self.seed = seed
    }

    /// - Throws: `SpaceError` with the first number that cannot be.
    public func validate() throws {
        func refuse(_ what: String) -> SpaceError { SpaceError(what, advice: "`w2w evaluate --help` gives the ranges.") }
        guard (2...10_000).contains(people) else { throw refuse("\(people) people make no measure") }
        guard (2...100).contains(seeds) else { throw refuse("\(seeds) seeds make no comparison") }
        guard (0...1000).contains(morphs), (3...1000).contains(frames) else {
            throw refuse("\(morphs) walks of \(frames) pictures cannot be measured")
        }
        guard (0...100).contains(axisPeople) else { throw refuse("the axes cannot be drawn around \(axisPeople) people") }
        if let steps, !(1...1000).contains(steps) { throw refuse("\(steps) denoising steps cannot be done") }
    }
}
