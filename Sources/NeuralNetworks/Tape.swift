import TensorKit

/// Remembers how tensors were made, so that gradients can flow back. A layer that is given no tape records nothing and is free to work in
/// place and to fuse; with a tape it computes the same numbers.
public final class Tape {
    private var steps: [(output: Tensor, backward: (Tensor) -> Void)] = []
    private var gradients: [ObjectIdentifier: Tensor] = [:]

    public init() {}

    /// Adds a step. `backward` receives the gradient of `output` and passes on what it owes through `accumulate`.
    public func record(_ output: Tensor, backward: @escaping (Tensor) -> Void) {
        steps.append((output, backward))
    }

    /// Adds `gradient` to what is known of the gradient of `tensor`.
    public func accumulate(_ gradient: Tensor, for tensor: Tensor) {
        precondition(gradient.shape == tensor.shape, "gradient \(gradient.shape) of \(tensor.shape)")
        if let known = gradients[ObjectIdentifier(tensor)] {
            let target = known.pointer
            let source = gradient.pointer
            for i in 0..<known.count { target[i] += source[i] }
        } else {
            gradients[ObjectIdentifier(tensor)] = gradient
        }
    }

    /// The gradient of a tensor after `backward`, or nil when nothing depends on it.
    public func gradient(of tensor: Tensor) -> Tensor? { gradients[ObjectIdentifier(tensor)] }

    /// Runs all steps backwards from `output`, whose own gradient is `seed`.
    public func backward(from output: Tensor, seed: Tensor) {
        accumulate(seed, for: output)
        for step in steps.reversed() {
            if let gradient = gradients[ObjectIdentifier(step.output)] { step.backward(gradient) }
        }
    }
}
