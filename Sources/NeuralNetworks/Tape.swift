import TensorKit

/// Remembers how tensors were made, so that gradients can flow back. A layer that is given no tape records nothing and is free to work in
/// place and to fuse; with a tape it computes the same numbers.
///
/// Gradients flow to the trainable parameters and to the tensors that were watched; work that neither depends on is not recorded.
public final class Tape {
    private var steps: [(output: Tensor, backward: (Tensor) -> Void)] = []
    /// Known gradients; `owned` ones may be changed in place.
    private var gradients: [ObjectIdentifier: (tensor: Tensor, gradient: Tensor, owned: Bool)] = [:]
    /// Tensors that gradients flow to, kept alive so that their identity stays theirs.
    private var tracked: [ObjectIdentifier: Tensor] = [:]
    private let keepsIntermediateGradients: Bool

    /// - Parameter keepsIntermediateGradients: `gradient(of:)` also answers for results of layers; otherwise these are freed once used.
    public init(keepingIntermediateGradients keepsIntermediateGradients: Bool = false) {
        self.keepsIntermediateGradients = keepsIntermediateGradients
    }

    /// Asks for the gradient of an input. Call it before the tensor is used.
    public func watch(_ tensor: Tensor) { tracked[ObjectIdentifier(tensor)] = tensor }

    /// Whether gradients flow to the tensor: it is watched or was made from something that is.
    public func tracks(_ tensor: Tensor) -> Bool { tracked[ObjectIdentifier(tensor)] != nil }

    /// Adds a step. `backward` receives the gradient of `output` and passes on what it owes through `accumulate`.
    public func record(_ output: Tensor, backward: @escaping (Tensor) -> Void) {
        steps.append((output, backward))
        tracked[ObjectIdentifier(output)] = output
    }

    /// Adds `gradient` to what is known of the gradient of `tensor`; does nothing when the tensor is not tracked. The gradient may be
    /// shared with others and is not changed.
    public func accumulate(_ gradient: Tensor, for tensor: Tensor) {
        let key = ObjectIdentifier(tensor)
        guard tracked[key] != nil else { return }
        precondition(gradient.count == tensor.count, "gradient \(gradient.shape) of \(tensor.shape)")
        if let known = gradients[key] {
            if known.owned {
                Kernels.accumulate(gradient, into: known.gradient)
            } else {
                gradients[key] = (tensor, Kernels.add(known.gradient, gradient), true)
            }
        } else {
            gradients[key] = (tensor, gradient.shape == tensor.shape ? gradient : gradient.reshaped(tensor.shape), false)
        }
    }

    /// The gradient of a watched tensor after `backward`, or nil when the output does not depend on it.
    public func gradient(of tensor: Tensor) -> Tensor? { gradients[ObjectIdentifier(tensor)]?.gradient }

    /// Runs all steps backwards from `output`, whose own gradient is `seed`, and forgets the steps.
    public func backward(from output: Tensor, seed: Tensor) {
        accumulate(seed, for: output)
        while let step = steps.popLast() {
            let key = ObjectIdentifier(step.output)
            guard let gradient = gradients[key]?.gradient else { continue }
            step.backward(gradient)
            if !keepsIntermediateGradients { gradients[key] = nil }
        }
    }
}
