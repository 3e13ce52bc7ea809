/// How a PCA is made. Equal plans and equal vectors give equal components on one machine.
public struct PCAPlan: Sendable, Equatable, Codable {
    /// The ways to the components.
    public enum Method: String, Sendable, CaseIterable, Codable {
        /// Through the Gram matrix of all vectors [N, N], in double precision: as exact as the numbers allow, for some thousand vectors.
        case exact
        /// Block iteration from a random start (Halko, Martinsson and Tropp 2011) with a Chebyshev filter (`PowerIteration`): each pass reads the
        /// vectors once, memory does not depend on their number.
        case randomized
    }

    /// k
    public var components: Int
    /// Whether every number of the vectors is divided by its deviation first, as weights2weights does it; otherwise they are only centred.
    public var standardizes: Bool
    /// Nil: exact up to `exactLimit` vectors, randomised above.
    public var method: Method?
    /// At most so many passes of the randomised method.
    public var passes: Int
    /// It ends when no singular value has changed by more than this share in a pass.
    public var tolerance: Double
    /// Seed of its random start.
    public var seed: UInt64
    /// Numbers that a block of vectors may hold in memory.
    public var blockSize: Int

    public static let exactLimit = 6144

    public init(
        components: Int, standardizes: Bool = true, method: Method? = nil, passes: Int = 16, tolerance: Double = 1e-4,
        seed: UInt64 = 0, blockSize: Int = 1 << 26
    ) {
        self.components = components
        self.standardizes = standardizes
        self.method = method
        self.passes = passes
        self.tolerance = tolerance
        self.seed = seed
        self.blockSize = blockSize
    }

    /// The method for a number of vectors.
    public func method(rows: Int) -> Method { method ?? (rows <= Self.exactLimit ? .exact : .randomized) }

    /// Width of the randomised method's block: the components and a tenth more, at least 16 more.
    func width(rows: Int, length: Int) -> Int { min(components + max(16, components / 10), rows, length) }

    /// Checks the plan.
    /// - Parameters:
    ///   - rows: number of vectors.
    ///   - length: numbers in a vector.
    /// - Throws: `SpaceError` with the first number that cannot be.
    public func validate(rows: Int, length: Int) throws {
        guard rows >= 2 else { throw SpaceError("\(rows) vectors have no components", advice: "Give at least 2.") }
        guard components >= 1, components <= min(rows - 1, length) else {
            throw SpaceError(
                "\(components) components cannot be had of \(rows) vectors of \(length) numbers",
                advice: "Ask for 1 to \(min(rows - 1, length)).")
        }
        guard passes >= 2, tolerance > 0, tolerance < 1, blockSize >= 1 else {
            throw SpaceError("\(passes) passes to a tolerance of \(tolerance) cannot be", advice: "Try 16 and 0.0001.")
        }
        if method(rows: rows) == .exact, rows > 16_384 {
            throw SpaceError(
                "the exact method needs a matrix of \(rows) x \(rows) numbers in memory", advice: "Take the randomised one.")
        }
    }
}
