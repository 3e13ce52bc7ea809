/// How ordinary codes of the model in use are among the identities of a space.
public struct TypicalityGauge: Sendable {
    private let read: @Sendable (WeightCode) -> Float

    /// - Parameter read: the share of the identities that lie at least as far out as a code of the space's length, 0...1.
    public init(_ read: @escaping @Sendable (WeightCode) -> Float) {
        self.read = read
    }

    /// How ordinary a code is.
    /// - Parameter code: of the model that the gauge was made for.
    /// - Returns: the share of the identities that lie at least as far out: 1 in the middle, about one half for an ordinary person, 0 beyond
    ///   everybody.
    public func callAsFunction(_ code: WeightCode) -> Float { read(code) }
}
