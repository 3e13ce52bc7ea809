import TensorKit

/// The activation of every element.
public func activate(_ x: Tensor, _ activation: Activation, tape: Tape? = nil) -> Tensor {
    let y = Kernels.apply(activation, x)
    if let tape, tape.tracks(x) {
        tape.record(y) { [unowned tape] in tape.accumulate(Kernels.activationGradient(activation, x: x, gradient: $0), for: x) }
    }
    return y
}

/// x * sigmoid(x)
public func silu(_ x: Tensor, tape: Tape? = nil) -> Tensor { activate(x, .silu, tape: tape) }

/// x * Φ(x), exact
public func gelu(_ x: Tensor, tape: Tape? = nil) -> Tensor { activate(x, .gelu, tape: tape) }

/// x * sigmoid(1.702 x)
public func quickGELU(_ x: Tensor, tape: Tape? = nil) -> Tensor { activate(x, .quickGELU, tape: tape) }

/// x for x > 0, slope * x otherwise
public func leakyReLU(_ x: Tensor, slope: Float = 0.01, tape: Tape? = nil) -> Tensor {
    activate(x, .leakyReLU(slope: slope), tape: tape)
}

/// The hyperbolic tangent
public func tanh(_ x: Tensor, tape: Tape? = nil) -> Tensor { activate(x, .tanh, tape: tape) }

/// The first half of the features times the GELU of the second half: [..., 2 * D] -> [..., D] (diffusers `GEGLU`)
public func geglu(_ x: Tensor, tape: Tape? = nil) -> Tensor {
    let y = Kernels.geglu(x)
    if let tape, tape.tracks(x) {
        tape.record(y) { [unowned tape] in tape.accumulate(Kernels.gegluGradient($0, x: x), for: x) }
    }
    return y
}

/// x + y
public func add(_ x: Tensor, _ y: Tensor, tape: Tape? = nil) -> Tensor {
    let sum = Kernels.add(x, y)
    if let tape, tape.tracks(x) || tape.tracks(y) {
        tape.record(sum) { [unowned tape] in
            tape.accumulate($0, for: x)
            tape.accumulate($0, for: y)
        }
    }
    return sum
}

/// factor * x
public func scale(_ x: Tensor, by factor: Float, tape: Tape? = nil) -> Tensor {
    let y = Kernels.scale(x, by: factor)
    if let tape, tape.tracks(x) {
        tape.record(y) { [unowned tape] in tape.accumulate(Kernels.scale($0, by: factor), for: x) }
    }
    return y
}

/// The same elements under another shape; sharing memory.
public func reshape(_ x: Tensor, to shape: [Int], tape: Tape? = nil) -> Tensor {
    let y = x.reshaped(shape)
    if let tape, tape.tracks(x) {
        tape.record(y) { [unowned tape] in tape.accumulate($0.reshaped(x.shape), for: x) }
    }
    return y
}

/// softmax(q kᵀ / sqrt(d)) v for every head (`torch.nn.functional.scaled_dot_product_attention`).
/// - Parameters:
///   - query: [N, T, heads * d]
///   - key: [N, S, heads * d]
///   - value: [N, S, heads * d]
///   - heads: number of heads; the features of a head lie together.
///   - causal: position i sees positions up to i only.
///   - precision: `fast` may use half precision, unless a tape records.
///   - tape: records the backward pass.
/// - Returns: [N, T, heads * d]
public func scaledDotProductAttention(
    query: Tensor, key: Tensor, value: Tensor, heads: Int, causal: Bool = false, precision: Precision = .f32, tape: Tape? = nil
) -> Tensor {
    let y = Kernels.attention(
        query: query, key: key, value: value, heads: heads, causal: causal, precision: tape == nil ? precision : .f32)
    if let tape, tape.tracks(query) || tape.tracks(key) || tape.tracks(value) {
        tape.record(y) { [unowned tape] gradient in
            let gradients = Kernels.attentionGradient(
                gradient, query: query, key: key, value: value, heads: heads, causal: causal)
            tape.accumulate(gradients.query, for: query)
            tape.accumulate(gradients.key, for: key)
            tape.accumulate(gradients.value, for: value)
        }
    }
    return y
}

/// Every pixel four times: [N, H, W, C] -> [N, 2H, 2W, C]
public func upsampleNearest2x(_ x: Tensor, tape: Tape? = nil) -> Tensor {
    let y = Kernels.upsampleNearest2x(x)
    if let tape, tape.tracks(x) {
        tape.record(y) { [unowned tape] in tape.accumulate(Kernels.upsampleNearest2xGradient($0), for: x) }
    }
    return y
}

/// Joins along the last dimension: [..., A] and [..., B] -> [..., A + B]
public func concatenateChannels(_ a: Tensor, _ b: Tensor, tape: Tape? = nil) -> Tensor {
    let y = Kernels.concatenateChannels(a, b)
    if let tape, tape.tracks(a) || tape.tracks(b) {
        let (first, all) = (a.shape[a.shape.count - 1], y.shape[y.shape.count - 1])
        tape.record(y) { [unowned tape] gradient in
            if tape.tracks(a) { tape.accumulate(Kernels.channels(0..<first, of: gradient), for: a) }
            if tape.tracks(b) { tape.accumulate(Kernels.channels(first..<all, of: gradient), for: b) }
        }
    }
    return y
}
