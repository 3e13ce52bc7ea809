import Checkpoints
import Foundation
import NumericalTesting
import StableDiffusion
import TensorKit
import Testing

/// A file that lies beside the tests.
func fixture(_ name: String) throws -> URL {
    try #require(Bundle.module.resourceURL).appendingPathComponent("Fixtures").appendingPathComponent(name)
}

/// The base model of the built-in space, in the sources.
let builtInModel = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
    .appendingPathComponent("Sources/WeightSpace/Resources/BuiltInSpace/base")

/// Expects a tensor to equal a reference within a tolerance relative to the reference's maximum.
func expectClose(
    _ name: String, _ found: Tensor, _ expected: Tensor, tolerance: Float, sourceLocation: SourceLocation = #_sourceLocation
) {
    let comparison = Comparison(name, found, expected, tolerance: tolerance)
    #expect(comparison.isClose, "\(comparison)", sourceLocation: sourceLocation)
}

/// The text of the error that `body` throws, or what it returned instead.
func message(_ body: () throws -> some Any) -> String {
    do {
        return "no error but \(try body())"
    } catch { return "\(error)" }
}
