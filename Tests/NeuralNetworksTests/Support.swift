import Checkpoints
import Foundation
import NeuralNetworks
import NumericalTesting
import TensorKit
import Testing

/// One case of `layers.safetensors`: what PyTorch was given and what it answered.
struct TorchCase {
    private let state: StateDictionary
    private let name: String

    init(_ name: String) throws {
        let file = try #require(Bundle.module.resourceURL).appendingPathComponent("Fixtures/layers.safetensors")
        state = try StateDictionary(safetensors: file)
        self.name = name
    }

    /// A new tensor with the numbers of `CASE.key`.
    subscript(key: String) -> Tensor {
        get throws { try #require(state["\(name).\(key)"]).tensor().copy() }
    }

    /// A parameter with the numbers of `CASE.key`.
    func set(_ parameter: Parameter?, _ key: String) throws {
        try #require(parameter).value = self[key]
    }

    /// Expects a tensor to be what PyTorch calculated.
    func expect(_ found: Tensor?, is key: String, tolerance: Float = 1e-5, sourceLocation: SourceLocation = #_sourceLocation)
        throws
    {
        let found = try #require(found, "\(name).\(key) was not calculated", sourceLocation: sourceLocation)
        let comparison = try Comparison("\(name).\(key)", found, self[key], tolerance: tolerance)
        #expect(comparison.isClose, "\(comparison)", sourceLocation: sourceLocation)
    }

    /// Runs a layer with and without a tape and holds results and gradients against PyTorch's.
    /// - Parameters:
    ///   - inputs: names of the tensors that `layer` takes; their gradients are checked.
    ///   - parameters: whose gradients are checked, by name.
    ///   - layer: from the inputs, by name, to the result.
    /// - Throws: when the fixture lacks a tensor or a gradient was not calculated.
    func check(
        inputs: [String], parameters: [(String, Parameter?)] = [], _ layer: ([String: Tensor], Tape?) -> Tensor
    ) throws {
        var tensors: [String: Tensor] = [:]
        for input in inputs { tensors[input] = try self[input] }
        try expect(layer(tensors, nil), is: "y")
        let tape = Tape()
        for tensor in tensors.values { tape.watch(tensor) }
        let y = layer(tensors, tape)
        try expect(y, is: "y")
        tape.backward(from: y, seed: try self["d.y"])
        for input in inputs { try expect(tape.gradient(of: #require(tensors[input])), is: "d." + input) }
        for (key, parameter) in parameters { try expect(parameter?.gradient, is: "d." + key) }
    }
}
