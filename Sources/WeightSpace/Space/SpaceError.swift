import Foundation

/// What is wrong with a space or a training run, in words for a person.
public struct SpaceError: Error, Equatable, CustomStringConvertible, LocalizedError {
    /// What is wrong and where.
    public let message: String
    /// What to do next, or empty.
    public let advice: String

    public init(_ message: String, advice: String = "") {
        self.message = message
        self.advice = advice
    }

    public var description: String { advice.isEmpty ? message : "\(message)\n\(advice)" }
    public var errorDescription: String? { description }
}
